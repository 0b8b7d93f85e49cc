/**
 * What is done with every byte of a topic, in AssemblyScript: the check sums of record batches (check-sum.ts), and one
 * walk over a record that Debezium wrote without its schema. JavaScript gets places from it, and no values.
 *
 * It answers only for records as JsonConverter writes them: no space between their parts, every part of the envelope
 * once, no control characters within strings. Of all others it says that it did not understand them, and they are read
 * by json-reader.ts, which also says what is wrong with them. What both take they take alike.
 *
 * Records: RFC 8259; Debezium documentation, "Data change events".
 *
 * Memory belongs to the caller and never grows: first come the areas below, behind them (scan-module.ts) what is looked
 * at. Words of 8 bytes are compared: up to 7 bytes behind what is looked at are read, which the caller leaves there.
 */

import { makeTables } from './check-sum';

export { crc32c } from './check-sum';

/** What the last record said (scan-module.ts reads it): numbers of 32 bits; behind the tables of check-sum.ts. */
const HEAD_AT: usize = 17408;
const HEAD_OPERATION: usize = 0;
const HEAD_KEY: usize = 4;
const HEAD_BEFORE: usize = 8;
const HEAD_AFTER: usize = 12;
const HEAD_TIED: usize = 16;
const HEAD_SOURCE: usize = 20;
/** Members of `source` that are not written as in the record before: a bit each. */
const HEAD_CHANGED: usize = 24;
/** Which objects have the names of the one before in their order: bits as below. */
const HEAD_SAME: usize = 28;
const SAME_SOURCE: i32 = 1;
const SAME_KEY: i32 = 2;
const SAME_BEFORE: i32 = 4;
const SAME_AFTER: i32 = 8;

/** In place of a number of members. */
const ABSENT: i32 = -1;

/** A member: where its name begins and ends, where its value does, and what that is. */
const MEMBER_BYTES: usize = 20;
const SOURCE_MAX: i32 = 32;
const ROW_MAX: i32 = 1024;
const SOURCE_AT: usize = HEAD_AT + 64;
const KEY_AT: usize = SOURCE_AT + 32 * MEMBER_BYTES;
const BEFORE_AT: usize = KEY_AT + 1024 * MEMBER_BYTES;
const AFTER_AT: usize = BEFORE_AT + 1024 * MEMBER_BYTES;

/** Members of the last `source`: numbers of 16 bits about them, places being relative, and how they were written. */
const KEPT_BYTES: usize = 256;
const KEPT_LENGTH: usize = 0;
/** From its quote to the end of its name. */
const KEPT_NAMED: usize = 2;
const KEPT_FROM: usize = 4;
const KEPT_TO: usize = 6;
const KEPT_KIND: usize = 8;
const KEPT_HEAD: usize = 16;
const KEPT_AT: usize = AFTER_AT + 1024 * MEMBER_BYTES;
/** Names of the last key and of the last rows with quotes and colon, each behind its length. */
const NAMES_BYTES: usize = 65536;
const KEY_NAMES_AT: usize = KEPT_AT + 32 * KEPT_BYTES;
const BEFORE_NAMES_AT: usize = KEY_NAMES_AT + NAMES_BYTES;
const AFTER_NAMES_AT: usize = BEFORE_NAMES_AT + NAMES_BYTES;

const QUOTE: u8 = 0x22;
const BACKSLASH: u8 = 0x5c;
const OPEN_OBJECT: u8 = 0x7b;
const CLOSE_OBJECT: u8 = 0x7d;
const OPEN_ARRAY: u8 = 0x5b;
const CLOSE_ARRAY: u8 = 0x5d;
const COMMA: u8 = 0x2c;
const COLON: u8 = 0x3a;
const DEPTH_MAX: i32 = 64;

/** Kinds of values, in the order of KINDS in record-scan.ts. */
const STRING: i32 = 0;
const NUMBER: i32 = 1;
const OBJECT: i32 = 2;
const ARRAY: i32 = 3;
const TRUE: i32 = 4;
const FALSE: i32 = 5;
const NULL: i32 = 6;
/** A string with escapes. */
const ESCAPED: i32 = 8;

const LOW_BITS: u64 = 0x0101010101010101;
const HIGH_BITS: u64 = 0x8080808080808080;
const QUOTES: u64 = 0x2222222222222222;
const BACKSLASHES: u64 = 0x5c5c5c5c5c5c5c5c;
const BLANKS: u64 = 0x2020202020202020;

let wantsBefore: bool = false;
/** Where it is, and where the value ends that is walked over. */
let at: usize = 0;
let end: usize = 0;
/** The value that `value` went over. */
let kind: i32 = 0;
let from: usize = 0;
let to: usize = 0;
let escaped: bool = false;
/** How many members the last ones had; −1: that is not known. */
let keptSource: i32 = -1;
let keptKey: i32 = -1;
let keptBefore: i32 = -1;
let keptAfter: i32 = -1;

