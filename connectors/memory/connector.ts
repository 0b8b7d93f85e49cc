import { selecting } from '../../src/config/selection.ts';
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
import type { ReadinessFacts } from '../../src/connector/facts.ts';
import type { Finding, Identity, LagFacts, Relation } from '../../src/connector/identity.ts';
import type { AppliedReading, HeadReading, Position, PositionOrder } from '../../src/connector/position.ts';
import type { TableDescription, TableSelection } from '../../src/connector/table.ts';
import { TwinproofError } from '../../src/errors.ts';
import { comparePositions, entryBytes } from './commit-log.ts';
import { Delivery } from './delivery.ts';
import type { Operation } from './faults.ts';
import type { HeapTable, PlacedRow } from './heap-table.ts';
import { interruptible } from './interruption.ts';
import { Random } from './random.ts';
import { planRanges, rowsInRange, splitRange } from './ranges.ts';
import { readinessOf } from './readiness.ts';
import { relate } from './relation.ts';
import { RowBytes } from './row-bytes.ts';
import type { Site } from './site.ts';
import { xidOfVersion } from './transaction.ts';
import type { World } from './world.ts';

const ROWS_PER_BLOCK = 8;
const BATCH_ROWS = 16;

/** A connection to one site of the simulated pair. */
export class MemoryConnector implements Connector {
  readonly engine: string;
  readonly capabilities: Capabilities;
  readonly #world: World;
  readonly #site: Site;
  readonly #random: Random;
  readonly #rowsPerBlock: number;
  readonly #batchRows: number;
  #closed = false;

  constructor(world: World, site: Site) {
    this.#world = world;
    this.#site = site;
    this.engine = (site.name === 'candidate' ? world.options.candidateEngine : undefined) ?? 'memory';
    // Not the world's source: how bytes are cut must not change what the world does.
    this.#random = new Random(world.options.seed ^ (site.name === 'primary' ? 0x5a5a : 0xa5a5));
    this.#rowsPerBlock = world.options.rowsPerBlock ?? ROWS_PER_BLOCK;
    this.#batchRows = world.options.batchRows ?? BATCH_ROWS;
    this.capabilities = {
      ranges: true,
      blockRanges: world.kind === 'physical',
      changes: false,
      totalOrder: true,
      beforeImages: false,
      rowVersions: world.options.rowVersions ?? true,
    };
  }

  identify(signal: AbortSignal): Promise<Identity> {
    return this.#call('identify', null, signal, () => this.#identity());
  }

  relateTo(primary: Connector, signal: AbortSignal): Promise<Relation> {
    return this.#call('relateTo', null, signal, async () =>
      relate(this.#identity(), await primary.identify(signal), this.#world.kind, this.#world.instances),
    );
  }

  preflight(signal: AbortSignal): Promise<readonly Finding[]> {
    return this.#call('preflight', null, signal, () => this.#site.findings);
  }

  describeTables(selection: TableSelection, signal: AbortSignal): Promise<readonly TableDescription[]> {
    return this.#call('describeTables', null, signal, () => this.#site.describeTables(selecting(selection)));
  }

  head(signal: AbortSignal): Promise<HeadReading> {
    return this.#call('head', null, signal, async () => {
      if (this.#world.crossesEngines && this.#site.name === 'candidate')
        return { head: this.#world.ownPosition, quiet: true };
      this.#demand('primary');
      const head = this.#world.position(this.#world.head);
      await this.#wait('head', null, signal);
      const quiet = this.#world.unseenTransactions().length === 0;
      return { head, quiet: this.#world.seesTransactions ? quiet : null };
    });
  }

  applied(signal: AbortSignal): Promise<AppliedReading> {
    return this.#call('applied', null, signal, () => {
      this.#demand('candidate');
      return { applied: this.#world.crossesEngines ? null : this.#world.position(this.#world.reported) };
    });
  }

