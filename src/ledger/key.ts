import { createHash } from 'node:crypto';
import type { KeyOrder } from '../connector/ledger-sites.ts';
import { NULL_LENGTH, int32At } from '../row/stream.ts';
import { copyBytes, Scratch } from './bytes.ts';

/**
 * How a row's key stands in the store: the relation's number (4 bytes, big endian), then the key's fields. The last
 * field is bare; each other one stands behind its length (one byte up to 254; 255, then four bytes big endian). So
 * keys of fixed width are in byte order, and no two keys share their bytes.
 *
 * A signed field has its top bit turned: its bytes are then in the order of the numbers (two's complement, big endian,
 * as PostgreSQL's int8send). A little-endian one (MySQL's) stands with its bytes turned round before that.
 *
 * LMDB takes keys of 1978 bytes at most. A key above LONG_KEY_BYTES keeps its first bytes and ends in the SHA-256 of the
 * whole; the whole then stands in the value. A stored key of exactly that length is always such a one.
 */
export const RELATION_BYTES = 4;
const LONG_KEY_PREFIX_BYTES = 512;
const LONG_KEY_BYTES = LONG_KEY_PREFIX_BYTES + 32;
const LENGTH_BYTE_MAX = 254;

export interface StoredKey {
  /** Relation and key as the store orders them. */
  readonly stored: Buffer;
  /** The key's fields in the same layout, whole, if `stored` holds a hash of them; else null. */
  readonly long: Buffer | null;
}

/**
 * `identity` is a key as FoundRow.key gives it; `signed` says of each field what puts it in order.
 * Throws RangeError for a NULL in the key or another number of fields: such a row cannot be told apart.
 */
export function storedKey(relation: number, identity: Uint8Array, signed: readonly KeyOrder[]): StoredKey {
  const bytes = Buffer.allocUnsafe(RELATION_BYTES + identity.length + signed.length);
  return shortened(bytes.subarray(0, layOut(bytes, relation, identity, signed)));
}

/**
 * Makes stored keys in memory of its own, over and over: what it holds is valid until the next `set`. For those who look
 * up many, since making buffers is most of the work (measured).
 */
export class KeyScratch {
  readonly #stored = new Scratch();
  readonly #fields = new Scratch();
  stored: Buffer = Buffer.alloc(0);
  long: Buffer | null = null;
  /** The key's fields, whole: what `long` holds, or else `stored` behind the relation. */
  fields: Buffer = Buffer.alloc(0);

  /** As storedKey. */
  set(relation: number, identity: Uint8Array, signed: readonly KeyOrder[]): void {
    const size = RELATION_BYTES + identity.length + signed.length;
    if (size > LONG_KEY_BYTES) {
      const { stored, long } = storedKey(relation, identity, signed);
      this.stored = stored;
      this.long = long;
      this.fields = long ?? stored.subarray(RELATION_BYTES);
      return;
    }
    const length = layOut(this.#stored.view(size), relation, identity, signed);
    this.stored = this.#stored.view(length);
    this.long = null;
    this.fields = this.#fields.copyOf(this.stored, RELATION_BYTES, length - RELATION_BYTES);
  }
}

/** Writes relation and fields, unshortened, to the beginning of `bytes`; the answer is their length. */
function layOut(bytes: Buffer, relation: number, identity: Uint8Array, signed: readonly KeyOrder[]): number {
  for (let byte = 0; byte < RELATION_BYTES; byte++) bytes[byte] = relation >>> (24 - 8 * byte);
  let to = RELATION_BYTES;
  let from = 0;
  for (let field = 0; field < signed.length; field++) {
    if (from + 4 > identity.length) throw new RangeError('a key has too few fields');
    const length = int32At(identity, from);
    if (length <= NULL_LENGTH) throw new RangeError('a key holds a value that is not known');
    from += 4;
    if (from + length > identity.length) throw new RangeError('a key is cut off');
    if (field < signed.length - 1) to = putLength(bytes, to, length);
    copyBytes(identity, from, length, bytes, to);
    const order = signed[field] ?? false;
    if (isLittle(order)) turnRound(bytes, to, length);
    if (isSigned(order) && length > 0) bytes[to] = (bytes[to] ?? 0) ^ 0x80;
    from += length;
    to += length;
  }
  if (from !== identity.length) throw new RangeError('a key has too many fields');
  return to;
}

/** The relation that a stored key belongs to. */
export function relationOf(stored: Uint8Array): number {
  return int32At(stored, 0) >>> 0;
}

/** Whether a stored key ends in a hash, so that the whole key stands in its entry and nowhere else. */
export function isHashedKey(stored: Uint8Array): boolean {
  return stored.length === RELATION_BYTES + LONG_KEY_BYTES;
}

/** The stored form of key fields that are laid out already: what `long` holds, or a stored key's bytes behind the relation. */
export function storedFromFields(relation: number, fields: Uint8Array): StoredKey {
  const bytes = Buffer.allocUnsafe(RELATION_BYTES + fields.length);
  bytes.writeUInt32BE(relation, 0);
  bytes.set(fields, RELATION_BYTES);
  return shortened(bytes);
}

/** The identity (FoundRow.key) that `fields`, a key in the layout of the store, came from. */
export function identityOf(fields: Uint8Array, signed: readonly KeyOrder[]): Uint8Array {
  const bytes = Buffer.allocUnsafe(fields.length + 4 * signed.length);
  let to = 0;
  let from = 0;
  for (let field = 0; field < signed.length; field++) {
    let length = fields.length - from;
    if (field < signed.length - 1) {
      length = fields[from] ?? 0;
      from += 1;
      if (length > LENGTH_BYTE_MAX) {
        length = Buffer.from(fields.buffer, fields.byteOffset + from, 4).readUInt32BE(0);
        from += 4;
      }
    }
    bytes.writeInt32BE(length, to);
    to += 4;
    bytes.set(fields.subarray(from, from + length), to);
    const order = signed[field] ?? false;
    if (isSigned(order) && length > 0) bytes[to] = (bytes[to] ?? 0) ^ 0x80;
    if (isLittle(order)) turnRound(bytes, to, length);
    from += length;
    to += length;
  }
  return bytes.subarray(0, to);
}

function isSigned(order: KeyOrder): boolean {
  return order === true || order === 'little signed';
}

function isLittle(order: KeyOrder): boolean {
  return order === 'little' || order === 'little signed';
}

function turnRound(bytes: Buffer, from: number, length: number): void {
  for (let low = from, high = from + length - 1; low < high; low++, high--) {
    const kept = bytes[low] ?? 0;
    bytes[low] = bytes[high] ?? 0;
    bytes[high] = kept;
  }
}

function putLength(bytes: Buffer, at: number, length: number): number {
  if (length <= LENGTH_BYTE_MAX) {
    bytes[at] = length;
    return at + 1;
  }
  bytes[at] = 255;
  bytes.writeUInt32BE(length, at + 1);
  return at + 5;
}

function shortened(bytes: Buffer): StoredKey {
  if (bytes.length - RELATION_BYTES < LONG_KEY_BYTES) return { stored: bytes, long: null };
  const fields = bytes.subarray(RELATION_BYTES);
  const kept = bytes.subarray(0, RELATION_BYTES + LONG_KEY_PREFIX_BYTES);
  const hash = createHash('sha256').update(fields).digest();
  return { stored: Buffer.concat([kept, hash]), long: fields };
}
