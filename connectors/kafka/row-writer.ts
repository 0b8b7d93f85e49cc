import { UNCHANGED_LENGTH, UNREAD_LENGTH } from '../../src/connector/changes.ts';
import { NULL_LENGTH } from '../../src/row/stream.ts';

const CHUNK_BYTES = 262_144;
/** Shorter pieces are copied faster byte by byte. */
const SHORT_BYTES = 32;
const TWO_32 = 4_294_967_296;

/**
 * Fields behind their lengths, as rows and keys of the stream hold them (src/row/stream.ts). What was taken stays where
 * it was written: pieces of large chunks, each given out once.
 */
export class RowWriter {
  #bytes = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  /** Of what is not taken yet. */
  #start = 0;
  #length = 0;
  #field = 0;

  /** Forgets what was not taken. */
  restart(): void {
    this.#length = this.#start;
  }

  /** Everything since the last time: never written again. */
  take(): Uint8Array {
    const bytes = this.#bytes.subarray(this.#start, this.#length);
    this.#start = this.#length;
    return bytes;
  }

  count(columns: number): void {
    this.#room(2);
    this.#view.setInt16(this.#length, columns);
    this.#length += 2;
  }

  null(): void {
    this.int32(NULL_LENGTH);
  }

  unchanged(): void {
    this.int32(UNCHANGED_LENGTH);
  }

  unread(): void {
    this.int32(UNREAD_LENGTH);
  }

  /** Begins a value: everything until `end` is its bytes. */
  begin(): void {
    this.#room(4);
    this.#field = this.#length - this.#start;
    this.#length += 4;
  }

  end(): void {
    const at = this.#start + this.#field;
    this.#view.setInt32(at, this.#length - at - 4);
  }

  /** Takes the value back that was begun. */
  undo(): void {
    this.#length = this.#start + this.#field;
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  put(bytes: Uint8Array): void {
    this.copy(bytes, 0, bytes.length);
  }

  /** Puts what stands there in `bytes`. */
  copy(bytes: Uint8Array, from: number, to: number): void {
    const size = to - from;
    this.#room(size);
    const out = this.#bytes;
    if (size > SHORT_BYTES) out.set(bytes.subarray(from, to), this.#length);
    else for (let at = from, put = this.#length; at < to; at += 1, put += 1) out[put] = bytes[at] ?? 0;
    this.#length += size;
  }

  /** `text` is ASCII. */
  ascii(text: string): void {
    this.#room(text.length);
    for (let at = 0; at < text.length; at += 1) this.#bytes[this.#length + at] = text.charCodeAt(at);
    this.#length += text.length;
  }

  int32(value: number): void {
    this.#room(4);
    this.#view.setInt32(this.#length, value);
    this.#length += 4;
  }

  float4(value: number): void {
    this.#room(4);
    this.#view.setFloat32(this.#length, value);
    this.#length += 4;
  }

  float8(value: number): void {
    this.#room(8);
    this.#view.setFloat64(this.#length, value);
    this.#length += 8;
  }

  /** `value` is a safe integer. */
  int64(value: number): void {
    this.#room(8);
    const high = Math.floor(value / TWO_32);
    this.#view.setInt32(this.#length, high);
    this.#view.setUint32(this.#length + 4, value - high * TWO_32);
    this.#length += 8;
  }

  bigInt64(value: bigint): void {
    this.#room(8);
    this.#view.setBigInt64(this.#length, value);
    this.#length += 8;
  }

  /** Where a chunk ends, what is not taken yet goes on in another. */
  #room(size: number): void {
    if (this.#length + size <= this.#bytes.length) return;
    const open = this.#length - this.#start;
    const larger = new Uint8Array(Math.max(CHUNK_BYTES, (open + size) * 2));
    larger.set(this.#bytes.subarray(this.#start, this.#length));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
    this.#start = 0;
    this.#length = open;
  }
}
