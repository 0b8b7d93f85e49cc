/**
 * The batch digest kernel, in AssemblyScript: one call walks every complete row of a buffer, so that the cost of
 * crossing from JavaScript is paid per socket read and not per row (22 ns against 121 ns a row, measured).
 *
 * Row stream: src/row/stream.ts. Digest: two lanes of XXH64 with different seeds over the row's body.
 * XXH64: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md (algorithm description, section "XXH64").
 *
 * Memory belongs to the caller, who places the areas and sets their addresses; it never grows, since growing would
 * detach the views through which sockets write into it.
 */

const P1: u64 = 0x9e3779b185ebca87;
const P2: u64 = 0xc2b2ae3d27d4eb4f;
const P3: u64 = 0x165667b19e3779f9;
const P4: u64 = 0x85ebca77c2b2ae63;
const P5: u64 = 0x27d4eb2f165667c5;

const ROW_TAG: u8 = 0x44;

/** Why `consume` stopped. */
const NEED_MORE: i32 = 0;
const OTHER_MESSAGE: i32 = 1;
const AREA_FULL: i32 = 2;
const OVERSIZED: i32 = 3;

/** What becomes of a row. */
const MODE_RECORDS: i32 = 1;
const MODE_BUCKETS: i32 = 2;
const MODE_SIEVE: i32 = 3;

let mode: i32 = 0;
let seed1: u64 = 0;
let seed2: u64 = 0;
let keyFields: i32 = 0;
let inputCapacity: u32 = 0;

let status: i32 = 0;
let rows: u64 = 0;
let sum1: u64 = 0;
let sum2: u64 = 0;

let digests: usize = 0;
let keyEnds: usize = 0;
let keys: usize = 0;
let recordsMax: u32 = 0;
let keysMax: u32 = 0;
let records: u32 = 0;
let keyBytes: u32 = 0;

let buckets: usize = 0;
let bucketMask: u64 = 0;
let sieve: usize = 0;

let h1: u64 = 0;
let h2: u64 = 0;

export function configure(
  mode_: i32,
  seed1_: u64,
  seed2_: u64,
  keyFields_: i32,
  inputCapacity_: u32,
): void {
  mode = mode_;
  seed1 = seed1_;
  seed2 = seed2_;
  keyFields = keyFields_;
  inputCapacity = inputCapacity_;
  reset();
}

export function placeRecords(digests_: usize, keyEnds_: usize, recordsMax_: u32, keys_: usize, keysMax_: u32): void {
  digests = digests_;
  keyEnds = keyEnds_;
  recordsMax = recordsMax_;
  keys = keys_;
  keysMax = keysMax_;
}

/** `count` is a power of two; a bucket is three u64: rows and the two sums. The sieve is one bit a bucket. */
export function placeBuckets(buckets_: usize, count: u32, sieve_: usize): void {
  buckets = buckets_;
  bucketMask = (count - 1) as u64;
  sieve = sieve_;
}

export function reset(): void {
  status = NEED_MORE;
  rows = 0;
  sum1 = 0;
  sum2 = 0;
  clearRecords();
}

export function clearRecords(): void {
  records = 0;
  keyBytes = 0;
}

export function getStatus(): i32 {
  return status;
}
export function getRows(): u64 {
  return rows;
}
export function getSum1(): u64 {
  return sum1;
}
export function getSum2(): u64 {
  return sum2;
}
export function getRecords(): u32 {
  return records;
}
export function getKeyBytes(): u32 {
  return keyBytes;
}

// @ts-ignore: decorator
@inline
function mix(accumulator: u64, input: u64): u64 {
  return rotl<u64>(accumulator + input * P2, 31) * P1;
}

// @ts-ignore: decorator
@inline
function merge(hash: u64, accumulator: u64): u64 {
  return (hash ^ mix(0, accumulator)) * P1 + P4;
}

