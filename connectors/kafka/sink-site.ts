import type { Kafka } from 'kafkajs';
import type { SinkSettings } from '../../src/config/topics.ts';
import type { ChangeRequest, ChangeStream, StreamedTable } from '../../src/connector/changes.ts';
import type {
  Connector,
  FoundRow,
  PlanOptions,
  Range,
  RangeRead,
  RowShape,
  RowSink,
} from '../../src/connector/contract.ts';
import type { FeedFacts, ReadinessFacts, ReadinessOptions } from '../../src/connector/facts.ts';
import type { Finding, Identity, LagFacts, Relation } from '../../src/connector/identity.ts';
import type {
  Bracket,
  FollowedSource,
  LedgerSetup,
  LedgerSite,
  PendingLog,
  SnapshotReading,
  SourceTable,
  WitnessReading,
} from '../../src/connector/ledger-sites.ts';
import type { AppliedReading, HeadReading, Position, PositionOrder } from '../../src/connector/position.ts';
import type { PreflightOptions } from '../../src/connector/preflight.ts';
import type { PairKind, TableDescription, TableSelection } from '../../src/connector/table.ts';
import { TwinproofError } from '../../src/errors.ts';
import { kafkaClient } from './client.ts';
import { comparePositions, parsePosition } from './position.ts';
import { SinkGroup } from './sink-group.ts';
import { signedKey } from './store-order.ts';
import { topicAddress } from './topic-address.ts';

/** Joins a database to the group that writes it. Throws TP-URL, TP-TLS; the brokers are asked later. */
export async function sinkSite(database: Connector & LedgerSite, settings: SinkSettings): Promise<SinkSite> {
  const { kafka, topic: prefix } = topicAddress(settings.address, process.env);
  return new SinkSite(database, await kafkaClient(kafka), prefix, settings);
}

/**
 * A candidate that a sink writes from topics: its rows are the database's, and where it stands the sink's consumer group
 * says. Offsets that are committed before a read say what is in it at least, the ends of the topics after it what may be.
 */
export class SinkSite implements Connector, LedgerSite {
  readonly #database: Connector & LedgerSite;
  readonly #group: SinkGroup;

  constructor(database: Connector & LedgerSite, client: Kafka, prefix: string, settings: SinkSettings) {
    this.#database = database;
    this.#group = new SinkGroup(client, prefix, settings, Date.now);
  }

  get engine(): string {
    return this.#database.engine;
  }

  get capabilities(): Connector['capabilities'] {
    return this.#database.capabilities;
  }

