/** A person's decision that one finding does not stand against a promotion, until a day. */
export interface Waiver {
  /** Code of the rule, `TP-R-…`. */
  readonly rule: string;
  /** The subject of the finding; `*` stands for any characters. Null: every subject. */
  readonly subject: string | null;
  /** Name of the candidate that it is for; null: every candidate of the system. */
  readonly candidate: string | null;
  readonly reason: string;
  /** Who answers for it. */
  readonly by: string;
  /** The moment at which it ends. */
  readonly until: Date;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const MOMENT = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2})$/;
const DAY_MS = 86_400_000;

export const UNTIL_HINT =
  'write a day such as 2027-01-31 (to its end, UTC), or a time with zone such as 2027-01-31T18:00Z';

/** The end of a day in UTC, or a moment with its zone; null: neither, or no such day. */
export function endOf(text: string): Date | null {
  if (!DAY.test(text) && !MOMENT.test(text)) return null;
  const time = Date.parse(DAY.test(text) ? `${text}T00:00Z` : text);
  if (Number.isNaN(time)) return null;
  // Days beyond the end of a month are taken for days of the next one.
  if (DAY.test(text) && new Date(time).toISOString().slice(0, 10) !== text) return null;
  return new Date(DAY.test(text) ? time + DAY_MS : time);
}
