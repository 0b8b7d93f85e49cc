import { DECIMAL_CHARACTERS_MAX, writeDecimal } from './binlog-decimal.ts';
import { logError, uint16At, uint32At } from './binlog-event.ts';
import { FIELD_TYPE } from './field-type.ts';

/**
 * JSON as MySQL stores it (dev.mysql.com/doc/dev/mysql-server, "json_binary.h") as the text that the server prints
 * (MySQL manual, "The JSON Data Type"). Text is handled as one character for each byte: what is UTF-8 stays as it is.
 */
const TYPE = {
  smallObject: 0,
  largeObject: 1,
  smallArray: 2,
  largeArray: 3,
  literal: 4,
  int16: 5,
  uint16: 6,
  int32: 7,
  uint32: 8,
  int64: 9,
  uint64: 10,
  double: 11,
  text: 12,
  opaque: 15,
} as const;

const LITERALS = ['null', 'true', 'false'] as const;
/** The server allows 100. */
const DEPTH_MAX = 200;

/** The text of a document, one character a byte. Throws TP-STREAM-PROTOCOL. */
export function jsonText(document: Uint8Array): string {
  // The server takes what is empty, which INSERT IGNORE can leave behind, for null.
  if (document.length === 0) return 'null';
  return new JsonReader(document).value(document[0] ?? 0, 1, 0);
}

class JsonReader {
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(type: number, at: number, depth: number): string {
    if (depth > DEPTH_MAX || at > this.#bytes.length) throw logError('a JSON document that is broken');
    switch (type) {
      case TYPE.smallObject:
      case TYPE.largeObject:
        return this.#object(at, type === TYPE.largeObject, depth);
      case TYPE.smallArray:
      case TYPE.largeArray:
        return this.#array(at, type === TYPE.largeArray, depth);
      case TYPE.text: {
        const { length, start } = this.#length(at);
        return quotedText(this.#text(start, length));
      }
      case TYPE.opaque:
        return this.#opaque(at);
      default:
        return this.#scalar(type, at);
    }
  }

  #scalar(type: number, at: number): string {
    const view = this.#bytes;
    this.#need(at, type === TYPE.literal ? 1 : type <= TYPE.uint16 ? 2 : type <= TYPE.uint32 ? 4 : 8);
    switch (type) {
      case TYPE.literal: {
        const text = LITERALS[view[at] ?? 3];
        if (text === undefined) throw logError('a JSON literal that is not known');
        return text;
      }
      case TYPE.int16:
        return String(view.readInt16LE(at));
      case TYPE.uint16:
        return String(view.readUInt16LE(at));
      case TYPE.int32:
        return String(view.readInt32LE(at));
      case TYPE.uint32:
        return String(view.readUInt32LE(at));
      case TYPE.int64:
        return String(view.readBigInt64LE(at));
      case TYPE.uint64:
        return String(view.readBigUInt64LE(at));
      case TYPE.double:
        return doubleText(view.readDoubleLE(at));
      default:
        throw logError(`a JSON value of the unknown type ${type}`);
    }
  }

  /** Count and size (2 or 4 bytes each), then for each key place and length (2 bytes), for each value its entry. */
  #object(at: number, large: boolean, depth: number): string {
    const size = large ? 4 : 2;
    const count = this.#number(at, large);
    const keys = at + 2 * size;
    const values = keys + count * (size + 2);
    const parts: string[] = [];
    for (let index = 0; index < count; index += 1) {
      const entry = keys + index * (size + 2);
      this.#need(entry, size + 2);
      const key = this.#text(at + this.#number(entry, large), uint16At(this.#bytes, entry + size));
      parts.push(`${quotedText(key)}: ${this.#entry(at, values + index * (size + 1), large, depth)}`);
    }
    return `{${parts.join(', ')}}`;
  }

  #array(at: number, large: boolean, depth: number): string {
    const size = large ? 4 : 2;
    const count = this.#number(at, large);
    const parts: string[] = [];
    for (let index = 0; index < count; index += 1) {
      parts.push(this.#entry(at, at + 2 * size + index * (size + 1), large, depth));
    }
    return `[${parts.join(', ')}]`;
  }

