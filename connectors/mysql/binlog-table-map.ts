import { FIELD_TYPE } from './field-type.ts';
import { HEADER_BYTES, logError, type LogEvent } from './binlog-event.ts';
import { LogCursor } from './binlog-cursor.ts';
import { viewOf } from './binlog-view.ts';

/** How many bytes of metadata a column has, by type. A type that is not here is not known. */
const METADATA_BYTES: ReadonlyMap<number, 0 | 1 | 2> = new Map([
  ...[1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14].map((type) => [type, 0] as const),
  ...[4, 5, 17, 18, 19, 140, 242, 245, 249, 250, 251, 252, 255].map((type) => [type, 1] as const),
  ...[15, 16, 141, 246, 247, 248, 253, 254].map((type) => [type, 2] as const),
]);

export interface LogColumn {
  /** Null: the log does not say it (binlog_row_metadata is not FULL). */
  readonly name: string | null;
  /** Of enum and set the real one, which the log writes as STRING. */
  readonly type: number;
  /**
   * The number that the type needs: the longest value in bytes (string, varchar), bytes of the length (blob and its
   * kin), width in bits (bit), precision · 256 + digits behind the point (newdecimal), digits of seconds (temporal),
   * bytes of the number (enum, set).
   */
  readonly detail: number;
  readonly unsigned: boolean;
  /** Of enum and set, in the column's own character set; null: the log does not say them. */
  readonly labels: readonly Uint8Array[] | null;
}

export interface TableMap {
  readonly schema: string;
  readonly table: string;
  /** Null: one of them is of a type that is not known, so no row can be read. */
  readonly columns: readonly LogColumn[] | null;
}

/** Where the part begins that describes the table: behind its number (6 bytes) and flags (2). */
export const DESCRIPTION_AT = HEADER_BYTES + 8;

/** Whether a TABLE_MAP_EVENT has this description: an event mostly describes its table as the one before did. */
export function isDescribedBy({ sent, from, to }: LogEvent, description: DataView): boolean {
  const { byteLength: length } = description;
  const start = from + DESCRIPTION_AT;
  if (to - start !== length) return false;
  const view = viewOf(sent);
  let at = 0;
  for (; at + 4 <= length; at += 4) if (view.getInt32(start + at) !== description.getInt32(at)) return false;
  for (; at < length; at += 1) if (view.getUint8(start + at) !== description.getUint8(at)) return false;
  return true;
}

/** The fields behind the columns: type (1 byte), length, content ("Table_map_event", optional metadata). */
const FIELD = { signedness: 1, names: 4, setLabels: 5, enumLabels: 6 } as const;

interface Draft {
  readonly type: number;
  readonly detail: number;
}

/** TABLE_MAP_EVENT. Throws TP-STREAM-PROTOCOL. */
export function readTableMap(bytes: Uint8Array): TableMap {
  const cursor = new LogCursor(bytes, DESCRIPTION_AT);
  const schema = readName(cursor);
  const table = readName(cursor);
  const count = cursor.packed();
  const types = cursor.take(count);
  const drafts = readDetails(types, new LogCursor(cursor.take(cursor.packed()), 0));
  if (drafts === null) return { schema, table, columns: null };
  // Which columns may be NULL.
  cursor.skip((count + 7) >> 3);
  const fields = readFields(cursor);
  const names = readNames(fields.get(FIELD.names), count);
  const unsigned = readSignedness(fields.get(FIELD.signedness), drafts);
  const enums = readLabels(fields.get(FIELD.enumLabels));
  const sets = readLabels(fields.get(FIELD.setLabels));
  const columns = drafts.map(({ type, detail }, index): LogColumn => {
    const lists = type === FIELD_TYPE.enum ? enums : type === FIELD_TYPE.set ? sets : null;
    return {
      name: names?.[index] ?? null,
      type,
      detail,
      unsigned: unsigned[index] ?? false,
      labels: lists?.shift() ?? null,
    };
  });
  return { schema, table, columns };
}

/** Length (1 byte), name, 0. */
function readName(cursor: LogCursor): string {
  const name = cursor.text(cursor.packed());
  cursor.skip(1);
  return name;
}

function readDetails(types: Uint8Array, metadata: LogCursor): Draft[] | null {
  const drafts: Draft[] = [];
  for (const type of types) {
    const bytes = METADATA_BYTES.get(type);
    if (bytes === undefined) return null;
    const first = bytes === 0 ? 0 : metadata.uint8();
    const second = bytes === 2 ? metadata.uint8() : 0;
    drafts.push(draftOf(type, first, second));
  }
  return drafts;
}

function draftOf(type: number, first: number, second: number): Draft {
  switch (type) {
    case FIELD_TYPE.varchar:
    case FIELD_TYPE.varString:
    case FIELD_TYPE.varcharCompressed:
      return { type, detail: first | (second << 8) };
    case FIELD_TYPE.bit:
      return { type, detail: first + second * 8 };
    case FIELD_TYPE.newdecimal:
      return { type, detail: first * 256 + second };
    case FIELD_TYPE.string:
      return stringDraft(first, second);
    default:
      return { type, detail: first };
  }
}

/**
 * The real type, and the length, of which bits 8 and 9 are hidden, inverted, in bits 4 and 5 of the type: all types
 * that occur there have both of them set.
 */
function stringDraft(first: number, second: number): Draft {
  if (first === FIELD_TYPE.enum || first === FIELD_TYPE.set) return { type: first, detail: second };
  return { type: FIELD_TYPE.string, detail: second | (((first & 0x30) ^ 0x30) << 4) };
}

function readFields(cursor: LogCursor): Map<number, LogCursor> {
  const fields = new Map<number, LogCursor>();
  while (!cursor.atEnd) {
    const type = cursor.uint8();
    fields.set(type, new LogCursor(cursor.take(cursor.packed()), 0));
  }
  return fields;
}

function readNames(cursor: LogCursor | undefined, count: number): string[] | null {
  if (cursor === undefined) return null;
  const names: string[] = [];
  while (!cursor.atEnd) names.push(cursor.text(cursor.packed()));
  if (names.length !== count) throw logError(`${names.length} names for ${count} columns`);
  return names;
}

const NUMERIC: ReadonlySet<number> = new Set([1, 2, 3, 4, 5, 8, 9, 246]);

/** One bit for each numeric column, the first one the highest of its byte: set where it is unsigned. */
function readSignedness(cursor: LogCursor | undefined, drafts: readonly Draft[]): boolean[] {
  const bits = cursor?.bytes ?? new Uint8Array(0);
  let place = 0;
  return drafts.map(({ type }) => {
    if (!NUMERIC.has(type)) return false;
    const unsigned = ((bits[place >> 3] ?? 0) & (0x80 >> (place & 7))) !== 0;
    place += 1;
    return unsigned;
  });
}

/** For each column of the kind: how many labels, then each with its length. */
function readLabels(cursor: LogCursor | undefined): Uint8Array[][] {
  const lists: Uint8Array[][] = [];
  if (cursor === undefined) return lists;
  while (!cursor.atEnd) {
    const count = cursor.packed();
    const labels: Uint8Array[] = [];
    // Copied: the event's memory is not kept.
    for (let index = 0; index < count; index += 1) labels.push(cursor.take(cursor.packed()).slice());
    lists.push(labels);
  }
  return lists;
}
