/** The most bytes a number takes as a varint here. */
export const VARINT_BYTES_MAX = 8;
/** Bytes of a place in the journal: 2^48 bytes of journal. */
export const OFFSET_BYTES = 6;

/** Bytes that do not mean what they should: the caller says of which file. */
export class MalformedBytes extends Error {}

/**
 * Writes into memory that grows. Numbers are unsigned LEB128 (seven bits a byte, low ones first), offsets six bytes and
 * times eight bytes, both big endian; strings are UTF-8 behind their length.
 */
export class ByteWriter {
  bytes: Buffer;
  length = 0;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafe(capacity);
  }

  reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.length + size));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length++] = value;
  }

  varint(value: number): void {
    this.reserve(VARINT_BYTES_MAX);
    let rest = value;
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.bytes[this.length++] = rest;
  }

  offset(value: number): void {
    this.reserve(OFFSET_BYTES);
    this.bytes.writeUIntBE(value, this.length, OFFSET_BYTES);
    this.length += OFFSET_BYTES;
  }

  time(value: bigint): void {
    this.reserve(8);
    this.bytes.writeBigInt64BE(value, this.length);
    this.length += 8;
  }

  raw(value: Uint8Array): void {
    this.reserve(value.length);
    this.bytes.set(value, this.length);
    this.length += value.length;
  }

  framed(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  text(value: string): void {
    const size = Buffer.byteLength(value);
    this.varint(size);
    this.reserve(size);
    this.bytes.write(value, this.length);
    this.length += size;
  }
}

/** Reads what ByteWriter wrote. Whatever is read is a view. Throws MalformedBytes instead of reading past the end. */
export class ByteReader {
  readonly #bytes: Buffer;
  at: number;
  readonly end: number;

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.at = at;
    this.end = end;
  }

  byte(): number {
    const at = this.#advance(1);
    return this.#bytes[at] ?? 0;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let read = 0; read < VARINT_BYTES_MAX; read++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
    throw new MalformedBytes('a number is too long');
  }

  offset(): number {
    return this.#bytes.readUIntBE(this.#advance(OFFSET_BYTES), OFFSET_BYTES);
  }

  time(): bigint {
    return this.#bytes.readBigInt64BE(this.#advance(8));
  }

  raw(size: number): Buffer {
    const at = this.#advance(size);
    return this.#bytes.subarray(at, at + size);
  }

  framed(): Buffer {
    return this.raw(this.varint());
  }

  text(): string {
    return this.framed().toString('utf8');
  }

  #advance(size: number): number {
    const at = this.at;
    if (at + size > this.end) throw new MalformedBytes('the bytes end too early');
    this.at = at + size;
    return at;
  }
}
