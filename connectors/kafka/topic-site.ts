import type { EachBatchPayload, IHeaders, Kafka, KafkaMessage } from 'kafkajs';
import type { KafkaAddress } from '../../src/config/kafka.ts';
import type { GroupOffset, NamedRecord, TopicFacts, TopicSite } from '../../src/connector/topic-site.ts';
import { TwinproofError } from '../../src/errors.ts';
import { digestName, RowHasher } from '../../src/digest/digest.ts';
import { kafkaClient } from './client.ts';
import { kafkaFailure } from './failure.ts';
import { startingPlaces } from './topic-log.ts';

const WAIT_MS = 200;
/** How long the brokers may give nothing at all while there is something to give. */
const STALL_MS = 60_000;

/** Opens one topic. `random` ends the name of the consumer group that reads it. Throws TP-TLS; connects later. */
export async function openTopicSite(
  address: KafkaAddress,
  topic: string,
  random: () => string,
): Promise<TopicSite> {
  return new KafkaTopicSite(await kafkaClient(address), topic, random);
}

class KafkaTopicSite implements TopicSite {
  readonly #client: Kafka;
  readonly #topic: string;
  readonly #random: () => string;

  constructor(client: Kafka, topic: string, random: () => string) {
    this.#client = client;
    this.#topic = topic;
    this.#random = random;
  }

  facts(signal: AbortSignal): Promise<TopicFacts> {
    return this.#asked(signal, async (admin) => {
      const { clusterId } = await admin.describeCluster();
      const [log] = await startingPlaces(admin, [this.#topic], null);
      const partitions = (log?.partitions ?? []).map(({ partition, readFrom, high }) => ({
        partition,
        low: readFrom,
        high,
      }));
      return { clusterId, topic: this.#topic, partitions, compacted: log?.compacted ?? true };
    });
  }

  groupOffsets(signal: AbortSignal): Promise<readonly GroupOffset[]> {
    return this.#asked(signal, async (admin) => {
      const { groups } = await admin.listGroups();
      const found: GroupOffset[] = [];
      for (const { groupId: group } of groups.filter(({ protocolType }) => protocolType === 'consumer')) {
        const [topic] = await admin.fetchOffsets({ groupId: group, topics: [this.#topic] });
        for (const { partition, offset } of topic?.partitions ?? []) {
          // -1: nothing committed.
          if (!offset.startsWith('-')) found.push({ group, partition, offset: BigInt(offset) });
        }
      }
      return found;
    });
  }

  async read(
    until: ReadonlyMap<number, bigint>,
    take: (partition: number, records: readonly NamedRecord[]) => Promise<void> | null,
    signal: AbortSignal,
  ): Promise<void> {
    // Of an empty partition nothing ever comes, whatever its offsets.
    const { partitions } = await this.facts(signal);
    const lows = new Map(partitions.map(({ partition, low }) => [partition, low]));
    const kept = [...until].filter(([partition, end]) => end > (lows.get(partition) ?? 0n));
    const left = new Set(kept.map(([partition]) => partition));
    if (left.size === 0) return;
    const groupId = `twinproof-${this.#random()}`;
    const consumer = this.#client.consumer({
      groupId,
      maxWaitTimeInMs: WAIT_MS,
      retry: { retries: 4, initialRetryTime: 200 },
    });
    let settle: (error: unknown) => void = () => undefined;
    const ended = new Promise<unknown>((resolve) => (settle = resolve));
    const stalled = setInterval(() => {
      if (moved || paused > 0) moved = false;
      else
        settle(
          new TwinproofError('TP-CONNECTION-LOST', {
            message: 'the brokers give no records',
            retryable: true,
          }),
        );
    }, STALL_MS);
    let moved = true;
    const onAbort = (): void => settle(null);
    signal.addEventListener('abort', onAbort, { once: true });
    consumer.on(consumer.events.CRASH, ({ payload }) => {
      if (!payload.restart) settle(payload.error);
    });
    let paused = 0;
    const each = (payload: EachBatchPayload): void => {
      const { batch } = payload;
      moved = true;
      if (!left.has(batch.partition) || signal.aborted) return;
      const end = until.get(batch.partition) ?? 0n;
      const records = batch.messages.map(named).filter(({ offset }) => offset < end);
      const wait = take(batch.partition, records);
      payload.resolveOffset(batch.lastOffset());
      if (wait !== null) {
        const resume = payload.pause();
        paused += 1;
        void wait.finally(() => {
          paused -= 1;
          resume();
        });
      }
      if (BigInt(batch.lastOffset()) + 1n < end) return;
      left.delete(batch.partition);
      if (left.size === 0) settle(null);
    };
    try {
      signal.throwIfAborted();
      await consumer.connect();
      await consumer.subscribe({ topics: [this.#topic], fromBeginning: true });
      await consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: (payload) => Promise.resolve(each(payload)),
      });
      const error = await ended;
      if (error !== null) throw error;
    } catch (error) {
      if (!signal.aborted) throw kafkaFailure(error);
    } finally {
      clearInterval(stalled);
      signal.removeEventListener('abort', onAbort);
      await consumer.disconnect().catch(() => undefined);
      await this.#forget(groupId);
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Without the right to it, the brokers forget the group by themselves. */
  async #forget(groupId: string): Promise<void> {
    const admin = this.#client.admin({ retry: { retries: 0 } });
    try {
      await admin.connect();
      await admin.deleteGroups([groupId]);
    } catch {
      // Nothing was to be gained but tidiness.
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }

  async #asked<T>(signal: AbortSignal, ask: (admin: ReturnType<Kafka['admin']>) => Promise<T>): Promise<T> {
    const admin = this.#client.admin();
    try {
      signal.throwIfAborted();
      await admin.connect();
      return await ask(admin);
    } catch (error) {
      signal.throwIfAborted();
      throw kafkaFailure(error);
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }
}

/** Each part with its length before it, -1 for none: a key and a value are not the same as one longer key. */
function named({ key, value, headers, timestamp, offset }: KafkaMessage): NamedRecord {
  const hasher = new RowHasher();
  const part = (bytes: Uint8Array | null): void => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(bytes?.length ?? -1);
    hasher.update(length);
    if (bytes !== null) hasher.update(bytes);
  };
  part(key);
  part(value);
  part(Buffer.from(timestamp, 'latin1'));
  for (const [name, bytes] of headerList(headers)) {
    part(Buffer.from(name));
    part(bytes);
  }
  return { offset: BigInt(offset), name: digestName(hasher.digest()), timeMs: Number(timestamp) };
}

function headerList(headers: IHeaders | undefined): (readonly [string, Uint8Array | null])[] {
  return Object.entries(headers ?? {}).flatMap(([name, given]) =>
    (Array.isArray(given) ? given : [given]).map((one) => {
      const bytes = typeof one === 'string' ? Buffer.from(one) : (one ?? null);
      return [name, bytes] as const;
    }),
  );
}
