import type { Waiver } from '../config/waiver.ts';

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
