import { randomInt } from 'node:crypto';
import type { SiteAddress } from '../../src/config/url.ts';
import type { BeginEvent, ChangeRequest, ChangeStream, StreamedTable } from '../../src/connector/changes.ts';
import type {
  FoundRow,
  PlanOptions,
  Range,
  RangeRead,
  RowShape,
  RowSink,
} from '../../src/connector/contract.ts';
import type { ControlSession } from '../../src/connector/control-session.ts';
import type {
  Bracket,
  FollowedSource,
  KeyOrder,
  LedgerSetup,
  LedgerSite,
  PendingLog,
  SnapshotReading,
  SourceTable,
  Succession,
  WitnessReading,
} from '../../src/connector/ledger-sites.ts';
import type { Position } from '../../src/connector/position.ts';
import type { PairKind, TableSelection } from '../../src/connector/table.ts';
import { TwinproofError } from '../../src/errors.ts';
import { BodySink } from '../../src/row/body-sink.ts';
import { type ConnectTarget, connectTarget } from './address.ts';
import { BaseConnector, POINT_BYTES_MAX, type ReadOptions } from './base-connector.ts';
import { openBracket, readPlaceInSnapshot } from './bracket.ts';
import { controlSession } from './control.ts';
import {
  type Followed,
  originPosition,
  readFollowed,
  readIncarnation,
  readPendingLog,
} from './ledger-candidate.ts';
import {
  planLeaf,
  readFollowedSource,
  readVisibleNow,
  readWitness,
  waitForCommits,
} from './ledger-primary.ts';
import { readLedgerSetup } from './ledger-setup.ts';
import { AskedKeys, pointQueries } from './points.ts';
import { readLogEnd } from './positions.ts';
import { rangeQuery, type RowQuery } from './ranges.ts';
import type { ReaderPool } from './pool.ts';
import type { Session } from './session.ts';
import { readSourceTables } from './source-tables.ts';
import { keyRange, signedKey } from './store-order.ts';
import { openChangeStream } from './stream.ts';
import { readSuccession } from './succession.ts';
import { type LogMemory, memoryOf } from './stream-memory.ts';

/** Numbers by which readers of a log are known to the server: the upper half, which few give to servers. */
const SERVER_IDS = [2 ** 31, 2 ** 32 - 1] as const;
const HEARTBEAT_MS = 1000;

/** Opens a MySQL (8.0 and later) or MariaDB (10.6 and later) site. Throws as openSession does. */
export async function connectMysql(
  address: SiteAddress,
  options: ReadOptions,
  signal: AbortSignal,
): Promise<MysqlConnector> {
  const target = connectTarget(address);
  const control = controlSession(target, options.statementTimeoutMs);
  try {
    const engine = await control.use(signal, (session) => Promise.resolve(session.flavor));
    return new MysqlConnector(engine, target, control, options);
  } catch (error) {
    await control.close();
    throw error;
  }
}

/** One MySQL or MariaDB server, seen from one database, with its log. */
export class MysqlConnector extends BaseConnector implements LedgerSite {
  readonly #target: ConnectTarget;
  #followed: Followed | null = null;

  constructor(
    engine: 'mysql' | 'mariadb',
    target: ConnectTarget,
    control: ControlSession<Session>,
    options: ReadOptions,
  ) {
    super(engine, target, control, options);
    this.#target = target;
  }

  streamChanges(request: ChangeRequest, signal: AbortSignal): Promise<ChangeStream> {
    return this.#stream(request, false, signal);
  }

  /** What a replica wrote itself and what came to it, in its own log. */
  ownChanges(request: ChangeRequest, signal: AbortSignal): Promise<ChangeStream> {
    return this.#stream(request, true, signal);
  }

  followedSource(signal: AbortSignal): Promise<FollowedSource> {
    return this.control.use(signal, (session) => readFollowedSource(session, signal));
  }

  signedKey(table: StreamedTable): readonly KeyOrder[] {
    return signedKey(table);
  }

