/** A person's decision that one finding does not stand against a promotion, until a day. */
export interface Waiver {
  /** Code of the rule, `TP-R-…`. */
  readonly rule: string;
  /** The subject of the finding; `*` stands for any characters. Null: every subject. */
  readonly subject: string | null;
  readonly reason: string;
  /** Who answers for it. */
  readonly by: string;
  readonly until: Date;
}

export interface Waiving {
  readonly waivers: readonly Waiver[];
  readonly now: Date;
}

/** Written so that a date that is none has passed. */
export function isInForce(waiver: Waiver, now: Date): boolean {
  return now.getTime() < waiver.until.getTime();
}

export function covers(waiver: Waiver, code: string, subject: string): boolean {
  return waiver.rule === code && (waiver.subject === null || matchesSubject(waiver.subject, subject));
}

function matchesSubject(pattern: string, subject: string): boolean {
  const parts = pattern.split('*').map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`));
  return new RegExp(`^${parts.join('.*')}$`, 'su').test(subject);
}
