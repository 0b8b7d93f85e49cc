import { createHash } from 'node:crypto';
import { UNCHANGED_LENGTH, UNREAD_LENGTH } from '../connector/changes.ts';
import { lane, SEED_1, SEED_2 } from '../digest/digest.ts';
import { RowReducer } from '../digest/row-reducer.ts';
import { NULL_LENGTH, int32At } from '../row/stream.ts';
import { copyBytes } from './bytes.ts';
import { DIGEST_BYTES } from './entry.ts';

/**
 * The ledger's row digest has two levels (DESIGN.md section 4): it is the digest of the reduced row, in which a value above
 * 16 bytes stands as its length and its own digest. So a value that the log left out is put in from the digests kept of
 * the row's columns, without being read.
 *
 *   reduced row = column count (2 bytes), then of each value its length (4 bytes, −1 for NULL) and its bytes, or above 16
 *   bytes its digest; all big endian, as in the row stream
 *   column digests = of each value above 16 bytes the column's number (2 bytes), length (4 bytes) and digest
 */
const VALUE_BYTES_BARE = 16;
const COLUMN_BYTES = 6 + DIGEST_BYTES;
/**
 * Rows from which column digests are kept. PostgreSQL moves values out of a row (and may then leave them out of the log)
 * when the row passes about 2 KiB (manual, "TOAST"); stored and sent size differ, so half of that.
 */
const WIDE_ROW_BYTES = 1024;

/** Writes the digest of `bytes` into 16 bytes of `out` from `at` on. */
export type DigestFunction = (bytes: Uint8Array, out: Buffer, at: number) => void;

const laneBytes = new Uint8Array(DIGEST_BYTES);
const lanes = new DataView(laneBytes.buffer);

/** Finds accidents. */
export const xxh64Digest: DigestFunction = (bytes, out, at) => {
  // A view writes 64 bits at once; a Buffer's own method takes them apart.
  lanes.setBigUint64(0, lane(bytes, SEED_1));
  lanes.setBigUint64(8, lane(bytes, SEED_2));
  out.set(laneBytes, at);
};

/** Resists forgery: the first half of SHA-256. */
export const sha256Digest: DigestFunction = (bytes, out, at) => {
  createHash('sha256').update(bytes).digest().copy(out, at, 0, DIGEST_BYTES);
};

export interface DigestedRow {
  /** Null: a value is neither in the row nor among the digests kept before; the row must be read. */
  readonly digest: Buffer | null;
  /** What to keep for the next change that leaves values out; null for a narrow row. */
  readonly columns: Buffer | null;
}

const UNRESOLVED: DigestedRow = { digest: null, columns: null };

/** Digests rows; holds its own scratch memory, so one a thread. */
export class RowDigester {
  readonly #digest: DigestFunction;
  /** Makes the digest of a whole row at once; null: value by value. */
  readonly #reducer: RowReducer | null;
  #reduced = Buffer.allocUnsafe(4096);
  #columns = Buffer.allocUnsafe(4096);
  #columnsLength = 0;
  /** The digest that `resolve` made last. */
  readonly result: Buffer = Buffer.allocUnsafeSlow(DIGEST_BYTES);

  /** `atOnce`: rows that have all their values are digested by the kernel, which knows xxh64 alone. */
  constructor(digest: DigestFunction, atOnce = digest === xxh64Digest) {
    this.#digest = digest;
    this.#reducer = atOnce ? new RowReducer() : null;
  }

  /**
   * `body` is a row of the stream; `kept` are the column digests of the same row before this change, null if none are.
   * Throws RangeError for a body that is cut off.
   */
  row(body: Uint8Array, kept: Buffer | null): DigestedRow {
    if (!this.resolve(body, kept)) return UNRESOLVED;
    return { digest: Buffer.from(this.result), columns: this.columns() };
  }

  /** What to keep of the row that was resolved last: DigestedRow.columns. */
  columns(): Buffer | null {
    return this.#columnsLength === 0 ? null : Buffer.from(this.#columns.subarray(0, this.#columnsLength));
  }

  #resolveAtOnce(body: Uint8Array): boolean {
    const length = this.#reducer?.reduce(body) ?? -1;
    if (length < 0) return false;
    this.#reducer?.digest(this.result);
    this.#columnsLength = body.length >= WIDE_ROW_BYTES ? length : 0;
    if (this.#columnsLength > 0) {
      if (this.#columns.length < length) this.#columns = Buffer.allocUnsafe(length);
      this.#reducer?.columns(this.#columns, length);
    }
    return true;
  }

  /** As `row`, but leaves the digest in `result`; false: the row must be read. */
  resolve(body: Uint8Array, kept: Buffer | null): boolean {
    if (this.#resolveAtOnce(body)) return true;
    const count = ((body[0] ?? 0) << 8) | (body[1] ?? 0);
    this.#reserve(count);
    const reduced = this.#reduced;
    const columns = this.#columns;
    reduced.writeUInt16BE(count, 0);
    let to = 2;
    let from = 2;
    let columnsEnd = 0;
    let resolved = false;
    for (let column = 0; column < count; column++) {
      const length = int32At(body, from);
      from += 4;
      if (length === UNREAD_LENGTH) return false;
      if (length === UNCHANGED_LENGTH) {
        const at = keptAt(kept, column);
        if (kept === null || at < 0) return false;
        kept.copy(columns, columnsEnd, at, at + COLUMN_BYTES);
        resolved = true;
      } else if (length > VALUE_BYTES_BARE) {
        if (from + length > body.length) throw new RangeError('a row is cut off');
        columns.writeUInt16BE(column, columnsEnd);
        columns.writeUInt32BE(length, columnsEnd + 2);
        this.#digest(body.subarray(from, from + length), columns, columnsEnd + 6);
        from += length;
      } else {
        if (length < NULL_LENGTH) throw new RangeError('a value has no length');
        const size = Math.max(length, 0);
        if (from + size > body.length) throw new RangeError('a row is cut off');
        copyBytes(body, from - 4, 4 + size, reduced, to);
        to += 4 + size;
        from += size;
        continue;
      }
      to = columns.copy(reduced, to, columnsEnd + 2, columnsEnd + COLUMN_BYTES) + to;
      columnsEnd += COLUMN_BYTES;
    }
    if (from !== body.length) throw new RangeError('a row is longer than its values');
    this.#digest(reduced.subarray(0, to), this.result, 0);
    const wide = resolved || body.length >= WIDE_ROW_BYTES;
    this.#columnsLength = wide ? columnsEnd : 0;
    return true;
  }

  #reserve(count: number): void {
    const reducedSize = 2 + count * (4 + VALUE_BYTES_BARE);
    if (this.#reduced.length < reducedSize) this.#reduced = Buffer.allocUnsafe(reducedSize);
    if (this.#columns.length < count * COLUMN_BYTES) this.#columns = Buffer.allocUnsafe(count * COLUMN_BYTES);
  }
}

function keptAt(kept: Buffer | null, column: number): number {
  if (kept === null) return -1;
  for (let at = 0; at < kept.length; at += COLUMN_BYTES) {
    if (kept.readUInt16BE(at) === column) return at;
  }
  return -1;
}
