import type { RecordBytes } from '../../../connectors/kafka/record-bytes.ts';

/** A change as a test states it; the value is as Debezium writes it (compare kafka-debezium.test.ts). */
export interface StatedChange {
  readonly op: 'c' | 'u' | 'd' | 'r' | 't';
  readonly id?: number;
  readonly text?: string;
  /** The transaction, and the place in the log. */
  readonly tx: number;
  readonly lsn: number;
  readonly table?: string;
  /** When it was committed, milliseconds since 1970; default: long ago. */
  readonly atMs?: number;
  /** The end of the transaction before. */
  readonly last?: number;
  /** Of a row that a snapshot read: Debezium's word for where it stands there. */
  readonly mark?: 'first' | 'first_in_data_collection' | 'last_in_data_collection' | 'last';
}

export const STATED_COLUMNS = [
  { name: 'id', type: 'integer' },
  { name: 'text', type: 'text' },
] as const;

/** A record without schema. */
export function recordOf(change: StatedChange): { readonly key: string | null; readonly value: string } {
  const { op, id, text = '', tx, lsn, table = 'letters', last = tx * 100, mark = 'true' } = change;
  const { atMs = 1_700_000_000_000 + tx } = change;
  const row = { id, text };
  const source = {
    version: '3.3.1.Final',
    connector: 'postgresql',
    name: 'p',
    ts_ms: atMs,
    snapshot: op === 'r' ? mark : 'false',
    db: 'postgres',
    sequence: JSON.stringify([String(last), String(lsn)]),
    ts_us: atMs * 1000 + 7,
    schema: 'public',
    table,
    txId: tx,
    lsn,
    xmin: null,
  };
  const value = {
    before: op === 'd' ? { id, text: null } : null,
    after: op === 'd' || op === 't' ? null : row,
    source,
    transaction: null,
    op,
    ts_ms: 1,
  };
  return { key: op === 't' ? null : JSON.stringify({ id }), value: JSON.stringify(value) };
}

/** Key and value where they stand together, as in a batch. */
export function recordBytesOf(key: Uint8Array | null, value: Uint8Array | null): RecordBytes {
  const keyBytes = key ?? new Uint8Array(0);
  const bytes = Buffer.concat([keyBytes, value ?? new Uint8Array(0)]);
  const keyTo = keyBytes.length;
  return {
    bytes,
    keyFrom: key === null ? -1 : 0,
    keyTo,
    valueFrom: value === null ? -1 : keyTo,
    valueTo: bytes.length,
  };
}