  comparePositions(a: Position, b: Position): PositionOrder {
    return comparePositions(a, b);
  }

  planRanges(shape: RowShape, options: PlanOptions, signal: AbortSignal): Promise<readonly Range[]> {
    return this.#call('planRanges', shape, signal, () =>
      planRanges(this.#site.tableOf(shape.table), options, this.#rowsPerBlock),
    );
  }

  splitRange(shape: RowShape, range: Range, signal: AbortSignal): Promise<readonly Range[]> {
    return this.#call('splitRange', shape, signal, () =>
      splitRange(this.#site.tableOf(shape.table), range, this.#rowsPerBlock),
    );
  }

  async readRange(read: RangeRead, sink: RowSink, signal: AbortSignal): Promise<void> {
    this.#site.openReads += 1;
    try {
      await this.#call('readRange', read.shape, signal, () => this.#deliver(read, sink, signal));
    } finally {
      this.#site.openReads -= 1;
    }
  }

  async #deliver(read: RangeRead, sink: RowSink, signal: AbortSignal): Promise<void> {
    const { shape, range } = read;
    const table = this.#site.tableOf(shape.table);
    const bytes = new RowBytes(shape, table, this.#rowsPerBlock);
    // Everything of the snapshot is taken here: later writes replace rows, they do not change them.
    const rows = rowsInRange(table, range, this.#rowsPerBlock);
    const damaged = rows.findIndex(({ slot }) => table.damaged.has(slot));
    const readable = damaged < 0 ? rows : rows.slice(0, damaged);
    const bodies = readable.map((placed) => bytes.body(placed));
    this.#site.recordSnapshot(table, rows);
    read.onSnapshot?.();
    const delivery = new Delivery(sink, this.#random);
    for (let at = 0; at < bodies.length; at += this.#batchRows) {
      const fault = this.#world.faults.next(this.#site.name, 'batch');
      await this.#wait('batch', shape, signal);
      const batch = bodies.slice(at, at + this.#batchRows);
      if (fault !== null) {
        delivery.cutRows(batch);
        throw fault;
      }
      delivery.rows(batch);
    }
    if (damaged >= 0) throw corruptPage(table);
    delivery.end();
  }

  readRows(
    shape: RowShape,
    keys: readonly Uint8Array[],
    access: 'index' | 'heap',
    signal: AbortSignal,
  ): Promise<readonly FoundRow[]> {
    return this.#call('readRows', shape, signal, () => {
      const table = this.#site.tableOf(shape.table);
      const bytes = new RowBytes(shape, table, this.#rowsPerBlock);
      return bytes.find(keys, access).map((placed) => {
        if (table.damaged.has(placed.slot)) throw corruptPage(table);
        return { key: bytes.key(placed), row: bytes.body(placed), version: this.#versionOf(placed) };
      });
    });
  }

  commitsPending(versions: readonly string[], signal: AbortSignal): Promise<'none' | 'pending' | 'unknown'> {
    return this.#call('commitsPending', null, signal, () => {
      this.#demand('primary');
      if (!this.#world.seesTransactions) return 'unknown';
      if (this.#world.pendingCommits().length > 0) return 'pending';
      const writers = new Set(versions.map((version) => xidOfVersion(version)));
      return this.#world.unseenTransactions().some(({ xid }) => writers.has(xid)) ? 'pending' : 'none';
    });
  }

  markNow(signal: AbortSignal): Promise<string> {
    return this.#call('head', null, signal, () => {
      this.#demand('primary');
      return String(this.#world.oldestUnfinished);
    });
  }

  readWrittenSince(shape: RowShape, mark: string, sink: RowSink, signal: AbortSignal): Promise<void> {
    return this.#call('readRows', shape, signal, () => {
      const table = this.#site.tableOf(shape.table);
      const keysOnly = { ...shape, columns: shape.columns.slice(0, shape.keyFields) };
      const bytes = new RowBytes(keysOnly, table, this.#rowsPerBlock);
      const delivery = new Delivery(sink, this.#random);
      const all = table.placedRows();
      const recent = all.filter(({ row }) => (xidOfVersion(row.version) ?? 0) >= Number(mark));
      // Without versions nobody can tell which rows were written, only whether there are any.
      const given = recent.length === 0 || this.capabilities.rowVersions ? recent : all;
      delivery.rows(given.map((placed) => bytes.body(placed)));
      delivery.end();
    });
  }

  describeKeys(
    shape: RowShape,
    keys: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<readonly Readonly<Record<string, string>>[]> {
    return this.#call('describeKeys', shape, signal, () => {
      const bytes = new RowBytes(shape, this.#site.tableOf(shape.table), this.#rowsPerBlock);
      return keys.map((key) => bytes.describe(key));
    });
  }

  lag(signal: AbortSignal): Promise<LagFacts> {
    return this.#call('lag', null, signal, () => {
      if (this.#site.name === 'primary')
        return { received: null, applied: null, receivedNotAppliedBytes: null };
      const { reported, received, log } = this.#world;
      const waiting = log.slice(reported, received);
      return {
        received: this.#world.position(received),
        applied: this.#world.position(reported),
        receivedNotAppliedBytes: waiting.reduce((sum, entry) => sum + entryBytes(entry), 0n),
      };
    });
  }

  readiness(signal: AbortSignal): Promise<ReadinessFacts> {
    return this.#call('readiness', null, signal, () =>
      readinessOf(this.#site, this.#identity(), this.#world),
    );
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  #identity(): Identity {
    const primary = this.#site.name === 'primary';
    const physical = this.#world.kind === 'physical';
    const candidateRole = physical ? 'standby' : 'subscriber';
    return {
      engine: this.engine,
      version: '1',
      systemId: physical || primary ? this.#world.lineage : this.#site.instance,
      instance: this.#site.instance,
      timeline: physical ? '1' : null,
      role: primary ? 'primary' : candidateRole,
      writable: primary || !physical,
      database: 'memory',
      databases: ['memory'],
      address: null,
      serverTime: new Date(this.#world.now()).toISOString(),
    };
  }

  #versionOf(placed: PlacedRow): string | null {
    return this.capabilities.rowVersions ? placed.row.version : null;
  }

  /** Throws TP-ROLES on the other site. */
  #demand(site: Site['name']): void {
    if (this.#site.name === site) return;
    throw new TwinproofError('TP-ROLES', {
      message: `the ${this.#site.name} was asked what only the ${site} knows`,
    });
  }

  /** One call: the way there, the work at one moment or more, and the way back. */
  async #call<T>(
    operation: Operation,
    shape: RowShape | null,
    signal: AbortSignal,
    work: () => T | Promise<T>,
  ): Promise<T> {
    const fault = this.#world.faults.next(this.#site.name, operation);
    await this.#wait(operation, shape, signal);
    if (fault !== null) throw fault;
    const result = await work();
    await this.#wait(operation, shape, signal);
    return result;
  }

  async #wait(operation: Operation, shape: RowShape | null, signal: AbortSignal): Promise<void> {
    this.#demandConnection(signal);
    await interruptible(this.#world.tick(this.#site.name, operation, shape?.table.name ?? null), signal);
    this.#demandConnection(signal);
  }

  #demandConnection(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.#closed) {
      throw new TwinproofError('TP-CONNECTION-LOST', {
        message: `the connector to the ${this.#site.name} is closed`,
      });
    }
    if (!this.#site.reachable) {
      throw new TwinproofError('TP-UNREACHABLE', {
        message: `the ${this.#site.name} cannot be reached`,
        retryable: true,
      });
    }
  }
}

function corruptPage(table: HeapTable): TwinproofError {
  return new TwinproofError('TP-CORRUPT', { message: `a page of ${table.name} cannot be read` });
}
