import { TwinproofError } from '../../src/errors.ts';
import { keyOf, type RecordBytes, valueOf, valueSizeOf } from './record-bytes.ts';

/**
 * Records as a producer sent them together (Kafka documentation, "Record Batch"): what stands in front of them is
 * described with the places below, relative to the beginning of the batch.
 */
export interface RecordBatch {
  /** The records themselves, not compressed. */
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly baseOffset: bigint;
  /** Of the last record that the producer sent: compaction may have taken it away. */
  readonly lastOffset: bigint;
  /** How often the partition had another leader before this one: never less than that of the batch before. */
  readonly leaderEpoch: number;
  /** Milliseconds since 1970. */
  readonly baseTimestamp: number;
  /** The broker's, of all records; null: each has its own. */
  readonly appendTimestamp: number | null;
  /** `marker`: the end of a producer's transaction; `aborted`: of one that was taken back. */
  readonly kind: 'data' | 'marker' | 'aborted';
}

/**
 * Goes over the records of a batch without making anything of them (Kafka documentation, "Record"; numbers are
 * zigzag-encoded in groups of seven bits). Throws TP-STREAM-PROTOCOL for bytes that are no records.
 */
export class RecordCursor implements RecordBytes {
  bytes: Uint8Array = new Uint8Array(0);
  /** Places of key and value in `bytes`; a beginning of −1: null. */
  keyFrom = 0;
  keyTo = 0;
  valueFrom = 0;
  valueTo = 0;
  /** Where everything from the key's length on stands: key, value and headers, each behind its length. */
  contentFrom = 0;
  contentTo = 0;
  /** Milliseconds since 1970. */
  timestamp = 0;
  #at = 0;
  #left = 0;
  #delta = 0;
  #batch: RecordBatch | null = null;

  open(batch: RecordBatch): void {
    this.#batch = batch;
    this.bytes = batch.bytes;
    this.#at = 0;
    this.#left = batch.count;
  }

  get offset(): bigint {
    return (this.#batch?.baseOffset ?? 0n) + BigInt(this.#delta);
  }

  /** Null: the record has none. */
  get key(): Uint8Array | null {
    return keyOf(this);
  }

  get value(): Uint8Array | null {
    return valueOf(this);
  }

  get valueBytes(): number {
    return valueSizeOf(this);
  }

  /** Goes to the next record; false: there is none. */
  next(): boolean {
    const batch = this.#batch;
    if (batch === null || this.#left === 0) return false;
    this.#left -= 1;
    const size = this.#int();
    const end = this.#at + size;
    if (size < 0 || end > this.bytes.length) throw noRecords('a record does not end within its batch');
    this.#at += 1; // attributes: none are defined
    const age = this.#long();
    this.timestamp = batch.appendTimestamp ?? batch.baseTimestamp + age;
    this.#delta = this.#int();
    this.contentFrom = this.#at;
    this.contentTo = end;
    const keySize = this.#int();
    this.keyFrom = keySize < 0 ? -1 : this.#at;
    this.keyTo = this.#at + Math.max(keySize, 0);
    this.#at = this.keyTo;
    const valueSize = this.#int();
    this.valueFrom = valueSize < 0 ? -1 : this.#at;
    this.valueTo = this.#at + Math.max(valueSize, 0);
    if (this.valueTo > end || this.keyTo > end) throw noRecords('a value does not end within its record');
    this.#at = end;
    return true;
  }

  /** A number of at most 32 bits. */
  #int(): number {
    const { bytes } = this;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[this.#at++] ?? 0;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1);
    }
    throw noRecords('a number is too long');
  }

  /** A number of at most 64 bits; exact up to 2^53. */
  #long(): number {
    const { bytes } = this;
    let value = 0;
    let unit = 1;
    for (let groups = 0; groups < 10; groups += 1) {
      const byte = bytes[this.#at++] ?? 0;
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      unit *= 128;
    }
    throw noRecords('a number is too long');
  }
}

function noRecords(problem: string): TwinproofError {
  return new TwinproofError('TP-STREAM-PROTOCOL', {
    message: `the brokers sent no record batch: ${problem}`,
  });
}
