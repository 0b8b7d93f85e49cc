import { topicOf } from './topic-log.ts';
import type { LostRecords, Waiting } from './waiting-record.ts';

/** Records that the end of a transaction counts and that have not come. */
interface Debt {
  /** By table, how many. */
  readonly missing: Map<string, number>;
  /** Partitions that have gone on with later transactions. */
  readonly passed: Set<string>;
}

/** The oldest is let go. */
const DEBTS_MAX = 1024;

/**
 * Holds what the ends of transactions count against what came: a connector that is told to pass over errors leaves out
 * what a broker refuses, and so does a filter. Partitions are in the order of commits: what has not come when all of a
 * table's partitions have gone on does not come.
 */
export class MissingRecords {
  readonly #tables: ReadonlyMap<string, readonly string[]>;
  /** Partitions of which every record must be there: they have brought one of an earlier transaction. */
  readonly #flowing = new Set<string>();
  readonly #debts = new Map<string, Debt>();

  /** `tables`: partitions by table. */
  constructor(tables: ReadonlyMap<string, readonly string[]>) {
    this.#tables = tables;
  }

  /** It has brought a record of a transaction that is over. */
  flows(name: string): void {
    this.#flowing.add(name);
  }

  /** Something of it is not to be had, and others tell so. */
  broke(topic: string): void {
    const isOf = (name: string): boolean => topicOf(name) === topic;
    for (const name of this.#flowing) if (isOf(name)) this.#flowing.delete(name);
    for (const [transaction, { missing }] of this.#debts) {
      for (const table of missing.keys()) if (this.#partitionsOf(table).some(isOf)) missing.delete(table);
      if (missing.size === 0) this.#debts.delete(transaction);
    }
  }

  /**
   * Nothing more is awaited of a transaction. `came`: what came of it, by table; `isPassed`: all partitions have gone on.
   */
  over(
    transaction: string,
    counts: ReadonlyMap<string, number>,
    came: readonly ReadonlyMap<string, number>[],
    isPassed: boolean,
  ): void {
    const missing = new Map<string, number>();
    const passed = new Set<string>();
    for (const [table, count] of counts) {
      const left = came.reduce((rest, one) => rest - (one.get(table) ?? 0), count);
      const partitions = this.#partitionsOf(table);
      if (left <= 0 || !partitions.every((name) => this.#flowing.has(name))) continue;
      missing.set(table, left);
      if (isPassed) for (const name of partitions) passed.add(name);
    }
    if (missing.size === 0) return;
    this.#debts.set(transaction, { missing, passed });
    const [oldest] = this.#debts.keys();
    if (this.#debts.size > DEBTS_MAX && oldest !== undefined) this.#debts.delete(oldest);
  }

  /** A record came that was never seen. `isLater`: it was read behind all that is over. False: it tells nothing. */
  came(
    { name, table, transaction }: Pick<Waiting, 'name' | 'table' | 'transaction'>,
    isLater: boolean,
  ): boolean {
    if (this.#debts.size === 0 || table === null || transaction === null) return false;
    const own = this.#debts.get(transaction);
    if (own !== undefined) {
      const left = (own.missing.get(table) ?? 0) - 1;
      if (left > 0) own.missing.set(table, left);
      else own.missing.delete(table);
      if (own.missing.size === 0) this.#debts.delete(transaction);
    }
    if (!isLater) return false;
    for (const [other, { passed }] of this.#debts) if (other !== transaction) passed.add(name);
    return true;
  }

  /** What does not come any more, each once. */
  take(): readonly LostRecords[] {
    const lost: LostRecords[] = [];
    for (const [transaction, { missing, passed }] of this.#debts) {
      for (const [table, count] of missing) {
        if (!this.#partitionsOf(table).every((name) => passed.has(name))) continue;
        missing.delete(table);
        lost.push({ table, transaction, count });
      }
      if (missing.size === 0) this.#debts.delete(transaction);
    }
    return lost;
  }

  #partitionsOf(table: string): readonly string[] {
    return this.#tables.get(table) ?? [];
  }
}
