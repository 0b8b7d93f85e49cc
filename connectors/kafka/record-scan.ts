import type { JsonKind, JsonReader } from './json-reader.ts';
import type { RecordBytes } from './record-bytes.ts';
import { ABSENT, HEAD, MEMBER, newScan, SCANNED, type ScanInstance, WINDOW_AT } from './scan-module.ts';

/** Kinds of values as scan.ts numbers them; `ESCAPED`: a string with escapes. */
const KINDS: readonly JsonKind[] = ['string', 'number', 'object', 'array', 'true', 'false', 'null'];
const ESCAPED = 8;
/** Of a batch so much is copied at once: what is looked at stays in the processor's cache. */
const WINDOW_BYTES = 262_144;

/**
 * Walks over records of Debezium's in WebAssembly: after `scan` it is known where their parts stand. It understands
 * those that JsonConverter wrote without a schema, and no others.
 */
export class RecordScan {
  readonly #exports: ScanInstance['exports'];
  readonly #memory: Uint8Array;
  /** What is known of the record that was scanned last (HEAD, SCANNED, MEMBER); places are addresses in the memory. */
  readonly numbers: Int32Array;
  #bytes: Uint8Array = new Uint8Array(0);
  #from = 0;
  #to = 0;
  /** By how much addresses are greater than places in the bytes of the batch. */
  shift = 0;

  /** `before`: whether rows before their changes are asked for. Throws TP-INSTALL. */
  constructor(before: boolean) {
    const { exports, memory } = newScan(WINDOW_BYTES, before);
    this.#exports = exports;
    this.#memory = memory;
    this.numbers = new Int32Array(memory.buffer);
  }

  /** False: it was not understood, or is too long. The bytes of a batch must stay as they are. */
  scan({ bytes, keyFrom, keyTo, valueFrom, valueTo }: RecordBytes): boolean {
    const from = keyFrom < 0 ? valueFrom : keyFrom;
    if (bytes !== this.#bytes || from < this.#from || valueTo > this.#to) this.#look(bytes, from);
    // A key stands before its value.
    if (valueTo > this.#to || keyTo > valueFrom) return false;
    const shift = this.shift;
    const key = keyFrom < 0 ? 0 : keyFrom + shift;
    return this.#exports.scan(key, keyTo + shift, valueFrom + shift, valueTo + shift) !== 0;
  }

  /** The letter of its operation; 0: none. */
  get operation(): number {
    return this.numbers[HEAD.operation] ?? 0;
  }

  /** It has a block `transaction`. */
  get tied(): boolean {
    return this.numbers[HEAD.tied] === 1;
  }

  /** Members of `source` that are not written as in the record before: a bit each. */
  get changedInSource(): number {
    return this.numbers[HEAD.changedInSource] ?? 0;
  }

  /** How many members the object has; −1: it is null or not there. */
  count(of: keyof typeof SCANNED): number {
    return this.numbers[SCANNED[of].count] ?? ABSENT;
  }

  /** Whether its names are, in their order, those of the last one that was understood. */
  isSame(of: keyof typeof SCANNED): boolean {
    return ((this.numbers[HEAD.same] ?? 0) & SCANNED[of].same) !== 0;
  }

  /** Where a member stands among the numbers. */
  member(of: keyof typeof SCANNED, member: number): number {
    return SCANNED[of].members + member * MEMBER.numbers;
  }

  /** Whether the name of the member that stands there is written with these bytes. `json` has the record. */
  isNamed(at: number, name: Uint8Array, json: JsonReader): boolean {
    const from = (this.numbers[at + MEMBER.nameFrom] ?? 0) - this.shift;
    return json.isAt(from, (this.numbers[at + MEMBER.nameTo] ?? 0) - this.shift, name);
  }

  /** As if `json` had just taken the value of the member that stands there. */
  recall(at: number, json: JsonReader): void {
    const { numbers, shift } = this;
    const kind = numbers[at + MEMBER.kind] ?? 0;
    json.from = (numbers[at + MEMBER.from] ?? 0) - shift;
    json.to = (numbers[at + MEMBER.to] ?? 0) - shift;
    json.kind = KINDS[kind & (ESCAPED - 1)] ?? 'null';
    json.escaped = kind === ESCAPED;
  }

  #look(bytes: Uint8Array, from: number): void {
    this.#bytes = bytes;
    this.#from = from;
    this.#to = Math.min(from + WINDOW_BYTES, bytes.length);
    this.shift = WINDOW_AT - from;
    this.#memory.set(bytes.subarray(from, this.#to), WINDOW_AT);
  }
}
