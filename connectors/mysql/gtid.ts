import type { Position, PositionOrder } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';
import { formatGtidList, isReached, parseGtidList, type GtidList } from './gtid-list.ts';
import { formatGtidSet, isSubset, parseGtidSet, type GtidSet } from './gtid-set.ts';

/**
 * A place in the binary log of one server, for servers without GTIDs. Means nothing in the log of any other server,
 * nor after RESET BINARY LOGS on this one.
 */
export interface FilePlace {
  /** server_uuid of the server whose log it is. */
  readonly server: string;
  /** `binlog.000017`. */
  readonly file: string;
  readonly offset: bigint;
}

/** `mysql:` and a GTID set, in one text for equal sets. */
export function positionOfSet(set: GtidSet): Position {
  return asPosition(`mysql:${formatGtidSet(set)}`);
}

/** The same of a set that formatGtidSet has written. */
export function positionOfSetText(text: string): Position {
  return asPosition(`mysql:${text}`);
}

/** `mariadb:` and one GTID for each domain. */
export function positionOfList(list: GtidList): Position {
  return asPosition(`mariadb:${formatGtidList(list)}`);
}

/** The same of a list that formatGtidList has written. */
export function positionOfListText(text: string): Position {
  return asPosition(`mariadb:${text}`);
}

/** `mysql-log:`, the server's UUID, `/`, log file, `/` and offset. */
export function positionOfPlace({ server, file, offset }: FilePlace): Position {
  return asPosition(`mysql-log:${server}/${file}/${offset}`);
}

/** Whether a text, say from a state file, is a position of this connector. */
export function isPosition(text: string): text is Position {
  try {
    return textOf(parsePosition(text)) === text;
  } catch (error) {
    if (error instanceof TwinproofError) return false;
    throw error;
  }
}

type Parsed =
  | { readonly kind: 'set'; readonly set: GtidSet }
  | { readonly kind: 'list'; readonly list: GtidList }
  | { readonly kind: 'place'; readonly place: FilePlace };

/** Throws TP-BUG on what this connector did not write. */
export function parsePosition(text: string): Parsed {
  const colon = text.indexOf(':');
  const [kind, rest] = [text.slice(0, colon), text.slice(colon + 1)];
  if (kind === 'mysql') return { kind: 'set', set: parseGtidSet(rest) };
  if (kind === 'mariadb') return { kind: 'list', list: parseGtidList(rest) };
  const place = kind === 'mysql-log' ? /^([0-9a-f-]{36})\/([^/]+)\/(\d+)$/.exec(rest) : null;
  if (place === null) throw new TwinproofError('TP-BUG', { message: 'not a position of this connector' });
  const [, server = '', file = '', offset = ''] = place;
  return { kind: 'place', place: { server, file, offset: BigInt(offset) } };
}

/**
 * Pure. Sets: by inclusion, so two sets that each lack something of the other are incomparable; that is no error but
 * the usual look of a replica that applies in parallel, or that has transactions of its own, while it is behind.
 * MariaDB positions: by domain (isReached). Places: within one server's log. Across the three kinds: incomparable.
 */
export function comparePositions(a: Position, b: Position): PositionOrder {
  const left = parsePosition(a);
  const right = parsePosition(b);
  if (left.kind === 'set' && right.kind === 'set') {
    return orderOf(isSubset(left.set, right.set), isSubset(right.set, left.set));
  }
  if (left.kind === 'list' && right.kind === 'list') {
    return orderOf(isReached(left.list, right.list), isReached(right.list, left.list));
  }
  if (left.kind === 'place' && right.kind === 'place') return comparePlaces(left.place, right.place);
  return 'incomparable';
}

function orderOf(reached: boolean, reaches: boolean): PositionOrder {
  if (reached) return reaches ? 'equal' : 'before';
  return reaches ? 'after' : 'incomparable';
}

function comparePlaces(a: FilePlace, b: FilePlace): PositionOrder {
  const [left, right] = [logFileOf(a.file), logFileOf(b.file)];
  if (a.server !== b.server || left === null || right === null || left.base !== right.base) {
    return 'incomparable';
  }
  const difference = left.number === right.number ? a.offset - b.offset : left.number - right.number;
  return difference === 0n ? 'equal' : difference < 0n ? 'before' : 'after';
}

/** Files of one log share a base name and are numbered; the number grows beyond six digits when it must. */
function logFileOf(file: string): { readonly base: string; readonly number: bigint } | null {
  const match = /^(.+)\.(\d+)$/.exec(file);
  return match === null ? null : { base: match[1] ?? '', number: BigInt(match[2] ?? '') };
}

function textOf(parsed: Parsed): string {
  switch (parsed.kind) {
    case 'set':
      return `mysql:${formatGtidSet(parsed.set)}`;
    case 'list':
      return `mariadb:${formatGtidList(parsed.list)}`;
    default:
      return `mysql-log:${parsed.place.server}/${parsed.place.file}/${parsed.place.offset}`;
  }
}

/** The formatters above write nothing else; reading a large set again to see that would cost more than writing it. */
function asPosition(text: string): Position {
  if (!isTagged(text)) throw new TwinproofError('TP-BUG', { message: 'not a position of this connector' });
  return text;
}

function isTagged(text: string): text is Position {
  return text.startsWith('mysql:') || text.startsWith('mariadb:') || text.startsWith('mysql-log:');
}
