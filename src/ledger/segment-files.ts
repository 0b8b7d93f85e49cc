import {
  closeSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { MalformedBytes } from './bytes.ts';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  segmentBase,
  segmentName,
  type SegmentHeader,
} from './segment.ts';

/** Files of the journal held open for reading, besides the one that is written. */
const OPEN_FILES_MAX = 16;

export interface Segment {
  readonly header: SegmentHeader;
  /** Bytes of records in it. */
  size: number;
}

/** The journal's files as one row of bytes, from `start` to `end`. Knows nothing of records. */
export class SegmentFiles {
  readonly #folder: string;
  readonly #writable: boolean;
  readonly #segments: Segment[];
  /** By base, least recently used first. */
  readonly #descriptors = new Map<number, number>();

  /** Throws MalformedBytes for a damaged header or a hole between two files, except before `from`. */
  constructor(folder: string, writable: boolean, ledger: string) {
    this.#folder = folder;
    this.#writable = writable;
    this.#segments = [];
    const bases = readdirSync(folder)
      .map((name) => segmentBase(name))
      .filter((base) => base !== null)
      .sort((a, b) => a - b);
    for (const base of bases) {
      const segment = this.#read(base, ledger);
      const last = this.#segments.at(-1);
      if (segment === null) break;
      if (last !== undefined && last.header.base + last.size !== base) {
        throw new MalformedBytes(`the file before ${segmentName(base)} ends too early or too late`);
      }
      this.#segments.push(segment);
    }
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get start(): number {
    return this.#segments[0]?.header.base ?? 0;
  }

  get end(): number {
    const last = this.#segments.at(-1);
    return last === undefined ? 0 : last.header.base + last.size;
  }

  get bytes(): number {
    return this.end - this.start + this.#segments.length * SEGMENT_HEADER_BYTES;
  }

  /** The file that holds the byte at `at`. */
  segmentAt(at: number): Segment | null {
    let low = 0;
    let high = this.#segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#segments[middle]?.header.base ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    const segment = this.#segments[low];
    return segment !== undefined && at >= segment.header.base && at < segment.header.base + segment.size
      ? segment
      : null;
  }

  /** Up to `into.length` bytes from `at` on, within one file; the answer is how many. */
  read(at: number, into: Buffer): number {
    const segment = this.segmentAt(at);
    if (segment === null) return 0;
    const within = at - segment.header.base;
    const size = Math.min(into.length, segment.size - within);
    return readSync(this.#descriptor(segment.header.base), into, 0, size, SEGMENT_HEADER_BYTES + within);
  }

  /** Looks again how far the files go: a reader's index may be ahead of what it saw when it opened. */
  refresh(): void {
    for (;;) {
      const last = this.#last();
      last.size = fstatSync(this.#descriptor(last.header.base)).size - SEGMENT_HEADER_BYTES;
      if (!readdirSync(this.#folder).includes(segmentName(this.end))) return;
      const next = this.#read(this.end, last.header.ledger);
      if (next === null) return;
      this.#segments.push(next);
    }
  }

  /** Begins a file, durably; its folder entry too. */
  begin(header: SegmentHeader): void {
    const last = this.#segments.at(-1);
    if (last !== undefined) fdatasyncSync(this.#descriptor(last.header.base));
    const descriptor = openSync(path.join(this.#folder, segmentName(header.base)), 'w+', 0o600);
    this.#keep(header.base, descriptor);
    writeWhole(descriptor, encodeSegmentHeader(header), 0);
    fdatasyncSync(descriptor);
    this.#syncFolder();
    this.#segments.push({ header, size: 0 });
  }

  /** Writes at the end of the last file; durable after the next sync of `lastDescriptor`. */
  append(bytes: Buffer): void {
    const last = this.#last();
    writeWhole(this.#descriptor(last.header.base), bytes, SEGMENT_HEADER_BYTES + last.size);
    last.size += bytes.length;
  }

  lastDescriptor(): number {
    return this.#descriptor(this.#last().header.base);
  }

  /** Drops everything from `at` on, durably. */
  truncate(at: number): void {
    while (this.#segments.length > 1 && this.#last().header.base >= at) {
      this.#remove(this.#last().header.base);
      this.#segments.pop();
    }
    const last = this.#last();
    last.size = Math.max(at - last.header.base, 0);
    const descriptor = this.#descriptor(last.header.base);
    ftruncateSync(descriptor, SEGMENT_HEADER_BYTES + last.size);
    fsyncSync(descriptor);
    this.#syncFolder();
  }

  /** Deletes the oldest file; the last one stays. */
  dropOldest(): void {
    const first = this.#segments[0];
    if (first === undefined || this.#segments.length < 2) return;
    this.#remove(first.header.base);
    this.#segments.shift();
  }

  close(): void {
    for (const descriptor of this.#descriptors.values()) closeSync(descriptor);
    this.#descriptors.clear();
  }

  /** Null: the newest file was never finished (its header is cut off), so it holds nothing. */
  #read(base: number, ledger: string): Segment | null {
    const descriptor = this.#descriptor(base);
    const { size } = fstatSync(descriptor);
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const length = readSync(descriptor, bytes, 0, SEGMENT_HEADER_BYTES, 0);
    let header: SegmentHeader;
    try {
      header = decodeSegmentHeader(bytes.subarray(0, length));
    } catch (error) {
      // A header is made durable before records follow it: a file no longer than one may be the mark of a crash.
      if (size > SEGMENT_HEADER_BYTES) throw error;
      if (this.#writable) this.#remove(base);
      return null;
    }
    if (header.base !== base) throw new MalformedBytes(`${segmentName(base)} has another file's header`);
    if (header.ledger !== ledger) throw new MalformedBytes(`${segmentName(base)} is of another ledger`);
    return { header, size: size - SEGMENT_HEADER_BYTES };
  }

  #last(): Segment {
    const last = this.#segments.at(-1);
    if (last === undefined) throw new RangeError('the journal has no file');
    return last;
  }

  #descriptor(base: number): number {
    const known = this.#descriptors.get(base);
    if (known !== undefined) {
      if (this.#descriptors.size > 1) {
        this.#descriptors.delete(base);
        this.#descriptors.set(base, known);
      }
      return known;
    }
    const flags = this.#writable ? 'r+' : 'r';
    return this.#keep(base, openSync(path.join(this.#folder, segmentName(base)), flags));
  }

  #keep(base: number, descriptor: number): number {
    this.#descriptors.set(base, descriptor);
    for (const [other, open] of this.#descriptors) {
      if (this.#descriptors.size <= OPEN_FILES_MAX) break;
      if (other === base || other === this.#segments.at(-1)?.header.base) continue;
      closeSync(open);
      this.#descriptors.delete(other);
    }
    return descriptor;
  }

  #remove(base: number): void {
    const descriptor = this.#descriptors.get(base);
    if (descriptor !== undefined) closeSync(descriptor);
    this.#descriptors.delete(base);
    unlinkSync(path.join(this.#folder, segmentName(base)));
  }

  #syncFolder(): void {
    const folder = openSync(this.#folder, 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
  }
}

/** A full disk may take a part and refuse the rest at the next call. */
function writeWhole(descriptor: number, bytes: Buffer, at: number): void {
  let written = 0;
  while (written < bytes.length) {
    written += writeSync(descriptor, bytes, written, bytes.length - written, at + written);
  }
}
