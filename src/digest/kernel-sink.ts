import type { RowSink } from '../connector/contract.ts';
import { TwinproofError } from '../errors.ts';
import { MESSAGE_HEADER_BYTES, ROW_PIECE_TAG } from '../row/stream.ts';
import { lane, type RangeDigest, RowHasher, SEED_1, SEED_2 } from './digest.ts';
import {
  instantiateKernel,
  KERNEL_BASE_BYTES,
  KERNEL_MODE,
  KERNEL_STATUS,
  type KernelInstance,
} from './kernel-module.ts';
import { joinRecords, type Records } from './records.ts';

/** Bytes of rows in flight: 64 KiB to 1 MiB measured alike; this holds a few socket reads. */
const INPUT_BYTES = 262_144;
/** Rows kept before the area is copied out; a usual range fits without. */
const RECORDS_MAX = 40_960;
const KEYS_BYTES = 1_310_720;
/** Times that the areas for rows and their identities may fill up before a range is too large. */
const AREAS_MAX = 8;
const BUCKET_BYTES = 24;

/** A row longer than the input area, on its way through the streaming hash. */
interface LongRow {
  remaining: number;
  readonly hasher: RowHasher;
  readonly key: Uint8Array;
}

/** A row that comes in pieces. */
type PiecedRow = Pick<LongRow, 'hasher' | 'key'>;

/** Takes rows from a connector into the kernel. One per read in flight; kept in a pool, since its memory is. */
export class KernelSink implements RowSink {
  readonly #kernel: KernelInstance;
  readonly #inputStart: number;
  readonly #digests: number;
  readonly #keyEnds: number;
  readonly #keys: number;
  readonly #pending: number;
  readonly #total: number;
  readonly #sieve: number;
  readonly #bucketCount: number;
  #keyFields = 0;
  #start = 0;
  #filled = 0;
  #long: LongRow | null = null;
  #pieced: PiecedRow | null = null;
  #spilled: Records[] = [];
  #onArea: ((records: Records) => void) | null = null;
  #spilledRows = 0;
  /** Infinite where rows are not kept for the whole of a range. */
  #rowsMax = Infinity;
  bytes = 0;

  /** `bucketCount`: a power of two, or 0 for a sink that never fills buckets. */
  constructor(bucketCount = 0) {
    this.#bucketCount = bucketCount;
    this.#inputStart = KERNEL_BASE_BYTES;
    this.#digests = this.#inputStart + INPUT_BYTES;
    this.#keyEnds = this.#digests + RECORDS_MAX * 16;
    this.#keys = this.#keyEnds + RECORDS_MAX * 4;
    this.#pending = this.#keys + KEYS_BYTES;
    this.#total = this.#pending + bucketCount * BUCKET_BYTES;
    this.#sieve = this.#total + bucketCount * BUCKET_BYTES;
    this.#kernel = instantiateKernel(this.#sieve + bucketCount / 8);
  }