// @ts-ignore: decorator
@inline
function avalanche(hash: u64): u64 {
  hash = (hash ^ (hash >> 33)) * P2;
  hash = (hash ^ (hash >> 29)) * P3;
  return hash ^ (hash >> 32);
}

/** XXH64 of [at, end) under both seeds at once: the loads are shared. Sets h1 and h2. */
function digestTwo(at: usize, end: usize): void {
  const length = (end - at) as u64;
  let a: u64;
  let b: u64;
  if (end - at >= 32) {
    let a1 = seed1 + P1 + P2;
    let a2 = seed1 + P2;
    let a3 = seed1;
    let a4 = seed1 - P1;
    let b1 = seed2 + P1 + P2;
    let b2 = seed2 + P2;
    let b3 = seed2;
    let b4 = seed2 - P1;
    const last = end - 32;
    do {
      const w1 = load<u64>(at);
      const w2 = load<u64>(at, 8);
      const w3 = load<u64>(at, 16);
      const w4 = load<u64>(at, 24);
      a1 = mix(a1, w1);
      b1 = mix(b1, w1);
      a2 = mix(a2, w2);
      b2 = mix(b2, w2);
      a3 = mix(a3, w3);
      b3 = mix(b3, w3);
      a4 = mix(a4, w4);
      b4 = mix(b4, w4);
      at += 32;
    } while (at <= last);
    a = rotl<u64>(a1, 1) + rotl<u64>(a2, 7) + rotl<u64>(a3, 12) + rotl<u64>(a4, 18);
    a = merge(merge(merge(merge(a, a1), a2), a3), a4);
    b = rotl<u64>(b1, 1) + rotl<u64>(b2, 7) + rotl<u64>(b3, 12) + rotl<u64>(b4, 18);
    b = merge(merge(merge(merge(b, b1), b2), b3), b4);
  } else {
    a = seed1 + P5;
    b = seed2 + P5;
  }
  a += length;
  b += length;
  while (at + 8 <= end) {
    const word = mix(0, load<u64>(at));
    a = rotl<u64>(a ^ word, 27) * P1 + P4;
    b = rotl<u64>(b ^ word, 27) * P1 + P4;
    at += 8;
  }
  if (at + 4 <= end) {
    const word = (load<u32>(at) as u64) * P1;
    a = rotl<u64>(a ^ word, 23) * P2 + P3;
    b = rotl<u64>(b ^ word, 23) * P2 + P3;
    at += 4;
  }
  while (at < end) {
    const byte = (load<u8>(at) as u64) * P5;
    a = rotl<u64>(a ^ byte, 11) * P1;
    b = rotl<u64>(b ^ byte, 11) * P1;
    at++;
  }
  h1 = avalanche(a);
  h2 = avalanche(b);
}

/** Values above this many bytes stand in a reduced row as their length and digest (src/ledger/row-digest.ts). */
const VALUE_BYTES_BARE: i32 = 16;

/**
 * The ledger's digest of the row body at [at, end), which src/ledger/row-digest.ts describes: the reduced row is written
 * to `reduced`, which needs no more room than the body, the column digests to `columns`, which need a twentieth more, and
 * the two lanes of the digest to `out`, all big endian. Returns the bytes of column digests; -1: the body is cut off,
 * or holds a value that has no bytes (src/connector/changes.ts).
 */
