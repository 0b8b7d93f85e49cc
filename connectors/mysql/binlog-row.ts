import { UNCHANGED_LENGTH, UNREAD_LENGTH } from '../../src/connector/changes.ts';
import type { RowArena } from '../../src/row/row-arena.ts';
import { NULL_LENGTH } from '../../src/row/stream.ts';
import { addressText, writeUuid } from './binlog-address.ts';
import { areSet, countSet, isSet } from './binlog-bits.ts';
import { convert } from './binlog-convert.ts';
import { logError } from './binlog-event.ts';
import { jsonText } from './binlog-json.ts';
import { type ColumnStep, type RowPlan, STEP } from './binlog-plan.ts';

const LENGTH_BYTES = 4;
const COUNT_BYTES = 2;
const FIRST_BYTES = 16_384;
/** Room for any value that is not copied: a decimal is the longest. */
const VALUE_ROOM = 128;
/** A call into the engine costs more than copying the few bytes of most values. */
const COPY_LOOP_MAX = 96;

/** Views of longer rows are not kept. */
const VIEW_BYTES_MAX = 1024;

/** Marks a column that the image does not have. */
const MISSING_LENGTH = -4;

/**
 * One image of a row, taken apart: how many columns it has, then every value in the order of the log, with its length
 * in front, in memory that the next image uses again.
 */
export class RowImage {
  #bytes = new Uint8Array(FIRST_BYTES);
  /** Of the beginning of `#bytes`, by length: making views is what costs. */
  #views: Uint8Array[] = [];
  #at = 0;
  /** Where the event ends that holds the image. */
  #end = 0;
  /** By column of the log: where its length stands. */
  #starts = new Int32Array(64);
  #ends = new Int32Array(64);
  #complete = true;

  /** Every column was in it. */
  get complete(): boolean {
    return this.#complete;
  }

  /**
   * Reads the image at `start` of an event that ends at `end` (knowledge base, "Rows_event": bits of the columns that
   * are NULL, one for each that is there, then the values of the others) and returns where it ends. `present`: where
   * the bits stand in `source` that say which columns are there. Throws TP-STREAM-PROTOCOL where the event ends sooner.
   */
  read(
    source: Uint8Array,
    start: number,
    end: number,
    present: number,
    steps: readonly ColumnStep[],
  ): number {
    const { length } = steps;
    this.#end = end;
    if (this.#starts.length < length) {
      this.#starts = new Int32Array(length);
      this.#ends = new Int32Array(length);
    }
    const complete = areSet(source, present, length);
    this.#complete = complete;
    const there = complete ? length : countSet(source, present, length);
    this.#bytes[0] = length >> 8;
    this.#bytes[1] = length;
    this.#at = COUNT_BYTES;
    let at = start + ((there + 7) >> 3);
    let place = 0;
    for (let index = 0; index < length; index += 1) {
      this.#starts[index] = this.#at;
      const step = steps[index];
      if (step === undefined || !(complete || isSet(source, present, index))) {
        this.#mark(MISSING_LENGTH);
      } else {
        if (isSet(source, start, place)) this.#mark(NULL_LENGTH);
        else at = this.#value(source, at, step);
        place += 1;
      }
      this.#ends[index] = this.#at;
    }
    if (at > end) throw logError('a row that is cut off');
    return at;
  }

  /** The length of a column's value, or one of the negative marks. */
  lengthOf(column: number): number {
    const at = this.#starts[column] ?? 0;
    const bytes = this.#bytes;
    return (
      ((bytes[at] ?? 0) << 24) |
      ((bytes[at + 1] ?? 0) << 16) |
      ((bytes[at + 2] ?? 0) << 8) |
      (bytes[at + 3] ?? 0)
    );
  }

  /**
   * The row as the body of a row message. What is missing is taken from `fallback`; without one it is marked: as
   * unchanged where there was a row before (`was`), else as unread, for then it is the column's default value.
   */
  body(plan: RowPlan, fallback: RowImage | null, was: boolean, arena: RowArena): Uint8Array {
    if (plan.straight && this.#complete) return this.#whole(arena);
    const { order } = plan;
    let size = COUNT_BYTES;
    for (const column of order) size += this.#holder(column, fallback).#sizeOf(column, plan);
    const body = arena.space(size);
    body[0] = order.length >> 8;
    body[1] = order.length;
    let at = COUNT_BYTES;
    for (const column of order) at = this.#holder(column, fallback).#put(column, plan, was, body, at);
    return body;
  }

  /** How many bytes of a body the key takes; null: there is none, or the image lacks a part of it. */
  keyBytes(plan: RowPlan, fallback: RowImage | null): number | null {
    if (plan.keyFields === null) return null;
    let size = 0;
    for (let index = 0; index < plan.keyFields; index += 1) {
      const column = plan.order[index] ?? 0;
      const holder = this.#holder(column, fallback);
      if (plan.used[column] !== true || holder.lengthOf(column) < 0) return null;
      size += holder.#sizeOf(column, plan);
    }
    return size;
  }

  #whole(arena: RowArena): Uint8Array {
    const body = arena.space(this.#at);
    const known = this.#views[this.#at];
    const view = known ?? this.#bytes.subarray(0, this.#at);
    if (known === undefined && this.#at <= VIEW_BYTES_MAX) this.#views[this.#at] = view;
    body.set(view);
    return body;
  }

  #holder(column: number, fallback: RowImage | null): RowImage {
    const lacks = fallback !== null && !this.#complete && this.lengthOf(column) === MISSING_LENGTH;
    return lacks ? fallback : this;
  }

  #sizeOf(column: number, plan: RowPlan): number {
    if (plan.used[column] !== true) return LENGTH_BYTES;
    return (this.#ends[column] ?? 0) - (this.#starts[column] ?? 0);
  }

  #put(column: number, plan: RowPlan, was: boolean, target: Uint8Array, at: number): number {
    const length = this.lengthOf(column);
    if (length === MISSING_LENGTH) return putLength(target, at, was ? UNCHANGED_LENGTH : UNREAD_LENGTH);
    // NULL is NULL in any form.
    if (plan.used[column] !== true) {
      return putLength(target, at, length === NULL_LENGTH ? NULL_LENGTH : UNREAD_LENGTH);
    }
    const start = this.#starts[column] ?? 0;
    const size = (this.#ends[column] ?? 0) - start;
    copy(target, at, this.#bytes, start, size);
    return at + size;
  }

  #mark(length: number): void {
    this.#room(LENGTH_BYTES);
    this.#at = putLength(this.#bytes, this.#at, length);
  }

  #room(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + size));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
    this.#views = [];
  }

