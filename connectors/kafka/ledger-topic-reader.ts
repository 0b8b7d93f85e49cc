import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import type { MirrorExtent, StoredRecord } from '../../src/connector/mirror-log.ts';
import { TwinproofError } from '../../src/errors.ts';
import { kafkaFailure } from './failure.ts';

const WAIT_MS = 200;
const BYTES_AT_ONCE = 8 * 1024 * 1024;
/** How long the brokers may give nothing at all while there is something to give. */
const STALL_MS = 60_000;

/** Reads a part of the one partition of a topic once, in order, as a consumer group of its own that is forgotten behind it. */
export class LedgerTopicReader {
  readonly #client: Kafka;
  readonly #group: string;
  readonly #part: MirrorExtent & { readonly topic: string };
  readonly #take: (record: StoredRecord) => void;
  readonly #consumer: Consumer;
  readonly #ended: Promise<unknown>;
  #settle: (error: unknown) => void = () => undefined;
  #moved = true;
  #done = false;
  /** What `take` threw: nothing of the brokers'. */
  #refusal: { readonly error: unknown } | null = null;
  /** Before it has sought its place it may be given records that come once more behind that. */
  #next: bigint;

  constructor(
    client: Kafka,
    group: string,
    part: MirrorExtent & { readonly topic: string },
    take: (record: StoredRecord) => void,
  ) {
    this.#client = client;
    this.#group = group;
    this.#part = part;
    this.#take = take;
    this.#next = part.first;
    this.#ended = new Promise((resolve) => (this.#settle = resolve));
    this.#consumer = client.consumer({
      groupId: group,
      maxWaitTimeInMs: WAIT_MS,
      maxBytesPerPartition: BYTES_AT_ONCE,
      retry: { retries: 4, initialRetryTime: 200 },
    });
  }

  /** Throws what `take` throws, TP-CONNECTION-LOST and the like, or the signal's reason. */
  async run(signal: AbortSignal): Promise<void> {
    const stalled = setInterval(() => this.#look(), STALL_MS);
    const onAbort = (): void => this.#settle(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      signal.throwIfAborted();
      await this.#read();
    } catch (error) {
      signal.throwIfAborted();
      if (this.#refusal !== null) throw this.#refusal.error;
      throw kafkaFailure(error);
    } finally {
      this.#done = true;
      clearInterval(stalled);
      signal.removeEventListener('abort', onAbort);
      await this.#consumer.disconnect().catch(() => undefined);
      await this.#forget();
    }
  }

  async #read(): Promise<void> {
    const consumer = this.#consumer;
    const { topic } = this.#part;
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart) this.#settle(payload.error);
    });
    consumer.on(consumer.events.GROUP_JOIN, () => {
      consumer.seek({ topic, partition: 0, offset: this.#next.toString() });
    });
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await consumer.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: (payload) => {
        this.#each(payload);
        return Promise.resolve();
      },
    });
    const error = await this.#ended;
    if (error !== null) throw error;
  }

  #each(payload: EachBatchPayload): void {
    const { batch } = payload;
    if (this.#done || payload.isStale()) return;
    this.#moved = true;
    const { end } = this.#part;
    try {
      for (const { offset: text, timestamp, value } of batch.messages) {
        const offset = BigInt(text);
        if (offset >= end) break;
        if (offset < this.#next) continue;
        this.#take({ offset, writtenAtMs: Number(timestamp), value });
        this.#next = offset + 1n;
      }
    } catch (error) {
      // Whatever it is, reading the batch once more would not mend it.
      this.#done = true;
      this.#refusal = { error };
      this.#settle(error);
      return;
    }
    payload.resolveOffset(batch.lastOffset());
    if (BigInt(batch.lastOffset()) + 1n < end) return;
    this.#done = true;
    this.#settle(null);
  }

  #look(): void {
    if (!this.#moved) {
      const message = 'the brokers give no records';
      this.#settle(new TwinproofError('TP-CONNECTION-LOST', { message, retryable: true }));
    }
    this.#moved = false;
  }

  /** Without the right to it, the brokers forget the group by themselves. */
  async #forget(): Promise<void> {
    const admin = this.#client.admin({ retry: { retries: 0 } });
    try {
      await admin.connect();
      await admin.deleteGroups([this.#group]);
    } catch {
      // Nothing was to be gained but tidiness.
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }
}
