import type { TopicTable } from './layout.ts';
import type { RecordSource } from './record-source.ts';

export type Operation = 'insert' | 'update' | 'delete' | 'read';

/** What a record of a change topic says. Rows and keys are framed as in src/connector/changes.ts. */
export type DebeziumRecord =
  | {
      readonly kind: 'change';
      readonly operation: Operation;
      readonly table: TopicTable;
      readonly key: Uint8Array | null;
      readonly before: Uint8Array | null;
      readonly after: Uint8Array | null;
      readonly source: RecordSource;
      /** The connector tells of its transaction in the topic of transactions (the block `transaction` is there). */
      readonly tied: boolean;
    }
  | { readonly kind: 'truncate'; readonly source: RecordSource; readonly tied: boolean }
  /** Follows a delete, so that compaction takes the key away; or an application's message: no change of a row. */
  | { readonly kind: 'nothing' };

/** By the letters of `op` in Debezium's envelope. */
export const OPERATIONS: ReadonlyMap<string, Operation> = new Map([
  ['c', 'insert'],
  ['u', 'update'],
  ['d', 'delete'],
  ['r', 'read'],
]);
