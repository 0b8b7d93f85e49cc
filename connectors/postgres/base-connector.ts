import type {
  Connector,
  FoundRow,
  PlanOptions,
  Range,
  RangeRead,
  RowShape,
  RowSink,
} from '../../src/connector/contract.ts';
import type { Capabilities } from '../../src/connector/capabilities.ts';
import type { ControlSession } from '../../src/connector/control-session.ts';
import type { FeedFacts, ReadinessFacts, ReadinessOptions } from '../../src/connector/facts.ts';
import type { Finding, Identity, LagFacts, Relation } from '../../src/connector/identity.ts';
import type { AppliedReading, HeadReading, Position, PositionOrder } from '../../src/connector/position.ts';
import type { PreflightOptions } from '../../src/connector/preflight.ts';
import { sessionBeside } from '../../src/connector/session-beside.ts';
import type { TableDescription, TableSelection } from '../../src/connector/table.ts';
import { selecting } from '../../src/config/selection.ts';
import { TwinproofError } from '../../src/errors.ts';
import { portableKeyText } from '../../src/row/portable-text.ts';
import { keyFieldsOf } from '../../src/row/stream.ts';
import type { ConnectTarget } from './address.ts';
import { BodySink } from '../../src/row/body-sink.ts';
import { readCommitsPending } from './commits.ts';
import { controlSession } from './control.ts';
import { readFacts, readFeed } from './facts.ts';
import { readIdentity } from './identity.ts';
import { comparePositions } from './lsn.ts';
import { addressText, foundRow, keyTextQuery, pointQueries, writtenSinceQuery } from './points.ts';
import { ReaderPool } from './pool.ts';
import { type HeadMemory, type Lineage, readApplied, readHead, readLag } from './positions.ts';
import { readFindings } from './preflight.ts';
import {
  blockRanges,
  halveBlocks,
  keyRanges,
  keySampleQuery,
  leafBlocksQuery,
  rangeQuery,
  splitAt,
  splitQuery,
} from './ranges.ts';
import { relateSites } from './relation.ts';
import { handleOf } from './table.ts';
import { openSession, type Session } from './session.ts';
import { describeTables } from './tables.ts';

const CAPABILITIES: Capabilities = {
  ranges: true,
  blockRanges: true,
  changes: true,
  totalOrder: true,
  beforeImages: false,
  rowVersions: true,
};

/** Bytes that the rows of one point read, or the bounds of one plan, may take together; one row is never too large. */
export const POINT_BYTES_MAX = 64 * 1024 * 1024;
/** Rows of a part when a range proved too large. */
const SPLIT_ROWS = 32_768;
const POINT_CONNECTIONS = 2;

export interface ReadOptions {
  readonly jobs: number;
  readonly statementTimeoutMs: number;
}

/** One PostgreSQL server, seen from one database, as two live sites are compared. */
export class BaseConnector implements Connector {
  readonly engine = 'postgres';
  readonly capabilities = CAPABILITIES;
  protected readonly control: ControlSession<Session>;
  protected readonly readers: ReaderPool;
  protected readonly points: ReaderPool;
  protected readonly headMemory: HeadMemory = { still: null };
  protected lineage: Lineage | null = null;
  readonly #target: ConnectTarget;
  readonly #statementTimeoutMs: number;

  constructor(target: ConnectTarget, options: ReadOptions) {
    this.#target = target;
    this.#statementTimeoutMs = options.statementTimeoutMs;
    this.control = controlSession(target, options.statementTimeoutMs);
    this.readers = new ReaderPool(target, options.jobs, options.statementTimeoutMs);
    this.points = new ReaderPool(target, POINT_CONNECTIONS, options.statementTimeoutMs);
  }

  identify(signal: AbortSignal): Promise<Identity> {
    return this.control.use(signal, (session) => readIdentity(session, signal));
  }

  /** Also learns the lineage that `applied` of a logical candidate is told in. */
  async relateTo(primary: Connector, signal: AbortSignal): Promise<Relation> {
    if (!(primary instanceof BaseConnector)) {
      return {
        kind: 'none',
        code: 'TP-UNRELATED',
        message: `the primary is no PostgreSQL but ${primary.engine}`,
      };
    }
    const { relation, lineage } = await this.control.use(signal, (ours) =>
      primary.control.use(signal, (theirs) => relateSites(ours, theirs, signal)),
    );
    // Asked about a stranger, a subscriber still knows whose log it applies.
    if (relation.kind !== 'none') this.lineage = lineage;
    return relation;
  }

  preflight(signal: AbortSignal, options: PreflightOptions = {}): Promise<readonly Finding[]> {
    const selects = selecting(options.selection);
    return this.control.use(signal, (session) => readFindings(session, selects, signal, options));
  }

  describeTables(selection: TableSelection, signal: AbortSignal): Promise<readonly TableDescription[]> {
    return this.control.use(signal, (session) => describeTables(session, selecting(selection), signal));
  }