  /**
   * Makes the sink ready for a read. Drops whatever an earlier, failed read left behind. In mode `records` a read of
   * more than `rowsMax` rows, or of as much in identities, ends with TP-RANGE-TOO-LARGE from `take`. With `onArea` rows
   * are given away, as a view, whenever their area is full; those after the last time are in `records`.
   */
  begin(
    mode: keyof typeof KERNEL_MODE,
    keyFields: number,
    rowsMax = AREAS_MAX * RECORDS_MAX,
    onArea: ((records: Records) => void) | null = null,
  ): void {
    const { exports } = this.#kernel;
    this.#keyFields = keyFields;
    exports.configure(KERNEL_MODE[mode], SEED_1, SEED_2, keyFields, INPUT_BYTES);
    exports.placeRecords(this.#digests, this.#keyEnds, RECORDS_MAX, this.#keys, KEYS_BYTES);
    if (this.#bucketCount > 0) {
      exports.placeBuckets(this.#pending, this.#bucketCount, this.#sieve);
      if (mode === 'buckets') this.#kernel.memory.fill(0, this.#pending, this.#total);
    }
    this.#start = 0;
    this.#filled = 0;
    this.#long = null;
    this.#pieced = null;
    this.#spilled = [];
    this.#spilledRows = 0;
    this.#onArea = onArea;
    this.#rowsMax = mode === 'records' ? rowsMax : Infinity;
    this.bytes = 0;
  }

  space(): Uint8Array {
    return this.#kernel.memory.subarray(this.#inputStart + this.#filled, this.#inputStart + INPUT_BYTES);
  }

  take(length: number): Uint8Array | null {
    this.#filled += length;
    this.bytes += length;
    if (this.#long !== null && !this.#continueLong(this.#long)) return null;
    const { exports } = this.#kernel;
    for (;;) {
      this.#start =
        exports.consume(this.#inputStart + this.#start, this.#inputStart + this.#filled) - this.#inputStart;
      if (this.#spilledRows + exports.getRecords() > this.#rowsMax) throw tooLarge();
      switch (exports.getStatus()) {
        case KERNEL_STATUS.areaFull:
          this.#spill();
          break;
        case KERNEL_STATUS.otherMessage: {
          const message = this.#wholeMessage();
          if (message === null) {
            this.#moveTail();
            return null;
          }
          if (message[0] !== ROW_PIECE_TAG) return message;
          this.#takePiece(message.subarray(MESSAGE_HEADER_BYTES));
          break;
        }
        case KERNEL_STATUS.oversized:
          this.#moveTail();
          if (this.#filled < INPUT_BYTES) return null;
          this.#beginLong();
          return null;
        default:
          this.#moveTail();
          return null;
      }
    }
  }

  /** The digest of what was read since `begin`. Throws if a row was cut off. */
  digest(): RangeDigest {
    if (this.#filled > this.#start || this.#long !== null || this.#pieced !== null) {
      throw new TwinproofError('TP-CONNECTION-LOST', {
        message: 'the row stream ended within a row',
        retryable: true,
      });
    }
    const { exports } = this.#kernel;
    return {
      rows: BigInt.asUintN(64, exports.getRows()),
      sum1: BigInt.asUintN(64, exports.getSum1()),
      sum2: BigInt.asUintN(64, exports.getSum2()),
    };
  }

  /** What was kept of each row. Valid until the next `begin`. */
  records(): Records {
    const area = this.#area();
    return this.#spilled.length === 0 ? area : joinRecords([...this.#spilled, area]);
  }

  /** Counts the buckets of the read that just ended; without this call they are dropped by the next `begin`. */
  settleBuckets(): void {
    this.#kernel.exports.settleBuckets(this.#pending, this.#total, this.#bucketCount);
  }

  /** The settled buckets: three unsigned 64-bit words each (rows and two sums). A view. */
  buckets(): BigUint64Array {
    const { memory } = this.#kernel;
    return new BigUint64Array(memory.buffer, this.#total, this.#bucketCount * 3);
  }

  clearBuckets(): void {
    this.#kernel.memory.fill(0, this.#pending, this.#sieve);
  }

  /** Which buckets `sieve` mode lets through: one bit each. */
  setSieve(bits: Uint8Array): void {
    this.#kernel.memory.set(bits, this.#sieve);
  }

  #area(): Records {
    const { exports, memory } = this.#kernel;
    const count = exports.getRecords();
    return {
      count,
      digests: memory.subarray(this.#digests, this.#digests + count * 16),
      keyEnds: new Uint32Array(memory.buffer, this.#keyEnds, count),
      keys: memory.subarray(this.#keys, this.#keys + exports.getKeyBytes()),
    };
  }

  #spill(): void {
    const area = this.#area();
    if (this.#onArea !== null) {
      this.#onArea(area);
      this.#kernel.exports.clearRecords();
      return;
    }
    const { count, digests, keyEnds, keys } = area;
    if (this.#rowsMax < Infinity && this.#spilled.length + 1 >= AREAS_MAX) throw tooLarge();
    this.#spilledRows += count;
    this.#spilled.push({ count, digests: digests.slice(), keyEnds: keyEnds.slice(), keys: keys.slice() });
    this.#kernel.exports.clearRecords();
  }

  #moveTail(): void {
    if (this.#start === 0) return;
    const from = this.#inputStart + this.#start;
    this.#kernel.memory.copyWithin(this.#inputStart, from, this.#inputStart + this.#filled);
    this.#filled -= this.#start;
    this.#start = 0;
  }

  #view(): DataView {
    return new DataView(
      this.#kernel.memory.buffer,
      this.#inputStart + this.#start,
      this.#filled - this.#start,
    );
  }

  #wholeMessage(): Uint8Array | null {
    const size = 1 + this.#view().getUint32(1);
    if (size > INPUT_BYTES) {
      throw new TwinproofError('TP-QUERY', { message: 'the server sent a message longer than allowed' });
    }
    if (this.#start + size > this.#filled) return null;
    const at = this.#inputStart + this.#start;
    this.#start += size;
    return this.#kernel.memory.subarray(at, at + size);
  }

  /** The input is full of the beginning of one row: its identity is taken now, its body goes through the hash. */
  #beginLong(): void {
    const bodyBytes = this.#view().getUint32(1) - 4;
    const input = this.#kernel.memory.subarray(this.#inputStart, this.#inputStart + INPUT_BYTES);
    const body = input.subarray(MESSAGE_HEADER_BYTES);
    const hasher = new RowHasher();
    hasher.update(body);
    this.#long = { remaining: bodyBytes - body.length, hasher, key: this.#identityOf(body) };
    this.#start = 0;
    this.#filled = 0;
  }

  /** Feeds what arrived to a long row. True when the row is complete and the rest of the input can be walked. */
  #continueLong(long: LongRow): boolean {
    const size = Math.min(long.remaining, this.#filled);
    long.hasher.update(this.#kernel.memory.subarray(this.#inputStart, this.#inputStart + size));
    long.remaining -= size;
    if (long.remaining > 0) {
      this.#filled = 0;
      return false;
    }
    this.#start = size;
    this.#long = null;
    this.#addLong(long);
    return true;
  }

  /** The next piece of a row; an empty one ends it. */
  #takePiece(piece: Uint8Array): void {
    if (this.#pieced === null) {
      this.#pieced = { hasher: new RowHasher(), key: this.#identityOf(piece) };
    }
    this.#pieced.hasher.update(piece);
    if (piece.length > 0) return;
    this.#addLong(this.#pieced);
    this.#pieced = null;
  }

  /** The identity of a row, from the beginning of its body. */
  #identityOf(body: Uint8Array): Uint8Array {
    const view = new DataView(body.buffer, body.byteOffset, body.length);
    let at = 2;
    for (let field = 0; field < this.#keyFields; field++) {
      at += 4;
      if (at <= body.length) at += Math.max(0, view.getInt32(at - 4));
    }
    if (at > body.length)
      throw new TwinproofError('TP-QUERY', { message: 'the key of a row is longer than allowed' });
    return body.slice(2, at);
  }

  #addLong({ hasher, key }: PiecedRow): void {
    const { first, second } = hasher.digest();
    if (this.#addRow(first, second, key)) return;
    this.#spill();
    this.#addRow(first, second, key);
  }

  #addRow(first: bigint, second: bigint, key: Uint8Array): boolean {
    const { exports, memory } = this.#kernel;
    // The identity is lent from the end of the key area, where a record could not begin anyway.
    const at = this.#keys + KEYS_BYTES - key.length;
    if (exports.getKeyBytes() + 2 * key.length > KEYS_BYTES) return false;
    memory.set(key, at);
    return exports.addRow(first, second, at, key.length, lane(key, SEED_1)) !== 0;
  }
}

function tooLarge(): TwinproofError {
  return new TwinproofError('TP-RANGE-TOO-LARGE');
}
