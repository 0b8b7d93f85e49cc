import type { Capabilities } from '../../src/connector/capabilities.ts';
import type {
  Connector,
  FoundRow,
  PlanOptions,
  Range,
  RangeRead,
  RowShape,
  RowSink,
} from '../../src/connector/contract.ts';
import type { ControlSession } from '../../src/connector/control-session.ts';
import type { FeedFacts, ReadinessFacts, ReadinessOptions } from '../../src/connector/facts.ts';
import type { Finding, Identity, LagFacts, Relation } from '../../src/connector/identity.ts';
import type { AppliedReading, HeadReading, Position, PositionOrder } from '../../src/connector/position.ts';
import type { PreflightOptions } from '../../src/connector/preflight.ts';
import { sessionBeside } from '../../src/connector/session-beside.ts';
import type { TableDescription, TableSelection } from '../../src/connector/table.ts';
import { selecting } from '../../src/config/selection.ts';
import { TwinproofError } from '../../src/errors.ts';
import { BodySink } from '../../src/row/body-sink.ts';
import type { ConnectTarget } from './address.ts';
import { readCommitsPending } from './commits.ts';
import { readFacts, readFeed } from './facts.ts';
import { comparePositions } from './gtid.ts';
import { readIdentity } from './identity.ts';
import { describeKeys } from './key-text.ts';
import { planRanges, splitRange } from './plan.ts';
import { AskedKeys, pointQueries } from './points.ts';
import { ReaderPool } from './pool.ts';
import { type HeadMemory, type Lineage, newHeadMemory, readApplied, readHead, readLag } from './positions.ts';
import { readFindings } from './preflight.ts';
import type { ProbeSessions } from './probe.ts';
import { keysQuery, rangeQuery, type RowQuery } from './ranges.ts';
import { relateSites } from './relation.ts';
import { openSession, type Session } from './session.ts';
import { describeTables } from './tables.ts';
import { mayBeWritten, readMark } from './written.ts';

const CAPABILITIES: Capabilities = {
  ranges: true,
  blockRanges: false,
  changes: true,
  totalOrder: false,
  beforeImages: true,
  rowVersions: false,
};

/** Bytes that the rows of one point read may take together; one row is never too large. */
export const POINT_BYTES_MAX = 64 * 1024 * 1024;
const POINT_CONNECTIONS = 2;

export interface ReadOptions {
  readonly jobs: number;
  readonly statementTimeoutMs: number;
}

/** One MySQL or MariaDB server, seen from one database, apart from its log as a stream. */
export class BaseConnector implements Connector {
  readonly engine: 'mysql' | 'mariadb';
  readonly capabilities = CAPABILITIES;
  protected readonly control: ControlSession<Session>;
  protected readonly readers: ReaderPool;
  protected readonly points: ReaderPool;
  protected lineage: Lineage | null = null;
  readonly #headMemory: HeadMemory = newHeadMemory();
  readonly #openControl: (signal: AbortSignal) => Promise<Session>;

  constructor(
    engine: 'mysql' | 'mariadb',
    target: ConnectTarget,
    control: ControlSession<Session>,
    options: ReadOptions,
  ) {
    this.engine = engine;
    this.control = control;
    this.#openControl = (signal) =>
      openSession(target, signal, { purpose: 'catalog', statementTimeoutMs: options.statementTimeoutMs });
    this.readers = new ReaderPool(target, options.jobs, options.statementTimeoutMs);
    this.points = new ReaderPool(target, POINT_CONNECTIONS, options.statementTimeoutMs);
  }

  identify(signal: AbortSignal): Promise<Identity> {
    return this.control.use(signal, (session) => readIdentity(session, signal));
  }

  /** Also learns the lineage that `applied` of the candidate is told in. */
  async relateTo(primary: Connector, signal: AbortSignal): Promise<Relation> {
    if (!(primary instanceof BaseConnector)) {
      return {
        kind: 'none',
        code: 'TP-UNRELATED',
        message: `the primary is no ${this.engine} but ${primary.engine}`,
      };
    }
    if (primary === this) {
      return { kind: 'none', code: 'TP-SAME-SERVER', message: 'primary and candidate are one connection' };
    }
    const { relation, lineage } = await this.control.use(signal, (ours) =>
      primary.control.use(signal, (theirs) => relateSites(ours, theirs, signal)),
    );
    // Asked about a stranger, a replica still knows whose log it applies.
    if (relation.kind !== 'none') this.lineage = lineage;
    return relation;
  }

  preflight(signal: AbortSignal, options: PreflightOptions = {}): Promise<readonly Finding[]> {
    const selects = selecting(options.selection);
    return this.control.use(signal, (session) =>
      readFindings(session, selects, this.lineage, signal, options),
    );
  }

