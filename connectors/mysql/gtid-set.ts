import { TwinproofError } from '../../src/errors.ts';

/** Transaction numbers from the first to the last, both included. */
export type Interval = readonly [first: bigint, last: bigint];

/**
 * A GTID set of MySQL: by source (`uuid`, or `uuid:tag` since MySQL 8.3), intervals in order, none empty, none touching
 * another. A source without an interval is not in it.
 */
export type GtidSet = ReadonlyMap<string, readonly Interval[]>;

/** MySQL gives numbers from 1 to 2^63 − 2 (manual, "GTID Format and Storage"). */
const NUMBER_MAX = (1n << 63n) - 1n;

const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/;
const TAG = /^[a-z_][a-z0-9_]{0,31}$/;
const INTERVAL = /^(\d{1,19})(?:-(\d{1,19}))?$/;

/**
 * Reads a set in any form that a server writes or a person types: `uuid:1-5:7`, several joined by commas, with tags
 * (`uuid:1-5:tag:1-3`: an interval belongs to the tag before it), in any order and case, with white space and empty
 * parts. Source: MySQL manual, "GTID Sets". Throws TP-BUG on anything else, for only servers write these.
 */
export function parseGtidSet(text: string): GtidSet {
  const found = new Map<string, Interval[]>();
  for (const part of text.replace(/\s+/g, '').toLowerCase().split(',')) {
    if (part === '') continue;
    const [uuid = '', ...rest] = part.split(':');
    if (!UUID.test(uuid) || rest.length === 0) throw malformed();
    const server = hyphenated(uuid);
    let source = server;
    for (const [index, item] of rest.entries()) {
      const interval = intervalOf(item);
      if (interval !== null) push(found, source, interval);
      else if (TAG.test(item) && index < rest.length - 1) source = `${server}:${item}`;
      else throw malformed();
    }
  }
  return normalised(found);
}

/** The one text of a set, as the server prints it without line ends: sources in order, the tags of one behind it. */
export function formatGtidSet(set: GtidSet): string {
  const parts: string[] = [];
  let last = '';
  for (const source of [...set.keys()].sort()) {
    const [uuid = '', tag] = source.split(':');
    const intervals = (set.get(source) ?? []).map(formatInterval).join(':');
    const item = tag === undefined ? intervals : `${tag}:${intervals}`;
    if (uuid === last) parts.push(`${parts.pop() ?? ''}:${item}`);
    else parts.push(`${uuid}:${item}`);
    last = uuid;
  }
  return parts.join(',');
}

/** Whether every transaction of `a` is in `b`. */
export function isSubset(a: GtidSet, b: GtidSet): boolean {
  return subtract(a, b).size === 0;
}

export function unite(a: GtidSet, b: GtidSet): GtidSet {
  const all = new Map<string, Interval[]>();
  for (const set of [a, b])
    for (const [source, intervals] of set) for (const interval of intervals) push(all, source, interval);
  return normalised(all);
}

/** What is in `a` and not in `b`. */
export function subtract(a: GtidSet, b: GtidSet): GtidSet {
  const left = new Map<string, readonly Interval[]>();
  for (const [source, intervals] of a) {
    const rest = subtractIntervals(intervals, b.get(source) ?? []);
    if (rest.length > 0) left.set(source, rest);
  }
  return left;
}

/** The transactions of the servers for which `belongs` answers yes; it is given the UUID, without a tag. */
export function filterServers(set: GtidSet, belongs: (uuid: string) => boolean): GtidSet {
  return new Map([...set].filter(([source]) => belongs(source.slice(0, 36))));
}

/** How many transactions a set holds. */
export function countOf(set: GtidSet): bigint {
  let count = 0n;
  for (const intervals of set.values()) for (const [first, last] of intervals) count += last - first + 1n;
  return count;
}

function subtractIntervals(from: readonly Interval[], these: readonly Interval[]): Interval[] {
  const left: Interval[] = [];
  let at = 0;
  for (const [first, last] of from) {
    let next = first;
    while (at < these.length && (these[at]?.[1] ?? 0n) < next) at++;
    for (let hole = at; hole < these.length && next <= last; hole++) {
      const [start, end] = these[hole] ?? [last + 1n, last];
      if (start > last) break;
      if (start > next) left.push([next, start - 1n]);
      next = end + 1n;
    }
    if (next <= last) left.push([next, last]);
  }
  return left;
}

function push(sets: Map<string, Interval[]>, source: string, interval: Interval): void {
  const known = sets.get(source);
  if (known === undefined) sets.set(source, [interval]);
  else known.push(interval);
}

function normalised(sets: ReadonlyMap<string, readonly Interval[]>): GtidSet {
  const merged = new Map<string, readonly Interval[]>();
  for (const [source, intervals] of sets) merged.set(source, merge(intervals));
  return merged;
}

function merge(intervals: readonly Interval[]): Interval[] {
  const merged: Interval[] = [];
  for (const [first, last] of [...intervals].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
    const before = merged.at(-1);
    if (before === undefined || first > before[1] + 1n) merged.push([first, last]);
    else if (last > before[1]) merged[merged.length - 1] = [before[0], last];
  }
  return merged;
}

function intervalOf(text: string): Interval | null {
  const match = INTERVAL.exec(text);
  if (match === null) return null;
  const first = BigInt(match[1] ?? '');
  const last = match[2] === undefined ? first : BigInt(match[2]);
  if (first < 1n || last < first || last > NUMBER_MAX) throw malformed();
  return [first, last];
}

function formatInterval([first, last]: Interval): string {
  return first === last ? String(first) : `${first}-${last}`;
}

/** The server takes a UUID without its hyphens too. */
function hyphenated(uuid: string): string {
  const digits = uuid.replaceAll('-', '');
  return [0, 8, 12, 16, 20].map((start, i, cuts) => digits.slice(start, cuts[i + 1])).join('-');
}

function malformed(): TwinproofError {
  return new TwinproofError('TP-BUG', { message: 'not a GTID set of MySQL' });
}
