import type { PortableForm } from '../connector/table.ts';

/*
 * Values of the encoding `mysql-binary` (those of the binary protocol: MySQL source documentation, "Binary Protocol
 * Value"; MariaDB knowledge base, "Result Set Packets") as the portable forms that a range read gives of the same column
 * (src/row/portable.ts).
 */

const INTEGER_BYTES = 8;
const MICROSECONDS = 1_000_000n;
const DAY_SECONDS = 86_400n;
/** Days from 1970-01-01 to 2000-01-01. */
const DAYS_TO_2000 = 10_957n;
const UTF8 = new Set(['utf8mb4', 'utf8mb3', 'ascii']);
const TEXTS = new Set(['char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext']);
const BYTES = new Set(['binary', 'varbinary']);
const INTEGER = /^(?:tinyint|smallint|mediumint|int|bigint|year)\b/;

/** `type` as the catalog prints it: `varchar(60) character set utf8mb4`, `int(10) unsigned`. Null: no rule. Pure. */
export function mysqlKeyStep(type: string, form: PortableForm): ((value: Uint8Array) => Uint8Array) | null {
  const plain = type.toLowerCase().replaceAll(/\([^()]*\)/g, '');
  const [base = ''] = plain.split(' ');
  switch (form) {
    case 'integer':
    case 'decimal':
      return numberStep(plain, base, form);
    case 'text': {
      const characters = / character set (\w+)$/.exec(plain)?.[1] ?? '';
      return TEXTS.has(base) && UTF8.has(characters) ? asItIs : null;
    }
    case 'bytes':
      return BYTES.has(base) ? asItIs : null;
    case 'date':
      return base === 'date' ? dateBytes : null;
    case 'datetime':
      return base === 'datetime' ? momentBytes : null;
    case 'instant':
      return base === 'timestamp' ? momentBytes : null;
    case 'time':
      return base === 'time' ? timeBytes : null;
    case 'uuid':
      return base === 'uuid' ? uuidBytes : null;
    default:
      return null;
  }
}

function numberStep(
  plain: string,
  base: string,
  form: 'integer' | 'decimal',
): ((value: Uint8Array) => Uint8Array) | null {
  if (base === 'decimal') return form === 'decimal' ? decimalBytes : null;
  if (!INTEGER.test(plain)) return null;
  const unsigned = base === 'year' || /\b(?:unsigned|zerofill)\b/.test(plain);
  // One that may not fit has no such form on its own site.
  if (form === 'integer' && unsigned && base === 'bigint') return null;
  const read = (value: Uint8Array): bigint => integerOf(value, unsigned);
  return form === 'integer'
    ? (value) => bigEndian(read(value))
    : (value) => Buffer.from(String(read(value)), 'latin1');
}

function asItIs(value: Uint8Array): Uint8Array {
  return value;
}

/** Least byte first, 1, 2, 4 or 8 of them. */
function integerOf(value: Uint8Array, unsigned: boolean): bigint {
  let number = 0n;
  for (const byte of value.toReversed()) number = number * 256n + BigInt(byte);
  return unsigned ? number : BigInt.asIntN(value.length * 8, number);
}

function bigEndian(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(INTEGER_BYTES);
  bytes.writeBigInt64BE(value);
  return bytes;
}

/** Without zeros that do not count, and without the sign of zero. */
function decimalBytes(value: Uint8Array): Uint8Array {
  const text = Buffer.from(value).toString('latin1');
  const match = /^(-?)0*(\d*?)(?:\.(\d*?)0*)?$/.exec(text);
  const [, sign = '', whole = '', fraction = ''] = match ?? [];
  const size = `${whole === '' ? '0' : whole}${fraction === '' ? '' : `.${fraction}`}`;
  return Buffer.from(size === '0' ? size : `${sign}${size}`, 'latin1');
}

/** Year (2 bytes, least first), month, day; hour, minute, second; microseconds (4, least first): cut off where all is zero. */
interface Moment {
  readonly days: bigint;
  readonly micros: bigint;
}

function momentOf(value: Uint8Array): Moment | null {
  if (value.length !== 4 && value.length !== 7 && value.length !== 11) return null;
  const whole = Buffer.alloc(11);
  whole.set(value);
  const [year, month, day] = [whole.readUInt16LE(0), whole.readUInt8(2), whole.readUInt8(3)];
  if (year === 0 || month === 0 || month > 12 || day === 0 || day > daysIn(year, month)) return null;
  const clock = (whole.readUInt8(4) * 60 + whole.readUInt8(5)) * 60 + whole.readUInt8(6);
  const micros = BigInt(clock) * MICROSECONDS + BigInt(whole.readUInt32LE(7));
  return { days: daysSince2000(year, month, day), micros };
}

function dateBytes(value: Uint8Array): Uint8Array {
  const moment = momentOf(value);
  if (moment === null || moment.micros !== 0n) return noMoment(value);
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(Number(moment.days));
  return bytes;
}

function momentBytes(value: Uint8Array): Uint8Array {
  const moment = momentOf(value);
  if (moment === null) return noMoment(value);
  return bigEndian(moment.days * DAY_SECONDS * MICROSECONDS + moment.micros);
}

/** A date that is none has another length than any that is one, as ranges give it too. */
function noMoment(value: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(value.length + 2);
  bytes.set(value, 2);
  return bytes;
}

/** Negative (1), days (4 bytes, least first), hour, minute, second; microseconds (4, least first). Nothing at all is 0. */
function timeBytes(value: Uint8Array): Uint8Array {
  const whole = Buffer.alloc(12);
  whole.set(value.subarray(0, 12));
  const hours = BigInt(whole.readUInt32LE(1)) * 24n + BigInt(whole.readUInt8(5));
  const seconds = hours * 3600n + BigInt(whole.readUInt8(6) * 60 + whole.readUInt8(7));
  const micros = seconds * MICROSECONDS + BigInt(whole.readUInt32LE(8));
  return bigEndian(whole.readUInt8(0) === 0 ? micros : -micros);
}

/** MariaDB sends its text. */
function uuidBytes(value: Uint8Array): Uint8Array {
  return Buffer.from(Buffer.from(value).toString('latin1').replaceAll('-', ''), 'hex');
}

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Proleptic Gregorian; a year begins in March, so that leap days come last (Howard Hinnant, days_from_civil). */
function daysSince2000(year: number, month: number, day: number): bigint {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return BigInt(era) * 146_097n + BigInt(dayOfEra) - 719_468n - DAYS_TO_2000;
}
