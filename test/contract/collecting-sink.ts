import type { RowSink } from '../../src/connector/contract.ts';
import { MESSAGE_HEADER_BYTES, ROW_TAG } from '../../src/row/stream.ts';

/**
 * The simplest row sink: keeps a copy of every row body. Its space may be smaller than a row, and is filled
 * with rubbish after a take, so a connector that reads it back is found out.
 */
export class CollectingSink implements RowSink {
  readonly rows: Uint8Array[] = [];
  /** Tags of the messages that were handed back. */
  readonly otherTags: number[] = [];
  readonly #space: Uint8Array;
  #held = new Uint8Array(4_096);
  #start = 0;
  #end = 0;

  constructor(spaceBytes = 65_536) {
    this.#space = new Uint8Array(spaceBytes);
  }

  /** Bytes of a message that has not ended: 0 after a whole read. */
  get unfinishedBytes(): number {
    return this.#end - this.#start;
  }

  space(): Uint8Array {
    return this.#space;
  }

  take(length: number): Uint8Array | null {
    if (length < 0 || length > this.#space.length) throw new RangeError(`took ${length} bytes`);
    this.#hold(this.#space.subarray(0, length));
    this.#space.fill(0xa5, 0, length);
    for (;;) {
      const message = this.#nextMessage();
      if (message === null) return null;
      const tag = message[0] ?? 0;
      if (tag === ROW_TAG) {
        this.rows.push(message.slice(MESSAGE_HEADER_BYTES));
      } else {
        this.otherTags.push(tag);
        return message;
      }
    }
  }

  #nextMessage(): Uint8Array | null {
    if (this.unfinishedBytes < MESSAGE_HEADER_BYTES) return null;
    const view = new DataView(this.#held.buffer, this.#start);
    const size = 1 + view.getInt32(1);
    if (size < MESSAGE_HEADER_BYTES) throw new RangeError(`a message of ${size} bytes`);
    if (this.unfinishedBytes < size) return null;
    const message = this.#held.subarray(this.#start, this.#start + size);
    this.#start += size;
    return message;
  }

  #hold(bytes: Uint8Array): void {
    const kept = this.unfinishedBytes;
    if (this.#end + bytes.length > this.#held.length) {
      const roomier = new Uint8Array(Math.max(this.#held.length, 2 * (kept + bytes.length)));
      roomier.set(this.#held.subarray(this.#start, this.#end));
      this.#held = roomier;
      this.#start = 0;
      this.#end = kept;
    }
    this.#held.set(bytes, this.#end);
    this.#end += bytes.length;
  }
}
