import { UNCHANGED_LENGTH, UNREAD_LENGTH } from '../../src/connector/changes.ts';
import { NULL_LENGTH } from '../../src/row/stream.ts';

const FIRST_BYTES = 65_536;
const TWO_32 = 4_294_967_296;

/** Fields behind their lengths, as rows and keys of the stream hold them (src/row/stream.ts). Grows as it must. */
export class RowWriter {
  #bytes = Buffer.allocUnsafe(FIRST_BYTES);
  #length = 0;
  #field = 0;

  /** Where the next byte goes. */
  get length(): number {
    return this.#length;
  }

  /** Forgets everything behind `length`. */
  cut(length: number): void {
    this.#length = length;
  }

  /** Everything, until the next byte is written. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** A copy of everything from `start` on, which is taken away. */
  take(start: number): Uint8Array {
    const bytes = Uint8Array.prototype.slice.call(this.#bytes, start, this.#length);
    this.#length = start;
    return bytes;
  }

  count(columns: number): void {
    this.#room(2);
    this.#length = this.#bytes.writeInt16BE(columns, this.#length);
  }

  null(): void {
    this.#mark(NULL_LENGTH);
  }

  unchanged(): void {
    this.#mark(UNCHANGED_LENGTH);
  }

  unread(): void {
    this.#mark(UNREAD_LENGTH);
  }

  /** Begins a value: everything until `end` is its bytes. */
  begin(): void {
    this.#room(4);
    this.#field = this.#length;
    this.#length += 4;
  }

  end(): void {
    this.#bytes.writeInt32BE(this.#length - this.#field - 4, this.#field);
  }

  /** Takes the value back that was begun. */
  undo(): void {
    this.#length = this.#field;
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  put(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  ascii(text: string): void {
    this.#room(text.length);
    this.#length += this.#bytes.write(text, this.#length, 'latin1');
  }

  int32(value: number): void {
    this.#room(4);
    this.#length = this.#bytes.writeInt32BE(value, this.#length);
  }

  float4(value: number): void {
    this.#room(4);
    this.#length = this.#bytes.writeFloatBE(value, this.#length);
  }

  float8(value: number): void {
    this.#room(8);
    this.#length = this.#bytes.writeDoubleBE(value, this.#length);
  }

  /** `value` is a safe integer. */
  int64(value: number): void {
    this.#room(8);
    const high = Math.floor(value / TWO_32);
    this.#length = this.#bytes.writeInt32BE(high, this.#length);
    this.#length = this.#bytes.writeUInt32BE(value - high * TWO_32, this.#length);
  }

  bigInt64(value: bigint): void {
    this.#room(8);
    this.#length = this.#bytes.writeBigInt64BE(value, this.#length);
  }

  #mark(length: number): void {
    this.#room(4);
    this.#length = this.#bytes.writeInt32BE(length, this.#length);
  }

  #room(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + size));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }
}
