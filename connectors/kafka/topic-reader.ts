import type { Kafka } from 'kafkajs';
import { TwinproofError } from '../../src/errors.ts';
import { kafkaFailure } from './failure.ts';
import { behindOf, type FetchedRecords } from './fetch-response.ts';
import { PartitionFetch } from './partition-fetch.ts';

const WAIT_MS = 200;
/** How long the brokers may give nothing at all while there is something to give. */
const STALL_MS = 60_000;

/** Takes what one fetch gave of a partition; while its promise waits, no more of that partition comes. */
export type TakeRecords = (partition: number, fetched: FetchedRecords) => Promise<void> | null;

/** Which part of a topic. */
export interface TopicExtent {
  readonly topic: string;
  /** By partition: the offset of the first record that is wanted, and the one behind the last. */
  readonly partitions: ReadonlyMap<number, { readonly from: bigint; readonly end: bigint }>;
}

/**
 * Reads part of a topic once. Throws TP-CONNECTION-LOST and the like, TP-GAP for records that were removed meanwhile;
 * ends quietly when aborted.
 */
export class TopicReader {
  readonly #extent: TopicExtent;
  readonly #take: TakeRecords;
  readonly #fetch: PartitionFetch;
  readonly #left: Set<number>;
  /** What came of a partition while it had to wait. */
  readonly #kept = new Map<number, FetchedRecords[]>();
  readonly #waiting = new Set<number>();
  /** Partitions of which the brokers have more than was read. */
  readonly #wanting: Set<number>;
  #failure: unknown = null;
  #moved = true;

  constructor(client: Kafka, extent: TopicExtent, take: TakeRecords) {
    const { topic, partitions } = extent;
    this.#extent = extent;
    this.#take = take;
    this.#left = new Set(partitions.keys());
    this.#wanting = new Set(partitions.keys());
    const starts = [...partitions].map(([partition, { from }]) => ({ topic, partition, offset: from }));
    this.#fetch = new PartitionFetch(client, starts, { waitMs: WAIT_MS });
  }

  async run(signal: AbortSignal): Promise<void> {
    const stalled = setInterval(() => this.#look(), STALL_MS);
    const onAbort = (): void => void this.#fetch.close();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      if (this.#left.size > 0) await this.#fetch.open();
      while (this.#left.size > 0 && !signal.aborted && this.#failure === null) {
        for (const fetched of await this.#fetch.next()) this.#came(fetched);
      }
      if (this.#failure !== null) throw this.#failure;
    } catch (error) {
      if (!signal.aborted) throw kafkaFailure(error);
    } finally {
      clearInterval(stalled);
      signal.removeEventListener('abort', onAbort);
      await this.#fetch.close();
    }
  }

  #came(fetched: FetchedRecords): void {
    const { partition, high, batches } = fetched;
    if (behindOf(fetched) < high) this.#wanting.add(partition);
    else this.#wanting.delete(partition);
    if (batches.length === 0 || !this.#left.has(partition)) return;
    this.#moved = true;
    if (this.#waiting.has(partition)) this.#kept.get(partition)?.push(fetched);
    else this.#each(fetched);
  }

  #each(fetched: FetchedRecords): void {
    const { partition, name } = fetched;
    const wait = this.#take(partition, fetched);
    if (behindOf(fetched) >= (this.#extent.partitions.get(partition)?.end ?? 0n)) {
      this.#left.delete(partition);
      this.#fetch.leave(name);
      if (this.#left.size === 0) void this.#fetch.close();
    } else if (wait !== null) this.#pause(partition, name, wait);
  }

  #pause(partition: number, name: string, wait: Promise<void>): void {
    this.#fetch.pause(name);
    this.#waiting.add(partition);
    this.#kept.set(partition, []);
    const goOn = (): void => {
      this.#waiting.delete(partition);
      this.#moved = true;
      const kept = this.#kept.get(partition) ?? [];
      this.#kept.delete(partition);
      this.#fetch.resume(name);
      for (const fetched of kept) this.#came(fetched);
    };
    wait.then(goOn, (error: unknown) => this.#fail(error));
  }

  #look(): void {
    if (this.#moved || this.#waiting.size > 0 || this.#wanting.size === 0) this.#moved = false;
    else {
      const message = 'the brokers give no records';
      this.#fail(new TwinproofError('TP-CONNECTION-LOST', { message, retryable: true }));
    }
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    void this.#fetch.close();
  }
}
