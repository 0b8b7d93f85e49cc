import type { JsonKind, JsonReader } from './json-reader.ts';

/** So many changes of its value one after the other, and a member is no longer expected to stay the same. */
const CHANGES_MAX = 4;
const ZERO = 0x30;

/**
 * A member of the blocks `source`, and what it said last: most stay the same from record to record, and are known again
 * by how they are written.
 */
export class SourceMember {
  readonly name: Uint8Array;
  /** Whether the block at hand has it. */
  seen = false;
  /** As it was written last, with the comma before it. Nothing: it is not expected to be written so again. */
  written: Uint8Array = new Uint8Array(0);
  #varies = false;
  #changes = 0;
  /** Whether it was read in the block at hand, and did not just stand there as before. */
  #fresh = false;
  #kind: JsonKind = 'null';
  #from = 0;
  #to = 0;
  #escaped = false;
  /** What `#text` was made of. */
  #bytes: Uint8Array = new Uint8Array(0);
  #text = '';

  readonly #isWanted: boolean;

  /** `isWanted`: its text is asked for, sooner or later. */
  constructor(name: Uint8Array, isWanted: boolean) {
    this.name = name;
    this.#isWanted = isWanted;
  }

  /** It stands there as it did before. */
  passed(): void {
    this.seen = true;
    this.#fresh = false;
    this.#changes = 0;
  }

  /** The reader took its value; the member, or the comma before it, stands at `begin`. */
  take(json: JsonReader, begin: number): void {
    this.seen = true;
    this.#fresh = true;
    this.#kind = json.kind;
    this.#from = json.from;
    this.#to = json.to;
    this.#escaped = json.escaped;
    if (this.#varies) return;
    this.#changes += 1;
    this.#varies = this.#changes > CHANGES_MAX;
    this.written = this.#varies ? new Uint8Array(0) : copyOf(json.bytes, begin, json.at);
    // It may just stand there in the next block: then nothing else is left to make it of.
    if (this.#isWanted) this.text(json);
  }

  /** Neither missing nor null. */
  get isThere(): boolean {
    return this.seen && this.#kind !== 'null';
  }

  /** Null: it is missing, or null. `json` still has the record in which it was taken. */
  text(json: JsonReader): string | null {
    if (!this.isThere) return null;
    if (!this.#fresh || json.isAt(this.#from, this.#to, this.#bytes)) return this.#text;
    json.kind = this.#kind;
    json.escaped = this.#escaped;
    json.from = this.#from;
    json.to = this.#to;
    this.#text = json.text();
    this.#bytes = copyOf(json.bytes, this.#from, this.#to);
    return this.#text;
  }

  /** Its digits as a number; −1: they are none, or more than a number can hold. */
  whole(json: JsonReader): number {
    if (!this.isThere) return -1;
    if (!this.#fresh) return /^\d{1,15}$/.test(this.#text) ? Number(this.#text) : -1;
    return digitsOf(json.bytes, this.#from, this.#to);
  }

  /** Where its value stands in the record at hand; −1: it is missing, or was not read anew. */
  get from(): number {
    return this.seen && this.#fresh ? this.#from : -1;
  }

  get to(): number {
    return this.#to;
  }
}

/** A whole number that stands there, alone; −1: something else, or a number that is not safe. */
export function digitsOf(bytes: Uint8Array, from: number, to: number): number {
  if (to <= from) return -1;
  let value = 0;
  for (let at = from; at < to; at += 1) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  return value <= Number.MAX_SAFE_INTEGER ? value : -1;
}

/** A Buffer's own `slice` is a view. */
function copyOf(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return new Uint8Array(bytes.subarray(from, to));
}
