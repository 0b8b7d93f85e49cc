import type { RowSink } from '../connector/contract.ts';
import { MESSAGE_HEADER_BYTES, ROW_PIECE_TAG, ROW_TAG } from './stream.ts';

/** Cuts the row stream into whole rows in plain memory; what becomes of them is the subclass's. */
export abstract class WholeRowSink implements RowSink {
  #buffer: Buffer;
  #filled = 0;
  /** Of a row whose end is still to come. */
  #pieces: Uint8Array[] = [];

  /** `firstBytes`: room to begin with; it grows to the longest message. */
  constructor(firstBytes: number) {
    this.#buffer = Buffer.allocUnsafe(firstBytes);
  }

  /** The body of a row. `shared`: a view that is valid during the call only. */
  protected abstract row(body: Uint8Array, shared: boolean): void;

  /** Bytes of a row, or of a piece of one, before they are kept. May throw to end the read. */
  protected arriving(_bytes: number): void {
    // Unbounded unless a subclass says otherwise.
  }

  space(): Uint8Array {
    if (this.#filled === this.#buffer.length) {
      const larger = Buffer.allocUnsafe(this.#buffer.length * 2);
      this.#buffer.copy(larger);
      this.#buffer = larger;
    }
    return this.#buffer.subarray(this.#filled);
  }

  take(length: number): Uint8Array | null {
    this.#filled += length;
    let at = 0;
    let other: Uint8Array | null = null;
    while (other === null && at + MESSAGE_HEADER_BYTES <= this.#filled) {
      const end = at + 1 + this.#buffer.readUInt32BE(at + 1);
      if (end > this.#filled) break;
      const tag = this.#buffer[at];
      const body = this.#buffer.subarray(at + MESSAGE_HEADER_BYTES, end);
      if (tag === ROW_TAG) this.#whole(body);
      else if (tag === ROW_PIECE_TAG) this.#piece(body);
      else other = Uint8Array.prototype.slice.call(this.#buffer, at, end);
      at = end;
    }
    if (at > 0) {
      this.#buffer.copyWithin(0, at, this.#filled);
      this.#filled -= at;
    }
    return other;
  }

  #whole(body: Uint8Array): void {
    this.arriving(body.length);
    this.row(body, true);
  }

  #piece(piece: Uint8Array): void {
    if (piece.length > 0) {
      this.arriving(piece.length);
      this.#pieces.push(Uint8Array.prototype.slice.call(piece));
      return;
    }
    this.row(Buffer.concat(this.#pieces), false);
    this.#pieces = [];
  }
}