/** To be called first. `before`: whether rows before their changes are asked for. */
export function configure(before: bool): void {
  wantsBefore = before;
  makeTables();
}

/** What is remembered of the record before counts no more. */
export function forget(): void {
  keptSource = -1;
  keptKey = -1;
  keptBefore = -1;
  keptAfter = -1;
}

/** Goes over a record's value, and its key unless `keyFrom` is 0. False: it was not understood. */
export function scan(keyFrom: usize, keyTo: usize, valueFrom: usize, valueTo: usize): bool {
  store<i32>(HEAD_AT, 0, HEAD_SAME);
  store<i32>(HEAD_AT, ABSENT, HEAD_KEY);
  if (envelope(valueFrom, valueTo) && (keyFrom == 0 || wholeKey(keyFrom, keyTo))) return true;
  forget();
  return false;
}

function wholeKey(keyFrom: usize, keyTo: usize): bool {
  at = keyFrom;
  end = keyTo;
  const members = object(KEY_AT, KEY_NAMES_AT, keptKey, SAME_KEY);
  keptKey = members;
  store<i32>(HEAD_AT, members, HEAD_KEY);
  return members >= 0 && at == end;
}

function envelope(valueFrom: usize, valueTo: usize): bool {
  at = valueFrom;
  end = valueTo;
  store<i32>(HEAD_AT, ABSENT, HEAD_BEFORE);
  store<i32>(HEAD_AT, ABSENT, HEAD_AFTER);
  store<i32>(HEAD_AT, ABSENT, HEAD_SOURCE);
  store<i32>(HEAD_AT, 0, HEAD_TIED);
  store<i32>(HEAD_AT, 0, HEAD_OPERATION);
  if (at >= end || load<u8>(at) != OPEN_OBJECT) return false;
  at++;
  let seen: i32 = 0;
  do {
    if (!name()) return false;
    const nameFrom = from;
    const part = partOf(nameFrom, to - nameFrom);
    if (part < 0 || (seen & part) != 0) return false;
    seen |= part;
    if (!takePart(part)) return false;
    if (at >= end) return false;
  } while (load<u8>(at++) == COMMA);
  return load<u8>(at - 1) == CLOSE_OBJECT && at == end && (seen & NEEDED) == NEEDED;
}

const PART_BEFORE: i32 = 1;
const PART_AFTER: i32 = 2;
const PART_SOURCE: i32 = 4;
const PART_OPERATION: i32 = 8;
const PART_TRANSACTION: i32 = 16;
const NEEDED: i32 = 12;

/** 0: a part that says nothing here; −1: what stands in an envelope with a schema. */
function partOf(nameFrom: usize, length: usize): i32 {
  if (length == 2) return load<u16>(nameFrom) == 0x706f ? PART_OPERATION : 0; // op
  if (length == 5) return isWord(nameFrom, 0x6574_6661) && load<u8>(nameFrom, 4) == 0x72 ? PART_AFTER : 0; // afte r
  if (length == 6) {
    if (isWord(nameFrom, 0x6f66_6562)) return load<u16>(nameFrom, 4) == 0x6572 ? PART_BEFORE : 0; // befo re
    if (isWord(nameFrom, 0x7275_6f73)) return load<u16>(nameFrom, 4) == 0x6563 ? PART_SOURCE : 0; // sour ce
    return isWord(nameFrom, 0x6568_6373) ? -1 : 0; // sche
  }
  if (length == 7) return isWord(nameFrom, 0x6c79_6170) ? -1 : 0; // payl
  if (length != 11 || !isWord(nameFrom, 0x6e61_7274)) return 0; // tran
  return isWord(nameFrom + 4, 0x7463_6173) && isWord(nameFrom + 7, 0x6e6f_6974) ? PART_TRANSACTION : 0; // sact tion
}

// @ts-ignore: decorator
@inline
function isWord(place: usize, word: u32): bool {
  return load<u32>(place) == word;
}

function takePart(part: i32): bool {
  if (at >= end) return false;
  const isObject = load<u8>(at) == OPEN_OBJECT;
  if (part == PART_SOURCE) return isObject && source();
  if (part == PART_AFTER && isObject) {
    const members = object(AFTER_AT, AFTER_NAMES_AT, keptAfter, SAME_AFTER);
    keptAfter = members;
    store<i32>(HEAD_AT, members, HEAD_AFTER);
    return members >= 0;
  }
  if (part == PART_BEFORE && isObject && wantsBefore) {
    const members = object(BEFORE_AT, BEFORE_NAMES_AT, keptBefore, SAME_BEFORE);
    keptBefore = members;
    store<i32>(HEAD_AT, members, HEAD_BEFORE);
    return members >= 0;
  }
  if (!value()) return false;
  if (part == PART_OPERATION) {
    if (kind != STRING || to - from != 1) return false;
    store<i32>(HEAD_AT, <i32>load<u8>(from), HEAD_OPERATION);
  } else if (part == PART_TRANSACTION) {
    store<i32>(HEAD_AT, kind == OBJECT ? 1 : 0, HEAD_TIED);
  } else if (part == PART_AFTER || part == PART_BEFORE) return kind == NULL || kind == OBJECT;
  return true;
}

