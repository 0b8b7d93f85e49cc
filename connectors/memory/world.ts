import type { Position } from '../../src/connector/position.ts';
import { applyByValue, applyDefinition, applyInPlace } from './apply.ts';
import { positionAt, type Change, type DefinitionChange, type LogEntry } from './commit-log.ts';
import { FaultBook, type Fault, type Operation, type SiteName } from './faults.ts';
import type { PlacedRow, TableSpec } from './heap-table.ts';
import { Random } from './random.ts';
import { Site } from './site.ts';
import { siteDifferences } from './site-differences.ts';
import { tamper, type Tampering } from './tampering.ts';
import { MemoryTransaction, type TransactionHost } from './transaction.ts';

export interface WorldOptions {
  readonly kind: 'physical' | 'logical';
  readonly tables: readonly TableSpec[];
  /** Every choice of the world follows from it. */
  readonly seed: number;
  /** Slots in a block of the heap, 8 when left out. */
  readonly rowsPerBlock?: number;
  /** The most rows delivered between two ticks, 16 when left out. */
  readonly batchRows?: number;
  /** False: rows carry no versions. */
  readonly rowVersions?: boolean;
  /** Name of the log; positions of different lineages cannot be compared. By the seed when left out. */
  readonly lineage?: string;
  /** What the candidate says its engine is; when left out, the primary's. For a logical pair. */
  readonly candidateEngine?: string;
  /** Called at every point where a real connector waits; time passes only here. */
  readonly onTick?: (moment: Moment) => void | Promise<void>;
}

/** A point at which a call waits for its server. `sleep`: nobody is asked. */
export interface Moment {
  readonly site: SiteName | null;
  readonly operation: Operation | 'sleep';
  readonly table: string | null;
  /** Counts from 1 over the whole world. */
  readonly tick: number;
}

/**
 * The simulated pair: a primary with a commit log, and a candidate that shows what it has applied of it. Everything
 * here is synchronous; only connectors wait, and they wait in `tick`.
 */
export class World {
  readonly kind: 'physical' | 'logical';
  readonly lineage: string;
  readonly options: WorldOptions;
  readonly random: Random;
  readonly primary: Site;
  readonly candidate: Site;
  readonly faults = new FaultBook();
  readonly log: LogEntry[] = [];
  /**
   * Changes that the candidate has passed over, by the sequence number of their commit; whether the primary did not
   * show them yet, and how many range reads the candidate's table had seen by then.
   */
  readonly missed: {
    readonly table: string;
    readonly sequence: number;
    readonly pending: boolean;
    readonly snapshots: number;
  }[] = [];
  onTick: ((moment: Moment) => void | Promise<void>) | null;
  /** True: the candidate applies nothing more, and never catches up. */
  stalled = false;
  /** False: the log does not reach the candidate any more. */
  linked = true;
  /** Changes that stopped a subscriber. */
  applyErrors = 0;
  /** False: the role may not see which transactions are in progress. */
  seesTransactions = true;
  readonly #transactions = new Set<MemoryTransaction>();
  readonly #dropped = new Map<number, number | 'all'>();
  readonly #host: TransactionHost;
  #xid = 1_000;
  #localVersion = 0;
  #ownCommits = 0;
  #received = 0;
  #shown = 0;
  #reported = 0;
  #ticks = 0;
  #milliseconds = 0;

