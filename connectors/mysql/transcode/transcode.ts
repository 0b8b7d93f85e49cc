/**
 * The transcoder, in AssemblyScript: one call walks every complete row packet of a buffer and writes rows of the row
 * stream (src/row/stream.ts), so that JavaScript is paid per socket read and not per row.
 *
 * Packets: payload length (3 bytes), sequence id (1 byte), payload (dev.mysql.com/doc/dev/mysql-server, "MySQL
 * Packets"). Rows: "Binary Protocol Resultset Row": 00, NULL bitmap with an offset of 2 bits, values ("Binary Protocol
 * Value"); the same in MariaDB (mariadb.com/kb, "Result Set Packets"). All integers there are little endian; in the row
 * stream they are big endian.
 *
 * What becomes of each column is one byte of the plan (connectors/mysql/wire-plan.ts lists them). The bytes of the
 * portable forms are those of src/row/portable.ts.
 *
 * Memory belongs to the caller and never grows. Reads and writes of values go by words of 8 bytes: up to 7 bytes
 * behind an area are read or overwritten, which the caller leaves free.
 */

/** Why a call stopped. */
const NEED_MORE: i32 = 0;
/** A packet that is not a row: the end of the result, or an error. */
const OTHER_PACKET: i32 = 1;
const OUTPUT_FULL: i32 = 2;
/** A row that is longer than the input area, or that goes on in another packet. */
const LONG_ROW: i32 = 3;
const MALFORMED: i32 = 4;
const ROW_END: i32 = 5;

const ROW_TAG: u8 = 0x44;
const CONTINUED: u32 = 0xffffff;

const COPY_1: u8 = 0;
const COPY_2: u8 = 1;
const COPY_4: u8 = 2;
const COPY_8: u8 = 3;
const COPY_LENGTH: u8 = 4;
/** Integers: base, plus source times 4, plus operation. */
const INTEGERS: u8 = 16;
const INTEGERS_END: u8 = 64;
const FLOAT_4: u8 = 64;
const FLOAT_8: u8 = 65;
const DECIMAL_TEXT: u8 = 66;
const DATE: u8 = 67;
const DATETIME: u8 = 68;
const TIME: u8 = 69;
const UUID: u8 = 70;

const SOURCE_BITS: u8 = 8;
const AS_BOOLEAN: u8 = 0;
const AS_INTEGER: u8 = 1;

/** A column takes at most so many bytes more in the row stream than on the wire. */
const GROWTH: usize = 24;
/** A value that must be whole to be converted is at most this long; longer ones pass through in pieces. */
const WHOLE_MAX: usize = 4096;
const NOT_UUID_PREFIX: usize = 17;

const MICROSECONDS: i64 = 1_000_000;
const DAYS_TO_2000: i64 = 10_957;

let plan: usize = 0;
let columns: u32 = 0;
let bitmapBytes: usize = 0;
let inputCapacity: u32 = 0;
let outStart: usize = 0;
let outEnd: usize = 0;

let status: i32 = 0;
let sequence: u32 = 0;
let out: usize = 0;

export function configure(plan_: usize, columns_: u32, inputCapacity_: u32, outStart_: usize, outEnd_: usize): void {
  plan = plan_;
  columns = columns_;
  bitmapBytes = ((columns_ + 9) >> 3) as usize;
  inputCapacity = inputCapacity_;
  outStart = outStart_;
  outEnd = outEnd_;
  out = outStart_;
  status = NEED_MORE;
}

export function getStatus(): i32 {
  return status;
}
/** The sequence id that the next packet must have. */
export function getSequence(): u32 {
  return sequence;
}
export function setSequence(value: u32): void {
  sequence = value & 0xff;
}
/** Bytes in the output area. */
export function getOutput(): u32 {
  return (out - outStart) as u32;
}
export function clearOutput(): void {
  out = outStart;
}

// @ts-ignore: decorator
@inline
function putLength(length: u32): void {
  store<u32>(out, bswap<u32>(length));
  out += 4;
}

// @ts-ignore: decorator
@inline
function copy(from: usize, length: usize): void {
  if (length <= 128) {
    for (let i: usize = 0; i < length; i += 8) store<u64>(out + i, load<u64>(from + i));
  } else {
    memory.copy(out, from, length);
  }
  out += length;
}

