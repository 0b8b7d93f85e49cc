import { TwinproofError } from '../errors.ts';
import type { BeginEvent, ChangeRequest, ChangeSource, ChangeStream, StreamedTable } from './changes.ts';
import type { Connector, FoundRow, PlanOptions, Range, RangeRead, RowShape, RowSink } from './contract.ts';
import type { FeedFacts } from './facts.ts';
import type { Finding } from './identity.ts';
import type { Position, PositionOrder } from './position.ts';
import type { PairKind, TableSelection } from './table.ts';

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
  /** What a definition event would say of it now; null exactly when it is not followed. */
  readonly table: StreamedTable | null;
}

/**
 * The head of the primary's log, and the server's clock just before it was read, microseconds since 1970 UTC: every
 * commit that had returned to its client by then lies at or before the head. Of a standby that is followed in place of
 * its primary: where it stands, and such a time of its primary's clock, which may be long ago.
 */
export interface WitnessReading {
  readonly position: Position;
  readonly timeUs: bigint;
  /** Which transactions had ended before the position was read, for LedgerCandidate.writtenWhen. Opaque. */
  readonly transactions?: string;
  /** The time is one of the past, so it says nothing of the clock: 0 where none is known yet. Absent: it is of now. */
  readonly past?: true;
  /** How many milliseconds the newest change was on its way to a log that is not the database's own. */
  readonly deliveryMs?: number | undefined;
}

/** What a read of the primary contains. */
export interface SnapshotReading {
  /** Whether the transaction with this id (BeginEvent.id) was certainly visible in the snapshot of the read. */
  readonly visible: (transaction: string) => boolean;
  /** The head, read after the snapshot: every transaction that was visible lies at or before it. */
  readonly until: Position;
}

/**
 * What makes the bytes of a key column stand in the server's order: false, nothing; true, its top bit is turned (a two's
 * complement integer, most significant byte first); `little`, its bytes are turned round (an integer whose least
 * significant byte comes first), and with `signed` the top bit then too.
 */
export type KeyOrder = boolean | 'little' | 'little signed';

