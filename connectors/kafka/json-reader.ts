import { JsonError } from './json-error.ts';
import { unescaped } from './json-escape.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const COMMA = 0x2c;
const COLON = 0x3a;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const DEPTH_MAX = 64;
/** Of a string that is longer, the rest is not looked through byte by byte. */
const SHORT_BYTES = 48;

/** What kind of JSON a value is (RFC 8259). */
export type JsonKind = 'string' | 'number' | 'object' | 'array' | 'true' | 'false' | 'null';

/**
 * Walks JSON as bytes and makes nothing of them: no string, no number, no object. A value is its place in the bytes.
 * Use: `enter`, then `member` until it says false, each time followed by `take`, `enter` or `skip`.
 */
export class JsonReader {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  /** The name of the member that `member` found, without its quotes, as it is written. */
  nameFrom = 0;
  nameTo = 0;
  /** The value that `take` found: a string without its quotes, everything else whole. */
  kind: JsonKind = 'null';
  from = 0;
  to = 0;
  /** Whether that string holds escapes. */
  escaped = false;
  #first = false;
  /** The first backslash at or behind `#slashFrom`. */
  #slash = 0;
  #slashFrom = Infinity;

  /** Starts anew. */
  open(bytes: Uint8Array, at = 0): void {
    if (bytes !== this.bytes) this.#slashFrom = Infinity;
    this.bytes = bytes;
    this.at = at;
  }

  /** Goes into the object that stands here. @throws JsonError */
  enter(): void {
    this.#space();
    if (this.bytes[this.at] !== OPEN_OBJECT) throw new JsonError('an object is wanted', this.at);
    this.at += 1;
    this.#first = true;
  }

  /** Goes to the value of the next member; false: the object ended. @throws JsonError */
  member(): boolean {
    this.#space();
    const byte = this.bytes[this.at];
    if (byte === CLOSE_OBJECT) {
      this.at += 1;
      this.#first = false;
      return false;
    }
    if (!this.#first) {
      if (byte !== COMMA) throw new JsonError('a comma is wanted', this.at);
      this.at += 1;
      this.#space();
    }
    this.#first = false;
    if (this.bytes[this.at] !== QUOTE) throw new JsonError('a name is wanted', this.at);
    this.#string();
    this.nameFrom = this.from;
    this.nameTo = this.to;
    this.#space();
    if (this.bytes[this.at] !== COLON) throw new JsonError('a colon is wanted', this.at);
    this.at += 1;
    this.#space();
    return true;
  }

  /**
   * Goes behind a member that is written exactly so, with the comma before it, if it has one; false: another stands
   * here.
   */
  passes(written: Uint8Array): boolean {
    const { bytes, at } = this;
    if (written.length === 0 || (written[0] === COMMA) === this.#first) return false;
    for (let i = 0; i < written.length; i += 1) if (bytes[at + i] !== written[i]) return false;
    const next = bytes[at + written.length];
    if (next !== COMMA && next !== CLOSE_OBJECT) return false;
    this.at = at + written.length;
    this.#first = false;
    return true;
  }

  /** Whether the member found last has this name (ASCII). */
  isNamed(name: Uint8Array): boolean {
    const { bytes, nameFrom } = this;
    if (this.nameTo - nameFrom !== name.length) return false;
    for (let i = 0; i < name.length; i += 1) if (bytes[nameFrom + i] !== name[i]) return false;
    return true;
  }

  /** That name as text; for short ones. */
  name(): string {
    const { bytes, nameFrom, nameTo } = this;
    return Buffer.from(bytes.buffer, bytes.byteOffset + nameFrom, nameTo - nameFrom).toString('utf8');
  }

  /** The string or number taken last as text: for names, never for values of columns. */
  text(): string {
    const { bytes, from, to } = this;
    const plain =
      this.escaped && this.kind === 'string' ? unescaped(bytes, from, to) : bytes.subarray(from, to);
    return Buffer.from(plain.buffer, plain.byteOffset, plain.length).toString('utf8');
  }

  /** Whether the string taken last is written with these bytes. */
  isText(text: Uint8Array): boolean {
    return this.isAt(this.from, this.to, text);
  }

  /** Whether these bytes stand there. */
  isAt(from: number, to: number, text: Uint8Array): boolean {
    const { bytes } = this;
    if (to - from !== text.length) return false;
    for (let i = 0; i < text.length; i += 1) if (bytes[from + i] !== text[i]) return false;
    return true;
  }

  /** Takes the value that stands here. What is within objects and arrays is only walked over. @throws JsonError */
  take(): void {
    const { bytes, at } = this;
    switch (bytes[at]) {
      case QUOTE:
        this.#string();
        this.kind = 'string';
        return;
      case OPEN_OBJECT:
      case OPEN_ARRAY:
        this.#nested();
        this.kind = bytes[at] === OPEN_OBJECT ? 'object' : 'array';
        break;
      case 0x74:
        this.#word('true');
        break;
      case 0x66:
        this.#word('false');
        break;
      case 0x6e:
        this.#word('null');
        break;
      default:
        this.#number();
        this.kind = 'number';
    }
    this.from = at;
    this.to = this.at;
  }

  /** Nothing but space may follow. @throws JsonError */
  end(): void {
    this.#space();
    if (this.at < this.bytes.length) throw new JsonError('more than one value', this.at);
  }

  #space(): void {
    const { bytes } = this;
    let byte = bytes[this.at];
    if (byte !== undefined && byte > 0x20) return;
    for (; byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;) {
      this.at += 1;
      byte = bytes[this.at];
    }
  }

