import type { MysqlType } from './columns.ts';
import { integerOf, nativeLiteral, textLiteral } from './literals.ts';
import type { BoundColumn } from './ranges.ts';
import {
  datetimeOfMicroseconds,
  datetimeText,
  dateOfDays,
  dateText,
  daysOfDate,
  microsecondsOfDatetime,
  microsecondsOfTime,
  timeOfMicroseconds,
  timeText,
} from './temporal.ts';

/**
 * Where an interval of keys may be cut in two: literals for the leading key columns, best first. Guesses, all of them:
 * only the server knows its collations, so whoever asks looks whether keys lie on both sides of a cut. Of a pair of
 * keys that differ in a column the middle of that column's values; a cut always lies above `first`'s value and not
 * above `last`'s. Pure.
 */
export function middlesOf(
  columns: readonly BoundColumn[],
  first: readonly Uint8Array[],
  last: readonly Uint8Array[],
): string[][] {
  const found: string[][] = [];
  const prefix: string[] = [];
  for (const [at, { type }] of columns.entries()) {
    const [low, high] = [first[at], last[at]];
    if (low === undefined || high === undefined) break;
    if (Buffer.compare(low, high) !== 0) {
      for (const literal of between(type, low, high)) found.push([...prefix, literal]);
      // Text that differs in bytes may be equal to its collation: then the next column tells the keys apart.
      if (type.kind !== 'text') break;
    }
    prefix.push(nativeLiteral(type, low));
  }
  return found;
}

function between(type: MysqlType, low: Uint8Array, high: Uint8Array): string[] {
  switch (type.kind) {
    case 'integer':
    case 'year':
      return [String(upperMiddle(integerOf(type, low), integerOf(type, high)))];
    case 'bit':
      return [String(upperMiddle(bigEndian(low), bigEndian(high)))];
    case 'decimal':
      return [decimalBetween(Buffer.from(low).toString('latin1'), Buffer.from(high).toString('latin1'))];
    case 'date':
      return [`'${dateOfDays(upperMiddle(daysOfDate(dateText(low)), daysOfDate(dateText(high))))}'`];
    case 'datetime': {
      const [from, to] = [datetimeText(low), datetimeText(high)].map(microsecondsOfDatetime);
      return [`'${datetimeOfMicroseconds(upperMiddle(from ?? 0n, to ?? 0n))}'`];
    }
    case 'time': {
      const [from, to] = [timeText(low), timeText(high)].map(microsecondsOfTime);
      return [`'${timeOfMicroseconds(upperMiddle(from ?? 0n, to ?? 0n))}'`];
    }
    case 'bytes':
      return bytesBetween(low, high).map((bytes) => `X'${Buffer.from(bytes).toString('hex')}'`);
    case 'uuid':
      return uuidsBetween(low, high);
    case 'text':
      return textsBetween(type, low, high);
    default:
      return [];
  }
}

/** The middle, rounded up: above `low` wherever `high` is. */
function upperMiddle(low: bigint, high: bigint): bigint {
  return low + (high - low + 1n) / 2n;
}

function bigEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`);
}

/** Both have the digits of one scale behind the point. */
function decimalBetween(low: string, high: string): string {
  const scale = low.split('.')[1]?.length ?? 0;
  const middle = upperMiddle(BigInt(low.replace('.', '')), BigInt(high.replace('.', '')));
  const sign = middle < 0n ? '-' : '';
  const digits = String(middle < 0n ? -middle : middle).padStart(scale + 1, '0');
  if (scale === 0) return `${sign}${digits}`;
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

const MIDDLE_BYTES = 8;

/** By the eight bytes behind the common prefix; and the least value above the prefix that `high` begins with. */
function bytesBetween(low: Uint8Array, high: Uint8Array): Uint8Array[] {
  let same = 0;
  while (same < low.length && low[same] === high[same]) same++;
  const [from, to] = [low, high].map((bytes) => {
    const part = Buffer.alloc(MIDDLE_BYTES);
    part.set(bytes.subarray(same, same + MIDDLE_BYTES));
    return part.readBigUInt64BE();
  });
  const middle = Buffer.alloc(same + MIDDLE_BYTES);
  middle.set(high.subarray(0, same));
  middle.writeBigUInt64BE(upperMiddle(from ?? 0n, to ?? 0n), same);
  return [middle, high.subarray(0, same + 1)];
}

/** Where the groups of a UUID's text stand when the server orders them last group first (MariaDB, UUID data type). */
const SWAPPED = [24, 19, 14, 9, 0] as const;
const STRAIGHT = [0, 9, 14, 19, 24] as const;
const GROUP_LENGTHS: Readonly<Record<number, number>> = { 0: 8, 9: 4, 14: 4, 19: 4, 24: 12 };

/** The server takes no UUID without a known version and variant (RFC 9562, section 4). */
const NO_VERSION = /(?<=^.{14})[^1-8]/;
const NO_VARIANT = /(?<=^.{19})[^89ab]/;

function uuidsBetween(low: Uint8Array, high: Uint8Array): string[] {
  const [from, to] = [low, high].map((bytes) => Buffer.from(bytes).toString('latin1'));
  return [SWAPPED, STRAIGHT].flatMap((order) => {
    const [a, b] = [from, to].map((text) =>
      BigInt(`0x${order.map((at) => text?.slice(at, at + (GROUP_LENGTHS[at] ?? 0))).join('')}`),
    );
    if (a === undefined || b === undefined || a >= b) return [];
    const digits = upperMiddle(a, b).toString(16).padStart(32, '0');
    const groups = new Map<number, string>();
    let at = 0;
    for (const place of order) {
      const length = GROUP_LENGTHS[place] ?? 0;
      groups.set(place, digits.slice(at, at + length));
      at += length;
    }
    const text = STRAIGHT.map((place) => groups.get(place)).join('-');
    return [`'${text.replace(NO_VERSION, '4').replace(NO_VARIANT, '8')}'`];
  });
}

/** Character sets whose text can be taken apart here, and how Node calls their bytes. */
const DECODABLE: Readonly<Record<string, BufferEncoding>> = {
  utf8mb4: 'utf8',
  utf8mb3: 'utf8',
  ascii: 'latin1',
  latin1: 'latin1',
};

/** Ordered thus by every collation, in either case; blanks and marks stand below digits in most. */
const ALPHABET = ' 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';

function textsBetween(type: MysqlType, low: Uint8Array, high: Uint8Array): string[] {
  const encoding = DECODABLE[type.characterSet ?? ''];
  if (encoding === undefined) return [];
  const [from, to] = [low, high].map((bytes) => Array.from(Buffer.from(bytes).toString(encoding)));
  if (from === undefined || to === undefined) return [];
  // What is no UTF-8 after all would not come back as it was.
  if (from.includes('\ufffd') || to.includes('\ufffd')) return [];
  const exact = type.collation?.endsWith('_bin') === true || type.collation === 'binary';
  const fold = (letter = ''): string => (exact ? letter : baseLetter(letter));
  let same = 0;
  while (same < from.length && same < to.length && fold(from[same]) === fold(to[same])) same++;
  const prefix = to.slice(0, same).join('');
  const letters = lettersBetween(fold(from[same]), fold(to[same]), exact);
  const texts = letters.map((letter) => prefix + letter);
  texts.push(to.slice(0, same + 1).join(''));
  return [...new Set(texts)].map((text) => textLiteral(type, Buffer.from(text, encoding)));
}

/** A letter without case and accent. */
function baseLetter(letter: string): string {
  // Hangul would fall apart into its strokes.
  const plain = (letter.codePointAt(0) ?? 0) < 0x250 ? letter.normalize('NFD').charAt(0) : letter;
  return plain.toUpperCase();
}

/** Letters above one and not above another; an empty one stands for the end of the text. */
function lettersBetween(low: string, high: string, exact: boolean): string[] {
  const found: string[] = [];
  if (high === '') return found;
  const [from, to] = [low, high].map((letter) => (letter === '' ? 0 : ALPHABET.indexOf(letter)));
  if (!exact && from !== undefined && to !== undefined && from >= 0 && to > from) {
    found.push(ALPHABET[Math.ceil((from + to) / 2)] ?? '');
  }
  const [a, b] = [low.codePointAt(0) ?? 0x20, high.codePointAt(0) ?? 0];
  const middle = Math.ceil((a + b) / 2);
  const surrogate = middle >= 0xd800 && middle <= 0xdfff;
  if (b > a) found.push(surrogate ? '\ue000' : String.fromCodePoint(middle));
  return found;
}