  /** A subscriber has a log of its own, which says nothing of the pair; a standby is told by the server. */
  async head(signal: AbortSignal): Promise<HeadReading> {
    if (this.lineage !== null) {
      throw new TwinproofError('TP-ROLES', { message: 'a subscriber has no head: it is the candidate' });
    }
    return this.control.use(signal, (session) => readHead(session, signal, this.headMemory));
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
    const table = handleOf(shape.table);
    if (options.kind !== 'key') return blockRanges(shape, table, options);
    const sample = keySampleQuery(shape, table, options);
    if (sample === null) return keyRanges(shape, []);
    const bounds = new BodySink(POINT_BYTES_MAX);
    await this.readers.read(sample.mode, sample, bounds, signal);
    return keyRanges(shape, bounds.bodies);
  }

  async splitRange(shape: RowShape, range: Range, signal: AbortSignal): Promise<readonly Range[]> {
    if (range.kind !== 'key') {
      const { sql, parameters } = leafBlocksQuery(shape, range);
      const [leaf] = await this.control.use(signal, (session) =>
        session.rows<{ blocks: number | null }>(sql, parameters, signal),
      );
      return halveBlocks(shape, range, leaf?.blocks ?? 0);
    }
    const query = splitQuery(shape, range, SPLIT_ROWS);
    const cuts = new BodySink(POINT_BYTES_MAX);
    await this.readers.read(query.mode, query, cuts, signal);
    return splitAt(shape, range, cuts.bodies);
  }

  readRange(read: RangeRead, sink: RowSink, signal: AbortSignal): Promise<void> {
    const { sql, parameters, mode } = rangeQuery(read.shape, read.range);
    return this.readers.read(mode, { sql, parameters, onSnapshot: read.onSnapshot }, sink, signal);
  }

  async readRows(
    shape: RowShape,
    keys: readonly Uint8Array[],
    access: 'index' | 'heap',
    signal: AbortSignal,
  ): Promise<readonly FoundRow[]> {
    if (keys.length === 0) return [];
    const rows: FoundRow[] = [];
    for (const query of pointQueries(shape, keys)) {
      const sink = new BodySink(keys.length === 1 ? Infinity : POINT_BYTES_MAX);
      await this.points.read(access === 'heap' ? 'heap' : 'points', query, sink, signal);
      for (const body of sink.bodies) rows.push(foundRow(body, shape));
    }
    return rows;
  }

  commitsPending(writers: readonly string[], signal: AbortSignal): Promise<'none' | 'pending' | 'unknown'> {
    return this.control.use(signal, (session) => readCommitsPending(session, writers, signal));
  }

  async markNow(signal: AbortSignal): Promise<string> {
    const [row] = await this.control.use(signal, (session) =>
      session.rows<{ mark: string }>(
        'select pg_catalog.pg_snapshot_xmin(pg_catalog.pg_current_snapshot())::text as mark',
        [],
        signal,
      ),
    );
    if (row === undefined) throw new TwinproofError('TP-BUG', { message: 'the server gave no snapshot' });
    return row.mark;
  }

  readWrittenSince(shape: RowShape, mark: string, sink: RowSink, signal: AbortSignal): Promise<void> {
    return this.readers.read('heap', writtenSinceQuery(shape, mark), sink, signal);
  }

  async describeKeys(
    shape: RowShape,
    keys: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<readonly Readonly<Record<string, string>>[]> {
    if (keys.length === 0) return [];
    if (shape.identity === 'address') return keys.map((key) => ({ '(ctid)': addressText(key) }));
    if (shape.identity === 'value') {
      return keys.map((key) => ({ '(row digest)': Buffer.from(keyFieldsOf(key)[0] ?? []).toString('hex') }));
    }
    if (shape.pair === 'cross-engine') return keys.map((key) => portableKeyText(shape, key));
    const { sql, parameters, names } = keyTextQuery(shape, keys);
    const rows = await this.control.use(signal, (session) =>
      session.rows<Record<string, string>>(sql, parameters, signal),
    );
    if (rows.length !== keys.length)
      throw new TwinproofError('TP-BUG', { message: 'keys were lost on the way' });
    return rows.map((row) =>
      Object.fromEntries(names.map((name, index) => [shape.columns[index]?.name ?? name, row[name] ?? ''])),
    );
  }

  lag(signal: AbortSignal): Promise<LagFacts> {
    return this.control.use(signal, (session) => readLag(session, this.lineage, signal));
  }

  readiness(signal: AbortSignal, options: ReadinessOptions = {}): Promise<ReadinessFacts> {
    return this.control.use(signal, async (session) => {
      // Of a physical pair no more is read than one connection soon tells.
      const beside = options.pair === 'physical' ? null : await this.#openBeside(session, signal);
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
    const statementTimeoutMs = this.#statementTimeoutMs;
    const parts = {
      open: () => openSession(this.#target, signal, { purpose: 'catalog', statementTimeoutMs }),
      instanceOf: async (one: Session) => (await readIdentity(one, signal)).instance,
    };
    return sessionBeside(session, parts, signal);
  }

  async close(): Promise<void> {
    await Promise.all([this.control.close(), this.readers.close(), this.points.close()]);
  }
}