  /** To a database a sink is a client like any other: it takes itself for a primary. */
  async identify(signal: AbortSignal): Promise<Identity> {
    return { ...(await this.#database.identify(signal)), role: 'subscriber' };
  }

  relateTo(primary: Connector, signal: AbortSignal): Promise<Relation> {
    return this.#database.relateTo(primary, signal);
  }

  preflight(signal: AbortSignal, options?: PreflightOptions): Promise<readonly Finding[]> {
    return this.#database.preflight(signal, options);
  }

  describeTables(selection: TableSelection, signal: AbortSignal): Promise<readonly TableDescription[]> {
    return this.#database.describeTables(selection, signal);
  }

  head(): Promise<HeadReading> {
    return Promise.reject(noPrimary());
  }

  async applied(signal: AbortSignal): Promise<AppliedReading> {
    return { applied: (await this.#group.place(signal)).written };
  }

  /** Of topics, or of the database's own log. */
  comparePositions(a: Position, b: Position): PositionOrder {
    if (parsePosition(a) === null) return this.#database.comparePositions(a, b);
    return comparePositions(a, b);
  }

  planRanges(shape: RowShape, options: PlanOptions, signal: AbortSignal): Promise<readonly Range[]> {
    return this.#database.planRanges(shape, options, signal);
  }

  splitRange(shape: RowShape, range: Range, signal: AbortSignal): Promise<readonly Range[]> {
    return this.#database.splitRange(shape, range, signal);
  }

  readRange(read: RangeRead, sink: RowSink, signal: AbortSignal): Promise<void> {
    return this.#database.readRange(read, sink, signal);
  }

  readRows(
    shape: RowShape,
    keys: readonly Uint8Array[],
    access: 'index' | 'heap',
    signal: AbortSignal,
  ): Promise<readonly FoundRow[]> {
    return this.#database.readRows(shape, keys, access, signal);
  }

  commitsPending(writers: readonly string[], signal: AbortSignal): Promise<'none' | 'pending' | 'unknown'> {
    return this.#database.commitsPending(writers, signal);
  }

  markNow(signal: AbortSignal): Promise<string> {
    return this.#database.markNow(signal);
  }

  readWrittenSince(shape: RowShape, mark: string, sink: RowSink, signal: AbortSignal): Promise<void> {
    return this.#database.readWrittenSince(shape, mark, sink, signal);
  }

  describeKeys(
    shape: RowShape,
    keys: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<readonly Readonly<Record<string, string>>[]> {
    return this.#database.describeKeys(shape, keys, signal);
  }

  lag(): Promise<LagFacts> {
    return Promise.resolve({ received: null, applied: null, receivedNotAppliedBytes: null });
  }

  /** The sink stands where a subscription would. */
  async readiness(signal: AbortSignal, options?: ReadinessOptions): Promise<ReadinessFacts> {
    const facts = await this.#database.readiness(signal, options);
    return { ...facts, ...(await this.feed(signal)) };
  }

  async feed(signal: AbortSignal): Promise<Pick<FeedFacts, 'subscriptions'>> {
    const workerRunning = await this.#group.isRunning(signal);
    const { name } = this.#group;
    const sink = { name, enabled: true, workerRunning, applyErrors: null, skip: null, tablesNotReady: [] };
    return { subscriptions: [sink] };
  }

  /** Throws TP-UNRELATED for a ledger that was fed from other topics. */
  async follow(source: FollowedSource, signal: AbortSignal): Promise<void> {
    const clusterId = await this.#group.clusterId(signal);
    if (source.engine === 'kafka' && source.systemId === clusterId) return;
    throw new TwinproofError('TP-UNRELATED', {
      message: `the ledger is of ${source.engine} ${source.systemId}, and the sink reads from the Kafka cluster ${clusterId}`,
    });
  }

  demandLog(position: Position, signal: AbortSignal): Promise<void> {
    return this.#group.demandLog(position, signal);
  }

  async incarnation(signal: AbortSignal): Promise<string> {
    return `${await this.#database.incarnation(signal)}/${this.#group.name}`;
  }

  keyRange(shape: RowShape, from: Uint8Array | null, to: Uint8Array | null): Range | null {
    return this.#database.keyRange(shape, from, to);
  }

  readRangeBracketed(read: RangeRead, sink: RowSink, signal: AbortSignal): Promise<Bracket | null> {
    return this.#bracket(signal, () => this.#database.readRange(read, sink, signal)).then(
      ({ bracket }) => bracket,
    );
  }

  async readRowsBracketed(
    shape: RowShape,
    keys: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<{ readonly rows: readonly FoundRow[]; readonly bracket: Bracket | null }> {
    const { answer, bracket } = await this.#bracket(signal, () =>
      this.#database.readRows(shape, keys, 'index', signal),
    );
    return { rows: answer, bracket };
  }

  writtenWhen(): 'before' | 'since' | null {
    return null;
  }

  /** What stands in the topics behind the sink's offsets is recoverable, unless records of it were removed. */
  async pendingLog(signal: AbortSignal): Promise<PendingLog> {
    const { written, overtaken, ceiling } = await this.#group.place(signal);
    return {
      received: overtaken ? null : ceiling,
      applied: written,
      bytes: null,
      appliedCommitUs: null,
      scattered: { position: written, atMost: ceiling, contains: () => null },
    };
  }

  bytesBetween(): bigint | null {
    return null;
  }

  forks(): Promise<readonly Position[]> {
    return Promise.resolve([]);
  }

  ownChanges(request: ChangeRequest, signal: AbortSignal): Promise<ChangeStream | null> {
    return this.#database.ownChanges(request, signal);
  }

  /** To the database a sink is a client like any other: whatever its log has may be of others, and is read again. */
  originPosition(): Position | null {
    return null;
  }

  streamChanges(): Promise<ChangeStream> {
    return Promise.reject(noPrimary());
  }

  followedSource(): Promise<FollowedSource> {
    return Promise.reject(noPrimary());
  }

  signedKey(table: StreamedTable): readonly boolean[] {
    return signedKey(table);
  }

  /** Those that the database's own log tells of. */
  sourceTables(
    selection: TableSelection,
    pair: PairKind,
    signal: AbortSignal,
  ): Promise<readonly SourceTable[]> {
    return this.#database.sourceTables(selection, pair, signal);
  }

  /** Of the database's own log. */
  witness(signal: AbortSignal): Promise<WitnessReading> {
    return this.#database.witness(signal);
  }

  /** Of the database. */
  commitsVisible(signal: AbortSignal, only?: ReadonlySet<string>): Promise<void> {
    return this.#database.commitsVisible(signal, only);
  }

  planLeaf(): Promise<readonly Range[]> {
    return Promise.reject(noPrimary());
  }

  readSnapshot(): Promise<SnapshotReading> {
    return Promise.reject(noPrimary());
  }

  readRowsSnapshot(): Promise<{ readonly rows: readonly FoundRow[]; readonly snapshot: SnapshotReading }> {
    return Promise.reject(noPrimary());
  }

  ledgerSetup(selection: TableSelection, role: string | null, signal: AbortSignal): Promise<LedgerSetup> {
    return this.#database.ledgerSetup(selection, role, signal);
  }

  async close(): Promise<void> {
    await Promise.all([this.#group.close(), this.#database.close()]);
  }

  async #bracket<T>(
    signal: AbortSignal,
    read: () => Promise<T>,
  ): Promise<{ readonly answer: T; readonly bracket: Bracket }> {
    const { written } = await this.#group.place(signal);
    const answer = await read();
    const atMost = await this.#group.ceiling(signal);
    return { answer, bracket: { atLeast: written, atMost } };
  }
}

function noPrimary(): TwinproofError {
  return new TwinproofError('TP-ROLES', { message: 'this site is a candidate that a sink writes' });
}
