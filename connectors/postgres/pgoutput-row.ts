import { UNCHANGED_LENGTH, UNREAD_LENGTH } from '../../src/connector/changes.ts';
import type { RowArena } from '../../src/row/row-arena.ts';
import { NULL_LENGTH, int32At } from '../../src/row/stream.ts';
import { protocolError } from './pgoutput-cursor.ts';
import { FIELD, type Tuple } from './pgoutput-messages.ts';

/** One column of rows that are handed out. */
export interface LayoutColumn {
  /** Which column of the message it is. */
  readonly source: number;
  /** FIELD.binary or FIELD.text: the form in which it is compared; null: none, so every value is unread. */
  readonly form: number | null;
  /** The width in bytes of a float whose NaN may have any payload and is made one and the same; 0 for all else. */
  readonly floatBytes: 0 | 4 | 8;
}

export interface RowLayout {
  readonly columns: readonly LayoutColumn[];
  /** How many columns a message of this table has. */
  readonly width: number;
  /** How many leading columns are the key; null: no key is known. */
  readonly keyFields: number | null;
}

const COUNT_BYTES = 2;
const LENGTH_BYTES = 4;

/**
 * A row as the body of a row message (src/row/stream.ts), columns in the layout's order. `whole` is all of the row before
 * the change, where known: values that the new row leaves out as unchanged are taken from there.
 *
 * Throws TP-STREAM-PROTOCOL when the row has not the number of columns that its table has.
 */
export function rowBody(tuple: Tuple, layout: RowLayout, whole: Tuple | null, arena: RowArena): Uint8Array {
  const { columns } = layout;
  demandWidth(tuple, layout);
  if (whole !== null) demandWidth(whole, layout);
  let size = COUNT_BYTES;
  for (const column of columns) size += LENGTH_BYTES + Math.max(0, lengthOf(tuple, column, whole));
  const body = arena.space(size);
  body[0] = columns.length >> 8;
  body[1] = columns.length;
  let at = COUNT_BYTES;
  for (const column of columns) at = putField(body, at, tuple, column, whole);
  return body;
}

/** The key's fields, each with its length; null when the row does not say all of them, or one is NULL. */
export function rowKey(
  tuple: Tuple,
  layout: RowLayout,
  whole: Tuple | null,
  arena: RowArena,
): Uint8Array | null {
  if (layout.keyFields === null) return null;
  demandWidth(tuple, layout);
  let size = 0;
  for (let index = 0; index < layout.keyFields; index += 1) {
    const column = layout.columns[index];
    const length = column === undefined ? NULL_LENGTH : lengthOf(tuple, column, whole);
    if (length < 0) return null;
    size += LENGTH_BYTES + length;
  }
  const key = arena.space(size);
  let at = 0;
  for (let index = 0; index < layout.keyFields; index += 1) {
    const column = layout.columns[index];
    if (column !== undefined) at = putField(key, at, tuple, column, whole);
  }
  return key;
}

function demandWidth(tuple: Tuple, layout: RowLayout): void {
  if (tuple.fields.length !== layout.width) {
    throw protocolError(`a row of ${tuple.fields.length} columns in a table of ${layout.width}`);
  }
}

/** The row that holds the column's value: the new one, or, where that leaves it out, the old one. */
function holderOf(tuple: Tuple, { source }: LayoutColumn, whole: Tuple | null): Tuple {
  return whole !== null && tuple.bytes[tuple.fields[source] ?? 0] === FIELD.unchanged ? whole : tuple;
}

/** The value's length in bytes, or one of the negative marks. */
function lengthOf(tuple: Tuple, column: LayoutColumn, whole: Tuple | null): number {
  const { bytes, fields } = holderOf(tuple, column, whole);
  const at = fields[column.source] ?? 0;
  switch (bytes[at]) {
    case FIELD.null:
      return NULL_LENGTH;
    case FIELD.unchanged:
      return UNCHANGED_LENGTH;
    default:
      return bytes[at] === column.form ? int32At(bytes, at + 1) : UNREAD_LENGTH;
  }
}

function putField(
  target: Uint8Array,
  start: number,
  tuple: Tuple,
  column: LayoutColumn,
  whole: Tuple | null,
): number {
  const length = lengthOf(tuple, column, whole);
  target[start] = length >> 24;
  target[start + 1] = length >> 16;
  target[start + 2] = length >> 8;
  target[start + 3] = length;
  const at = start + LENGTH_BYTES;
  if (length <= 0) return at;
  const { bytes, fields } = holderOf(tuple, column, whole);
  const from = (fields[column.source] ?? 0) + 1 + LENGTH_BYTES;
  copy(target, at, bytes, from, length);
  if (column.floatBytes !== 0 && isNan(target, at, column.floatBytes)) {
    target.fill(0, at, at + length);
    target[at] = 0x7f;
    target[at + 1] = column.floatBytes === 8 ? 0xf8 : 0xc0;
  }
  return at + length;
}

/** A call into the engine costs more than copying the few bytes of most values. */
const COPY_LOOP_MAX = 24;

function copy(target: Uint8Array, at: number, bytes: Uint8Array, from: number, length: number): void {
  if (length > COPY_LOOP_MAX) {
    target.set(bytes.subarray(from, from + length), at);
    return;
  }
  for (let index = 0; index < length; index += 1) target[at + index] = bytes[from + index] ?? 0;
}

/** IEEE 754: all bits of the exponent set, and any of the fraction. */
function isNan(bytes: Uint8Array, at: number, width: 4 | 8): boolean {
  const [exponent, fractionBits] = width === 8 ? [0xf0, 0x0f] : [0x80, 0x7f];
  const second = bytes[at + 1] ?? 0;
  if (((bytes[at] ?? 0) & 0x7f) !== 0x7f || (second & exponent) !== exponent) return false;
  if ((second & fractionBits) !== 0) return true;
  for (let index = 2; index < width; index += 1) if (bytes[at + index] !== 0) return true;
  return false;
}
