import { uint24At, uint32At } from './binlog-event.ts';

/**
 * Dates and times of the log (MariaDB knowledge base, "Rows_event", column data formats; MySQL: "Date and Time Data
 * Type Representation", mysys/my_time.cc) in the layout of the binary protocol (temporal.ts). Each function writes the
 * value at `at` of `target`, which has room for 12 bytes, and returns its length: what is zero at its end is left out,
 * as the server does it.
 */

/** Bytes of the fraction by digits. */
export function fractionBytes(digits: number): number {
  return (digits + 1) >> 1;
}

/** Microseconds of a fraction, big endian, of the bytes that its digits need. */
function fractionAt(bytes: Uint8Array, at: number, digits: number): number {
  const size = fractionBytes(digits);
  let value = 0;
  for (let index = 0; index < size; index += 1) value = value * 256 + (bytes[at + index] ?? 0);
  return size === 1 ? value * 10_000 : size === 2 ? value * 100 : value;
}

function bigEndian(bytes: Uint8Array, at: number, size: number): number {
  let value = 0;
  for (let index = 0; index < size; index += 1) value = value * 256 + (bytes[at + index] ?? 0);
  return value;
}

/** DATE: 3 bytes, little endian: day (5 bits), month (4), year. */
export function writeDate(bytes: Uint8Array, from: number, target: Uint8Array, at: number): number {
  const value = uint24At(bytes, from);
  return putDatetime(target, at, value >> 9, (value >> 5) & 15, value & 31, 0, 0);
}

/**
 * DATETIME2: 5 bytes, big endian: sign (1 bit, always set), year · 13 + month (17), day (5), hour (5), minute (6),
 * second (6); then the fraction.
 */
export function writeDatetime2(
  bytes: Uint8Array,
  from: number,
  digits: number,
  target: Uint8Array,
  at: number,
): number {
  const clock = bigEndian(bytes, from + 2, 3) & 0x1_ff_ff;
  // The upper 23 bits, of which the highest is the sign.
  const date = (bigEndian(bytes, from, 3) & 0x7f_ff_ff) >> 1;
  const months = date >> 5;
  const seconds = (clock >> 12) * 3600 + ((clock >> 6) & 63) * 60 + (clock & 63);
  const microseconds = fractionAt(bytes, from + 5, digits);
  return putDatetime(target, at, Math.trunc(months / 13), months % 13, date & 31, seconds, microseconds);
}

/** TIMESTAMP2: seconds since 1970 (4 bytes, big endian), then the fraction. All zero is the zero date. */
export function writeTimestamp2(
  bytes: Uint8Array,
  from: number,
  digits: number,
  target: Uint8Array,
  at: number,
): number {
  return putInstant(target, at, bigEndian(bytes, from, 4), fractionAt(bytes, from + 4, digits));
}

/** TIMESTAMP as MariaDB writes it with mysql56_temporal_format=OFF: seconds since 1970 (4 bytes, little endian). */
export function writeTimestamp(bytes: Uint8Array, from: number, target: Uint8Array, at: number): number {
  return putInstant(target, at, uint32At(bytes, from), 0);
}

/** DATETIME likewise: the decimal number YYYYMMDDhhmmss (8 bytes, little endian). */
export function writeDatetime(bytes: Uint8Array, from: number, target: Uint8Array, at: number): number {
  const value = uint32At(bytes, from) + uint32At(bytes, from + 4) * 0x1_0000_0000;
  const date = Math.trunc(value / 1_000_000);
  const clock = value % 1_000_000;
  const seconds = clockSeconds(clock);
  return putDatetime(
    target,
    at,
    Math.trunc(date / 10_000),
    Math.trunc(date / 100) % 100,
    date % 100,
    seconds,
    0,
  );
}

/** TIME likewise: the signed decimal number hhmmss (3 bytes, little endian). */
export function writeTime(bytes: Uint8Array, from: number, target: Uint8Array, at: number): number {
  const value = (uint24At(bytes, from) << 8) >> 8;
  return putTime(target, at, value < 0, clockSeconds(Math.abs(value)), 0);
}