export function digestReduced(at: usize, end: usize, reduced: usize, columns: usize, out: usize): i32 {
  if (at + 2 > end) return -1;
  const count = bswap<u16>(load<u16>(at)) as i32;
  store<u16>(reduced, load<u16>(at));
  let from = at + 2;
  let to = reduced + 2;
  let kept = columns;
  for (let column = 0; column < count; column++) {
    if (from + 4 > end) return -1;
    const length = bswap<i32>(load<i32>(from));
    const value = from + 4;
    if (length < -1 || (length > 0 && value + (length as usize) > end)) return -1;
    if (length > VALUE_BYTES_BARE) {
      digestTwo(value, value + (length as usize));
      store<u16>(kept, bswap<u16>(column as u16));
      store<u32>(kept, load<u32>(from), 2);
      store<u64>(kept, bswap<u64>(h1), 6);
      store<u64>(kept, bswap<u64>(h2), 14);
      memory.copy(to, kept + 2, 20);
      kept += 22;
      to += 20;
      from = value + (length as usize);
    } else {
      store<u32>(to, load<u32>(from));
      from = value;
      to += 4;
      for (let byte = 0; byte < length; byte++) store<u8>(to++, load<u8>(from++));
    }
  }
  if (from != end) return -1;
  digestTwo(reduced, to);
  store<u64>(out, bswap<u64>(h1));
  store<u64>(out, bswap<u64>(h2), 8);
  return (kept - columns) as i32;
}

/** Where the identity ends: behind the first `keyFields` fields, which begin at `at`. */
// @ts-ignore: decorator
@inline
function identityEnd(at: usize): usize {
  for (let i = 0; i < keyFields; i++) {
    const length = bswap<i32>(load<i32>(at));
    at += 4;
    if (length > 0) at += length as usize;
  }
  return at;
}

/** The bucket of a row: by its identity, or by its own digest where the whole value is the identity. */
// @ts-ignore: decorator
@inline
function bucketOf(keyStart: usize, keyEnd: usize): u32 {
  if (keyFields == 0) return (h1 & bucketMask) as u32;
  const row1 = h1;
  const row2 = h2;
  digestTwo(keyStart, keyEnd);
  const bucket = (h1 & bucketMask) as u32;
  h1 = row1;
  h2 = row2;
  return bucket;
}

/**
 * Walks the messages in [at, end). Returns where it stopped: behind the last complete row (NEED_MORE), at a message
 * that is not a row, at a row for which the record area has no room, or at a row longer than the input area.
 */
export function consume(at: usize, end: usize): usize {
  let count: u64 = 0;
  let total1: u64 = 0;
  let total2: u64 = 0;
  status = NEED_MORE;
  while (at + 5 <= end) {
    const length = bswap<u32>(load<u32>(at, 1));
    const next = at + 1 + (length as usize);
    if (load<u8>(at) != ROW_TAG) {
      status = OTHER_MESSAGE;
      break;
    }
    if (next > end) {
      if (length >= inputCapacity) status = OVERSIZED;
      break;
    }
    const body = at + 5;
    if (mode == MODE_RECORDS) {
      const keyStart = body + 2;
      const keyEnd = identityEnd(keyStart);
      const size = (keyEnd - keyStart) as u32;
      if (records == recordsMax || keyBytes + size > keysMax) {
        status = AREA_FULL;
        break;
      }
      digestTwo(body, next);
      keep(keyStart, size);
    } else if (mode == MODE_BUCKETS) {
      digestTwo(body, next);
      const keyStart = body + 2;
      const bucket = bucketOf(keyStart, identityEnd(keyStart));
      const slot = buckets + (bucket as usize) * 24;
      store<u64>(slot, load<u64>(slot) + 1);
      store<u64>(slot, load<u64>(slot, 8) + h1, 8);
      store<u64>(slot, load<u64>(slot, 16) + h2, 16);
    } else {
      digestTwo(body, next);
      if (mode == MODE_SIEVE) {
        const keyStart = body + 2;
        const keyEnd = identityEnd(keyStart);
        const bucket = bucketOf(keyStart, keyEnd);
        if (((load<u8>(sieve + ((bucket >> 3) as usize)) >> ((bucket & 7) as u8)) & 1) != 0) {
          const size = (keyEnd - keyStart) as u32;
          if (records == recordsMax || keyBytes + size > keysMax) {
            status = AREA_FULL;
            break;
          }
          keep(keyStart, size);
        }
      }
    }
    count++;
    total1 += h1;
    total2 += h2;
    at = next;
  }
  rows += count;
  sum1 += total1;
  sum2 += total2;
  return at;
}

