import type { Position, PositionOrder } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';

/** A place in the log, in bytes from its beginning. */
export type Lsn = bigint;

/** How the log is cut, in bytes (initdb --wal-segsize, configure --with-wal-blocksize). Both are powers of two. */
export interface WalShape {
  readonly segmentBytes: bigint;
  readonly pageBytes: bigint;
}

/** Sizes of the header of a page, and of the first page of a segment (xlog_internal.h). */
const SHORT_HEADER = 24n;
const LONG_HEADER = 40n;

/** Reads `16/B374D848`: two hexadecimal halves. Throws TP-BUG on anything else, for only servers write these. */
export function parseLsn(text: string): Lsn {
  const match = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/i.exec(text);
  if (match === null) throw new TwinproofError('TP-BUG', { message: 'not a log position' });
  return (BigInt(`0x${match[1] ?? '0'}`) << 32n) | BigInt(`0x${match[2] ?? '0'}`);
}

export function formatLsn(lsn: Lsn): string {
  return `${hexadecimal(Number(lsn >> 32n))}/${hexadecimal(Number(lsn & 0xff_ff_ff_ffn))}`;
}

function hexadecimal(half: number): string {
  return half.toString(16).toUpperCase();
}

/**
 * The same place under one name. Where the next record would start on a new page, the primary's insert position
 * already stands behind that page's header, while the end of the last record, which a standby replays to and a
 * subscriber confirms, is the page's start. Without this an idle standby seems 40 bytes behind after a log switch.
 */
export function normaliseLsn(lsn: Lsn, shape: WalShape): Lsn {
  const header = pageHeaderBytes(lsn, shape);
  return lsn % shape.pageBytes === header ? lsn - header : lsn;
}

/** The size of the header of the page that holds a place. */
export function pageHeaderBytes(lsn: Lsn, shape: WalShape): bigint {
  return lsn % shape.segmentBytes < shape.pageBytes ? LONG_HEADER : SHORT_HEADER;
}

/** `system identifier/timeline/LSN`, such as `7310…/1/0/16B3748`. */
export function positionOf(systemId: string, timeline: string, lsn: Lsn): Position {
  const text = `${systemId}/${timeline}/${formatLsn(lsn)}`;
  if (!isPosition(text)) throw new TwinproofError('TP-BUG', { message: 'not a position of this connector' });
  return text;
}

/** As positionOf, for many of one history. */
export function positionsIn(systemId: string, timeline: string): (lsn: Lsn) => Position {
  const prefix = positionOf(systemId, timeline, 0n).slice(0, -formatLsn(0n).length);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the prefix was checked, and the rest is made here
  return (lsn) => (prefix + formatLsn(lsn)) as Position;
}

/** Whether a text, say from a state file, is a position of this connector. */
export function isPosition(text: string): text is Position {
  return /^-?\d+\/\d+\/[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/.test(text);
}

interface Parsed {
  readonly systemId: string;
  readonly timeline: string;
  readonly lsn: Lsn;
}

export function parsePosition(position: Position): Parsed {
  const [systemId, timeline, high, low] = position.split('/');
  if (systemId === undefined || timeline === undefined || high === undefined || low === undefined) {
    throw new TwinproofError('TP-BUG', { message: 'not a position of this connector' });
  }
  return { systemId, timeline, lsn: parseLsn(`${high}/${low}`) };
}

/**
 * Pure. Positions of two servers or of two timelines are incomparable: equal numbers may mean other commits. A ledger
 * compares many, so no large numbers are made.
 */
export function comparePositions(a: Position, b: Position): PositionOrder {
  if (a === b) return 'equal';
  const from = a.indexOf('/', a.indexOf('/') + 1) + 1;
  return b.startsWith(a.slice(0, from)) ? compareLsns(a, b) : 'incomparable';
}

/** Pure. By the place in the log alone: of two positions that are known to lie in one log, whatever their timelines. */
export function compareLsns(a: Position, b: Position): Exclude<PositionOrder, 'incomparable'> {
  const order = highHalf(a) - highHalf(b) || lowHalf(a) - lowHalf(b);
  if (order === 0) return 'equal';
  return order < 0 ? 'before' : 'after';
}

/** 32 bits: the hexadecimal digits before the last slash. */
function highHalf(position: Position): number {
  const end = position.lastIndexOf('/');
  return Number.parseInt(position.slice(position.lastIndexOf('/', end - 1) + 1, end), 16);
}

function lowHalf(position: Position): number {
  return Number.parseInt(position.slice(position.lastIndexOf('/') + 1), 16);
}

/** Bytes of log from `a` to `b`, never negative; null when they cannot be compared. `order`: how they compare. */
export function bytesBetween(a: Position, b: Position, order = comparePositions(a, b)): bigint | null {
  if (order === 'incomparable') return null;
  return order === 'before' ? parsePosition(b).lsn - parsePosition(a).lsn : 0n;
}
