import type { ChangeEvent } from '../connector/changes.ts';
import type { FollowedSource, LedgerSite, SourceTable } from '../connector/ledger-sites.ts';
import type { Connector } from '../connector/contract.ts';
import type { Position, PositionOrder } from '../connector/position.ts';
import type { PairKind } from '../connector/table.ts';
import { Baseline } from '../ledger/baseline.ts';
import { Candidates } from '../ledger/candidates.ts';
import { Known, type KnownPrimary } from '../ledger/known.ts';
import { Ledger, type LedgerOptions } from '../ledger/ledger.ts';
import type { Relation } from '../ledger/relation.ts';
import { Unread } from '../ledger/unread.ts';
import { Witness } from '../ledger/witness.ts';
import { Exclusive } from './exclusive.ts';

/** A site that a ledger can be kept of. */
export type WatchSite = Connector & LedgerSite;

/** What sites of an engine know without being asked: any connector of it will do. */
type EngineKnowledge = Pick<WatchSite, 'comparePositions' | 'recall'>;

interface Waiting {
  readonly action: () => void;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The ledger of one system while it is watched, and what the loops share. Whatever takes events, flushes, or writes the
 * index goes through `exclusive`, one after the other.
 */
export class WatchedLedger {
  readonly ledger: Ledger;
  readonly known: Known;
  readonly candidates: Candidates;
  readonly baseline: Baseline;
  readonly unread: Unread;
  readonly witness: Witness;
  readonly exclusive = new Exclusive();
  /** The tables as the last poll of this process found them; null: none was yet. */
  sourceTables: readonly SourceTable[] | null = null;
  /** StreamedTable.id of tables whose rows could not be read at the last attempt. */
  readonly unreadable = new Set<string>();
  /** Polls whose answer is in the ledger: whoever waits for the next one counts. */
  polls = 0;
  /**
   * A gap covers everything, and where the log is followed behind it has not been told. What is read of the primary before
   * that may lack what the log does not bring any more, and the ledger's position is of another log.
   */
  isPlaceless = false;
  readonly #engine: EngineKnowledge;
  readonly #waiting: Waiting[] = [];
  #inTransaction = false;
  #followed: FollowedSource | null = null;

  private constructor(ledger: Ledger, engine: EngineKnowledge) {
    this.#engine = engine;
    this.ledger = ledger;
    this.known = new Known(ledger.core.store);
    this.candidates = new Candidates(ledger.core);
    this.baseline = new Baseline(ledger.core, () => ledger.settle());
    this.unread = new Unread(ledger.core);
    this.witness = new Witness(ledger.core);
    const primary = this.known.primary();
    if (primary !== null) this.#recall(primary);
  }

  /** Throws as Ledger.open. `engine`: any site of the engine, open or closed. */
  static async open(options: LedgerOptions, engine: EngineKnowledge): Promise<WatchedLedger> {
    return new WatchedLedger(await Ledger.open(options), engine);
  }

  readonly compare = (a: Position, b: Position): PositionOrder => this.#engine.comparePositions(a, b);

  /** The primary as it last answered; null: it never did. */
  get source(): FollowedSource | null {
    return this.#followed;
  }

  /** Writes down who the primary is. */
  remember(primary: KnownPrimary): void {
    this.known.writePrimary(primary);
    this.#recall(primary);
  }

  #recall({ followed }: KnownPrimary): void {
    this.#followed = followed;
    this.#engine.recall?.(followed);
  }

  /**
   * To be called before the log of another server is followed in the primary's place. What was read of the old one may hold
   * commits that the new one never had: tables that are being read begin anew. What was known of time was its clock's.
   * `isNamesake`: places of the old log and of the new one cannot be told apart, so that nothing of the old one counts.
   */
  async succeed(reason: string, isNamesake: boolean): Promise<void> {
    const { catalog } = this.ledger.core;
    await this.between(() => {
      const begun = catalog
        .current()
        .filter(
          ({ completeFrom, number }) => completeFrom === null && this.baseline.progress(number) !== null,
        );
      if (isNamesake) this.ledger.recordGap(reason, null);
      else if (begun.length > 0)
        this.ledger.recordGap(
          reason,
          begun.map(({ leaf }) => leaf),
        );
    });
    await this.settled(() => {
      this.ledger.core.forgetTimes();
      this.witness.forget();
    });
  }

  /** Whether the stream has brought everything up to a position; false also for one of another history. */
  hasPassed(position: Position): boolean {
    const reached = this.ledger.position;
    if (reached === null) return false;
    const order = this.compare(reached, position);
    return order === 'equal' || order === 'after';
  }

