import { type GtidList, isInState, parseGtids } from './gtid-list.ts';
import { type GtidSet, type Interval, parseGtidSet, subtract } from './gtid-set.ts';

/*
 * Positions of a candidate in its primary's commit order. A replica that applies in parallel may lack a transaction and
 * have later ones (MySQL, replica_preserve_commit_order=OFF): no place of the primary's log is where it stands, but two
 * places have it between them. Rows that two transactions change are applied in the primary's order all the same, so
 * each row is as it was at some place between the two.
 */

/** What is remembered of the primary, so that a candidate's positions can be told in its terms without it. */
export interface PrimaryHistory {
  /** MySQL: what it had executed. */
  readonly executed: GtidSet;
  /** MariaDB: its gtid_binlog_state. */
  readonly state: readonly { readonly domain: bigint; readonly server: bigint; readonly sequence: bigint }[];
}

/** `text` as the server wrote it, remembered in FollowedSource.details. */
export function historyOf(flavor: 'mysql' | 'mariadb', text: string): PrimaryHistory {
  return flavor === 'mysql'
    ? { executed: parseGtidSet(text), state: [] }
    : { executed: new Map(), state: parseGtids(text) };
}

/** Whose transactions may be the primary's. */
export interface Origins {
  /** The candidate's own server_uuid. */
  readonly own: string;
  /** It replicates from nobody else: what it has and did not write itself comes from the primary. */
  readonly single: boolean;
}

/**
 * The transactions of a set that are the primary's: not those that the candidate wrote itself, unless the primary has
 * them (it was the primary once); where it has other sources, only of servers that the primary's history knows. Pure.
 */
export function ofPrimary(set: GtidSet, { executed }: PrimaryHistory, { own, single }: Origins): GtidSet {
  const found = new Map<string, readonly Interval[]>();
  for (const [source, intervals] of set) {
    const known = executed.get(source) ?? [];
    if (source.startsWith(own)) {
      const shared = common(intervals, known);
      if (shared.length > 0) found.set(source, shared);
    } else if (single || known.length > 0) found.set(source, intervals);
  }
  return found;
}

/** The greatest place of the primary's log up to which the set has everything. Pure. */
export function upToFirstHole(set: GtidSet, { executed }: PrimaryHistory): GtidSet {
  const found = new Map<string, readonly Interval[]>();
  for (const [source, intervals] of set) {
    const kept: Interval[] = [];
    let next = 1n;
    for (const [first, last] of intervals) {
      if (first > next && !isForGood([next, first - 1n], executed.get(source) ?? [])) break;
      kept.push([first, last]);
      next = last + 1n;
    }
    if (kept.length > 0) found.set(source, kept);
  }
  return found;
}

/** The least place of the primary's log that has everything of the set. Pure. */
export function withHolesFilled(set: GtidSet, { executed }: PrimaryHistory): GtidSet {
  const found = new Map<string, readonly Interval[]>();
  for (const [source, intervals] of set) {
    const filled: Interval[] = [];
    let next = 1n;
    for (const [first, last] of intervals) {
      const isHole = first > next && !isForGood([next, first - 1n], executed.get(source) ?? []);
      const before = filled.at(-1);
      if (isHole && before !== undefined) filled[filled.length - 1] = [before[0], last];
      else filled.push([isHole ? next : first, last]);
      next = last + 1n;
    }
    found.set(source, filled);
  }
  return found;
}

/** Numbers that the primary itself has never had, and has gone beyond: no transaction will ever have them. */
function isForGood(hole: Interval, primary: readonly Interval[]): boolean {
  const last = primary.at(-1)?.[1] ?? 0n;
  return hole[1] < last && common([hole], primary).length === 0;
}

function common(a: readonly Interval[], b: readonly Interval[]): readonly Interval[] {
  const [left, right] = [new Map([['', a]]), new Map([['', b]])];
  return subtract(left, subtract(left, right)).get('') ?? [];
}

/** The domains of a list that the primary has; of a candidate without other sources all. Pure. */
export function domainsOfPrimary(list: GtidList, { state }: PrimaryHistory, single: boolean): GtidList {
  if (single) return list;
  return new Map([...list].filter(([domain]) => state.some((one) => one.domain === domain)));
}

/** Whether a position of MariaDB has transactions in common with the primary's log, or one of both has none. Pure. */
export function sharesState(list: GtidList, { state }: PrimaryHistory): boolean {
  if (list.size === 0 || state.length === 0) return true;
  return [...list].some(([domain, gtid]) => {
    const there = state.filter((one) => one.domain === domain && one.server === gtid.server);
    return isInState({ domain, ...gtid }, state) || there.length > 0;
  });
}

/**
 * Whether a position of MariaDB is the primary's beyond doubt: of each domain that the primary has, the last
 * transaction was written by a server of which the primary's log has some in that domain; `alone`: it has no other
 * domain. Pure.
 */
export function stemsFrom(list: GtidList, { state }: PrimaryHistory, alone: boolean): boolean {
  const entries = [...list];
  const theirs = entries.filter(([domain]) => state.some((one) => one.domain === domain));
  if (theirs.length === 0 || (alone && theirs.length < entries.length)) return false;
  return theirs.every(([domain, { server }]) =>
    state.some((one) => one.domain === domain && one.server === server),
  );
}

/**
 * The place just behind one of the primary's transactions, if all before it is there and nothing behind it: `base` is
 * what the primary had when it was asked last. Pure.
 */
export function placeBehind(base: GtidSet, source: string, number: bigint): GtidSet {
  const known = base.get(source) ?? [];
  const last = known.at(-1)?.[1] ?? 0n;
  const below: Interval[] = known
    .filter(([first]) => first <= number)
    .map(([first, end]) => [first, end < number ? end : number] as const);
  const place = new Map(base);
  const end = below.at(-1);
  if (number > last && end !== undefined) below[below.length - 1] = [end[0], number];
  else if (number > last) below.push([1n, number]);
  place.set(source, below);
  return place;
}
