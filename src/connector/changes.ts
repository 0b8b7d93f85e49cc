import type { Position } from './position.ts';
import type { ColumnEncoding, PairKind, PortableForm } from './table.ts';

/**
 * Changes of the primary's rows, as the ledger takes them. A row is the body of a row message (src/row/stream.ts): the
 * column count, then each value behind its length. Two more lengths occur in rows of the stream, and nowhere else:
 * a value that the log left out because it did not change, and one that the log does not give in the form in which the
 * column is compared. Neither is ever NULL; what they stand for is looked up or read again, never guessed.
 */
export const UNCHANGED_LENGTH = -2;
export const UNREAD_LENGTH = -3;

/** A column of streamed rows, in the order in which they hold it. */
export interface StreamedColumn {
  readonly name: string;
  /** As the server prints it, with its modifier, where known. */
  readonly type: string;
  /** The form of the bytes, that of ranges read for the same kind of pair; null: every value of it is unread. */
  readonly encoding: ColumnEncoding | null;
  /** With the encoding `portable`. */
  readonly form?: PortableForm | null;
}

/**
 * A table as the log describes it, from the definition event on. Each definition event makes a new object: events that
 * share it share the meaning of their bytes.
 */
export interface StreamedTable {
  /** Stays through renaming: PostgreSQL's oid. Unique within the database that is streamed. */
  readonly id: string;
  /** `schema.table` of the table that holds the row: a partition by its own name. */
  readonly leaf: string;
  /** `schema.table` of the topmost partitioned table, `leaf` for others; null: the catalog does not know it any more. */
  readonly root: string | null;
  /** The key's columns first, in the key's order; then the others in the order of the root's definition. */
  readonly columns: readonly StreamedColumn[];
  /**
   * How many leading columns are the key by which rows are told apart, the same as that of describeTables; null: the log
   * does not say which row changed, so the table is unproven from here on.
   */
  readonly keyFields: number | null;
  /** Columns that ranges can be read with and that the log leaves out, such as generated ones. */
  readonly absent: readonly string[];
  /** SourceTable.fingerprint at the time when the definition was looked up; null when `root` is. */
  readonly fingerprint: string | null;
}

/**
 * Opens a transaction; its changes, definitions and messages follow, then its commit, and no other begins before that.
 * Only committed ones are handed out. A stream that ends before the commit gives the transaction again, whole.
 */
export interface BeginEvent {
  readonly type: 'begin';
  /** PostgreSQL: the top transaction's 32-bit xid as text; MySQL, MariaDB: the GTID. */
  readonly id: string;
  /** Microseconds since 1970-01-01 UTC on the source's clock. */
  readonly committedAtUs: bigint;
  /** Where the transaction was first committed, when replication brought it here; the position is that server's own. */
  readonly origin: { readonly name: string; readonly position: string } | null;
}

export interface CommitEvent {
  readonly type: 'commit';
  /** Behind the transaction: a stream that starts after it does not give the transaction again. */
  readonly position: Position;
  readonly id: string;
  readonly committedAtUs: bigint;
}

/** Comes before the first change that uses it, within a transaction or between two. */
export interface DefinitionEvent {
  readonly type: 'definition';
  readonly table: StreamedTable;
}

/** One row. Keys are identities: fields with their lengths and no count (FoundRow.key); null where keyFields is. */
export interface RowChange {
  readonly type: 'insert' | 'update' | 'delete';
  readonly table: StreamedTable;
  /** The key after the change; of a deleted row, the one it had. */
  readonly key: Uint8Array | null;
  /** The key that an updated row had, when it was another. */
  readonly oldKey: Uint8Array | null;
  /** The whole row before the change; null: the log does not carry it. */
  readonly before: Uint8Array | null;
  /** The row after the change; null: deleted. */
  readonly after: Uint8Array | null;
  /** A snapshot of the whole table read it (SnapshotEvent): no other row of that snapshot has its key. Absent: no. */
  readonly once?: boolean;
}

/** All rows of these tables go at once. */
export interface TruncateChange {
  readonly type: 'truncate';
  readonly tables: readonly StreamedTable[];
}

