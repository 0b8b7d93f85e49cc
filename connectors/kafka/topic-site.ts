import type { Kafka } from 'kafkajs';
import type { KafkaAddress } from '../../src/config/kafka.ts';
import type {
  GroupOffset,
  NamedRecord,
  PartitionFacts,
  TakeNamed,
  TopicFacts,
  TopicSite,
} from '../../src/connector/topic-site.ts';
import { Brokers } from './brokers.ts';
import { kafkaClient } from './client.ts';
import type { EndsUpTo } from './cluster.ts';
import { ofCoordinators } from './coordinator.ts';
import { kafkaFailure } from './failure.ts';
import { behindOf } from './fetch-response.ts';
import { keyText } from './key-text.ts';
import { RecordCursor } from './record-batch.ts';
import { RecordNamer } from './record-name.ts';
import { startingPlaces } from './topic-log.ts';
import { type TakeRecords, TopicReader } from './topic-reader.ts';

/** Opens one topic. Throws TP-TLS; connects later. */
export async function openTopicSite(address: KafkaAddress, topic: string): Promise<TopicSite> {
  return new KafkaTopicSite(await kafkaClient(address), topic);
}

/** Of groups: those of consumers, and those whose offsets somebody else committed, as MirrorMaker 2 does. */
const COMMITTING = new Set(['consumer', '']);

type StablePartition = Omit<PartitionFacts, 'written'>;

class KafkaTopicSite implements TopicSite {
  readonly #client: Kafka;
  readonly #topic: string;

  constructor(client: Kafka, topic: string) {
    this.#client = client;
    this.#topic = topic;
  }

  async facts(signal: AbortSignal): Promise<TopicFacts> {
    const stable = await this.#stable(signal);
    const ends = await this.#asked(signal, (brokers) => brokers.endsOf([this.#topic]), 'written');
    const partitions = stable.partitions.map(({ partition, low, high }) => {
      const written = ends.get(`${this.#topic}:${partition}`)?.high ?? high;
      return { partition, low, high, written: written > high ? written : high };
    });
    return { ...stable, partitions };
  }

  #stable(signal: AbortSignal): Promise<Omit<TopicFacts, 'partitions'> & { partitions: StablePartition[] }> {
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
      const mayCommit = groups.filter(({ protocolType }) => COMMITTING.has(protocolType));
      for (const { groupId: group } of mayCommit) {
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
    const { partitions: there } = await this.#stable(signal);
    for (const { partition, low } of there) void take(partition, [], low);
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
        if (batch.kind === 'marker') continue;
        const takenBack = batch.kind === 'aborted';
        cursor.open(batch);
        while (cursor.next()) {
          const { offset } = cursor;
          if (offset < from) continue;
          if (offset >= end) break;
          const record = { offset, name: namer.nameOf(cursor), timeMs: cursor.timestamp };
          records.push(takenBack ? { ...record, takenBack } : record);
        }
      }
      return take(partition, records, behindOf(fetched));
    };
    await new TopicReader(this.#client, { topic: this.#topic, partitions }, each).run(signal);
  }

  async keysAt(
    partition: number,
    offsets: readonly bigint[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<bigint, string | null>> {
    const found = new Map<bigint, string | null>();
    const cursor = new RecordCursor();
    for (const offset of offsets) {
      const look: TakeRecords = (_, { batches }) => {
        for (const batch of batches) {
          cursor.open(batch);
          while (cursor.next()) if (cursor.offset === offset) found.set(offset, keyText(cursor.key));
        }
        return null;
      };
      const partitions = new Map([[partition, { from: offset, end: offset + 1n }]]);
      await new TopicReader(this.#client, { topic: this.#topic, partitions }, look).run(signal);
    }
    return found;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #asked<T>(
    signal: AbortSignal,
    ask: (brokers: Brokers) => Promise<T>,
    // What stands in an open transaction may be taken back.
    upTo: EndsUpTo = 'stable',
  ): Promise<T> {
    let brokers: Brokers | null = null;
    try {
      signal.throwIfAborted();
      brokers = await Brokers.connect(this.#client, upTo);
      return await ask(brokers);
    } catch (error) {
      signal.throwIfAborted();
      throw kafkaFailure(error);
    } finally {
      await brokers?.close();
    }
  }
}
