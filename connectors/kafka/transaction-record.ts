import { z } from 'zod';
import { topicName } from './topic-names.ts';

/** The beginning or the end of a transaction of the source. */
export interface TransactionRecord {
  readonly status: 'BEGIN' | 'END';
  /** As `RecordSource.transaction` has it. */
  readonly transaction: string;
  /** Of an end: how many records it has, by `schema.table`. */
  readonly counts: ReadonlyMap<string, number>;
}

/** Debezium documentation, "Transaction metadata": one topic for all tables of a connector, `PREFIX.transaction`. */
const recordSchema = z.object({
  status: z.enum(['BEGIN', 'END']),
  id: z.string(),
  data_collections: z.array(z.object({ data_collection: z.string(), event_count: z.int().min(0) })).nullish(),
});
const wrappedSchema = z.object({ payload: recordSchema }).transform(({ payload }) => payload);
const eitherSchema = z.union([recordSchema, wrappedSchema]);

/** Null: it says nothing that can be understood. It holds no values of columns. Pure. */
export function readTransactionRecord(value: Uint8Array): TransactionRecord | null {
  const parsed = eitherSchema.safeParse(jsonOf(value));
  if (!parsed.success) return null;
  const { status, id, data_collections: collections } = parsed.data;
  const counts = new Map((collections ?? []).map((one) => [one.data_collection, one.event_count]));
  return { status, transaction: transactionOf(id), counts };
}

/** Of tables that are read, by what their topics are called; a collection may be named with its database in front. */
export function countsOfTopics(
  counts: ReadonlyMap<string, number>,
  tables: ReadonlyMap<string, unknown>,
): ReadonlyMap<string, number> {
  const ours = new Map<string, number>();
  for (const [name, count] of counts) {
    const whole = topicName(name);
    const table = tables.has(whole) ? whole : whole.split('.').slice(-2).join('.');
    if (tables.has(table)) ours.set(table, (ours.get(table) ?? 0) + count);
  }
  return ours;
}

/** PostgreSQL's is `xid:lsn`, of which records of changes tell the first; MySQL's and MariaDB's is the GTID. */
function transactionOf(id: string): string {
  return /^(\d+):\d+$/.exec(id)?.[1] ?? id;
}

/** Undefined: it is no JSON. */
export function jsonOf(value: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8'));
  } catch {
    return undefined;
  }
}