/** Goes over an object; how many members it has, −1: it was not understood. `kept`: how many the last one had. */
function object(members: usize, names: usize, kept: i32, sameBit: i32): i32 {
  if (at >= end || load<u8>(at) != OPEN_OBJECT) return -1;
  at++;
  if (at < end && load<u8>(at) == CLOSE_OBJECT) {
    at++;
    return 0;
  }
  let count: i32 = 0;
  let same = true;
  let known = names;
  do {
    if (count == ROW_MAX) return -1;
    const begin = at;
    let length = <usize>load<u16>(known);
    if (same && count < kept && begin + length <= end && isEqual(known + 2, begin, length)) {
      at = begin + length;
    } else {
      same = false;
      if (!name()) return -1;
      length = at - begin;
      if (known + 2 + length > names + NAMES_BYTES) return -1;
      store<u16>(known, <u16>length);
      memory.copy(known + 2, begin, length);
    }
    known += 2 + length;
    if (!member(members + <usize>count * MEMBER_BYTES, begin + 1, begin + length - 2)) return -1;
    count++;
    if (at >= end) return -1;
  } while (load<u8>(at++) == COMMA);
  if (load<u8>(at - 1) != CLOSE_OBJECT) return -1;
  if (same && count == kept) store<i32>(HEAD_AT, load<i32>(HEAD_AT, HEAD_SAME) | sameBit, HEAD_SAME);
  return count;
}

/** Takes a member's value, and notes it. */
function member(place: usize, nameFrom: usize, nameTo: usize): bool {
  if (!value()) return false;
  store<i32>(place, <i32>nameFrom);
  store<i32>(place, <i32>nameTo, 4);
  store<i32>(place, <i32>from, 8);
  store<i32>(place, <i32>to, 12);
  store<i32>(place, lastKind(), 16);
  return true;
}

// @ts-ignore: decorator
@inline
function lastKind(): i32 {
  return kind == STRING && escaped ? ESCAPED : kind;
}

/** Goes over `source`, and holds it against the last one. */
function source(): bool {
  at++;
  let count: i32 = 0;
  let changed: u32 = 0;
  let same = true;
  do {
    if (count == SOURCE_MAX) return false;
    const place = SOURCE_AT + <usize>count * MEMBER_BYTES;
    const kept = KEPT_AT + <usize>count * KEPT_BYTES;
    const isKnown = count < keptSource;
    if (!isKnown || !passes(kept, place)) {
      const begin = at;
      if (!name()) return false;
      const nameTo = to;
      if (!member(place, begin + 1, nameTo)) return false;
      changed |= (<u32>1) << count;
      const named = nameTo - begin;
      const isNamed = isKnown && load<u16>(kept, KEPT_NAMED) == named && isEqual(kept + KEPT_HEAD, begin, named);
      if (!isNamed) same = false;
      keep(kept, begin, at - begin, named);
    }
    count++;
    if (at >= end) return false;
  } while (load<u8>(at++) == COMMA);
  if (load<u8>(at - 1) != CLOSE_OBJECT) return false;
  if (same && count == keptSource) store<i32>(HEAD_AT, load<i32>(HEAD_AT, HEAD_SAME) | SAME_SOURCE, HEAD_SAME);
  keptSource = count;
  store<i32>(HEAD_AT, count, HEAD_SOURCE);
  store<i32>(HEAD_AT, <i32>changed, HEAD_CHANGED);
  return true;
}

/** Goes over a member that is written as the kept one, and notes it; false: another stands here. */
function passes(kept: usize, place: usize): bool {
  const length = <usize>load<u16>(kept, KEPT_LENGTH);
  if (length == 0 || at + length >= end) return false;
  const next = load<u8>(at + length);
  if ((next != COMMA && next != CLOSE_OBJECT) || !isEqual(kept + KEPT_HEAD, at, length)) return false;
  store<i32>(place, <i32>(at + 1));
  store<i32>(place, <i32>(at + load<u16>(kept, KEPT_NAMED)), 4);
  store<i32>(place, <i32>(at + load<u16>(kept, KEPT_FROM)), 8);
  store<i32>(place, <i32>(at + load<u16>(kept, KEPT_TO)), 12);
  store<i32>(place, <i32>load<u16>(kept, KEPT_KIND), 16);
  at += length;
  return true;
}

