import type { RowSink } from '../connector/contract.ts';
import { TwinproofError } from '../errors.ts';
import { MESSAGE_HEADER_BYTES, ROW_PIECE_TAG, ROW_TAG } from './stream.ts';

const FIRST_BYTES = 65_536;

/** Collects row bodies whole, up to a limit: for point reads and plans, whose answers are small by design. */
export class BodySink implements RowSink {
  readonly #bytesMax: number;
  readonly bodies: Uint8Array[] = [];
  #buffer: Buffer = Buffer.alloc(FIRST_BYTES);
  #filled = 0;
  #bytes = 0;
  /** Of a row whose end is still to come. */
  #pieces: Uint8Array[] = [];

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  space(): Uint8Array {
    if (this.#filled === this.#buffer.length) {
      const larger = Buffer.alloc(this.#buffer.length * 2);
      this.#buffer.copy(larger);
      this.#buffer = larger;
    }
    return this.#buffer.subarray(this.#filled);
  }

  /** Throws TP-RANGE-TOO-LARGE beyond the limit. */
  take(length: number): Uint8Array | null {
    this.#filled += length;
    let at = 0;
    let other: Uint8Array | null = null;
    while (other === null && at + MESSAGE_HEADER_BYTES <= this.#filled) {
      const end = at + 1 + this.#buffer.readUInt32BE(at + 1);
      if (end > this.#filled) break;
      const message = Uint8Array.prototype.slice.call(this.#buffer, at, end);
      if (message[0] === ROW_TAG) this.#keep(message.subarray(MESSAGE_HEADER_BYTES));
      else if (message[0] === ROW_PIECE_TAG) this.#keepPiece(message.subarray(MESSAGE_HEADER_BYTES));
      else other = message;
      at = end;
    }
    if (at > 0) {
      this.#buffer.copyWithin(0, at, this.#filled);
      this.#filled -= at;
    }
    return other;
  }

  #keep(body: Uint8Array): void {
    this.#count(body.length);
    this.bodies.push(body);
  }

  #keepPiece(piece: Uint8Array): void {
    if (piece.length > 0) {
      this.#count(piece.length);
      this.#pieces.push(piece);
      return;
    }
    this.bodies.push(Buffer.concat(this.#pieces));
    this.#pieces = [];
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#bytesMax) throw new TwinproofError('TP-RANGE-TOO-LARGE');
  }
}