  #string(): void {
    const { bytes } = this;
    let at = this.at + 1;
    this.from = at;
    this.escaped = false;
    for (const end = Math.min(bytes.length, at + SHORT_BYTES); at < end; at += 1) {
      const byte = bytes[at] ?? 0;
      if (byte === QUOTE) {
        this.#ended(at);
        return;
      }
      if (byte === BACKSLASH) {
        this.escaped = true;
        at += 1;
      } else if (byte < 0x20) throw new JsonError('a control character within a string', at);
    }
    this.#ended(this.#endOfLong(at));
  }

  #ended(quote: number): void {
    this.to = quote;
    this.at = quote + 1;
  }

  /** Where the quote stands that ends a string which goes on at `from`. Control characters are let pass here. */
  #endOfLong(from: number): number {
    const { bytes } = this;
    for (let at = from; ;) {
      const quote = bytes.indexOf(QUOTE, at);
      if (quote < 0) throw new JsonError('a string that does not end', this.from);
      const slash = this.#slashAfter(at);
      if (slash > quote) return quote;
      this.escaped = true;
      at = slash + 2;
    }
  }

  /** Found once for many strings: most records have few. */
  #slashAfter(at: number): number {
    if (at >= this.#slashFrom && at <= this.#slash) return this.#slash;
    const found = this.bytes.indexOf(BACKSLASH, at);
    this.#slashFrom = at;
    this.#slash = found < 0 ? Infinity : found;
    return this.#slash;
  }

  #nested(): void {
    const { bytes } = this;
    const start = this.at;
    let depth = 0;
    for (let at = start; at < bytes.length;) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        this.at = at;
        this.#string();
        ({ at } = this);
        continue;
      }
      at += 1;
      if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
        depth += 1;
        if (depth > DEPTH_MAX) throw new JsonError('too much within one another', at);
      } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
        depth -= 1;
        this.at = at;
        if (depth === 0) return;
      }
    }
    throw new JsonError('an object or array that does not end', start);
  }

  #word(word: 'true' | 'false' | 'null'): void {
    for (let i = 0; i < word.length; i += 1) {
      if (this.bytes[this.at + i] !== word.charCodeAt(i)) throw new JsonError('no value', this.at);
    }
    this.at += word.length;
    this.kind = word;
  }

  /** Any run of the characters of a number; who uses it looks closer. */
  #number(): void {
    const { bytes } = this;
    const start = this.at;
    for (let byte = bytes[this.at]; byte !== undefined && isOfNumber(byte);) {
      this.at += 1;
      byte = bytes[this.at];
    }
    const first = bytes[start] ?? 0;
    if (this.at === start || !(first === MINUS || (first >= ZERO && first <= NINE))) {
      throw new JsonError('no value', start);
    }
  }
}

function isOfNumber(byte: number): boolean {
  return (
    (byte >= ZERO && byte <= NINE) ||
    byte === MINUS ||
    byte === 0x2b ||
    byte === 0x2e ||
    byte === 0x45 ||
    byte === 0x65
  );
}
