import type { Lsn } from './lsn.ts';

/**
 * What the plugin pgoutput sends, protocol versions 1 to 4. Field names and meanings: PostgreSQL manual, "Logical
 * Replication Message Formats". `xid` in changes: the (sub)transaction, only within a streamed transaction's pieces,
 * else null. Times are microseconds since 1970-01-01 UTC. Byte arrays are views of the message that was decoded.
 */
export type PgOutputMessage =
  | BeginMessage
  | CommitMessage
  | OriginMessage
  | RelationMessage
  | TypeMessage
  | InsertMessage
  | UpdateMessage
  | DeleteMessage
  | TruncateMessage
  | LogicalMessage
  | StreamStartMessage
  | StreamStopMessage
  | StreamCommitMessage
  | StreamAbortMessage
  | PrepareMessage
  | CommitPreparedMessage
  | RollbackPreparedMessage;

export interface BeginMessage {
  readonly kind: 'begin';
  /** Start of the commit record. */
  readonly finalLsn: Lsn;
  readonly committedAtUs: bigint;
  readonly xid: number;
}

export interface CommitMessage {
  readonly kind: 'commit';
  readonly commitLsn: Lsn;
  /** Behind the commit record. */
  readonly endLsn: Lsn;
  readonly committedAtUs: bigint;
}

export interface OriginMessage {
  readonly kind: 'origin';
  /** On the server where the transaction was first committed. */
  readonly lsn: Lsn;
  readonly name: string;
}

export interface RelationColumn {
  /** Part of the replica identity. */
  readonly key: boolean;
  readonly name: string;
  readonly typeOid: number;
  readonly typeModifier: number;
}

export interface RelationMessage {
  readonly kind: 'relation';
  readonly xid: number | null;
  readonly oid: number;
  /** Empty for pg_catalog. */
  readonly schema: string;
  readonly name: string;
  /** pg_class.relreplident: d default, n nothing, f full, i index. */
  readonly replicaIdentity: ReplicaIdentity;
  readonly columns: readonly RelationColumn[];
}

export type ReplicaIdentity = 'd' | 'n' | 'f' | 'i';

export interface TypeMessage {
  readonly kind: 'type';
  readonly xid: number | null;
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
}

/**
 * A row as it stands in a message. `fields` has, for each column, the offset in `bytes` of its kind: one of FIELD; text
 * and binary are followed by a length (4 bytes) and the value.
 */
export interface Tuple {
  readonly bytes: Uint8Array;
  readonly fields: readonly number[];
}

/** Kinds of a column in TupleData: n NULL, u unchanged TOAST value (not sent), t text, b binary. */
export const FIELD = { null: 0x6e, unchanged: 0x75, text: 0x74, binary: 0x62 } as const;

export interface InsertMessage {
  readonly kind: 'insert';
  readonly xid: number | null;
  readonly relation: number;
  readonly after: Tuple;
}

/** What is known of the row before: its key (`K`, other columns NULL), all of it (`O`), or, unless the key changed, nothing. */
export interface OldTuple {
  readonly whole: boolean;
  readonly tuple: Tuple;
}

export interface UpdateMessage {
  readonly kind: 'update';
  readonly xid: number | null;
  readonly relation: number;
  readonly before: OldTuple | null;
  readonly after: Tuple;
}

export interface DeleteMessage {
  readonly kind: 'delete';
  readonly xid: number | null;
  readonly relation: number;
  readonly before: OldTuple;
}

export interface TruncateMessage {
  readonly kind: 'truncate';
  readonly xid: number | null;
  readonly cascade: boolean;
  readonly restartIdentity: boolean;
  readonly relations: readonly number[];
}

export interface LogicalMessage {
  readonly kind: 'message';
  readonly xid: number | null;
  readonly transactional: boolean;
  readonly lsn: Lsn;
  readonly prefix: string;
  readonly content: Uint8Array;
}

export interface StreamStartMessage {
  readonly kind: 'stream start';
  readonly xid: number;
  /** The first piece of this transaction. */
  readonly first: boolean;
}

export interface StreamStopMessage {
  readonly kind: 'stream stop';
}

export interface StreamCommitMessage {
  readonly kind: 'stream commit';
  readonly xid: number;
  readonly commitLsn: Lsn;
  readonly endLsn: Lsn;
  readonly committedAtUs: bigint;
}

export interface StreamAbortMessage {
  readonly kind: 'stream abort';
  readonly xid: number;
  /** Equal to `xid` when the whole transaction was rolled back. */
  readonly subxid: number;
  /** Null unless streaming is `parallel`. */
  readonly abortLsn: Lsn | null;
  readonly abortedAtUs: bigint | null;
}

/** `begin prepare` opens a prepared transaction, `prepare` ends it, `stream prepare` ends a streamed one. */
export interface PrepareMessage {
  readonly kind: 'begin prepare' | 'prepare' | 'stream prepare';
  readonly prepareLsn: Lsn;
  readonly endLsn: Lsn;
  readonly preparedAtUs: bigint;
  readonly xid: number;
  readonly gid: string;
}

export interface CommitPreparedMessage {
  readonly kind: 'commit prepared';
  readonly commitLsn: Lsn;
  readonly endLsn: Lsn;
  readonly committedAtUs: bigint;
  readonly xid: number;
  readonly gid: string;
}

export interface RollbackPreparedMessage {
  readonly kind: 'rollback prepared';
  readonly prepareEndLsn: Lsn;
  readonly rollbackEndLsn: Lsn;
  readonly preparedAtUs: bigint;
  readonly rolledBackAtUs: bigint;
  readonly xid: number;
  readonly gid: string;
}