  sourceTables(
    selection: TableSelection,
    pair: PairKind,
    signal: AbortSignal,
  ): Promise<readonly SourceTable[]> {
    return this.control.use(signal, (session) =>
      readSourceTables(session, selection, { pair, replica: this.#followed !== null }, signal),
    );
  }

  witness(signal: AbortSignal): Promise<WitnessReading> {
    return this.control.use(signal, (session) => readWitness(session, signal));
  }

  commitsVisible(signal: AbortSignal, only?: ReadonlySet<string>): Promise<void> {
    return this.control.use(signal, (session) => waitForCommits(session, signal, only));
  }

  planLeaf(
    table: SourceTable,
    shape: RowShape,
    options: PlanOptions,
    signal: AbortSignal,
  ): Promise<readonly Range[]> {
    return planLeaf(table, shape, options, this.probing(signal));
  }

  async readSnapshot(read: RangeRead, sink: RowSink, signal: AbortSignal): Promise<SnapshotReading> {
    const query = rangeQuery(read.shape, read.range);
    const [snapshot] = await this.#withSnapshot(signal, (onSnapshot) =>
      this.readers.read(rawRead(query, both(onSnapshot, read.onSnapshot)), sink, signal),
    );
    return snapshot;
  }

  async readRowsSnapshot(
    shape: RowShape,
    keys: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<{ readonly rows: readonly FoundRow[]; readonly snapshot: SnapshotReading }> {
    const [snapshot, rows] = await this.#withSnapshot(signal, () =>
      this.readRows(shape, keys, 'index', signal),
    );
    return { rows, snapshot };
  }

  async follow(source: FollowedSource, signal: AbortSignal): Promise<void> {
    this.#followed = await this.control.use(signal, (session) => readFollowed(session, source, signal));
    this.lineage = this.#followed.lineage;
  }

  incarnation(signal: AbortSignal): Promise<string> {
    return this.control.use(signal, (session) => readIncarnation(session, signal));
  }

  keyRange(shape: RowShape, from: Uint8Array | null, to: Uint8Array | null): Range | null {
    return keyRange(shape, from, to);
  }

  readRangeBracketed(read: RangeRead, sink: RowSink, signal: AbortSignal): Promise<Bracket | null> {
    const query = rangeQuery(read.shape, read.range);
    return this.#bracketed(this.readers, [query], sink, read.onSnapshot, signal);
  }

  async readRowsBracketed(
    shape: RowShape,
    keys: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<{ readonly rows: readonly FoundRow[]; readonly bracket: Bracket | null }> {
    const asked = new AskedKeys(keys);
    const sink = new BodySink(keys.length === 1 ? Infinity : POINT_BYTES_MAX);
    const queries = keys.length === 0 ? [] : pointQueries(shape, keys, 'index');
    const bracket = await this.#bracketed(this.points, queries, sink, undefined, signal);
    return { rows: sink.bodies.flatMap((body) => asked.rowOf(body, shape) ?? []), bracket };
  }

  /** Rows do not say who wrote them. */
  writtenWhen(): null {
    return null;
  }

  pendingLog(signal: AbortSignal): Promise<PendingLog> {
    return this.control.use(signal, (session) => readPendingLog(session, this.#followed, signal));
  }

  /** GTIDs say nothing of bytes. */
  bytesBetween(a: Position, b: Position): bigint | null {
    return this.comparePositions(a, b) === 'equal' ? 0n : null;
  }

  /** There are no timelines. */
  forks(): Promise<readonly Position[]> {
    return Promise.resolve([]);
  }

  succession(certified: Position, signal: AbortSignal): Promise<Succession> {
    return this.control.use(signal, (session) => readSuccession(session, certified, signal));
  }

  originPosition(origin: BeginEvent['origin']): Position | null {
    return originPosition(this.#followed, origin);
  }

  ledgerSetup(_: TableSelection, role: string | null, signal: AbortSignal): Promise<LedgerSetup> {
    return this.control.use(signal, (session) => readLedgerSetup(session, role, signal));
  }

  #stream(request: ChangeRequest, own: boolean, signal: AbortSignal): Promise<ChangeStream> {
    const serverId = (): number => randomInt(...SERVER_IDS);
    const memory = (server: string): LogMemory =>
      memoryOf([this.#target.label, server, own ? 'own' : ''].join(' '));
    const options = { serverId, heartbeatMs: HEARTBEAT_MS, own, memory };
    return openChangeStream(this.#target, options, request, signal);
  }

  /** What is visible is asked before the read, the head when its snapshot stands. */
  async #withSnapshot<T>(
    signal: AbortSignal,
    read: (onSnapshot: () => void) => Promise<T>,
  ): Promise<readonly [SnapshotReading, T]> {
    const { control, lineage } = this;
    if (lineage !== null) {
      throw new TwinproofError('TP-ROLES', { message: 'a replica is no primary: it is the candidate' });
    }
    const visible = await control.use(signal, (session) => readVisibleNow(session, signal));
    const head = (): Promise<Position> => control.use(signal, (session) => readLogEnd(session, signal));
    const [until, rows] = await during(read, head);
    return [{ visible, until }, rows];
  }

  /** MariaDB says within the snapshot what it has; MySQL before it and after it. */
  async #bracketed(
    pool: ReaderPool,
    queries: Iterable<RowQuery>,
    sink: RowSink,
    onSnapshot: (() => void) | undefined,
    signal: AbortSignal,
  ): Promise<Bracket | null> {
    const followed = this.#followed;
    if (followed === null) {
      throw new TwinproofError('TP-BUG', { message: 'a candidate was read that follows nobody yet' });
    }
    if (this.engine === 'mariadb') {
      const look = async (session: Session): Promise<Bracket | null> => {
        onSnapshot?.();
        return readPlaceInSnapshot(session, followed, signal);
      };
      return pool.readInSnapshot(rawReads(queries), sink, look, signal);
    }
    return this.control.use(signal, async (session) => {
      const end = await openBracket(session, followed, signal);
      const look = async (): Promise<Bracket | null> => {
        onSnapshot?.();
        return end();
      };
      return pool.readInSnapshot(rawReads(queries), sink, look, signal);
    });
  }
}

function rawRead(query: RowQuery, onSnapshot?: () => void): Parameters<ReaderPool['read']>[0] {
  return { ...query, parameters: [], onSnapshot };
}

function* rawReads(queries: Iterable<RowQuery>): Generator<Parameters<ReaderPool['read']>[0]> {
  for (const query of queries) yield rawRead(query);
}

/** Does `work` when the snapshot of a read stands, and gives both outcomes. Throws what either throws. */
async function during<T, U>(
  read: (onSnapshot: () => void) => Promise<T>,
  work: () => Promise<U>,
): Promise<readonly [U, T]> {
  let working: Promise<U> | null = null;
  const rows = await read(() => {
    working = work();
    // Awaited below; a failure before that must not count as one that nobody handles.
    working.catch(() => undefined);
  });
  return [await (working ?? work()), rows];
}

function both(first: () => void, second: (() => void) | undefined): () => void {
  return () => {
    first();
    second?.();
  };
}