  /**
   * Type (1 byte), then the value itself where it fits in, else its place from the beginning of the object or array.
   */
  #entry(container: number, at: number, large: boolean, depth: number): string {
    this.#need(at, large ? 5 : 3);
    const type = this.#bytes[at] ?? 0;
    const inlined = type >= TYPE.literal && type <= (large ? TYPE.uint32 : TYPE.uint16);
    const place = inlined ? at + 1 : container + this.#number(at + 1, large);
    return this.value(type, place, depth + 1);
  }

  /** The type of the value (1 byte), its length, and it as the server keeps it. */
  #opaque(at: number): string {
    const type = this.#bytes[at] ?? 0;
    const { length, start } = this.#length(at + 1);
    this.#need(start, length);
    const data = this.#bytes.subarray(start, start + length);
    switch (type) {
      case FIELD_TYPE.newdecimal:
        return decimalText(data);
      case FIELD_TYPE.date:
      case FIELD_TYPE.datetime:
      case FIELD_TYPE.timestamp:
        return `"${packedDatetime(data, type === FIELD_TYPE.date)}"`;
      case FIELD_TYPE.time:
        return `"${packedTime(data)}"`;
      default:
        return `"base64:type${type}:${base64Lines(data)}"`;
    }
  }

  /** Seven bits a byte, the lowest first; the highest bit says that more follow. */
  #length(at: number): { readonly length: number; readonly start: number } {
    let length = 0;
    for (let index = 0; index < 5; index += 1) {
      this.#need(at + index, 1);
      const byte = this.#bytes[at + index] ?? 0;
      length += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return { length, start: at + index + 1 };
    }
    throw logError('a JSON length that is too large');
  }

  #number(at: number, large: boolean): number {
    this.#need(at, large ? 4 : 2);
    return large ? uint32At(this.#bytes, at) : uint16At(this.#bytes, at);
  }

  #text(at: number, length: number): string {
    this.#need(at, length);
    return this.#bytes.toString('latin1', at, at + length);
  }

  #need(at: number, length: number): void {
    if (at + length > this.#bytes.length) throw logError('a JSON document that is cut off');
  }
}

const SHORT: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\f': '\\f',
  '\r': '\\r',
};

// oxlint-disable-next-line no-control-regex -- control characters are what it is about
const ESCAPED = /["\\\u0000-\u001f]/g;

function quotedText(text: string): string {
  const escaped = text.replace(
    ESCAPED,
    (character) => SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `"${escaped}"`;
}

/**
 * Beyond so many places before the point, unless digits follow behind it, or so many zeros there, the server writes an
 * exponent (my_gcvt).
 */
const PLACES_MAX = 15;
const PLACES_MIN = -14;

/**
 * The fewest digits that read back as the same number, as my_gcvt of the server writes them; `.0` tells it is no
 * integer.
 */
export function doubleText(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa = '', exponent = '0'] = Math.abs(value).toExponential().split('e');
  const digits = mantissa.replace('.', '');
  const sign = value < 0 ? '-' : '';
  const places = Number(exponent) + 1;
  if ((places > PLACES_MAX && digits.length <= places) || places < PLACES_MIN) {
    const point = digits.length > 1 ? `${digits.slice(0, 1)}.${digits.slice(1)}` : digits;
    return `${sign}${point}e${Number(exponent)}`;
  }
  if (places <= 0) return `${sign}0.${'0'.repeat(-places)}${digits}`;
  if (digits.length <= places) return `${sign}${digits.padEnd(places, '0')}.0`;
  return `${sign}${digits.slice(0, places)}.${digits.slice(places)}`;
}

/** Precision (1 byte), digits behind the point (1), then as in a column. */
function decimalText(data: Uint8Array): string {
  const target = Buffer.alloc(DECIMAL_CHARACTERS_MAX);
  const end = writeDecimal(data, 2, data[0] ?? 0, data[1] ?? 0, false, target, 0);
  return target.toString('latin1', 0, end);
}

/** 8 bytes, little endian: microseconds (24 bits), second (6), minute (6), hour (5), day (5), year · 13 + month. */
function packedDatetime(data: Uint8Array, dateOnly: boolean): string {
  const date = uint32At(data, 4) >>> 9;
  const months = date >>> 5;
  const day = `${pad(Math.trunc(months / 13), 4)}-${pad(months % 13, 2)}-${pad(date & 31, 2)}`;
  if (dateOnly) return day;
  const clock = Math.trunc(uint32At(data, 3)) & 0x1_ff_ff;
  return `${day} ${clockText(clock >> 12, clock, uint32At(data, 0) & 0xff_ff_ff)}`;
}

/** Likewise: microseconds (24 bits), second (6), minute (6), hour; a negative one is the complement of two. */
function packedTime(data: Uint8Array): string {
  const low = uint32At(data, 0);
  const packed = BigInt.asIntN(64, BigInt(low) | (BigInt(uint32At(data, 4)) << 32n));
  const magnitude = packed < 0n ? -packed : packed;
  const clock = Number(magnitude >> 24n);
  return `${packed < 0n ? '-' : ''}${clockText((clock >> 12) & 0x3ff, clock, Number(magnitude & 0xff_ff_ffn))}`;
}

function clockText(hours: number, clock: number, microseconds: number): string {
  return `${pad(hours, 2)}:${pad((clock >> 6) & 63, 2)}:${pad(clock & 63, 2)}.${pad(microseconds, 6)}`;
}

function pad(value: number, digits: number): string {
  return String(value).padStart(digits, '0');
}

const LINE = 76;

/** The server breaks lines of Base64, and a line end in a text of JSON is written as an escape. */
function base64Lines(data: Buffer): string {
  const text = data.toString('base64');
  const lines: string[] = [];
  for (let at = 0; at < text.length; at += LINE) lines.push(text.slice(at, at + LINE));
  return lines.join('\\n');
}