/** Of a member that is too long its name alone, if that fits: then nothing passes. */
function keep(kept: usize, begin: usize, length: usize, named: usize): void {
  const fits = length <= KEPT_BYTES - KEPT_HEAD;
  const nameFits = named <= KEPT_BYTES - KEPT_HEAD;
  store<u16>(kept, fits ? <u16>length : 0, KEPT_LENGTH);
  store<u16>(kept, nameFits ? <u16>named : 0, KEPT_NAMED);
  store<u16>(kept, <u16>(from - begin), KEPT_FROM);
  store<u16>(kept, <u16>(to - begin), KEPT_TO);
  store<u16>(kept, <u16>lastKind(), KEPT_KIND);
  memory.copy(kept + KEPT_HEAD, begin, fits ? length : nameFits ? named : 0);
}

/** Goes over a name, its place is `from` and `to`, and the colon behind it. */
function name(): bool {
  if (at >= end || load<u8>(at) != QUOTE || !text()) return false;
  if (at >= end || load<u8>(at) != COLON) return false;
  at++;
  return true;
}

/** Goes over a value. */
function value(): bool {
  if (at >= end) return false;
  const byte = load<u8>(at);
  if (byte == QUOTE) {
    kind = STRING;
    return text();
  }
  from = at;
  if (byte == OPEN_OBJECT || byte == OPEN_ARRAY) {
    const begin = at;
    if (!nested()) return false;
    kind = byte == OPEN_OBJECT ? OBJECT : ARRAY;
    from = begin;
  } else if (byte == 0x6e) {
    if (!word(0x6c6c_756e)) return false; // null
    kind = NULL;
  } else if (byte == 0x74) {
    if (!word(0x6575_7274)) return false; // true
    kind = TRUE;
  } else if (byte == 0x66) {
    at++;
    if (!word(0x6573_6c61)) return false; // alse
    kind = FALSE;
  } else {
    if (!(byte == 0x2d || (byte >= 0x30 && byte <= 0x39))) return false;
    for (at++; at < end && isOfNumber(load<u8>(at)); at++);
    kind = NUMBER;
  }
  to = at;
  return true;
}

function word(letters: u32): bool {
  if (at + 4 > end || load<u32>(at) != letters) return false;
  at += 4;
  return true;
}

// @ts-ignore: decorator
@inline
function isOfNumber(byte: u8): bool {
  return (byte >= 0x30 && byte <= 0x39) || byte == 0x2d || byte == 0x2b || byte == 0x2e || (byte | 0x20) == 0x65;
}

/** Goes over a string: `from` and `to` are what stands between its quotes. */
function text(): bool {
  let p = at + 1;
  from = p;
  escaped = false;
  while (p < end) {
    while (p + 8 <= end) {
      const bytes = load<u64>(p);
      const quotes = bytes ^ QUOTES;
      const slashes = bytes ^ BACKSLASHES;
      // The lowest bit that is set is that of the first such byte; those above it may be wrong.
      const found =
        (((quotes - LOW_BITS) & ~quotes) | ((slashes - LOW_BITS) & ~slashes) | ((bytes - BLANKS) & ~bytes)) & HIGH_BITS;
      if (found != 0) {
        p += <usize>(ctz(found) >> 3);
        break;
      }
      p += 8;
    }
    if (p >= end) return false;
    const byte = load<u8>(p);
    if (byte == QUOTE) {
      to = p;
      at = p + 1;
      return true;
    }
    if (byte == BACKSLASH) {
      escaped = true;
      p += 2;
    } else if (byte < 0x20) return false;
    else p++;
  }
  return false;
}

/** Goes over an object or an array, whatever is in it. */
function nested(): bool {
  let depth: i32 = 0;
  while (at < end) {
    const byte = load<u8>(at);
    if (byte == QUOTE) {
      if (!text()) return false;
      continue;
    }
    at++;
    if (byte == OPEN_OBJECT || byte == OPEN_ARRAY) {
      depth++;
      if (depth > DEPTH_MAX) return false;
    } else if (byte == CLOSE_OBJECT || byte == CLOSE_ARRAY) {
      depth--;
      if (depth == 0) return true;
    }
  }
  return false;
}

function isEqual(a: usize, b: usize, length: usize): bool {
  let p: usize = 0;
  for (; p + 8 <= length; p += 8) if (load<u64>(a + p) != load<u64>(b + p)) return false;
  if (p == length) return true;
  const beyond = <u64>(8 - (length - p)) << 3;
  return (load<u64>(a + p) ^ load<u64>(b + p)) << beyond == 0;
}