  constructor(options: WorldOptions) {
    this.options = options;
    this.kind = options.kind;
    this.lineage = options.lineage ?? `memory-${options.seed}`;
    this.random = new Random(options.seed);
    this.onTick = options.onTick ?? null;
    this.primary = new Site('primary', options.kind, this.lineage);
    this.candidate = new Site('candidate', options.kind, this.lineage);
    for (const spec of options.tables) this.addTable(spec);
    this.#host = {
      random: this.random,
      locks: new Map(),
      table: (name) => this.primary.table(name),
      append: (xid, changes) => this.#append(xid, changes, null),
      show: (changes) => {
        for (const change of changes) applyInPlace(this.primary, change);
      },
      forget: (transaction) => this.#transactions.delete(transaction),
    };
  }

  site(name: SiteName): Site {
    return name === 'primary' ? this.primary : this.candidate;
  }

  get instances(): readonly string[] {
    return [this.primary.instance, this.candidate.instance];
  }

  /** The rows that a site shows now, in physical order. */
  rows(site: SiteName, table: string): PlacedRow[] {
    return this.site(site).table(table).placedRows();
  }

  /** A table on both sites, with the same rows. */
  addTable(spec: TableSpec): void {
    const primary = this.primary.addTable(spec);
    const candidate = this.candidate.addTable(spec);
    for (const [slot, values] of (spec.rows ?? []).entries()) {
      primary.put(slot, { fields: primary.fieldsFrom(values), version: `start ${slot}` });
    }
    const rows = primary.placedRows();
    const copied = this.kind === 'physical' ? rows : this.random.shuffled(rows);
    for (const [index, { slot, row }] of copied.entries()) {
      if (this.kind === 'physical') candidate.put(slot, row);
      else candidate.put(index, { fields: row.fields, version: this.#nextLocalVersion() });
    }
  }

  // ---- the primary's writes

  /** The transaction id below which all have finished: on the primary nothing below it writes any more. */
  get oldestUnfinished(): number {
    return Math.min(this.#xid + 1, ...this.unseenTransactions().map(({ xid }) => xid));
  }

  begin(): MemoryTransaction {
    this.#xid += 1;
    const transaction = new MemoryTransaction(this.#host, this.#xid);
    this.#transactions.add(transaction);
    return transaction;
  }

  /** One transaction: begin, write, commit. */
  write(body: (transaction: MemoryTransaction) => void): void {
    const transaction = this.begin();
    body(transaction);
    transaction.commit();
  }

  /** Transactions that are in the log, or may soon be, and that the primary does not show. */
  unseenTransactions(): MemoryTransaction[] {
    return [...this.#transactions].filter((transaction) => transaction.hasWritten);
  }

  pendingCommits(): MemoryTransaction[] {
    return [...this.#transactions].filter((transaction) => transaction.state === 'pending');
  }

  /** Changes the primary's definition of a table; on a physical pair through the log. False: a transaction is on. */
  alterPrimary(change: DefinitionChange): boolean {
    if (this.unseenTransactions().length > 0) return false;
    applyDefinition(this.primary, change);
    if (this.kind === 'physical') this.#append(null, [], change);
    return true;
  }

  // ---- the candidate

  /** The head of the log: the sequence number of the last commit, shown or not. */
  get head(): number {
    return this.log.length;
  }

  /** What the candidate says it has applied; it may show more. */
  get reported(): number {
    return this.#reported;
  }

  /** What the candidate shows. */
  get shown(): number {
    return this.#shown;
  }

  get received(): number {
    if (this.linked) this.#received = this.head;
    return this.#received;
  }

  position(sequence: number): Position {
    return positionAt(this.lineage, sequence);
  }

  /** Whether the candidate is of another engine: then it knows of the primary's log nothing. */
  get crossesEngines(): boolean {
    return this.options.candidateEngine !== undefined;
  }

  /** The head of the candidate's own log: it moves with all that changes there. */
  get ownPosition(): Position {
    return positionAt(`${this.lineage} candidate`, this.#ownCommits);
  }

  /** The candidate applies and reports up to `count` commits. Returns how many. */
  applyNext(count = 1): number {
    let done = 0;
    while (done < count && (this.#shown > this.#reported || this.showNext())) {
      this.#reported += 1;
      done += 1;
    }
    return done;
  }

  /** The candidate shows the next commit and does not report it yet. False: there is none that it can apply. */
  showNext(): boolean {
    const entry = this.log[this.#shown];
    if (entry === undefined || this.stalled || entry.sequence > this.received) return false;
    const dropped = this.#dropped.get(entry.sequence);
    const skipped = typeof dropped === 'number' ? dropped % Math.max(entry.changes.length, 1) : dropped;
    const isSkipped = (index: number): boolean => skipped === 'all' || skipped === index;
    if (entry.definition !== null && skipped !== 'all') applyDefinition(this.candidate, entry.definition);
    if (!this.#applyAll(entry.changes.filter((_, index) => !isSkipped(index)))) return false;
    const pending = this.pendingCommits().some(({ xid }) => xid === entry.xid);
    for (const [index, { table }] of entry.changes.entries()) {
      if (!isSkipped(index)) continue;
      const snapshots = this.candidate.snapshotsOf(table);
      this.missed.push({ table, sequence: entry.sequence, pending, snapshots });
    }
    this.#shown += 1;
    this.#ownCommits += 1;
    return true;
  }

  /** One commit applied and reported; false when there was none. */
  step(): boolean {
    return this.applyNext(1) === 1;
  }

  applyAll(): void {
    this.applyNext(Number.POSITIVE_INFINITY);
  }

  /** Ends all transactions of the primary and applies the whole log: what both sites come to. */
  settle(): void {
    for (const transaction of this.#transactions) {
      transaction.release();
      transaction.rollback();
    }
    this.applyAll();
  }

  /** Tables in which the sites show different rows now, `schema.table`. */
  differences(): string[] {
    return siteDifferences(this.primary, this.candidate, this.kind);
  }

  // ---- faults

  inject(fault: Fault): void {
    this.faults.add(fault);
  }

  /** The candidate will pass over a commit, or one change of it; by default the next one that it would apply. */
  dropCommit(sequence = this.#shown + 1, change: number | 'all' = 'all'): void {
    if (sequence > this.#shown) this.#dropped.set(sequence, change);
  }

  /** Changes the candidate behind replication's back. Returns the slots changed, none when nothing did. */
  tamper(tampering: Tampering): readonly number[] {
    const table = this.candidate.table(tampering.table);
    this.#ownCommits += 1;
    return tamper(table, tampering, this.random, this.#nextLocalVersion());
  }

  /** A logical candidate's own definition changes. */
  alterCandidate(change: DefinitionChange): void {
    if (this.kind === 'physical')
      throw new RangeError('a physical candidate has the definition of its primary');
    applyDefinition(this.candidate, change);
  }

  /** The site's index loses the row in a slot: reads by key do not find it, reads of the heap do. */
  corruptIndex(site: SiteName, table: string, slot: number): void {
    this.site(site).table(table).hidden.add(slot);
  }

  /** Reading the slot fails with TP-CORRUPT. */
  corruptPage(site: SiteName, table: string, slot: number): void {
    this.site(site).table(table).damaged.add(slot);
  }

  // ---- time

  /** Milliseconds since the start, on a clock that only ticks and sleeps move. */
  now(): number {
    return this.#milliseconds;
  }

  async sleep(milliseconds: number): Promise<void> {
    this.#milliseconds += milliseconds;
    await this.tick(null, 'sleep', null);
  }

  async tick(site: SiteName | null, operation: Moment['operation'], table: string | null): Promise<void> {
    this.#ticks += 1;
    this.#milliseconds += 1;
    await this.onTick?.({ site, operation, table, tick: this.#ticks });
  }

  #append(xid: number | null, changes: readonly Change[], definition: DefinitionChange | null): void {
    this.log.push({ sequence: this.log.length + 1, xid, changes: [...changes], definition });
    // While the link is up the candidate receives at once; after a cut it keeps what it had.
    if (this.linked) this.#received = this.head;
  }

  #applyAll(changes: readonly Change[]): boolean {
    if (this.kind === 'physical') {
      for (const change of changes) applyInPlace(this.candidate, change);
      return true;
    }
    // A subscriber applies a transaction whole or not at all.
    const undo: (() => void)[] = [];
    for (const change of changes) {
      if (applyByValue(this.candidate, change, this.random, this.#nextLocalVersion(), undo)) continue;
      for (const revert of undo.toReversed()) revert();
      this.applyErrors += 1;
      return false;
    }
    return true;
  }

  #nextLocalVersion(): string {
    this.#localVersion += 1;
    return `local ${this.#localVersion}`;
  }
}
