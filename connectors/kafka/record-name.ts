import { lane, SEED_1, SEED_2 } from '../../src/digest/digest.ts';
import type { RecordCursor } from './record-batch.ts';

const FIRST_BYTES = 65_536;
const TIME_BYTES = 8;

/** Names records by what they hold; keeps its own scratch memory. */
export class RecordNamer {
  #scratch = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#scratch.buffer);
  readonly #name = Buffer.alloc(16);
  readonly #lanes = new DataView(this.#name.buffer, this.#name.byteOffset, this.#name.length);

  /**
   * Two lanes of xxh64 over time stamp, key, value and headers of the record that the cursor is at, as 16 characters of
   * one byte each. Key, value and headers each stand behind their lengths, as in the batch: a key and a value are not
   * the same as one longer key, nor none the same as an empty one.
   */
  nameOf({ bytes, contentFrom, contentTo, timestamp }: RecordCursor): string {
    const length = contentTo - contentFrom + TIME_BYTES;
    if (length > this.#scratch.length) {
      this.#scratch = new Uint8Array(length * 2);
      this.#view = new DataView(this.#scratch.buffer);
    }
    this.#view.setFloat64(0, timestamp);
    this.#scratch.set(bytes.subarray(contentFrom, contentTo), TIME_BYTES);
    const content = this.#scratch.subarray(0, length);
    // A view writes 64 bits at once; a Buffer's own method takes them apart.
    this.#lanes.setBigUint64(0, lane(content, SEED_1));
    this.#lanes.setBigUint64(8, lane(content, SEED_2));
    return this.#name.toString('latin1');
  }
}
