import { JsonError } from './json-error.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const ZERO = 0x30;
const NINE = 0x39;

/** The text between quotes, with its escapes resolved, as UTF-8. @throws JsonError */
export function unescaped(bytes: Uint8Array, from: number, to: number): Uint8Array {
  // Never longer than it was written: the longest result of an escape of 6 bytes has 3.
  const out = new Uint8Array(to - from);
  let length = 0;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte !== BACKSLASH) {
      out[length++] = byte;
      continue;
    }
    at += 1;
    const escape = bytes[at] ?? 0;
    if (escape !== 0x75) {
      out[length++] = plainEscape(escape, at);
      continue;
    }
    let point = hex4(bytes, at + 1, to);
    at += 4;
    if (point >= 0xd800 && point < 0xe000) {
      if (point >= 0xdc00 || bytes[at + 1] !== BACKSLASH || bytes[at + 2] !== 0x75) {
        throw new JsonError('half a character', at);
      }
      const low = hex4(bytes, at + 3, to);
      if (low < 0xdc00 || low >= 0xe000) throw new JsonError('half a character', at);
      point = 0x10000 + (point - 0xd800) * 0x400 + (low - 0xdc00);
      at += 6;
    }
    length = putPoint(out, length, point);
  }
  return out.subarray(0, length);
}

function plainEscape(escape: number, at: number): number {
  switch (escape) {
    case QUOTE:
    case BACKSLASH:
    case 0x2f:
      return escape;
    case 0x62:
      return 0x08;
    case 0x66:
      return 0x0c;
    case 0x6e:
      return 0x0a;
    case 0x72:
      return 0x0d;
    case 0x74:
      return 0x09;
    default:
      throw new JsonError('an unknown escape', at);
  }
}

function hex4(bytes: Uint8Array, at: number, to: number): number {
  if (at + 4 > to) throw new JsonError('half an escape', at);
  let point = 0;
  for (let i = at; i < at + 4; i += 1) {
    const byte = bytes[i] ?? 0;
    const lower = byte | 0x20;
    if (byte >= ZERO && byte <= NINE) point = point * 16 + byte - ZERO;
    else if (lower >= 0x61 && lower <= 0x66) point = point * 16 + lower - 0x57;
    else throw new JsonError('no hexadecimal digit', i);
  }
  return point;
}

function putPoint(out: Uint8Array, length: number, point: number): number {
  let at = length;
  if (point < 0x80) {
    out[at++] = point;
  } else if (point < 0x800) {
    out[at++] = 0xc0 | (point >> 6);
    out[at++] = 0x80 | (point & 0x3f);
  } else if (point < 0x10000) {
    out[at++] = 0xe0 | (point >> 12);
    out[at++] = 0x80 | ((point >> 6) & 0x3f);
    out[at++] = 0x80 | (point & 0x3f);
  } else {
    out[at++] = 0xf0 | (point >> 18);
    out[at++] = 0x80 | ((point >> 12) & 0x3f);
    out[at++] = 0x80 | ((point >> 6) & 0x3f);
    out[at++] = 0x80 | (point & 0x3f);
  }
  return at;
}
