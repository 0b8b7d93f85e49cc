import type { Kafka } from 'kafkajs';
import type { KafkaAddress } from '../../src/config/kafka.ts';
import type {
  GroupOffset,
  NamedRecord,
  TakeNamed,
  TopicFacts,
  TopicSite,
} from '../../src/connector/topic-site.ts';
import { Brokers } from './brokers.ts';
import { kafkaClient } from './client.ts';
import { ofCoordinators } from './coordinator.ts';
import { kafkaFailure } from './failure.ts';
import { behindOf } from './fetch-response.ts';
import { RecordCursor } from './record-batch.ts';
import { RecordNamer } from './record-name.ts';
import { startingPlaces } from './topic-log.ts';
import { type TakeRecords, TopicReader } from './topic-reader.ts';

/** Opens one topic. Throws TP-TLS; connects later. */
export async function openTopicSite(address: KafkaAddress, topic: string): Promise<TopicSite> {
  return new KafkaTopicSite(await kafkaClient(address), topic);
}

class KafkaTopicSite implements TopicSite {
  readonly #client: Kafka;
  readonly #topic: string;

  constructor(client: Kafka, topic: string) {
    this.#client = client;
    this.#topic = topic;
  }

  facts(signal: AbortSignal): Promise<TopicFacts> {
    return this.#asked(signal, async (brokers) => {
      const facts = await brokers.facts();
      const [log] = await startingPlaces(brokers, facts, { topics: [this.#topic], stored: null });
      const partitions = (log?.partitions ?? []).map(({ partition, readFrom, high }) => ({
        partition,
        low: readFrom,
        high,
      }));
      partitions.sort((a, b) => a.partition - b.partition);
      return {
        clusterId: facts.clusterId,
        topic: this.#topic,
        partitions,
        compacted: log?.compacted ?? true,
      };
    });
  }

  groupOffsets(signal: AbortSignal): Promise<readonly GroupOffset[]> {
    return this.#asked(signal, async (brokers) => {
      const { topics } = await brokers.facts();
      // One that is not there, or may not be seen, `facts` tells of.
      if (topics.has(this.#topic)) await brokers.know([this.#topic]);
      const { admin } = brokers;
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

  async read(until: ReadonlyMap<number, bigint>, take: TakeNamed, signal: AbortSignal): Promise<void> {
    // Of an empty partition nothing ever comes, whatever its offsets.
    const { partitions: there } = await this.facts(signal);
    const lows = new Map(there.map(({ partition, low }) => [partition, low]));
    const partitions = new Map(
      [...until]
        .map(([partition, end]) => [partition, { from: lows.get(partition) ?? 0n, end }] as const)
        .filter(([, { from, end }]) => end > from),
    );
    const namer = new RecordNamer();
    const cursor = new RecordCursor();
    const each: TakeRecords = (partition, fetched) => {
      const { from, batches } = fetched;
      const end = until.get(partition) ?? 0n;
      const records: NamedRecord[] = [];
      for (const batch of batches) {
        if (batch.kind !== 'data') continue;
        cursor.open(batch);
        while (cursor.next()) {
          const { offset } = cursor;
          if (offset < from) continue;
          if (offset >= end) break;
          records.push({ offset, name: namer.nameOf(cursor), timeMs: cursor.timestamp });
        }
      }
      return take(partition, records, behindOf(fetched));
    };
    await new TopicReader(this.#client, { topic: this.#topic, partitions }, each).run(signal);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #asked<T>(signal: AbortSignal, ask: (brokers: Brokers) => Promise<T>): Promise<T> {
    let brokers: Brokers | null = null;
    try {
      signal.throwIfAborted();
      // What stands in an open transaction may be taken back.
      brokers = await Brokers.connect(this.#client, 'stable');
      return await ask(brokers);
    } catch (error) {
      signal.throwIfAborted();
      throw kafkaFailure(error);
    } finally {
      await brokers?.close();
    }
  }
}
