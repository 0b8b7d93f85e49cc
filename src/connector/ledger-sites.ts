import type { ChangeSource, StreamedTable } from './changes.ts';
import type { FoundRow, RangeRead, RowShape, RowSink } from './contract.ts';
import type { Position } from './position.ts';
import type { TableSelection } from './table.ts';

/** A table of the primary as its catalog has it now: what the log does not show (DESIGN.md section 7) shows here. */
export interface SourceTable {
  /** StreamedTable.id. */
  readonly id: string;
  readonly leaf: string;
  readonly root: string;
  /** Equal to StreamedTable.fingerprint for as long as nothing was redefined, also by statements that log nothing. */
  readonly fingerprint: string;
  /** Why its changes do not come with the log; null: they do. */
  readonly unfollowed: string | null;
}

/** The head of the primary's log, and the server's clock just after it was read, microseconds since 1970 UTC. */
export interface WitnessReading {
  readonly position: Position;
  readonly timeUs: bigint;
}

/** What a read of the primary contains. */
export interface SnapshotReading {
  /** Whether the transaction with this id (BeginEvent.id) was visible in the snapshot of the read. */
  readonly visible: (transaction: string) => boolean;
  /** The head, read after the snapshot: every transaction that was visible lies at or before it. */
  readonly until: Position;
}

/** The primary as `watch` needs it, beside what every connector gives. */
export interface LedgerPrimary extends ChangeSource {
  /** Which leading key columns of a streamed table are two's complement integers, so that the store orders them. */
  signedKey(table: StreamedTable): readonly boolean[];
  /** The selected tables by their leaves. Polled. */
  sourceTables(selection: TableSelection, signal: AbortSignal): Promise<readonly SourceTable[]>;
  witness(signal: AbortSignal): Promise<WitnessReading>;
  /** Like readRange, of a range that lies within one leaf, for a baseline. */
  readSnapshot(read: RangeRead, sink: RowSink, signal: AbortSignal): Promise<SnapshotReading>;
  /** Like readRows, with what the read contains. */
  readRowsSnapshot(
    shape: RowShape,
    keys: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<{ readonly rows: readonly FoundRow[]; readonly snapshot: SnapshotReading }>;
}

/**
 * Between which positions of the primary's log a read of a candidate lies. Every commit up to `atLeast` is in it; none
 * behind the first commit that lies beyond `atMost` is (a commit can be visible before the position passes it, measured).
 */
export interface Bracket {
  readonly atLeast: Position;
  readonly atMost: Position;
}

/** What a candidate has of the primary's log without having applied it yet: recoverable, not lost. */
export interface PendingLog {
  readonly received: Position | null;
  readonly applied: Position | null;
  readonly bytes: bigint | null;
}

/** A candidate as `watch` and `certify` need it, beside what every connector gives. None of it asks the primary. */
export interface LedgerCandidate {
  /**
   * Tells it which primary's log it applies, since the primary may be gone: `source` is Identity of the primary as the
   * ledger keeps it. Throws TP-UNRELATED for one that does not follow it.
   */
  follow(source: FollowedSource, signal: AbortSignal): Promise<void>;
  /** Opaque. Another one means: other storage, another history, a clone, or written to on its own; proofs are void. */
  incarnation(signal: AbortSignal): Promise<string>;
  readRangeBracketed(read: RangeRead, sink: RowSink, signal: AbortSignal): Promise<Bracket | null>;
  readRowsBracketed(
    shape: RowShape,
    keys: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<{ readonly rows: readonly FoundRow[]; readonly bracket: Bracket | null }>;
  pendingLog(signal: AbortSignal): Promise<PendingLog>;
}

/** What must be remembered of the primary so that candidates can be told apart and placed without it. Opaque values. */
export interface FollowedSource {
  readonly engine: string;
  readonly systemId: string;
  readonly timeline: string | null;
  /** Whatever else the connector needs, as it gave it while the primary was there (`LedgerPrimary` and identity). */
  readonly details: Readonly<Record<string, string>>;
}
