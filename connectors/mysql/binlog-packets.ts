import { logError, uint24At } from './binlog-event.ts';

/** A packet ("MySQL Packets"): length (3 bytes), number (1). One of full length is carried on by the next. */
const HEADER_BYTES = 4;
const FULL = 0xff_ff_ff;

/** Cuts what a server sends into payloads; those that came whole are views of what was pushed. */
export class PacketCutter {
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerFilled = 0;
  /** Of a payload whose end is still to come. */
  #pieces: Uint8Array[] = [];
  /** Bytes of the present packet that are still to come; null: a header is next. */
  #missing: number | null = null;
  #full = false;
  /** The number of the next packet: answers to a command begin with 1. */
  #number = 1;

  /** Appends the payloads that are whole now. Throws TP-STREAM-PROTOCOL for packets out of order. */
  push(chunk: Uint8Array, payloads: Uint8Array[]): void {
    let at = 0;
    while (at < chunk.length || this.#missing === 0) {
      if (this.#missing === null) {
        at = this.#takeHeader(chunk, at);
        continue;
      }
      const size = Math.min(this.#missing, chunk.length - at);
      if (size > 0) this.#pieces.push(chunk.subarray(at, at + size));
      at += size;
      this.#missing -= size;
      if (this.#missing === 0) this.#endPacket(payloads);
    }
  }

  #takeHeader(chunk: Uint8Array, start: number): number {
    let at = start;
    while (this.#headerFilled < HEADER_BYTES && at < chunk.length) {
      this.#header[this.#headerFilled] = chunk[at] ?? 0;
      this.#headerFilled += 1;
      at += 1;
    }
    if (this.#headerFilled < HEADER_BYTES) return at;
    const number = this.#header[3] ?? 0;
    if (number !== this.#number) throw logError(`packet ${number} where ${this.#number} should come`);
    this.#number = (this.#number + 1) & 0xff;
    this.#headerFilled = 0;
    this.#missing = uint24At(this.#header, 0);
    this.#full = this.#missing === FULL;
    return at;
  }

  #endPacket(payloads: Uint8Array[]): void {
    this.#missing = null;
    if (this.#full) return;
    const [first] = this.#pieces;
    payloads.push(this.#pieces.length === 1 && first !== undefined ? first : Buffer.concat(this.#pieces));
    this.#pieces = [];
  }
}