/** The bytes of a length-encoded integer in front of a value ("Length-Encoded Integer Type"); 0: there is none such. */
// @ts-ignore: decorator
@inline
function prefixSize(first: u8): usize {
  if (first < 0xfb) return 1;
  if (first == 0xfc) return 3;
  if (first == 0xfd) return 4;
  if (first == 0xfe) return 9;
  return 0;
}

// @ts-ignore: decorator
@inline
function prefixValue(at: usize, size: usize): u64 {
  if (size == 1) return load<u8>(at) as u64;
  if (size == 3) return load<u16>(at, 1) as u64;
  if (size == 4) return (load<u32>(at) >> 8) as u64;
  return load<u64>(at, 1);
}

/** Digits of an unsigned number, with a sign in front; as a value with its length. */
function putDigits(value: u64, negative: bool): void {
  let size: usize = negative ? 2 : 1;
  for (let rest = value; rest >= 10; rest /= 10) size++;
  putLength(size as u32);
  let at = out + size;
  let rest = value;
  do {
    at--;
    store<u8>(at, (0x30 + (rest % 10)) as u8);
    rest /= 10;
  } while (rest != 0);
  if (negative) store<u8>(out, 0x2d);
  out += size;
}

/** `large`: the value is unsigned and at least 2^63. */
function putInteger(value: i64, large: bool, operation: u8): void {
  if (operation == AS_BOOLEAN && !large && (value == 0 || value == 1)) {
    putLength(1);
    store<u8>(out, value as u8);
    out++;
  } else if (operation <= AS_INTEGER) {
    if (large) {
      // 19 or 20 digits: never as long as the 8 bytes of any other.
      putDigits(value as u64, false);
      return;
    }
    putLength(8);
    store<i64>(out, bswap<i64>(value));
    out += 8;
  } else if (large || value >= 0) {
    putDigits(value as u64, false);
  } else {
    putDigits((-value) as u64, true);
  }
}

/** The bytes of an integer on the wire; of BIT, whose length stands in front, 0. */
// @ts-ignore: decorator
@inline
function integerWidth(source: u8): usize {
  if (source < 2) return 1;
  if (source < 4) return 2;
  if (source < 6) return 4;
  return 8;
}

/** Integers of TINY, SHORT and YEAR, LONG and INT24, LONGLONG; even sources are signed. */
function integerColumn(code: u8, at: usize, end: usize): usize {
  const source: u8 = (code - INTEGERS) >> 2;
  const operation: u8 = (code - INTEGERS) & 3;
  if (source == SOURCE_BITS) return bitsColumn(operation, at, end);
  const next = at + integerWidth(source);
  if (next > end) return 0;
  let value: i64 = 0;
  switch (source) {
    case 0:
      value = load<i8>(at) as i64;
      break;
    case 1:
      value = load<u8>(at) as i64;
      break;
    case 2:
      value = load<i16>(at) as i64;
      break;
    case 3:
      value = load<u16>(at) as i64;
      break;
    case 4:
      value = load<i32>(at) as i64;
      break;
    case 5:
      value = load<u32>(at) as i64;
      break;
    default:
      value = load<i64>(at);
  }
  putInteger(value, source == 7 && value < 0, operation);
  return next;
}

/** BIT: its bytes, most significant first, with their number in front. */
function bitsColumn(operation: u8, at: usize, end: usize): usize {
  if (at >= end) return 0;
  const length = load<u8>(at) as usize;
  const next = at + 1 + length;
  if (length > 8 || next > end) return 0;
  let value: u64 = 0;
  for (let i: usize = 1; i <= length; i++) value = (value << 8) | (load<u8>(at + i) as u64);
  putInteger(value as i64, (value as i64) < 0, operation);
  return next;
}

/** DECIMAL text without what does not count: leading zeros, trailing zeros of the fraction, the sign of zero. */
function decimalText(from: usize, end: usize): void {
  let at = from;
  const negative = at < end && load<u8>(at) == 0x2d;
  if (negative) at++;
  let first = at;
  let point: usize = 0;
  for (let i = at; i < end; i++) {
    const c = load<u8>(i);
    if (c == 0x2e && point == 0) {
      point = i;
    } else if (c < 0x30 || c > 0x39) {
      first = 0;
      break;
    }
  }
  const digits = end - at - (point == 0 ? 0 : 1);
  if (first == 0 || at >= end || digits == 0) {
    // No number: behind a byte that no number has.
    putLength(1 + ((end - from) as u32));
    store<u8>(out, 0);
    out++;
    copy(from, end - from);
    return;
  }
  const wholeEnd = point == 0 ? end : point;
  let last = end;
  if (point != 0) {
    while (load<u8>(last - 1) == 0x30) last--;
    if (last - 1 == point) last = point;
  }
  while (first < wholeEnd && load<u8>(first) == 0x30) first++;
  const whole = wholeEnd - first;
  const fraction = last > wholeEnd ? last - wholeEnd : 0;
  const zero = whole == 0 && fraction == 0;
  const sign: usize = negative && !zero ? 1 : 0;
  const lead: usize = whole == 0 ? 1 : 0;
  putLength((sign + lead + whole + fraction) as u32);
  if (sign != 0) {
    store<u8>(out, 0x2d);
    out++;
  }
  if (lead != 0) {
    store<u8>(out, 0x30);
    out++;
  }
  copy(first, whole);
  copy(wholeEnd, fraction);
}

