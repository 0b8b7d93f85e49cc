import { ABSENT, HEAD, MEMBER, newScan, SCANNED, type ScanInstance, WINDOW_AT } from './scan-module.ts';

/** A record within the batch that holds it: places of key and value in `bytes`; a beginning of −1: null. */
export interface RecordBytes {
  readonly bytes: Uint8Array;
  readonly keyFrom: number;
  readonly keyTo: number;
  readonly valueFrom: number;
  readonly valueTo: number;
}

/** Of a batch so much is copied at once: what is looked at stays in the processor's cache. */
const WINDOW_BYTES = 262_144;

/**
 * Walks over records of Debezium's in WebAssembly: after `scan` it is known where their parts stand. It understands those
 * that JsonConverter wrote without a schema, and no others.
 */
export class RecordScan {
  readonly #exports: ScanInstance['exports'];
  readonly #memory: Uint8Array;
  readonly #numbers: Int32Array;
  #bytes: Uint8Array = new Uint8Array(0);
  #from = 0;
  #to = 0;
  #shift = 0;

  /** `before`: whether rows before their changes are asked for. Throws TP-INSTALL. */
  constructor(before: boolean) {
    const { exports, memory } = newScan(WINDOW_BYTES, before);
    this.#exports = exports;
    this.#memory = memory;
    this.#numbers = new Int32Array(memory.buffer);
  }

  /** False: it was not understood, or is too long. The bytes of a batch must stay as they are. */
  scan({ bytes, keyFrom, keyTo, valueFrom, valueTo }: RecordBytes): boolean {
    const from = keyFrom < 0 ? valueFrom : keyFrom;
    if (bytes !== this.#bytes || from < this.#from || valueTo > this.#to) this.#look(bytes, from);
    // A key stands before its value.
    if (valueTo > this.#to || keyTo > valueFrom) return false;
    const shift = this.#shift;
    const key = keyFrom < 0 ? 0 : keyFrom + shift;
    return this.#exports.scan(key, keyTo + shift, valueFrom + shift, valueTo + shift) !== 0;
  }

  /** The letter of its operation; 0: none. */
  get operation(): number {
    return this.#numbers[HEAD.operation] ?? 0;
  }

  /** It has a block `transaction`. */
  get tied(): boolean {
    return this.#numbers[HEAD.tied] === 1;
  }

  /** Members of `source` that are not written as in the record before: a bit each. */
  get changedInSource(): number {
    return this.#numbers[HEAD.changedInSource] ?? 0;
  }

  /** How many members the object has; −1: it is null or not there. */
  count(of: keyof typeof SCANNED): number {
    return this.#numbers[SCANNED[of].count] ?? ABSENT;
  }

  /** Whether its names are, in their order, those of the last one that was understood. */
  isSame(of: keyof typeof SCANNED): boolean {
    return ((this.#numbers[HEAD.same] ?? 0) & SCANNED[of].same) !== 0;
  }

  /** What is known of a member (MEMBER): places in the bytes of the batch, or a kind. */
  place(of: keyof typeof SCANNED, member: number, which: number): number {
    const number = this.#numbers[SCANNED[of].members + member * MEMBER.numbers + which] ?? 0;
    return which === MEMBER.kind ? number : number - this.#shift;
  }

  #look(bytes: Uint8Array, from: number): void {
    this.#bytes = bytes;
    this.#from = from;
    this.#to = Math.min(from + WINDOW_BYTES, bytes.length);
    this.#shift = WINDOW_AT - from;
    this.#memory.set(bytes.subarray(from, this.#to), WINDOW_AT);
  }
}
