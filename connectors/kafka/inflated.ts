import { TwinproofError } from '../../src/errors.ts';

const FIRST_BYTES = 65_536;

/** Bytes that come out of a decompression: pieces, and repetitions of what came before. Throws TP-STREAM-PROTOCOL. */
export class Inflated {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  readonly #most: number;
  length = 0;

  /** `most`: more than this is refused. */
  constructor(most: number) {
    this.#most = most;
  }

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  put(from: Uint8Array, at: number, length: number): void {
    this.#room(length);
    this.#bytes.set(from.subarray(at, at + length), this.length);
    this.length += length;
  }

  /** What stands `distance` bytes back, once more; it may run into what it writes. Nothing before `start` is there. */
  repeat(distance: number, length: number, start: number): void {
    if (distance < 1 || distance > this.length - start) throw noData('repetition');
    this.#room(length);
    const bytes = this.#bytes;
    if (distance >= length)
      bytes.copyWithin(this.length, this.length - distance, this.length - distance + length);
    else {
      for (let put = this.length; put < this.length + length; put += 1)
        bytes[put] = bytes[put - distance] ?? 0;
    }
    this.length += length;
  }

  #room(length: number): void {
    const needed = this.length + length;
    if (needed <= this.#bytes.length) return;
    if (needed > this.#most) throw noData('size');
    const larger = Buffer.allocUnsafeSlow(Math.min(Math.max(this.#bytes.length * 2, needed), this.#most));
    larger.set(this.bytes());
    this.#bytes = larger;
  }
}

export function noData(what: string): TwinproofError {
  return new TwinproofError('TP-STREAM-PROTOCOL', {
    message: `records are compressed in a way that makes no sense (${what})`,
  });
}