// @ts-ignore: decorator
@inline
function keep(keyStart: usize, size: u32): void {
  store<u64>(digests + ((records as usize) << 4), h1);
  store<u64>(digests + ((records as usize) << 4), h2, 8);
  if (size == 12) {
    // One 64-bit integer, by far the commonest key.
    store<u64>(keys + (keyBytes as usize), load<u64>(keyStart));
    store<u32>(keys + (keyBytes as usize), load<u32>(keyStart, 8), 8);
  } else {
    let i: usize = 0;
    for (; i + 8 <= (size as usize); i += 8) {
      store<u64>(keys + (keyBytes as usize) + i, load<u64>(keyStart + i));
    }
    for (; i < (size as usize); i++) {
      store<u8>(keys + (keyBytes as usize) + i, load<u8>(keyStart + i));
    }
  }
  keyBytes += size;
  store<u32>(keyEnds + ((records as usize) << 2), keyBytes);
  records++;
}

/** Adds one row that was digested elsewhere (it was longer than the input area). False: the record area is full. */
export function addRow(digest1: u64, digest2: u64, keyStart: usize, keySize: u32, bucketHash: u64): bool {
  h1 = digest1;
  h2 = digest2;
  const bucket = ((keyFields == 0 ? h1 : bucketHash) & bucketMask) as u32;
  if (mode == MODE_BUCKETS) {
    const slot = buckets + (bucket as usize) * 24;
    store<u64>(slot, load<u64>(slot) + 1);
    store<u64>(slot, load<u64>(slot, 8) + h1, 8);
    store<u64>(slot, load<u64>(slot, 16) + h2, 16);
  } else {
    let kept = mode == MODE_RECORDS;
    if (mode == MODE_SIEVE) {
      kept = ((load<u8>(sieve + ((bucket >> 3) as usize)) >> ((bucket & 7) as u8)) & 1) != 0;
    }
    if (kept) {
      if (records == recordsMax || keyBytes + keySize > keysMax) return false;
      keep(keyStart, keySize);
    }
  }
  rows++;
  sum1 += h1;
  sum2 += h2;
  return true;
}

/** Adds one area of buckets to another and clears the first: a piece counts only once it was read to its end. */
export function settleBuckets(from: usize, into: usize, count: u32): void {
  const end = from + (count as usize) * 24;
  for (; from < end; from += 8, into += 8) {
    store<u64>(into, load<u64>(into) + load<u64>(from));
    store<u64>(from, 0);
  }
}

/*
 * The join: rows of one site enter with sign +1, of the other with −1, equal digests cancel and leave their room to
 * others; what stays is where the sites differ. An open-addressing table of 24-byte slots: digest (16), count (i32),
 * where the cell of the identity begins in the key area, plus one (u32, 0 = free). A cell is length (u32) and bytes, in
 * units of eight; short ones that became free are chained by their size.
 */
let joinSlots: usize = 0;
let joinMask: u32 = 0;
let joinKeys: usize = 0;
let joinKeysMax: u32 = 0;
let joinKeysUsed: u32 = 0;
let joinFilled: u32 = 0;

/** Cells of up to so many units of eight bytes are used again. */
const CELL_UNITS_MAX: u32 = 64;
const freeCells: usize = memory.data(65 * 4, 8);

export function joinPlace(slots: usize, slotsMask: u32, keyArea: usize, keyAreaMax: u32): void {
  joinSlots = slots;
  joinMask = slotsMask;
  joinKeys = keyArea;
  joinKeysMax = keyAreaMax;
}

export function joinReset(): void {
  const end = joinSlots + ((joinMask as usize) + 1) * 24;
  for (let at = joinSlots; at < end; at += 8) store<u64>(at, 0);
  for (let unit: usize = 0; unit <= CELL_UNITS_MAX; unit++) store<u32>(freeCells + (unit << 2), 0);
  joinKeysUsed = 0;
  joinFilled = 0;
}

