import type { SourceEngine } from './connect-field.ts';
import type { TopicTable } from './layout.ts';

/** A table as its newest record has it, and the topic that carries it. */
export interface NotedTable {
  readonly table: TopicTable;
  readonly topic: string;
  /** Of the database that it is in. */
  readonly engine: SourceEngine;
}

/** How long a change was on its way from the database's commit to the topic. */
export interface Delivery {
  /** Milliseconds, by the clocks of the database and of who wrote the record: negative where these differ. */
  readonly ms: number;
  readonly committedAtUs: bigint;
}

/** How often records were handed out without the rest of their transaction, and why the last time. */
export interface UntiedTransactions {
  readonly times: number;
  readonly reason: string;
}

/** What the records of change topics have told so far, beside the changes themselves. */
export class FeedNotes {
  readonly #tables = new Map<string, NotedTable>();
  #newestUs: bigint | null = null;
  /** The newest change: when it was committed, and when its record was written. */
  #delivered: { committedAtUs: bigint; timestamp: number } | null = null;
  #untied: UntiedTransactions | null = null;

  /** `timestamp`: of the record, milliseconds since 1970; null: not known. */
  saw(table: NotedTable | null, timeUs: bigint, isChange: boolean, timestamp: number | null): void {
    if (table !== null) this.#tables.set(table.table.leaf, table);
    // What a snapshot reads was committed before, nobody knows when.
    if (!isChange) return;
    if (this.#newestUs === null || timeUs > this.#newestUs) this.#newestUs = timeUs;
    if (timestamp === null || timeUs < (this.#delivered?.committedAtUs ?? 0n)) return;
    this.#delivered ??= { committedAtUs: timeUs, timestamp };
    this.#delivered.committedAtUs = timeUs;
    this.#delivered.timestamp = timestamp;
  }

  /** Records were handed out without the rest of their transaction. */
  untied(reason: string): void {
    this.#untied = { times: (this.#untied?.times ?? 0) + 1, reason };
  }

  /** Null: that did not happen. */
  get untiedTransactions(): UntiedTransactions | null {
    return this.#untied;
  }

  /** In no order. */
  get tables(): readonly NotedTable[] {
    return [...this.#tables.values()];
  }

  /** When the newest change was committed, microseconds since 1970 on the database's clock; null: none was seen. */
  get newestUs(): bigint | null {
    return this.#newestUs;
  }

  /** Of the newest change. */
  get delivery(): Delivery | null {
    if (this.#delivered === null) return null;
    const { committedAtUs, timestamp } = this.#delivered;
    return { ms: timestamp - Number(committedAtUs / 1000n), committedAtUs };
  }
}