/** The primary as `watch` needs it, beside what every connector gives. */
export interface LedgerPrimary extends ChangeSource {
  /** What has to be remembered, so that candidates can be followed without the primary. Asked again from time to time. */
  followedSource(signal: AbortSignal): Promise<FollowedSource>;
  /** What puts the leading key columns of a streamed table into the server's order, of each one. */
  signedKey(table: StreamedTable): readonly KeyOrder[];
  /**
   * The selected tables by their leaves, in the forms of this kind of pair. Polled. What was read from a leaf counts
   * only if its fingerprint is the same before the description was read and after the rows were.
   */
  sourceTables(
    selection: TableSelection,
    pair: PairKind,
    signal: AbortSignal,
  ): Promise<readonly SourceTable[]>;
  /**
   * What sourceTables says of their definitions, without describing any and without waiting for commits that are not
   * visible yet. Absent: there is no cheaper way than sourceTables.
   */
  fingerprints?(
    selection: TableSelection,
    signal: AbortSignal,
  ): Promise<readonly Pick<SourceTable, 'id' | 'leaf' | 'fingerprint'>[]>;
  witness(signal: AbortSignal): Promise<WitnessReading>;
  /**
   * Ends when every transaction whose commit the log held at the call is visible. To be waited for between the
   * beginning of a relation and the first read of its baseline: a transaction that the stream brought before the
   * relation began, and that the first read does not see, may move a row from a part still unread into one already read.
   * Likewise of a candidate, before rows that its own log told of are read. `only` (BeginEvent.id): nothing but these has
   * to be waited for, since what else is under way there may be so for long.
   */
  commitsVisible(signal: AbortSignal, only?: ReadonlySet<string>): Promise<void>;
  /**
   * Ranges that together hold every row of one leaf at any time; `shape.table` is its root. Throws TP-DEFINITION-CHANGED
   * when the description no longer has that leaf.
   */
  planLeaf(
    table: SourceTable,
    shape: RowShape,
    options: PlanOptions,
    signal: AbortSignal,
  ): Promise<readonly Range[]>;
  /** Like readRange, of a range of planLeaf. */
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
 * `atMost` may lie before `atLeast`: then no commit of the table is known to lie in between.
 */
export interface Bracket {
  readonly atLeast: Position;
  readonly atMost: Position;
  /** Of a candidate that may have transactions and lack earlier ones. Absent: it has all up to where it stands. */
  readonly contains?: Contains | undefined;
}

/** Whether one of the primary's transactions (BeginEvent.id) is there; null: it may be. */
export type Contains = (transaction: string) => boolean | null;

/**
 * Where a candidate stands that may have transactions and lack earlier ones: several workers that commit out of the
 * primary's order, several streams each with an order of its own. No place of the primary's log need be where it stands.
 */
export interface Scattered {
  /** All that it has of the primary's log; may be incomparable with places of that log. */
  readonly position: Position;
  /** A place of the primary's log, or `position` itself, before which everything lies that it has. */
  readonly atMost: Position;
  readonly contains: Contains;
}

/** What a candidate has of the primary's log without having applied it yet: recoverable, not lost. */
export interface PendingLog {
  readonly received: Position | null;
  readonly applied: Position | null;
  readonly bytes: bigint | null;
  /** Commit time of the newest transaction applied, microseconds since 1970 UTC on the primary's clock. */
  readonly appliedCommitUs: bigint | null;
  /** Null or absent: it has everything up to `applied`, and nothing behind it. */
  readonly scattered?: Scattered | null;
  /** What was applied last is the record of the primary's shutdown; null or absent: it is not, or that does not show. */
  readonly shutDown?: ShutDown | null;
}

/** What of the primary's log lies in an archive, behind all that the candidate has received. */
export interface ArchivedLog {
  /** Up to here without a hole; null: it could not be read, see `problem`. */
  readonly until: Position | null;
  readonly bytes: bigint | null;
  /** In a few words, without the folder. */
  readonly problem: string | null;
}

/**
 * The record that a server writes behind everything else when it is shut down in order, or, before anybody can connect,
 * when it has recovered from a crash: whatever that run of the server committed lies before it.
 */
export interface ShutDown {
  /** Where it begins. Whoever reads the primary's head at or before it read it of the run that ended so. */
  readonly begin: Position;
  /** Its time, microseconds since 1970 UTC on the primary's clock, or less: when it was written no session was left. */
  readonly timeUs: bigint;
}

/** A candidate as `watch` and `certify` need it, beside what every connector gives. None of it asks the primary. */
export interface LedgerCandidate {
  /**
   * Tells it which primary's log it applies, since the primary may be gone. Throws TP-UNRELATED for one that does not
   * follow it, TP-ROLES for one that did and was promoted.
   */
  follow(source: FollowedSource, signal: AbortSignal): Promise<void>;
  /**
   * Takes in what is remembered of the primary's history, and asks nobody; `follow` does so too. From then on
   * comparePositions also orders positions of before a failover and of after it. Absent: positions tell that themselves.
   */
  recall?(source: FollowedSource): void;
  /**
   * Throws TP-GAP where what was read of the primary's log up to `position` does not stand there any more. Absent: there
   * is no log that outlives the primary and may lose its end.
   */
  demandLog?(position: Position, signal: AbortSignal): Promise<void>;
  /** Opaque. Another one means: other storage, another history, a clone, or redefined on its own; proofs are void. */
  incarnation(signal: AbortSignal): Promise<string>;
  /**
   * The range between two identities (FoundRow.key), `to` outside; null: open. Null as the answer: the server does not
   * order this key as the ledger's store does. Pure.
   */
  keyRange(shape: RowShape, from: Uint8Array | null, to: Uint8Array | null): Range | null;
  /** Ranges of every kind. No bracket: where the read lies cannot be said. */
  readRangeBracketed(read: RangeRead, sink: RowSink, signal: AbortSignal): Promise<Bracket | null>;
  /** On a physical candidate the first of FoundRow.writers is the transaction that wrote the row, as BeginEvent.id. */
  readRowsBracketed(
    shape: RowShape,
    keys: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<{ readonly rows: readonly FoundRow[]; readonly bracket: Bracket | null }>;
  /**
   * Whether the transaction that wrote a row (the first of FoundRow.writers) had ended at a witness reading of the primary,
   * or had not; null: it cannot be told. Pure.
   */
  writtenWhen(writer: string, transactions: string): 'before' | 'since' | null;
  pendingLog(signal: AbortSignal): Promise<PendingLog>;
  /**
   * What a folder, to which the primary's log is archived, has behind `received`. Null: it is of no use to this candidate.
   * May take as long as the folder hangs. Absent: its engine archives nothing.
   */
  archivedLog?(folder: string, received: Position, signal: AbortSignal): Promise<ArchivedLog | null>;
  /** What brings it the primary's changes, asked for by itself. Null or unknown where it may not be seen. */
  feed(signal: AbortSignal): Promise<FeedFacts>;
  /** Bytes of log from `a` to `b`, never negative; null: they cannot be compared. */
  bytesBetween(a: Position, b: Position): bigint | null;
  /** Where it left each timeline of its history, as a position on that timeline; on a promoted server too. */
  forks(signal: AbortSignal): Promise<readonly Position[]>;
  /**
   * Where a site that applied rows, and may have been promoted since, stands beside what was certified of it. Absent: it
   * leaves nothing by which that can be told.
   */
  succession?(certified: Position, signal: AbortSignal): Promise<Succession>;
  /**
   * Its own log with the writes of every origin, where it can be written to; positions are its own. Null: it cannot be,
   * as on a standby. Throws as streamChanges.
   */
  ownChanges(request: ChangeRequest, signal: AbortSignal): Promise<ChangeStream | null>;
  /** The followed primary's position that a transaction of `ownChanges` brings; null: it does not come from there. */
  originPosition(origin: BeginEvent['origin']): Position | null;
}

/** A site that applied rows, beside the position that was certified of it. */
export interface Succession {
  /** It still brings in the primary's log, or tries to. */
  readonly following: boolean;
  /** What it has of the primary's log, against the certified position; null: it cannot be told, and `why`. */
  readonly order: PositionOrder | null;
  readonly why: string | null;
  readonly position: Position | null;
  /** Transactions of its own that were not certified, in its own notation; null: there are none. */
  readonly own: string | null;
}

/** What must be remembered of the primary so that candidates can be told apart and placed without it. Opaque values. */
export interface FollowedSource {
  readonly engine: string;
  readonly systemId: string;
  readonly timeline: string | null;
  /**
   * Whatever else the connector needs, as it gave it while the primary was there. `heldBackBy`, where it is not empty,
   * names those without whose word the primary hands nothing on to the stream: such a stream never has what they lack.
   * `ancestors`, where timelines are known by numbers, tells those apart that have the same one (source-history.ts).
   */
  readonly details: Readonly<Record<string, string>>;
  /** Null or absent: the engine does not tell. */
  readonly synchrony?: Synchrony | null | undefined;
}

/**
 * Whether commits of the primary wait until another server has received them. It bounds no loss: a server that waits
 * stops doing so by itself when nobody answers in time, and whoever has received a commit need not be the candidate.
 */
export interface Synchrony {
  /** `fallen back`: it is set up to wait, and did not when it was asked. */
  readonly state: 'waiting' | 'fallen back' | 'off';
  /** How many servers a commit waits for, and how many are there to answer. */
  readonly awaited: number;
  readonly receivers: number;
  /** Nobody sees a commit before it was received; false: others do, and only its client waits. */
  readonly hidden: boolean;
  /** Commits, since the server was started, that nobody said to have received. Decimal text, for it has 64 bits. */
  readonly unconfirmed: string;
}

/** What a DBA has to run so that the log can be streamed from a site. */
export interface LedgerSetup {
  /** In order, whole; empty: nothing is missing. */
  readonly sql: string;
  /** What SQL alone does not mend, or that somebody has to decide. */
  readonly findings: readonly Finding[];
}

export interface LedgerSite extends LedgerPrimary, LedgerCandidate {
  /**
   * What `role` needs, which may not exist yet; null: the role of this connection. The names of slot and publication are
   * those that the site was opened with.
   */
  ledgerSetup(selection: TableSelection, role: string | null, signal: AbortSignal): Promise<LedgerSetup>;
}

/** The site as the ledger needs it. Throws TP-STREAM-SETUP for one whose engine gives no changes. */
export function ledgerSite<Site extends Connector>(site: Site): Site & LedgerSite {
  if (isLedgerSite(site)) return site;
  throw new TwinproofError('TP-STREAM-SETUP', {
    message: `changes of ${site.engine} cannot be streamed`,
    hint: 'a ledger needs a primary of PostgreSQL, MySQL or MariaDB',
  });
}

function isLedgerSite<Site extends Connector>(site: Site): site is Site & LedgerSite {
  return site.capabilities.changes && 'streamChanges' in site;
}
