import { int32At } from '../row/stream.ts';

/** The most bytes a number takes as a varint here. */
export const VARINT_BYTES_MAX = 8;
/** Bytes of a place in the journal: 2^48 bytes of journal. */
export const OFFSET_BYTES = 6;

/** A call into the engine costs more than copying the few bytes of most values (measured). */
const COPY_LOOP_MAX = 128;

export function copyBytes(from: Uint8Array, at: number, length: number, to: Uint8Array, toAt: number): void {
  if (length > COPY_LOOP_MAX) {
    to.set(from.subarray(at, at + length), toAt);
    return;
  }
  for (let byte = 0; byte < length; byte++) to[toAt + byte] = from[at + byte] ?? 0;
}

export function sameBytes(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, length: number): boolean {
  for (let byte = 0; byte < length; byte++) if (a[aAt + byte] !== b[bAt + byte]) return false;
  return true;
}

/** A place in the journal: six bytes, big endian. */
export function placeAt(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  return high * 2 ** 32 + (int32At(bytes, at + 2) >>> 0);
}

export function putPlace(bytes: Uint8Array, at: number, place: number): void {
  const high = Math.floor(place / 2 ** 32);
  bytes[at] = high >>> 8;
  bytes[at + 1] = high;
  bytes[at + 2] = place >>> 24;
  bytes[at + 3] = place >>> 16;
  bytes[at + 4] = place >>> 8;
  bytes[at + 5] = place;
}

/** One piece of memory and a view of its beginning for each length: making views is what costs (measured). */
export class Scratch {
  bytes: Buffer = Buffer.allocUnsafeSlow(256);
  #views: Buffer[] = [];

  /** The first `length` bytes, to be written to before they are read. */
  view(length: number): Buffer {
    if (length > this.bytes.length) {
      this.bytes = Buffer.allocUnsafeSlow(length * 2);
      this.#views = [];
    }
    const known = this.#views[length];
    if (known !== undefined) return known;
    const view = this.bytes.subarray(0, length);
    this.#views[length] = view;
    return view;
  }

  /** A copy, valid until the next one. */
  copyOf(from: Uint8Array, at: number, length: number): Buffer {
    const view = this.view(length);
    copyBytes(from, at, length, view, 0);
    return view;
  }
}

const wordBytes = new Uint8Array(8);
const word = new DataView(wordBytes.buffer);
/** Views of more bytes are not kept. */
const VIEW_BYTES_MAX = 1024;
/** Where a view is there already, a call into the engine takes less than copying from so many bytes on (measured). */
const SET_BYTES_MIN = 48;

/** Bytes that do not mean what they should: the caller says of which file. */
export class MalformedBytes extends Error {}

/**
 * Writes into memory that grows. Numbers are unsigned LEB128 (seven bits a byte, low ones first), offsets six bytes and
 * times eight bytes, both big endian; strings are UTF-8 behind their length.
 */
export class ByteWriter {
  bytes: Buffer;
  length = 0;
  /** Of `bytes`, by length. */
  #views: Buffer[] = [];
  #viewsOf: Buffer | null = null;

  constructor(capacity: number) {
    this.bytes = Buffer.allocUnsafe(capacity);
  }

  /** All that was written: a view, valid until more is. Small records are often as long as one before. */
  written(): Buffer {
    if (this.#viewsOf !== this.bytes) {
      this.#views = [];
      this.#viewsOf = this.bytes;
    }
    const known = this.#views[this.length];
    if (known !== undefined) return known;
    const view = this.bytes.subarray(0, this.length);
    if (this.length <= VIEW_BYTES_MAX) this.#views[this.length] = view;
    return view;
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
    // Beyond 32 bits shifting would cut the number off.
    while (rest >= 2 ** 31) {
      this.bytes[this.length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    while (rest >= 0x80) {
      this.bytes[this.length++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.bytes[this.length++] = rest;
  }

  offset(value: number): void {
    this.reserve(OFFSET_BYTES);
    putPlace(this.bytes, this.length, value);
    this.length += OFFSET_BYTES;
  }

  time(value: bigint): void {
    this.reserve(8);
    // A view writes 64 bits at once; a Buffer's own method takes them apart.
    word.setBigInt64(0, value);
    copyBytes(wordBytes, 0, 8, this.bytes, this.length);
    this.length += 8;
  }

  raw(value: Uint8Array): void {
    const { length } = value;
    if (length < SET_BYTES_MIN) {
      this.part(value, 0, length);
      return;
    }
    this.reserve(length);
    this.bytes.set(value, this.length);
    this.length += length;
  }

  /** `length` bytes of `value` from `at` on. */
  part(value: Uint8Array, at: number, length: number): void {
    this.reserve(length);
    copyBytes(value, at, length, this.bytes, this.length);
    this.length += length;
  }

  /** A byte for each character, of which none is above 255; without a length. */
  latin1(value: string): void {
    const { length } = value;
    this.reserve(length);
    const { bytes } = this;
    const start = this.length;
    for (let at = 0; at < length; at++) bytes[start + at] = value.charCodeAt(at);
    this.length = start + length;
  }

  framed(value: Uint8Array): void {
    this.varint(value.length);
    this.raw(value);
  }

  text(value: string): void {
    if (value.length < ASCII_LOOP_MAX && this.#shortAscii(value)) return;
    const size = Buffer.byteLength(value);
    this.varint(size);
    this.reserve(size);
    this.bytes.write(value, this.length);
    this.length += size;
  }

  /** False: it is not ASCII, and nothing was written. */
  #shortAscii(value: string): boolean {
    const { length } = value;
    this.reserve(length + 1);
    const { bytes } = this;
    const start = this.length;
    bytes[start] = length;
    for (let at = 0; at < length; at++) {
      const code = value.charCodeAt(at);
      if (code >= 0x80) return false;
      bytes[start + 1 + at] = code;
    }
    this.length = start + 1 + length;
    return true;
  }
}

/** Positions and transaction ids are such: there a call into the engine costs more than the loop. Their length is one byte. */
const ASCII_LOOP_MAX = 0x80;

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
    return placeAt(this.#bytes, this.#advance(OFFSET_BYTES));
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
