import type { Admin, Kafka } from 'kafkajs';
import metadataProtocol from 'kafkajs/src/protocol/requests/metadata/index.js';
import { TwinproofError } from '../../src/errors.ts';
import { adminOn, type AskedCluster, clusterOf, type EndsUpTo } from './cluster.ts';
import { topicIds } from './metadata.ts';

const METADATA = 3;
/**
 * Of the metadata request (Kafka protocol guide, "Metadata API"): those that tell the cluster's id and that kafkajs can
 * read.
 */
const VERSION_MIN = 2;
const VERSION_MAX = 6;

/** What brokers say of themselves and of all topics that may be seen. */
export interface ClusterFacts {
  readonly clusterId: string;
  /** `host:port` */
  readonly brokers: readonly string[];
  /** How many partitions each topic has, whether they have a leader or not. */
  readonly topics: ReadonlyMap<string, number>;
}

/** Of a partition. */
export interface End {
  readonly topic: string;
  readonly partition: number;
  /** Offset of the oldest record that is kept. */
  readonly low: bigint;
  /** Behind the newest. */
  readonly high: bigint;
  /** Which topic that is (metadata.ts); null: the brokers do not say. */
  readonly topicId: string | null;
}

/** By `topic:partition`. */
export type Ends = ReadonlyMap<string, End>;

/** How often topics may be made anew while they are asked for. */
const LOOKS = 3;

/**
 * Brokers to be asked. kafkajs makes a TypeError of the answer about all topics as soon as one partition of any topic
 * in the cluster has no leader, and asks for ends topic by topic.
 */
export class Brokers {
  readonly admin: Admin;
  readonly #cluster: AskedCluster;
  /** As they were told last. */
  #ids: ReadonlyMap<string, string> = new Map();

  private constructor(client: Kafka, upTo: EndsUpTo) {
    this.#cluster = clusterOf(client, upTo);
    this.admin = adminOn(client, this.#cluster);
  }

  /** `upTo`: which ends are told. Throws errors of kafkajs. */
  static async connect(client: Kafka, upTo: EndsUpTo): Promise<Brokers> {
    const brokers = new Brokers(client, upTo);
    try {
      await brokers.admin.connect();
      return brokers;
    } catch (error) {
      await brokers.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.admin.disconnect().catch(() => undefined);
  }

  /** Of one broker. Throws errors of kafkajs. */
  async facts(): Promise<ClusterFacts> {
    const broker = await this.#cluster.brokerPool.findConnectedBroker();
    const version = Math.min(VERSION_MAX, broker.versions?.[METADATA]?.maxVersion ?? VERSION_MIN);
    const ask = metadataProtocol.protocol({ version });
    const { request, response } = ask({ topics: [], allowAutoTopicCreation: false });
    const answer = await broker.connectionPool.send({
      request,
      response: {
        decode: (payload) => response.decode(payload),
        // kafkajs would throw the first error of any topic.
        parse: (decoded) => Promise.resolve(decoded),
      },
    });
    const { clusterId, brokers, topicMetadata } = answer;
    if (clusterId === null) throw untold('the id of their cluster');
    return {
      clusterId,
      brokers: brokers.map(({ host, port }) => `${host}:${port}`),
      topics: new Map(topicMetadata.map(({ topic, partitionMetadata: of }) => [topic, of.length])),
    };
  }

  /** From now on only these topics are asked for with whatever else kafkajs asks: others may be without leaders. */
  async know(topics: readonly string[]): Promise<void> {
    await this.#cluster.addMultipleTargetTopics(topics);
  }

  /**
   * Of every partition of the topics; the ids were the same before and after the ends were asked for. Throws errors of
   * kafkajs, and TP-CONNECTION-LOST where one is missing.
   */
  async endsOf(topics: readonly string[]): Promise<Ends> {
    const cluster = this.#cluster;
    await this.know(topics);
    if (topics.some((topic) => !this.#ids.has(topic))) await this.#askIds(topics);
    for (let look = 0; look < LOOKS; look += 1) {
      const before = this.#ids;
      await cluster.refreshMetadataIfNecessary();
      const wanted = topics.map((topic) => {
        const partitions = cluster.findTopicPartitionMetadata(topic);
        if (partitions.length === 0) throw untold(`where ${topic} ends`);
        return { topic, partitions: partitions.map(({ partitionId }) => ({ partition: partitionId })) };
      });
      const highs = await this.#offsets(wanted, false);
      const lows = await this.#offsets(wanted, true);
      await this.#askIds(topics);
      if (topics.every((topic) => before.get(topic) === this.#ids.get(topic))) {
        return endsFrom(wanted, { lows, highs, ids: this.#ids });
      }
      await cluster.refreshMetadata();
    }
    throw untold(`which topics ${topics.join(', ')} are: they are made anew again and again`);
  }

  async #askIds(topics: readonly string[]): Promise<void> {
    this.#ids = await topicIds(await this.#cluster.brokerPool.findConnectedBroker(), topics);
  }

  async #offsets(
    wanted: readonly { readonly topic: string; readonly partitions: readonly { partition: number }[] }[],
    fromBeginning: boolean,
  ): Promise<ReadonlyMap<string, bigint>> {
    const found = await this.#cluster.fetchTopicsOffset(wanted.map((one) => ({ ...one, fromBeginning })));
    return new Map(
      found.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset }) => [`${topic}:${partition}`, BigInt(offset)] as const),
      ),
    );
  }
}

function endsFrom(
  wanted: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number }[];
  }[],
  told: {
    readonly lows: ReadonlyMap<string, bigint>;
    readonly highs: ReadonlyMap<string, bigint>;
    readonly ids: ReadonlyMap<string, string>;
  },
): Ends {
  const ends = new Map<string, End>();
  for (const { topic, partitions } of wanted) {
    const topicId = told.ids.get(topic) ?? null;
    for (const { partition } of partitions) {
      const name = `${topic}:${partition}`;
      const [low, high] = [told.lows.get(name), told.highs.get(name)];
      if (low === undefined || high === undefined) throw untold(`where ${name} ends`);
      ends.set(name, { topic, partition, low, high, topicId });
    }
  }
  return ends;
}

function untold(what: string): TwinproofError {
  return new TwinproofError('TP-CONNECTION-LOST', {
    message: `the brokers do not tell ${what}`,
    hint: 'see whether they are well, and whether each partition has a leader',
    retryable: true,
  });
}