  /** One value; the answer is where the next one begins. */
  #value(source: Uint8Array, at: number, step: ColumnStep): number {
    switch (step.step) {
      case STEP.copy:
        this.#append(source, at, step.size, 0);
        return at + step.size;
      case STEP.counted:
      case STEP.padded:
      case STEP.json:
      case STEP.uuid:
      case STEP.address:
        return this.#counted(source, at, step);
      case STEP.label:
      case STEP.labels:
        this.#labels(source, at, step);
        return at + step.size;
      default:
        return this.#converted(source, at, step);
    }
  }

  #converted(source: Uint8Array, at: number, step: ColumnStep): number {
    this.#room(VALUE_ROOM);
    const start = this.#at;
    const value = start + LENGTH_BYTES;
    const length = convert(source, at, step, this.#bytes, value);
    putLength(this.#bytes, start, length);
    this.#at = value + length;
    return at + step.size;
  }

  #counted(source: Uint8Array, at: number, step: ColumnStep): number {
    const value = at + step.size;
    let length = source[at] ?? 0;
    for (let index = 1; index < step.size; index += 1) length += (source[at + index] ?? 0) * 2 ** (8 * index);
    if (length > this.#end - value) throw logError('a value that is cut off');
    if (!step.readable) {
      this.#mark(UNREAD_LENGTH);
    } else if (step.step === STEP.counted) {
      this.#append(source, value, length, 0);
    } else if (step.step === STEP.padded) {
      this.#append(source, value, length, Math.max(0, step.detail - length));
    } else {
      this.#text(source.subarray(value, value + length), step);
    }
    return value + length;
  }

  /** Values that are another thing in the log than in a result. */
  #text(value: Uint8Array, step: ColumnStep): void {
    if (step.step === STEP.json) {
      const text = Buffer.from(jsonText(value), 'latin1');
      this.#append(text, 0, text.length, 0);
      return;
    }
    const whole = new Uint8Array(step.detail);
    whole.set(value);
    if (step.step === STEP.uuid && step.detail === 16) {
      this.#room(VALUE_ROOM);
      const start = this.#at;
      const length = writeUuid(whole, 0, this.#bytes, start + LENGTH_BYTES);
      putLength(this.#bytes, start, length);
      this.#at = start + LENGTH_BYTES + length;
      return;
    }
    const text = Buffer.from(addressText(whole), 'latin1');
    this.#append(text, 0, text.length, 0);
  }

  /** `zeros`: so many follow. */
  #append(source: Uint8Array, from: number, length: number, zeros: number): void {
    this.#room(LENGTH_BYTES + length + zeros);
    const at = putLength(this.#bytes, this.#at, length + zeros);
    copy(this.#bytes, at, source, from, length);
    if (zeros > 0) this.#bytes.fill(0, at + length, at + length + zeros);
    this.#at = at + length + zeros;
  }

  /** ENUM: the number of its label (1 or 2 bytes), 0 for the empty one; SET: a bit for each label (up to 8 bytes). */
  #labels(source: Uint8Array, at: number, step: ColumnStep): void {
    if (!step.readable) {
      this.#mark(UNREAD_LENGTH);
      return;
    }
    const start = this.#at;
    this.#mark(0);
    if (step.step === STEP.label) {
      const number = (source[at] ?? 0) | (step.size > 1 ? (source[at + 1] ?? 0) << 8 : 0);
      if (number > step.labels.length) throw logError(`label ${number} of ${step.labels.length}`);
      if (number > 0) this.#join(step.labels[number - 1]);
    } else {
      let first = true;
      for (let bit = 0; bit < step.size * 8; bit += 1) {
        if (!isSet(source, at, bit)) continue;
        if (!first) this.#join(step.comma);
        this.#join(step.labels[bit]);
        first = false;
      }
    }
    putLength(this.#bytes, start, this.#at - start - LENGTH_BYTES);
  }

  #join(part: Uint8Array | undefined): void {
    if (part === undefined) throw logError('a label that the log does not name');
    this.#room(part.length);
    this.#bytes.set(part, this.#at);
    this.#at += part.length;
  }
}

function putLength(target: Uint8Array, at: number, length: number): number {
  target[at] = length >> 24;
  target[at + 1] = length >> 16;
  target[at + 2] = length >> 8;
  target[at + 3] = length;
  return at + LENGTH_BYTES;
}

function copy(target: Uint8Array, at: number, bytes: Uint8Array, from: number, length: number): void {
  if (length > COPY_LOOP_MAX) {
    target.set(bytes.subarray(from, from + length), at);
    return;
  }
  for (let index = 0; index < length; index += 1) target[at + index] = bytes[from + index] ?? 0;
}
