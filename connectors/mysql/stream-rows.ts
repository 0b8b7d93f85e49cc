import type { RowChange } from '../../src/connector/changes.ts';
import type { RowArena } from '../../src/row/row-arena.ts';
import { EVENT, HEADER_BYTES, logError, type LogEvent, uint16At } from './binlog-event.ts';
import { LogCursor } from './binlog-cursor.ts';
import { RowImage } from './binlog-row.ts';
import type { TableEntry } from './stream-table.ts';

type RowKind = RowChange['type'];

interface RowsLayout {
  readonly kind: RowKind;
  /** Version 2 has more data behind the flags. */
  readonly extra: boolean;
}

const INSERT: RowsLayout = { kind: 'insert', extra: true };
const UPDATE: RowsLayout = { kind: 'update', extra: true };
const DELETE: RowsLayout = { kind: 'delete', extra: true };
const INSERT_V1: RowsLayout = { kind: 'insert', extra: false };
const UPDATE_V1: RowsLayout = { kind: 'update', extra: false };
const DELETE_V1: RowsLayout = { kind: 'delete', extra: false };

/** Null: events of this type have no rows. */
function layoutOf(type: number): RowsLayout | null {
  switch (type) {
    case EVENT.writeRows:
      return INSERT;
    case EVENT.updateRows:
      return UPDATE;
    case EVENT.deleteRows:
      return DELETE;
    case EVENT.writeRowsV1:
      return INSERT_V1;
    case EVENT.updateRowsV1:
      return UPDATE_V1;
    case EVENT.deleteRowsV1:
      return DELETE_V1;
    default:
      return null;
  }
}

export function isRows(type: number): boolean {
  return layoutOf(type) !== null;
}

export function rowKindOf({ type }: LogEvent): RowKind | null {
  return layoutOf(type)?.kind ?? null;
}

const COUNT_BYTES = 2;
/** Behind the number of the table (6 bytes). */
const FLAGS_AT = HEADER_BYTES + 6;
const BODY_AT = FLAGS_AT + 2;

/** "Rows_event", flags. */
export function rowFlags({ sent, from }: LogEvent): number {
  return uint16At(sent, from + FLAGS_AT);
}

/** Makes changes of the rows of an event: as many as the server puts into one, which is 8 KiB of them, or one row. */
export class RowsReader {
  readonly #before = new RowImage();
  readonly #after = new RowImage();

  /**
   * "Rows_event": extra data with its length (2 bytes, counting themselves; version 2 only), number of columns, bits of
   * those that are there (for updates twice, before and after), then the rows. Throws TP-STREAM-PROTOCOL.
   */
  read(event: LogEvent, entry: TableEntry, arena: RowArena, give: (change: RowChange) => void): void {
    const layout = layoutOf(event.type);
    if (layout === null) throw logError(`event ${event.type} has no rows`);
    const { steps } = entry.plan;
    if (steps.length === 0) {
      give({ type: layout.kind, table: entry.table, key: null, oldKey: null, before: null, after: null });
      return;
    }
    const { sent, from, to } = event;
    const cursor = new LogCursor(sent, from + BODY_AT, to);
    if (layout.extra) cursor.skip(cursor.uint16() - 2);
    const width = cursor.packed();
    if (steps.length !== width) throw logError(`rows of ${width} columns in a table of ${steps.length}`);
    const first = cursor.skip((width + 7) >> 3);
    const second = layout.kind === 'update' ? cursor.skip((width + 7) >> 3) : first;
    let at = cursor.at;
    while (at < to) {
      if (layout.kind === 'update') {
        at = this.#before.read(sent, at, to, first, steps);
        at = this.#after.read(sent, at, to, second, steps);
        give(this.#update(entry, arena));
      } else {
        at = this.#after.read(sent, at, to, first, steps);
        give(this.#one(layout.kind, entry, arena));
      }
    }
  }

  #one(type: 'insert' | 'delete', { table, plan }: TableEntry, arena: RowArena): RowChange {
    const image = this.#after;
    const body = image.body(plan, null, false, arena);
    const keyBytes = image.keyBytes(plan, null);
    const key = keyBytes === null ? null : keyIn(body, keyBytes);
    const isInsert = type === 'insert';
    return {
      type,
      table,
      key,
      oldKey: null,
      before: isInsert || !image.complete ? null : body,
      after: isInsert ? body : null,
    };
  }

  #update({ table, plan }: TableEntry, arena: RowArena): RowChange {
    const before = this.#before;
    const after = this.#after;
    const old = before.body(plan, null, true, arena);
    const now = after.body(plan, before, true, arena);
    const oldBytes = before.keyBytes(plan, null);
    const newBytes = after.keyBytes(plan, before);
    // Without the key that the row had it is not known which row this is.
    const keyed = oldBytes !== null && newBytes !== null;
    const moved = keyed && !equalStarts(old, oldBytes, now, newBytes);
    return {
      type: 'update',
      table,
      key: keyed ? keyIn(now, newBytes) : null,
      oldKey: moved ? keyIn(old, oldBytes) : null,
      before: before.complete ? old : null,
      after: now,
    };
  }
}

/** The key at the beginning of a row; `subarray` takes half as long again. */
function keyIn(body: Uint8Array, keyBytes: number): Uint8Array {
  return new Uint8Array(body.buffer, body.byteOffset + COUNT_BYTES, keyBytes);
}

/** Whether the keys at the beginnings of two rows, of so many bytes each, are the same. */
function equalStarts(a: Uint8Array, aBytes: number, b: Uint8Array, bBytes: number): boolean {
  if (aBytes !== bBytes) return false;
  for (let at = COUNT_BYTES; at < COUNT_BYTES + aBytes; at += 1) if (a[at] !== b[at]) return false;
  return true;
}