  /** Of what kind the pairs of this ledger are; null: not settled yet. */
  get pair(): PairKind | null {
    return this.known.stream()?.pair ?? null;
  }

  /** Takes events and makes them durable; the answer may be acknowledged. */
  take(events: readonly ChangeEvent[]): Promise<Position | null> {
    return this.exclusive.run(async () => {
      // Batches of a stream that is behind end within transactions: who waits for a gap between two gets it here.
      const end = this.#waiting.length === 0 ? 0 : events.findLastIndex(({ type }) => type === 'commit') + 1;
      if (end > 0) this.#take(events.slice(0, end));
      const done = end > 0 ? this.#runWaiting() : [];
      this.#take(end > 0 ? events.slice(end) : events);
      if (!this.#inTransaction) this.ledger.advanceHead();
      return await this.#flush(done);
    });
  }

  /** To be called when a stream has ended, whatever it left. */
  abandon(): Promise<void> {
    return this.exclusive.run(async () => {
      if (this.#inTransaction) await this.ledger.abandon();
      this.#inTransaction = false;
      await this.#flush(this.#runWaiting());
    });
  }

  /**
   * Runs an action that begins relations, between two transactions: what begins within one would go with it when its
   * stream ends. While one is open the action waits for its end. What it wrote is durable when this resolves.
   */
  between(action: () => void): Promise<void> {
    const { promise, resolve, reject } = promised();
    this.#waiting.push({ action, resolve, reject });
    const run = this.exclusive.run(async () => {
      if (!this.#inTransaction) await this.#flush(this.#runWaiting());
    });
    run.catch(reject);
    return promise;
  }

  /** Moves the head on where no commit comes; within a transaction its end will. Durable when this resolves. */
  moveHead(): Promise<void> {
    return this.exclusive.run(async () => {
      if (this.#inTransaction) return;
      this.ledger.moveHead();
      await this.ledger.flush();
    });
  }

  #take(events: readonly ChangeEvent[]): void {
    this.ledger.take(events);
    for (const { type } of events) {
      if (type === 'begin') this.#inTransaction = true;
      else if (type === 'commit') this.#inTransaction = false;
    }
  }

  /** Those whose actions were run: they are to be told when what they wrote is durable. */
  #runWaiting(): Waiting[] {
    const done: Waiting[] = [];
    for (const waiting of this.#waiting.splice(0)) {
      try {
        waiting.action();
        done.push(waiting);
      } catch (error) {
        waiting.reject(error);
      }
    }
    if (done.length > 0) this.ledger.advanceHead();
    return done;
  }

  async #flush(done: readonly Waiting[]): Promise<Position | null> {
    try {
      const durable = await this.ledger.flush();
      for (const { resolve } of done) resolve();
      return durable;
    } catch (error) {
      for (const { reject } of done) reject(error);
      throw error;
    }
  }

  /** Runs an action on the index when it is up to the journal, and the journal on disk. */
  settled<T>(action: () => Promise<T> | T): Promise<T> {
    return this.exclusive.run(async () => {
      await this.ledger.settle();
      return await action();
    });
  }

  /** The relations that are followed now, each with its table as the catalog has it. */
  followed(): { readonly relation: Relation; readonly source: SourceTable }[] {
    const found: { relation: Relation; source: SourceTable }[] = [];
    if (this.isPlaceless) return found;
    for (const source of this.sourceTables ?? []) {
      const relation = source.unfollowed === null ? this.ledger.core.catalog.ofTable(source.id) : null;
      if (relation !== null) found.push({ relation, source });
    }
    return found;
  }

  /** Every row of every table that can be known is known, as of the last poll. */
  get baselineDone(): boolean {
    const { core } = this.ledger;
    if (this.sourceTables === null || this.unread.any) return false;
    return this.sourceTables.every(({ id, unfollowed }) => {
      const relation = core.catalog.ofTable(id);
      if (unfollowed !== null || this.unreadable.has(id)) return true;
      return relation !== null && (relation.keyFields === null || relation.completeFrom !== null);
    });
  }

  close(): Promise<void> {
    return this.exclusive.run(() => this.ledger.close());
  }
}

function promised(): Omit<Waiting, 'action'> & { readonly promise: Promise<void> } {
  let resolve = (): void => undefined;
  let reject = (_error: unknown): void => undefined;
  const promise = new Promise<void>((done, failed) => {
    resolve = done;
    reject = failed;
  });
  return { promise, resolve, reject };
}