/**
 * Around the rows of a snapshot that the log itself brings, between two transactions: from `begins` on nothing that was
 * known of the table's rows counts, and at `ends` every row that it has was handed out.
 */
export interface SnapshotEvent {
  readonly type: 'snapshot';
  readonly table: StreamedTable;
  readonly part: 'begins' | 'ends';
}

/** What an application wrote into the log (pg_logical_emit_message). Outside of a transaction if not transactional. */
export interface MessageEvent {
  readonly type: 'message';
  readonly transactional: boolean;
  readonly prefix: string;
  readonly content: Uint8Array;
  readonly position: Position;
}

/** Between transactions: every commit up to here has been handed out. Stored, then acknowledged, like a commit. */
export interface IdleEvent {
  readonly type: 'idle';
  readonly position: Position;
}

/** The log said itself that it lacks something here. Never bridged: what it covers needs a new baseline. */
export interface GapEvent {
  readonly type: 'gap';
  readonly reason: string;
  /** Null: every table. */
  readonly tables: readonly string[] | null;
}

export type ChangeEvent =
  | BeginEvent
  | CommitEvent
  | DefinitionEvent
  | RowChange
  | TruncateChange
  | SnapshotEvent
  | MessageEvent
  | IdleEvent
  | GapEvent;

export interface ChangeRequest {
  /**
   * The position that is durable here; the stream gives every commit after it, once. Null: nothing is stored yet, so
   * begin where the server has kept its log for us.
   */
  readonly after: Position | null;
  /**
   * What is durable here behind an earlier position, up to `after`: a source that can tell that part of its log once more
   * holds it against this, and a difference is a gap. Null: it is not to be had, which is one too. Absent: it is taken for
   * the same.
   */
  readonly held?: ((behind: Position) => Iterable<HeldTransaction> | null) | undefined;
  /** Tables (`schema.table`) of which the ledger knows something: a gap may be of one that no change has named yet. */
  readonly known?: readonly string[] | undefined;
  /** ChangeStream.mark of a stream before, at or before `after`; null or absent: there is none. */
  readonly mark?: string | null | undefined;
  /** Whose canonical form the values have, as in RowShape.pair. */
  readonly pair: PairKind;
}

/** A transaction that changed something, as its commit event gave it. */
export type HeldTransaction = Pick<CommitEvent, 'id' | 'position' | 'committedAtUs'>;

/**
 * A running stream: iterate `batches`, store, acknowledge. One transaction may span batches, one batch hold many. Bytes
 * in a batch stay valid and are never written again. While no batch is asked for, no more than one more is gathered:
 * the server waits.
 */
export interface ChangeStream {
  /** To be iterated once: leaving a loop over it ends it. */
  readonly batches: AsyncIterable<readonly ChangeEvent[]>;
  /**
   * Says that everything up to `position` (of a commit or idle event) is durable here: the server may forget it. Sent
   * soon after; never a position beyond one that was handed out.
   */
  acknowledge(position: Position): void;
  /**
   * Of the log as far as it was handed out: by it a later stream can tell that the source was set back, where positions
   * do not say so. To be stored behind what was handed out. Null: nothing can be said yet. Absent: positions say it.
   */
  mark?(): string | null;
  /**
   * Throws TP-GAP where what was read does not stand in the log any more: only as long as it does are places of before
   * and after one another. Absent: a log that was begun anew ends its streams.
   */
  stands?(signal: AbortSignal): Promise<void>;
  /** Sends the last acknowledgement, ends the connection, deletes what was set aside. */
  close(): Promise<void>;
}

/** A site whose capabilities say `changes`. */
export interface ChangeSource {
  /**
   * Throws TP-GAP when commits after `request.after` are no longer to be had, TP-STREAM-SETUP when slot, publication,
   * settings or rights are missing or those of others, TP-CONNECTION-LOST and other errors marked retryable when it may
   * be called again. Iterating `batches` throws the same, and TP-STREAM-PROTOCOL for bytes that make no sense.
   */
  streamChanges(request: ChangeRequest, signal: AbortSignal): Promise<ChangeStream>;
}
