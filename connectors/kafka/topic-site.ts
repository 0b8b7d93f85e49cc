import type { Kafka } from 'kafkajs';
import type { KafkaAddress } from '../../src/config/kafka.ts';
import type { GroupOffset, NamedRecord, TopicFacts, TopicSite } from '../../src/connector/topic-site.ts';
import { kafkaClient } from './client.ts';
import { ofCoordinators } from './coordinator.ts';
import { kafkaFailure } from './failure.ts';
import { RecordNamer } from './record-name.ts';
import { startingPlaces } from './topic-log.ts';
import { type TakeMessages, TopicReader } from './topic-reader.ts';

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
      const { groups } = await ofCoordinators(() => admin.listGroups(), signal);
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
    const namer = new RecordNamer();
    const each: TakeMessages = (partition, messages) => {
      const end = until.get(partition) ?? 0n;
      const records: NamedRecord[] = [];
      for (const message of messages) {
        const offset = BigInt(message.offset);
        if (offset >= end) break;
        records.push({ offset, name: namer.nameOf(message), timeMs: Number(message.timestamp) });
      }
      return take(partition, records);
    };
    const extent = { topic: this.#topic, ends: new Map(kept) };
    await new TopicReader(this.#client, `twinproof-${this.#random()}`, extent, each).run(signal);
  }

  close(): Promise<void> {
    return Promise.resolve();
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
