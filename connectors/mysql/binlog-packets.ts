import { logError, uint24At } from './binlog-event.ts';

/** A packet ("MySQL Packets"): length (3 bytes), number (1). One of full length is carried on by the next. */
const HEADER_BYTES = 4;
const FULL = 0xff_ff_ff;

/** Cuts what a server sends into payloads; those that came whole are given where they stand in what was fed. */
export class PacketCutter {
  /** The payload that `next` came to: the bytes from `from` up to `to`. */
  bytes: Uint8Array = new Uint8Array(0);
  from = 0;
  to = 0;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerFilled = 0;
  /** Of a payload whose end is still to come. */
  #pieces: Uint8Array[] = [];
  /** Bytes of the present packet that are still to come; null: a header is next. */
  #missing: number | null = null;
  #full = false;
  /** The number of the next packet: answers to a command begin with 1. */
  #number = 1;

  /** What came next. To be called when `next` has said that there is no more. */
  feed(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** False: no more payload is whole. Throws TP-STREAM-PROTOCOL for packets out of order. */
  next(): boolean {
    const chunk = this.#chunk;
    while (this.#at < chunk.length || this.#missing === 0) {
      const at = this.#at;
      if (this.#missing === null) {
        this.#at = this.#takeHeader(chunk, at);
        continue;
      }
      const size = Math.min(this.#missing, chunk.length - at);
      this.#missing -= size;
      this.#at += size;
      if (this.#missing === 0 && !this.#full && this.#pieces.length === 0) {
        this.#give(chunk, at, at + size);
        return true;
      }
      if (size > 0) this.#pieces.push(chunk.subarray(at, at + size));
      if (this.#missing === 0 && this.#full) this.#missing = null;
      else if (this.#missing === 0) {
        const payload = Buffer.concat(this.#pieces);
        this.#pieces = [];
        this.#give(new Uint8Array(payload.buffer, payload.byteOffset, payload.length), 0, payload.length);
        return true;
      }
    }
    return false;
  }

  #give(bytes: Uint8Array, from: number, to: number): void {
    this.#missing = null;
    // Storing an object costs more than looking whether it is there: hundreds of payloads come together.
    if (this.bytes !== bytes) this.bytes = bytes;
    this.from = from;
    this.to = to;
  }

  #takeHeader(chunk: Uint8Array, start: number): number {
    if (this.#headerFilled === 0 && start + HEADER_BYTES <= chunk.length) {
      this.#begin(chunk, start);
      return start + HEADER_BYTES;
    }
    let at = start;
    while (this.#headerFilled < HEADER_BYTES && at < chunk.length) {
      this.#header[this.#headerFilled] = chunk[at] ?? 0;
      this.#headerFilled += 1;
      at += 1;
    }
    if (this.#headerFilled < HEADER_BYTES) return at;
    this.#headerFilled = 0;
    this.#begin(this.#header, 0);
    return at;
  }

  #begin(header: Uint8Array, at: number): void {
    const number = header[at + 3] ?? 0;
    if (number !== this.#number) throw logError(`packet ${number} where ${this.#number} should come`);
    this.#number = (this.#number + 1) & 0xff;
    this.#missing = uint24At(header, at);
    this.#full = this.#missing === FULL;
  }
}
