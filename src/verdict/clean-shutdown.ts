import type { ShutDown } from '../connector/ledger-sites.ts';
import type { Position, PositionOrder } from '../connector/position.ts';

/** The primary was alive at this time, by its own clock, with its head there or behind. */
export interface SignOfLife {
  readonly position: Position;
  readonly at: Date;
}

export interface ShutDownFacts {
  /** The candidate's: the last that it has applied is the record of the primary's shutdown. */
  readonly record: ShutDown | null | undefined;
  /** The candidate's position, and the ledger's. */
  readonly applied: Position | null;
  readonly ledgerEnd: Position | null;
  readonly signs: readonly SignOfLife[];
  /** Commit times of transactions that lie before the candidate's position. */
  readonly commits: readonly (Date | null)[];
  readonly compare: (a: Position, b: Position) => PositionOrder;
}

/**
 * A time at which the primary still ran, after which it never committed anything unless it was started again, all before
 * being on the candidate. Null: that is not shown, or the primary was seen again later. Pure.
 *
 * The server takes the time of its shutdown record when no session is left. The record is the last thing that the
 * candidate has applied, so whatever that run of the server committed is there. That nobody started it again only a person
 * can say: with a fence at or before this time. A time of a head that was read before the record lies before the shutdown
 * too, and so do all commits: the record's own time is in whole seconds, and is less than theirs now and then.
 */
export function downSince({
  record,
  applied,
  ledgerEnd,
  signs,
  commits,
  compare,
}: ShutDownFacts): Date | null {
  if (record === null || record === undefined || applied === null || ledgerEnd === null) return null;
  const reaches = (position: Position, limit: Position): boolean => {
    const order = compare(position, limit);
    return order === 'before' || order === 'equal';
  };
  if (!reaches(ledgerEnd, applied)) return null;
  if (!signs.every(({ position }) => reaches(position, record.begin))) return null;
  const times = [...signs.map(({ at }) => at), ...commits.filter((at) => at !== null)];
  return new Date(Math.max(Number(record.timeUs / 1000n), ...times.map((at) => at.getTime())));
}