// @ts-ignore: decorator
@inline
function homeOf(digest: u64): u32 {
  return ((digest >> 20) as u32) & joinMask;
}

/** Where a cell for `size` bytes begins, plus one; 0: no room. */
function takeCell(size: u32): u32 {
  const units = (size + 11) >> 3;
  if (units <= CELL_UNITS_MAX) {
    const head = freeCells + ((units as usize) << 2);
    const free = load<u32>(head);
    if (free != 0) {
      store<u32>(head, load<u32>(joinKeys + (free as usize) - 1));
      return free;
    }
  }
  const bytes = units << 3;
  if (bytes > joinKeysMax - joinKeysUsed) return 0;
  const cell = joinKeysUsed + 1;
  joinKeysUsed += bytes;
  return cell;
}

function giveCell(cell: u32): void {
  const at = joinKeys + (cell as usize) - 1;
  const units = (load<u32>(at) + 11) >> 3;
  if (units > CELL_UNITS_MAX) return;
  const head = freeCells + ((units as usize) << 2);
  store<u32>(at, load<u32>(head));
  store<u32>(head, cell);
}

/** Frees a slot; those behind it that it kept from their home move up (Knuth, TAOCP 3, 6.4, algorithm R). */
function removeSlot(slot: u32): void {
  giveCell(load<u32>(joinSlots + (slot as usize) * 24, 20));
  joinFilled--;
  let hole = slot;
  let next = slot;
  while (true) {
    next = (next + 1) & joinMask;
    const from = joinSlots + (next as usize) * 24;
    if (load<u32>(from, 20) == 0) break;
    const home = homeOf(load<u64>(from));
    // It stays if its home lies behind the hole, cyclically.
    if (((next - home) & joinMask) < ((next - hole) & joinMask)) continue;
    const into = joinSlots + (hole as usize) * 24;
    store<u64>(into, load<u64>(from));
    store<u64>(into, load<u64>(from, 8), 8);
    store<u64>(into, load<u64>(from, 16), 16);
    hole = next;
  }
  store<u64>(joinSlots + (hole as usize) * 24, 0, 16);
}

/**
 * Adds `count` records with a sign. Returns how many were taken: fewer than `count` when the table (filled to three
 * quarters) or the key area is full.
 */
export function joinAdd(digestArea: usize, keyEndArea: usize, keyArea: usize, count: u32, sign: i32): u32 {
  const limit = joinMask - (joinMask >> 2);
  let keyStart: u32 = 0;
  for (let i: u32 = 0; i < count; i++) {
    const keyEnd = load<u32>(keyEndArea + ((i as usize) << 2));
    const a = load<u64>(digestArea + ((i as usize) << 4));
    const b = load<u64>(digestArea + ((i as usize) << 4), 8);
    let slot = homeOf(a);
    while (true) {
      const at = joinSlots + (slot as usize) * 24;
      if (load<u32>(at, 20) == 0) {
        const size = keyEnd - keyStart;
        const cell = joinFilled < limit ? takeCell(size) : 0;
        if (cell == 0) return i;
        store<u64>(at, a);
        store<u64>(at, b, 8);
        store<i32>(at, sign, 16);
        store<u32>(at, cell, 20);
        const target = joinKeys + (cell as usize) - 1;
        store<u32>(target, size);
        memory.copy(target + 4, keyArea + (keyStart as usize), size as usize);
        joinFilled++;
        break;
      }
      if (load<u64>(at) == a && load<u64>(at, 8) == b) {
        const total = load<i32>(at, 16) + sign;
        if (total == 0) removeSlot(slot);
        else store<i32>(at, total, 16);
        break;
      }
      slot = (slot + 1) & joinMask;
    }
    keyStart = keyEnd;
  }
  return count;
}
