import { logError, uint16At, uint32At } from './binlog-event.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads the parts of an event that are not rows; integers are little endian. Every read throws TP-STREAM-PROTOCOL where
 * the event ends before it.
 */
export class LogCursor {
  readonly bytes: Uint8Array;
  at: number;
  readonly #end: number;

  /** Reads from `at` up to `end` of `bytes`. */
  constructor(bytes: Uint8Array, at: number, end = bytes.length) {
    this.bytes = bytes;
    this.at = at;
    this.#end = end;
  }

  get atEnd(): boolean {
    return this.at >= this.#end;
  }

  /** The place of the next `length` bytes, which are passed over. */
  skip(length: number): number {
    const start = this.at;
    if (length < 0 || length > this.#end - start) {
      throw logError(`an event that ends at ${this.#end} ends too early for ${length} bytes at ${start}`);
    }
    this.at += length;
    return start;
  }

  take(length: number): Uint8Array {
    const start = this.skip(length);
    return this.bytes.subarray(start, start + length);
  }

  uint8(): number {
    return this.bytes[this.skip(1)] ?? 0;
  }

  uint16(): number {
    return uint16At(this.bytes, this.skip(2));
  }

  uint32(): number {
    return uint32At(this.bytes, this.skip(4));
  }

  /** "Length-Encoded Integer Type" of the protocol, of at most 4 bytes. */
  packed(): number {
    const first = this.uint8();
    if (first < 0xfb) return first;
    if (first === 0xfc) return this.uint16();
    if (first === 0xfd) return this.uint16() + this.uint8() * 0x1_0000;
    if (first === 0xfe) {
      const value = this.uint32();
      if (this.uint32() === 0) return value;
    }
    throw logError('a number that is too large');
  }

  /** Text in UTF-8. */
  text(length: number): string {
    try {
      return UTF8.decode(this.take(length));
    } catch (error) {
      throw logError('a name that is no text', error);
    }
  }

  /** A number of mysql::serialization: as many bytes as the first has ones at its low end, and one more. */
  serialized(): bigint {
    const first = this.uint8();
    let more = 0;
    while (more < 8 && (first & (1 << more)) !== 0) more += 1;
    let value = more === 8 ? 0n : BigInt(first >> (more + 1));
    const known = more === 8 ? 0 : 7 - more;
    for (let index = 0; index < more; index += 1) value |= BigInt(this.uint8()) << BigInt(known + index * 8);
    return value;
  }
}
