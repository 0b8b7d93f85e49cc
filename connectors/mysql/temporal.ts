import { TwinproofError } from '../../src/errors.ts';

/**
 * Dates and times of the binary protocol as text and back. Layouts (protocol manual, "Binary Protocol Value"), without
 * the length byte in front:
 *   DATE, DATETIME, TIMESTAMP   0, 4, 7 or 11 bytes: year (2, little endian), month, day, hour, minute, second,
 *                               microseconds (4, little endian); what is left out is zero
 *   TIME                        0, 8 or 12 bytes: negative (1), days (4, little endian), hour, minute, second,
 *                               microseconds (4, little endian)
 * Text keeps zero dates and parts (0000-00-00, 2024-02-00) as the server writes them.
 */
export function dateText(bytes: Uint8Array): string {
  const { year, month, day } = dateFields(bytes);
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
}

export function datetimeText(bytes: Uint8Array): string {
  const { hour, minute, second, microsecond } = dateFields(bytes);
  return `${dateText(bytes)} ${clock(hour, minute, second, microsecond)}`;
}

export function timeText(bytes: Uint8Array): string {
  if (bytes.length !== 0 && bytes.length !== 8 && bytes.length !== 12) throw malformed('time', bytes);
  if (bytes.length === 0) return '00:00:00';
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hours = view.getUint32(1, true) * 24 + view.getUint8(5);
  const microsecond = bytes.length === 12 ? view.getUint32(8, true) : 0;
  const sign = view.getUint8(0) === 0 ? '' : '-';
  return `${sign}${clock(hours, view.getUint8(6), view.getUint8(7), microsecond)}`;
}

interface DateFields {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly microsecond: number;
}

function dateFields(bytes: Uint8Array): DateFields {
  if (![0, 4, 7, 11].includes(bytes.length)) throw malformed('date', bytes);
  const whole = new Uint8Array(11);
  whole.set(bytes);
  const view = new DataView(whole.buffer);
  return {
    year: view.getUint16(0, true),
    month: view.getUint8(2),
    day: view.getUint8(3),
    hour: view.getUint8(4),
    minute: view.getUint8(5),
    second: view.getUint8(6),
    microsecond: view.getUint32(7, true),
  };
}

const MICROSECONDS_A_SECOND = 1_000_000n;
const MICROSECONDS_A_DAY = 86_400n * MICROSECONDS_A_SECOND;
/** Days from 1970-01-01 to 2000-01-01, from which the portable forms count. */
const EPOCH_DAYS = 10_957n;

/** The calendar day that lies `days` after 2000-01-01. */
export function dateOfDays(days: bigint): string {
  const { year, month, day } = civil(days + EPOCH_DAYS);
  return `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
}

/** The moment that lies `microseconds` after 2000-01-01 00:00:00. */
export function datetimeOfMicroseconds(microseconds: bigint): string {
  const days = floorDivide(microseconds, MICROSECONDS_A_DAY);
  return `${dateOfDays(days)} ${timeOfMicroseconds(microseconds - days * MICROSECONDS_A_DAY)}`;
}

/** A time that may be negative and longer than a day. */
export function timeOfMicroseconds(microseconds: bigint): string {
  const size = microseconds < 0n ? -microseconds : microseconds;
  const seconds = size / MICROSECONDS_A_SECOND;
  const hours = Number(seconds / 3600n);
  const text = clock(
    hours,
    Number((seconds / 60n) % 60n),
    Number(seconds % 60n),
    Number(size % MICROSECONDS_A_SECOND),
  );
  return microseconds < 0n ? `-${text}` : text;
}

/**
 * The proleptic Gregorian date of a day counted from 1970-01-01, by eras of 400 years that begin in March, so that the
 * leap day is a year's last (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days).
 */
function civil(days: bigint): { readonly year: number; readonly month: number; readonly day: number } {
  const shifted = Number(days) + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
  };
}

/** Days from 1970-01-01 to a date of text `YYYY-MM-DD`; zero parts count as the first. For choosing a middle only. */
export function daysOfDate(text: string): bigint {
  const [year = 0, month = 0, day = 0] = text.split('-').map(Number);
  const shiftedYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(shiftedYear / 400);
  const yearOfEra = shiftedYear - era * 400;
  const marchMonth = Math.max(month, 1) + (month > 2 ? -3 : 9);
  const dayOfYear = Math.floor((153 * marchMonth + 2) / 5) + Math.max(day, 1) - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return BigInt(era * 146_097 + dayOfEra - 719_468) - EPOCH_DAYS;
}

/** Microseconds of a time of text `[-]HHH:MM:SS[.ffffff]`. */
export function microsecondsOfTime(text: string): bigint {
  const match = /^(-?)(\d+):(\d+):(\d+)(?:\.(\d{6}))?$/.exec(text);
  const [, sign = '', hours = '0', minutes = '0', seconds = '0', fraction = '0'] = match ?? [];
  const whole = (BigInt(hours) * 60n + BigInt(minutes)) * 60n + BigInt(seconds);
  const size = whole * MICROSECONDS_A_SECOND + BigInt(fraction);
  return sign === '-' ? -size : size;
}

/** Microseconds from 2000-01-01 to a moment of text `YYYY-MM-DD HH:MM:SS[.ffffff]`. For choosing a middle only. */
export function microsecondsOfDatetime(text: string): bigint {
  const [date = '', time = '00:00:00'] = text.split(' ');
  return daysOfDate(date) * MICROSECONDS_A_DAY + microsecondsOfTime(time);
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

function clock(hours: number, minutes: number, seconds: number, microsecond: number): string {
  const fraction = microsecond === 0 ? '' : `.${pad(microsecond, 6)}`;
  return `${pad(hours, 2)}:${pad(minutes, 2)}:${pad(seconds, 2)}${fraction}`;
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}

function malformed(what: string, bytes: Uint8Array): TwinproofError {
  return new TwinproofError('TP-BUG', { message: `a ${what} of ${bytes.length} bytes` });
}