function clockSeconds(clock: number): number {
  return Math.trunc(clock / 10_000) * 3600 + (Math.trunc(clock / 100) % 100) * 60 + (clock % 100);
}

/**
 * TIME2: 3 bytes, big endian: sign (1 bit, set for what is not negative), unused (1), hour (10), minute (6), second
 * (6); then the fraction. Both together are one number, and a negative one is the complement of two.
 */
export function writeTime2(
  bytes: Uint8Array,
  from: number,
  digits: number,
  target: Uint8Array,
  at: number,
): number {
  const size = fractionBytes(digits);
  const unit = size === 1 ? 10_000 : size === 2 ? 100 : 1;
  const range = 2 ** (size * 8);
  const value = bigEndian(bytes, from, 3 + size) - 0x80_00_00 * range;
  const magnitude = Math.abs(value);
  const clock = Math.trunc(magnitude / range);
  const seconds = ((clock >> 12) & 0x3ff) * 3600 + ((clock >> 6) & 63) * 60 + (clock & 63);
  return putTime(target, at, value < 0, seconds, size === 0 ? 0 : (magnitude % range) * unit);
}

function putInstant(target: Uint8Array, at: number, seconds: number, microseconds: number): number {
  if (seconds === 0 && microseconds === 0) return 0;
  const days = Math.trunc(seconds / 86_400);
  let date = dates[days] ?? 0;
  if (date === 0) {
    date = civilDate(days);
    dates[days] = date;
  }
  return putDatetime(
    target,
    at,
    date >> 9,
    (date >> 5) & 15,
    date & 31,
    seconds - days * 86_400,
    microseconds,
  );
}

/**
 * Of every day from 1970 on that 32 bits of seconds reach, as DATE has it: found out once each, which takes a while.
 */
const dates = new Int32Array(Math.trunc(0xff_ff_ff_ff / 86_400) + 1);

/** Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days: day (5 bits), month (4), year. */
function civilDate(days: number): number {
  const shifted = days + 719_468;
  const era = Math.trunc(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.trunc(
    (dayOfEra -
      Math.trunc(dayOfEra / 1460) +
      Math.trunc(dayOfEra / 36_524) -
      Math.trunc(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.trunc(yearOfEra / 4) - Math.trunc(yearOfEra / 100));
  const fromMarch = Math.trunc((5 * dayOfYear + 2) / 153);
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const day = dayOfYear - Math.trunc((153 * fromMarch + 2) / 5) + 1;
  return (year << 9) | (month << 5) | day;
}

function putDatetime(
  target: Uint8Array,
  at: number,
  year: number,
  month: number,
  day: number,
  seconds: number,
  microseconds: number,
): number {
  target[at] = year;
  target[at + 1] = year >> 8;
  target[at + 2] = month;
  target[at + 3] = day;
  if (seconds === 0 && microseconds === 0) return year === 0 && month === 0 && day === 0 ? 0 : 4;
  putClock(target, at + 4, seconds, microseconds);
  return microseconds === 0 ? 7 : 11;
}

function putTime(
  target: Uint8Array,
  at: number,
  negative: boolean,
  seconds: number,
  microseconds: number,
): number {
  if (seconds === 0 && microseconds === 0) return 0;
  const days = Math.trunc(seconds / 86_400);
  target[at] = negative ? 1 : 0;
  target[at + 1] = days;
  target[at + 2] = 0;
  target[at + 3] = 0;
  target[at + 4] = 0;
  putClock(target, at + 5, seconds - days * 86_400, microseconds);
  return microseconds === 0 ? 8 : 12;
}

function putClock(target: Uint8Array, at: number, seconds: number, microseconds: number): void {
  target[at] = Math.trunc(seconds / 3600);
  target[at + 1] = Math.trunc(seconds / 60) % 60;
  target[at + 2] = seconds % 60;
  target[at + 3] = microseconds;
  target[at + 4] = microseconds >> 8;
  target[at + 5] = microseconds >> 16;
  target[at + 6] = 0;
}
