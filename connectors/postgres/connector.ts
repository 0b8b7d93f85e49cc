import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SiteAddress } from '../../src/config/url.ts';
import { DEFAULT_STREAM, type StreamSettings } from '../../src/config/stream.ts';
import type { BeginEvent, ChangeRequest, ChangeStream, StreamedTable } from '../../src/connector/changes.ts';
import type {
  FoundRow,
  PlanOptions,
  Range,
  RangeRead,
  RowShape,
  RowSink,
} from '../../src/connector/contract.ts';
import type { Identity } from '../../src/connector/identity.ts';
import type {
  ArchivedLog,
  Bracket,
  FollowedSource,
  LedgerSetup,
  LedgerSite,
  PendingLog,
  SnapshotReading,
  SourceTable,
  WitnessReading,
} from '../../src/connector/ledger-sites.ts';
import type { Position, PositionOrder } from '../../src/connector/position.ts';
import type { PairKind, TableDescription, TableSelection } from '../../src/connector/table.ts';
import { BodySink } from '../../src/row/body-sink.ts';
import { connectTarget, type ConnectTarget } from './address.ts';
import { BaseConnector, POINT_BYTES_MAX, type ReadOptions } from './base-connector.ts';
import { type BracketStart, openStandbyBracket, openSubscriberBracket } from './bracket.ts';
import { readIdentity } from './identity.ts';
import { readIncarnation } from './incarnation.ts';
import { originPosition, readFollowed, readForks, readPendingLog, writtenWhen } from './ledger-candidate.ts';
import {
  openSnapshotReading,
  planLeaf,
  readFollowedSource,
  readWitness,
  waitForCommits,
  waitForRedefinitions,
} from './ledger-primary.ts';
import { readLedgerSetup } from './ledger-setup.ts';
import { bytesBetween } from './lsn.ts';
import { LogHistory } from './log-history.ts';
import { combined, during } from './moments.ts';
import { foundRow, pointQueries } from './points.ts';
import { rangeQuery } from './ranges.ts';
import { learnTimeline } from './standby-timeline.ts';
import { readFingerprints, readSourceTables, type SourceTableMemory } from './source-tables.ts';
import { keyRange, signedKey } from './store-order.ts';
import { openChangeStream } from './stream.ts';
import { readArchive } from './wal-archive.ts';

export interface PostgresOptions extends ReadOptions {
  /** Absent: the usual names, and nothing that could fill the server's disk. */
  readonly stream?: StreamSettings | undefined;
}

/** Bytes that open transactions may take while they wait for their commit. */
const SPOOL_BYTES_MAX = 64 * 1024 ** 3;
/** Milliseconds that the socket of a stream rests after a burst of reads (ReplicationTiming.paceMs). */
const PACE_MS = 2;

/** Opens a PostgreSQL site, 14 to 18. Throws as openSession does. */
export async function connectPostgres(
  address: SiteAddress,
  options: PostgresOptions,
  signal: AbortSignal,
): Promise<PostgresConnector> {
  const connector = new PostgresConnector(connectTarget(address), options);
  try {
    await connector.identify(signal);
  } catch (error) {
    await connector.close();
    throw error;
  }
  return connector;
}

/** One PostgreSQL server, seen from one database, with its log. */
export class PostgresConnector extends BaseConnector implements LedgerSite {
  readonly #target: ConnectTarget;
  readonly #stream: StreamSettings;
  readonly #sourceTables = new Map<PairKind, SourceTableMemory>();
  readonly #history: LogHistory;

  constructor(target: ConnectTarget, options: PostgresOptions) {
    super(target, options);
    this.#target = target;
    this.#stream = options.stream ?? DEFAULT_STREAM;
    this.#history = new LogHistory(target);
  }

  override identify(signal: AbortSignal): Promise<Identity> {
    return this.control.use(signal, async (session) => {
      await learnTimeline(session, signal);
      return readIdentity(session, signal);
    });
  }

