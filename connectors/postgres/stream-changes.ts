import type { ChangeEvent, RowChange, TruncateChange } from '../../src/connector/changes.ts';
import type { RowArena } from '../../src/row/row-arena.ts';
import { protocolError } from './pgoutput-cursor.ts';
import type {
  DeleteMessage,
  InsertMessage,
  OldTuple,
  TruncateMessage,
  UpdateMessage,
} from './pgoutput-messages.ts';
import { rowBody, rowKey } from './pgoutput-row.ts';
import type { TableEntry } from './stream-table.ts';

type RowMessage = InsertMessage | UpdateMessage | DeleteMessage;

/** The tables of the stream by oid. */
export type TableEntries = ReadonlyMap<number, TableEntry>;

/**
 * The events that one message of the log is. A row whose key the message does not hold, in a table that has one, is
 * preceded by a gap: which row changed is lost. Throws TP-STREAM-PROTOCOL for a table that was never described.
 */
export function changeEvents(
  message: RowMessage | TruncateMessage,
  entries: TableEntries,
  arena: RowArena,
): readonly ChangeEvent[] {
  if (message.kind === 'truncate') return [truncateEvent(message, entries)];
  const entry = entryOf(message.relation, entries);
  const event = rowEvent(message, entry, arena);
  if (event.key !== null || entry.table.keyFields === null) return [event];
  const reason = `a change of ${entry.table.leaf} came without its key`;
  return [{ type: 'gap', reason, tables: [entry.table.leaf] }, event];
}

function rowEvent(message: RowMessage, entry: TableEntry, arena: RowArena): RowChange {
  const { table, layout } = entry;
  if (message.kind === 'update') return updateEvent(message, entry, arena);
  const row = message.kind === 'insert' ? message.after : message.before.tuple;
  return {
    type: message.kind,
    table,
    key: rowKey(row, layout, null, arena),
    oldKey: null,
    before: message.kind === 'delete' ? wholeRow(message.before, layout, arena) : null,
    after: message.kind === 'insert' ? rowBody(row, layout, null, arena) : null,
  };
}

function updateEvent(message: UpdateMessage, { table, layout }: TableEntry, arena: RowArena): RowChange {
  const { before, after } = message;
  // Only key columns are looked at, so an old key serves as well as an old row.
  const key = rowKey(after, layout, before?.tuple ?? null, arena);
  const old = before === null ? null : rowKey(before.tuple, layout, null, arena);
  const whole = before?.whole === true ? before.tuple : null;
  return {
    type: 'update',
    table,
    key,
    oldKey: old === null || (key !== null && equal(old, key)) ? null : old,
    before: wholeRow(before, layout, arena),
    after: rowBody(after, layout, whole, arena),
  };
}

function wholeRow(before: OldTuple | null, layout: TableEntry['layout'], arena: RowArena): Uint8Array | null {
  return before?.whole === true ? rowBody(before.tuple, layout, null, arena) : null;
}

function truncateEvent(message: TruncateMessage, entries: TableEntries): TruncateChange {
  return { type: 'truncate', tables: message.relations.map((oid) => entryOf(oid, entries).table) };
}

function entryOf(oid: number, entries: TableEntries): TableEntry {
  const entry = entries.get(oid);
  if (entry === undefined) throw protocolError(`a change of table ${oid}, which was never described`);
  return entry;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
