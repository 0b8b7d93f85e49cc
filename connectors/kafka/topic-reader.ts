import type { Consumer, EachBatchPayload, Kafka, KafkaMessage } from 'kafkajs';
import { TwinproofError } from '../../src/errors.ts';
import { kafkaFailure } from './failure.ts';

const WAIT_MS = 200;
/** How long the brokers may give nothing at all while there is something to give. */
const STALL_MS = 60_000;

/** Takes what one fetch gave of a partition; while its promise waits, no more of that partition comes. */
export type TakeMessages = (partition: number, messages: readonly KafkaMessage[]) => Promise<void> | null;

/** Which topic, and up to where. */
export interface TopicExtent {
  readonly topic: string;
  /** By partition: the offset behind the last record that is wanted. Those without any record are left out. */
  readonly ends: ReadonlyMap<number, bigint>;
}

/**
 * Reads a topic once, from its oldest records on, as a consumer group of its own that is forgotten behind it. Throws
 * TP-CONNECTION-LOST and the like; ends quietly when aborted.
 */
export class TopicReader {
  readonly #client: Kafka;
  readonly #groupId: string;
  readonly #consumer: Consumer;
  readonly #extent: TopicExtent;
  readonly #take: TakeMessages;
  readonly #left: Set<number>;
  readonly #ended: Promise<unknown>;
  #settle: (error: unknown) => void = () => undefined;
  #moved = true;
  #paused = 0;

  constructor(client: Kafka, groupId: string, extent: TopicExtent, take: TakeMessages) {
    this.#client = client;
    this.#groupId = groupId;
    this.#extent = extent;
    this.#take = take;
    this.#left = new Set(extent.ends.keys());
    this.#ended = new Promise((resolve) => (this.#settle = resolve));
    this.#consumer = client.consumer({
      groupId,
      maxWaitTimeInMs: WAIT_MS,
      retry: { retries: 4, initialRetryTime: 200 },
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#left.size === 0) return;
    const stalled = setInterval(() => this.#look(), STALL_MS);
    const onAbort = (): void => this.#settle(null);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      await this.#read(signal);
    } catch (error) {
      if (!signal.aborted) throw kafkaFailure(error);
    } finally {
      clearInterval(stalled);
      signal.removeEventListener('abort', onAbort);
      await this.#consumer.disconnect().catch(() => undefined);
      await this.#forget();
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const consumer = this.#consumer;
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart) this.#settle(payload.error);
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [this.#extent.topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => {
        if (!signal.aborted) this.#each(payload);
        return Promise.resolve();
      },
    });
    const error = await this.#ended;
    if (error !== null) throw error;
  }

  #each(payload: EachBatchPayload): void {
    this.#moved = true;
    const { batch } = payload;
    const { partition } = batch;
    if (!this.#left.has(partition)) return;
    const wait = this.#take(partition, batch.messages);
    const last = batch.lastOffset();
    payload.resolveOffset(last);
    if (wait !== null) {
      const resume = payload.pause();
      this.#paused += 1;
      void wait.finally(() => {
        this.#paused -= 1;
        resume();
      });
    }
    if (BigInt(last) + 1n < (this.#extent.ends.get(partition) ?? 0n)) return;
    this.#left.delete(partition);
    if (this.#left.size === 0) this.#settle(null);
  }

  #look(): void {
    if (this.#moved || this.#paused > 0) this.#moved = false;
    else {
      const message = 'the brokers give no records';
      this.#settle(new TwinproofError('TP-CONNECTION-LOST', { message, retryable: true }));
    }
  }

  /** Without the right to it, the brokers forget the group by themselves. */
  async #forget(): Promise<void> {
    const admin = this.#client.admin({ retry: { retries: 0 } });
    try {
      await admin.connect();
      await admin.deleteGroups([this.#groupId]);
    } catch {
      // Nothing was to be gained but tidiness.
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }
}