  streamChanges(request: ChangeRequest, signal: AbortSignal): Promise<ChangeStream> {
    const { slot, publication, allowUnboundedWal, spoolFolder = tmpdir() } = this.#stream;
    const options = {
      slot,
      publication,
      allowUnboundedWal,
      early: true,
      spoolFolder,
      spoolBytesMax: SPOOL_BYTES_MAX,
      now: Date.now,
      paceMs: PACE_MS,
      history: this.#history.seen,
    };
    return openChangeStream(this.#target, options, request, signal);
  }

  async followedSource(signal: AbortSignal): Promise<FollowedSource> {
    const source = await this.control.use(signal, (session) =>
      readFollowedSource(session, this.#stream.slot, this.#history, signal),
    );
    this.#history.saw(source);
    return source;
  }

  recall(source: FollowedSource): void {
    this.#history.recall(source);
  }

  override comparePositions(a: Position, b: Position): PositionOrder {
    return this.#history.compare(a, b);
  }

  signedKey(table: StreamedTable): readonly boolean[] {
    return signedKey(table);
  }

  sourceTables(
    selection: TableSelection,
    pair: PairKind,
    signal: AbortSignal,
  ): Promise<readonly SourceTable[]> {
    const memory = this.#sourceTables.get(pair) ?? new Map<string, SourceTable>();
    this.#sourceTables.set(pair, memory);
    const wish = { publication: this.#stream.publication, selection, pair };
    return this.control.use(signal, async (session) => {
      await waitForRedefinitions(session, sleep, signal);
      return readSourceTables(session, wish, memory, signal);
    });
  }

  fingerprints(selection: TableSelection, signal: AbortSignal): ReturnType<typeof readFingerprints> {
    const wish = { publication: this.#stream.publication, selection };
    return this.control.use(signal, (session) => readFingerprints(session, wish, signal));
  }

  witness(signal: AbortSignal): Promise<WitnessReading> {
    return this.control.use(signal, (session) => readWitness(session, this.headMemory, signal));
  }

  commitsVisible(signal: AbortSignal, only?: ReadonlySet<string>): Promise<void> {
    return this.control.use(signal, (session) => waitForCommits(session, sleep, signal, only));
  }

  async planLeaf(
    table: SourceTable,
    shape: RowShape,
    options: PlanOptions,
    signal: AbortSignal,
  ): Promise<readonly Range[]> {
    signal.throwIfAborted();
    return planLeaf(table, shape, options);
  }

  async readSnapshot(read: RangeRead, sink: RowSink, signal: AbortSignal): Promise<SnapshotReading> {
    const { mode, ...query } = rangeQuery(read.shape, read.range);
    const { readers } = this;
    const [snapshot] = await this.#withSnapshot(signal, (onSnapshot) =>
      readers.readAtOnce(mode, [query], sink, combined(onSnapshot, read.onSnapshot), signal),
    );
    return snapshot;
  }

  async readRowsSnapshot(
    shape: RowShape,
    keys: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<{ readonly rows: readonly FoundRow[]; readonly snapshot: SnapshotReading }> {
    const [snapshot, rows] = await this.#withSnapshot(signal, (onSnapshot) =>
      this.#points(shape, keys, onSnapshot, signal),
    );
    return { rows, snapshot };
  }

  async follow(source: FollowedSource, signal: AbortSignal): Promise<void> {
    this.lineage = await this.control.use(signal, (session) =>
      readFollowed(session, source, this.#history, signal),
    );
    this.recall(source);
  }

  incarnation(signal: AbortSignal): Promise<string> {
    const { publication } = this.#stream;
    return this.control.use(signal, (session) => readIncarnation(session, this.lineage, publication, signal));
  }

  keyRange(shape: RowShape, from: Uint8Array | null, to: Uint8Array | null): Range | null {
    return keyRange(shape, from, to);
  }

  async readRangeBracketed(read: RangeRead, sink: RowSink, signal: AbortSignal): Promise<Bracket | null> {
    const { mode, ...query } = rangeQuery(read.shape, read.range);
    const { readers } = this;
    const [bracket] = await this.#withBracket(read.shape.table, signal, (onSnapshot) =>
      readers.readAtOnce(mode, [query], sink, combined(onSnapshot, read.onSnapshot), signal),
    );
    return bracket;
  }

  async readRowsBracketed(
    shape: RowShape,
    keys: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<{ readonly rows: readonly FoundRow[]; readonly bracket: Bracket | null }> {
    const [bracket, rows] = await this.#withBracket(shape.table, signal, (onSnapshot) =>
      this.#points(shape, keys, onSnapshot, signal),
    );
    return { rows, bracket };
  }

  writtenWhen(writer: string, transactions: string): 'before' | 'since' | null {
    return writtenWhen(writer, transactions);
  }

  pendingLog(signal: AbortSignal): Promise<PendingLog> {
    return this.control.use(signal, (session) => readPendingLog(session, this.lineage, signal));
  }

  async archivedLog(folder: string, received: Position, signal: AbortSignal): Promise<ArchivedLog | null> {
    // What a subscriber lacks no archive of its publisher's can give it.
    if (this.lineage !== null) return null;
    const { wal } = await this.control.use(signal, (session) => readIdentity(session, signal));
    return readArchive(folder, received, wal, signal);
  }

  bytesBetween(a: Position, b: Position): bigint | null {
    return bytesBetween(a, b, this.comparePositions(a, b));
  }

  async forks(signal: AbortSignal): Promise<readonly Position[]> {
    const lineage = await this.#history.own(signal);
    return this.control.use(signal, (session) => readForks(session, lineage, signal));
  }

  async ownChanges(request: ChangeRequest, signal: AbortSignal): Promise<ChangeStream | null> {
    const { inRecovery } = await this.control.use(signal, (session) => readIdentity(session, signal));
    return inRecovery ? null : this.streamChanges(request, signal);
  }

  originPosition(origin: BeginEvent['origin']): Position | null {
    return originPosition(this.lineage, origin);
  }

  ledgerSetup(selection: TableSelection, role: string | null, signal: AbortSignal): Promise<LedgerSetup> {
    return this.control.use(signal, (session) =>
      readLedgerSetup(session, this.#stream, selection, role, signal),
    );
  }

  async #points(
    shape: RowShape,
    keys: readonly Uint8Array[],
    onSnapshot: (snapshot: string) => void,
    signal: AbortSignal,
  ): Promise<readonly FoundRow[]> {
    const sink = new BodySink(keys.length === 1 ? Infinity : POINT_BYTES_MAX);
    const queries = keys.length === 0 ? [] : pointQueries(shape, keys);
    await this.points.readAtOnce('points', queries, sink, onSnapshot, signal);
    return sink.bodies.map((body) => foundRow(body, shape));
  }

  /** The head is read after the snapshot, and while its rows arrive. */
  async #withSnapshot<T>(
    signal: AbortSignal,
    read: (onSnapshot: (snapshot: string) => void) => Promise<T>,
  ): Promise<readonly [SnapshotReading, T]> {
    return this.control.use(signal, async (session) =>
      during(read, await openSnapshotReading(session, this.headMemory, signal)),
    );
  }

  async #withBracket<T>(
    table: TableDescription,
    signal: AbortSignal,
    read: (onSnapshot: (snapshot: string) => void) => Promise<T>,
  ): Promise<readonly [Bracket | null, T]> {
    const { lineage, control } = this;
    return control.use(signal, async (session) => {
      const end: BracketStart =
        lineage === null
          ? await openStandbyBracket(session, signal)
          : await openSubscriberBracket(session, lineage, table, signal);
      return during(read, async () => (end === null ? null : end()));
    });
  }
}