function daysInMonth(year: u32, month: u32): u32 {
  if (month == 2) return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/** Days since 2000-01-01 in the proleptic Gregorian calendar: the year begins in March, so that leap days come last. */
function daysSince2000(year: u32, month: u32, day: u32): i64 {
  const y = (year as i64) - (month <= 2 ? 1 : 0);
  const era = y / 400;
  const yearOfEra = y - era * 400;
  const fromMarch = ((month as i64) + 9) % 12;
  const dayOfYear = (153 * fromMarch + 2) / 5 + (day as i64) - 1;
  const dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468 - DAYS_TO_2000;
}

/** A date or time that has no other form: two zero bytes and the structure, never as long as a form (4 or 8 bytes). */
function rawStructure(at: usize, length: usize): void {
  putLength(2 + (length as u32));
  store<u16>(out, 0);
  out += 2;
  copy(at, length);
}

/** Year (2 bytes), month, day; hour, minute, second; microsecond (4 bytes). Cut off where the rest is zero. */
function dateColumn(code: u8, at: usize, length: usize): void {
  if (length != 4 && length != 7 && length != 11) {
    rawStructure(at, length);
    return;
  }
  const year = load<u16>(at) as u32;
  const month = load<u8>(at, 2) as u32;
  const day = load<u8>(at, 3) as u32;
  let seconds: u32 = 0;
  let micros: u32 = 0;
  let valid = year != 0 && month != 0 && month <= 12 && day != 0 && day <= daysInMonth(year, month);
  if (length >= 7) {
    const hour = load<u8>(at, 4) as u32;
    const minute = load<u8>(at, 5) as u32;
    const second = load<u8>(at, 6) as u32;
    seconds = hour * 3600 + minute * 60 + second;
    valid = valid && hour < 24 && minute < 60 && second < 60;
  }
  if (length == 11) micros = load<u32>(at, 7);
  valid = valid && micros < 1_000_000;
  // A DATE has no time of day.
  if (code == DATE) valid = valid && seconds == 0 && micros == 0;
  if (!valid) {
    rawStructure(at, length);
    return;
  }
  const days = daysSince2000(year, month, day);
  if (code == DATE) {
    putLength(4);
    store<i32>(out, bswap<i32>(days as i32));
    out += 4;
  } else {
    putLength(8);
    store<i64>(out, bswap<i64>((days * 86_400 + (seconds as i64)) * MICROSECONDS + (micros as i64)));
    out += 8;
  }
}

/** Negative, days (4 bytes), hour, minute, second; microsecond (4 bytes). Nothing at all is 0. */
function timeColumn(at: usize, length: usize): void {
  if (length != 0 && length != 8 && length != 12) {
    rawStructure(at, length);
    return;
  }
  let micros: i64 = 0;
  if (length >= 8) {
    const hours = (load<u32>(at, 1) as i64) * 24 + (load<u8>(at, 5) as i64);
    const seconds = hours * 3600 + (load<u8>(at, 6) as i64) * 60 + (load<u8>(at, 7) as i64);
    micros = seconds * MICROSECONDS + (length == 12 ? (load<u32>(at, 8) as i64) : 0);
    if (load<u8>(at) != 0) micros = -micros;
  }
  putLength(8);
  store<i64>(out, bswap<i64>(micros));
  out += 8;
}

/** −1: not a hexadecimal digit. */
// @ts-ignore: decorator
@inline
function hexDigit(c: u8): i32 {
  if (c >= 0x30 && c <= 0x39) return (c as i32) - 0x30;
  const lower = (c as i32) | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/** 8-4-4-4-12 hexadecimal digits into the 16 bytes at `out`; false: it is no such text. */
function uuidText(at: usize): bool {
  let digits: u32 = 0;
  let byte: i32 = 0;
  for (let i: usize = 0; i < 36; i++) {
    const c = load<u8>(at + i);
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (c != 0x2d) return false;
      continue;
    }
    const digit = hexDigit(c);
    if (digit < 0) return false;
    byte = (byte << 4) | digit;
    if ((digits & 1) == 1) store<u8>(out + ((digits >> 1) as usize), byte as u8);
    digits++;
  }
  return true;
}

/** In front of what is no UUID: so many zero bytes that the whole is longer than one. */
function putNotUuid(length: usize): void {
  putLength((NOT_UUID_PREFIX + length) as u32);
  for (let i: usize = 0; i < NOT_UUID_PREFIX; i++) store<u8>(out + i, 0);
  out += NOT_UUID_PREFIX;
}

function uuidColumn(at: usize, length: usize): void {
  if (length == 16) {
    putLength(16);
    copy(at, 16);
    return;
  }
  if (length == 36) {
    putLength(16);
    if (uuidText(at)) {
      out += 16;
      return;
    }
    out -= 4;
  }
  putNotUuid(length);
  copy(at, length);
}

function floatColumn(code: u8, at: usize, end: usize): usize {
  if (code == FLOAT_4) {
    if (at + 4 > end) return 0;
    const bits = load<u32>(at);
    putLength(4);
    store<u32>(out, bswap<u32>((bits & 0x7fffffff) > 0x7f800000 ? 0x7fc00000 : bits));
    out += 4;
    return at + 4;
  }
  if (at + 8 > end) return 0;
  const bits = load<u64>(at);
  putLength(8);
  const isNaN = (bits & 0x7fffffffffffffff) > 0x7ff0000000000000;
  store<u64>(out, bswap<u64>(isNaN ? 0x7ff8000000000000 : bits));
  out += 8;
  return at + 8;
}

/** One value that is there whole, with its length in front. Returns where it ends; 0: it does not fit the packet. */
function lengthColumn(code: u8, at: usize, end: usize): usize {
  if (at >= end) return 0;
  const size = prefixSize(load<u8>(at));
  if (size == 0 || at + size > end) return 0;
  const length64 = prefixValue(at, size);
  const from = at + size;
  if (length64 > ((end - from) as u64)) return 0;
  const length = length64 as usize;
  if (code == COPY_LENGTH) {
    putLength(length as u32);
    copy(from, length);
  } else if (code == DECIMAL_TEXT) {
    decimalText(from, from + length);
  } else if (code == DATE || code == DATETIME) {
    dateColumn(code, from, length);
  } else if (code == TIME) {
    timeColumn(from, length);
  } else {
    uuidColumn(from, length);
  }
  return from + length;
}

// @ts-ignore: decorator
@inline
function column(code: u8, at: usize, end: usize): usize {
  if (code == COPY_LENGTH) return lengthColumn(COPY_LENGTH, at, end);
  if (code <= COPY_8) {
    const width: usize = (1 as usize) << code;
    if (at + width > end) return 0;
    putLength(width as u32);
    store<u64>(out, load<u64>(at));
    out += width;
    return at + width;
  }
  if (code < INTEGERS_END) return integerColumn(code, at, end);
  if (code <= FLOAT_8) return floatColumn(code, at, end);
  return lengthColumn(code, at, end);
}

// @ts-ignore: decorator
@inline
function isNull(bitmap: usize, index: u32): bool {
  const bit = index + 2;
  return ((load<u8>(bitmap + ((bit >> 3) as usize)) >> ((bit & 7) as u8)) & 1) != 0;
}

/** One row whose payload is [body, end). */
function row(body: usize, end: usize): bool {
  const start = out;
  store<u8>(out, ROW_TAG);
  store<u16>(out, bswap<u16>(columns as u16), 5);
  out += 7;
  const bitmap = body + 1;
  let at = bitmap + bitmapBytes;
  if (at > end) return false;
  for (let i: u32 = 0; i < columns; i++) {
    if (isNull(bitmap, i)) {
      putLength(0xffffffff);
    } else {
      at = column(load<u8>(plan + (i as usize)), at, end);
      if (at == 0) return false;
    }
  }
  store<u32>(start, bswap<u32>((out - start - 1) as u32), 1);
  return at == end;
}

/**
 * Transcodes the packets in [at, end). Returns where it stopped: behind the last complete row (NEED_MORE), or in front
 * of a packet that is not a row, for which the output has no room, that is too long for the input area, or malformed.
 */
export function transcode(at: usize, end: usize): usize {
  status = NEED_MORE;
  while (at + 5 <= end) {
    const head = load<u32>(at);
    const length = head & 0xffffff;
    const body = at + 4;
    const next = body + (length as usize);
    if (length == 0 || (head >> 24) != sequence) {
      status = MALFORMED;
      break;
    }
    if (load<u8>(body) != 0) {
      status = OTHER_PACKET;
      break;
    }
    if (length == CONTINUED || length + 4 > inputCapacity) {
      status = LONG_ROW;
      break;
    }
    if (next > end) break;
    if (outEnd - out < (length as usize) + (columns as usize) * GROWTH + 64) {
      status = OUTPUT_FULL;
      break;
    }
    const start = out;
    if (!row(body, next)) {
      out = start;
      status = MALFORMED;
      break;
    }
    sequence = (sequence + 1) & 0xff;
    at = next;
  }
  return at;
}

let longBitmap: usize = 0;
let longColumn: u32 = 0;
let longRemaining: u64 = 0;

/**
 * Begins a row that passes through in pieces: its NULL bitmap is kept at `bitmap`, where the caller has put it. The
 * output is the row's body without a message around it.
 */
export function beginLong(bitmap: usize): void {
  longBitmap = bitmap;
  longColumn = 0;
  longRemaining = 0;
  store<u16>(out, bswap<u16>(columns as u16));
  out += 2;
}

/** The bytes that a value needs to be converted, with its length in front; 0: not known before there are more. */
function wholeSize(code: u8, at: usize, end: usize): u64 {
  if (code <= COPY_8) return 1 << (code as u64);
  if (code >= INTEGERS && code < INTEGERS_END) {
    const source: u8 = (code - INTEGERS) >> 2;
    if (source != SOURCE_BITS) return integerWidth(source) as u64;
  } else if (code == FLOAT_4) {
    return 4;
  } else if (code == FLOAT_8) {
    return 8;
  }
  if (at >= end) return 0;
  const size = prefixSize(load<u8>(at));
  if (size == 0) return u64.MAX_VALUE;
  if (at + size > end) return 0;
  const length = prefixValue(at, size);
  return length > 0x7fffffff ? u64.MAX_VALUE : (size as u64) + length;
}

/** Begins a value that is passed on in pieces. Returns where it begins, behind its length. */
function beginValue(code: u8, at: usize, size: u64): usize {
  const prefix = prefixSize(load<u8>(at));
  longRemaining = size - (prefix as u64);
  if (code == COPY_LENGTH) putLength(longRemaining as u32);
  else putNotUuid(longRemaining as usize);
  return at + prefix;
}

/**
 * Goes on with the long row over payload bytes [at, end), from which the packets' headers were taken out. Returns
 * where it stopped: NEED_MORE, OUTPUT_FULL, ROW_END or MALFORMED.
 */
export function continueLong(at: usize, end: usize): usize {
  while (true) {
    if (longRemaining > 0) {
      let size = end - at;
      if ((size as u64) > longRemaining) size = longRemaining as usize;
      const room = outEnd - out;
      if (size > room) size = room;
      memory.copy(out, at, size);
      out += size;
      at += size;
      longRemaining -= size as u64;
      if (longRemaining > 0) {
        status = at == end ? NEED_MORE : OUTPUT_FULL;
        return at;
      }
    }
    if (longColumn == columns) {
      status = ROW_END;
      return at;
    }
    if (outEnd - out < WHOLE_MAX + 64) {
      status = OUTPUT_FULL;
      return at;
    }
    if (isNull(longBitmap, longColumn)) {
      putLength(0xffffffff);
      longColumn++;
      continue;
    }
    const code = load<u8>(plan + (longColumn as usize));
    const size = wholeSize(code, at, end);
    if (size == u64.MAX_VALUE) {
      status = MALFORMED;
      return at;
    }
    if (size > (WHOLE_MAX as u64)) {
      if (code != COPY_LENGTH && code != UUID) {
        status = MALFORMED;
        return at;
      }
      at = beginValue(code, at, size);
    } else if (size == 0 || size > ((end - at) as u64)) {
      status = NEED_MORE;
      return at;
    } else {
      at = column(code, at, end);
      if (at == 0) {
        status = MALFORMED;
        return end;
      }
    }
    longColumn++;
  }
}