  describeTables(selection: TableSelection, signal: AbortSignal): Promise<readonly TableDescription[]> {
    return this.control.use(signal, (session) => describeTables(session, selecting(selection), signal));
  }

  /** A replica has a log of its own, which says nothing of the pair. */
  async head(signal: AbortSignal): Promise<HeadReading> {
    if (this.lineage !== null) {
      throw new TwinproofError('TP-ROLES', { message: 'a replica has no head: it is the candidate' });
    }
    return this.control.use(signal, (session) => readHead(session, signal, this.#headMemory));
  }

  applied(signal: AbortSignal): Promise<AppliedReading> {
    return this.control.use(signal, (session) => readApplied(session, this.lineage, signal));
  }

  comparePositions(a: Position, b: Position): PositionOrder {
    return comparePositions(a, b);
  }

  async planRanges(shape: RowShape, options: PlanOptions, signal: AbortSignal): Promise<readonly Range[]> {
    signal.throwIfAborted();
    this.readers.demandOpen();
    return planRanges(shape, options, this.probing(signal));
  }

  splitRange(shape: RowShape, range: Range, signal: AbortSignal): Promise<readonly Range[]> {
    return splitRange(shape, range, this.probing(signal));
  }

  protected probing(signal: AbortSignal): ProbeSessions {
    return {
      read: (query, sink) => this.#read(this.points, query, sink, signal),
      ask: (sql) => this.control.use(signal, (session) => session.rows(sql, [], signal)),
    };
  }

  readRange(read: RangeRead, sink: RowSink, signal: AbortSignal): Promise<void> {
    const query = rangeQuery(read.shape, read.range);
    return this.readers.read({ ...query, parameters: [], onSnapshot: read.onSnapshot }, sink, signal);
  }

  async readRows(
    shape: RowShape,
    keys: readonly Uint8Array[],
    access: 'index' | 'heap',
    signal: AbortSignal,
  ): Promise<readonly FoundRow[]> {
    if (keys.length === 0) return [];
    const asked = new AskedKeys(keys);
    const sink = new BodySink(keys.length === 1 ? Infinity : POINT_BYTES_MAX);
    for (const query of pointQueries(shape, keys, access)) {
      await this.#read(this.points, query, sink, signal);
    }
    return sink.bodies.flatMap((body) => asked.rowOf(body, shape) ?? []);
  }

  #read(pool: ReaderPool, query: RowQuery, sink: RowSink, signal: AbortSignal): Promise<void> {
    return pool.read({ ...query, parameters: [] }, sink, signal);
  }

  /** Rows have no versions here: `writers` is always empty. */
  commitsPending(_: readonly string[], signal: AbortSignal): Promise<'none' | 'pending' | 'unknown'> {
    return this.control.use(signal, (session) => readCommitsPending(session, signal));
  }

  markNow(signal: AbortSignal): Promise<string> {
    return this.control.use(signal, (session) => readMark(session, signal));
  }

  /**
   * No rows where the log shows that the table was not written to, else the keys of all rows: which of them were
   * written the server cannot tell. Where they are too many the sink ends the read.
   */
  async readWrittenSince(shape: RowShape, mark: string, sink: RowSink, signal: AbortSignal): Promise<void> {
    const written = await this.control.use(signal, (session) =>
      mayBeWritten(session, mark, shape.table, signal),
    );
    if (written) await this.#read(this.readers, keysQuery(shape), sink, signal);
  }

  async describeKeys(
    shape: RowShape,
    keys: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<readonly Readonly<Record<string, string>>[]> {
    signal.throwIfAborted();
    return Promise.resolve(describeKeys(shape, keys));
  }

  lag(signal: AbortSignal): Promise<LagFacts> {
    return this.control.use(signal, (session) => readLag(session, this.lineage, signal));
  }

  readiness(signal: AbortSignal, options: ReadinessOptions = {}): Promise<ReadinessFacts> {
    return this.control.use(signal, async (session) => {
      const beside = await this.#openBeside(session, signal);
      try {
        return await readFacts(beside === null ? [session] : [session, beside], signal, options);
      } finally {
        await beside?.close();
      }
    });
  }

  feed(signal: AbortSignal): Promise<FeedFacts> {
    return this.control.use(signal, (session) => readFeed(session, signal));
  }

  /** One connection more, for a while; null where the server has none to give, or another server answers. */
  #openBeside(session: Session, signal: AbortSignal): Promise<Session | null> {
    const parts = {
      open: () => this.#openControl(signal),
      instanceOf: async (one: Session) => (await readIdentity(one, signal)).instance,
    };
    return sessionBeside(session, parts, signal);
  }

  async close(): Promise<void> {
    await Promise.all([this.control.close(), this.readers.close(), this.points.close()]);
  }
}
