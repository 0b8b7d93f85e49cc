import { randomBytes } from 'node:crypto';
import { Kafka, type KafkaConfig, logLevel, type PartitionMetadata } from 'kafkajs';
import { freePort } from '../../../src/demo/cluster-files.ts';
import { waitUntil } from '../../../src/demo/cluster-wait.ts';
import { createKafka, type KafkaServer } from './kafka-server.ts';
import type { BrokerSettings } from './kafka-template.ts';

/** A broker that is gone is missed after three seconds, and one that came back leads again what it led by choice. */
const SETTINGS: BrokerSettings = {
  'broker.session.timeout.ms': '3000',
  'broker.heartbeat.interval.ms': '500',
  'leader.imbalance.check.interval.seconds': '2',
  'leader.imbalance.per.broker.percentage': '0',
};
const WAIT_MS = 90_000;

/** Brokers, of which all but the first may be stopped and killed: that is the controller. */
class BrokerGroup {
  readonly all: readonly [KafkaServer, ...KafkaServer[]];

  protected constructor(all: readonly [KafkaServer, ...KafkaServer[]]) {
    this.all = all;
  }

  /** @throws Error when they cannot run here. Nothing is left behind. */
  protected static async start(count: number): Promise<readonly [KafkaServer, ...KafkaServer[]]> {
    const clusterId = randomBytes(16).toString('base64url');
    const controller = await freePort();
    const replicas = { 'offsets.topic.replication.factor': String(count) };
    const created = (id: number): Promise<KafkaServer> =>
      createKafka({ ...SETTINGS, ...replicas }, { node: { id, clusterId, controller } });
    const first = await created(1);
    const others = await Promise.allSettled(
      Array.from({ length: count - 1 }, (_, index) => created(index + 2)),
    );
    const started = others.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    if (started.length === count - 1) return [first, ...started];
    await Promise.all([first, ...started].map((one) => one.destroy()));
    throw new Error('not all brokers started', { cause: others });
  }

  get first(): KafkaServer {
    return this.all[0];
  }

  get brokers(): string[] {
    return this.all.map(({ broker }) => broker).toReversed();
  }

  client(options: Partial<KafkaConfig> = {}): Kafka {
    const retry = { retries: 12, initialRetryTime: 100, maxRetryTime: 2000 };
    return new Kafka({ brokers: this.brokers, logLevel: logLevel.NOTHING, retry, ...options });
  }

  /** Partition by partition the brokers that have it, the leader by choice first. */
  async createTopic(
    topic: string,
    replicas: readonly (readonly number[])[],
    settings: BrokerSettings = {},
  ): Promise<void> {
    const admin = await this.first.admin();
    const replicaAssignment = replicas.map((of, partition) => ({ partition, replicas: [...of] }));
    const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }));
    await admin.createTopics({
      topics: [{ topic, replicaAssignment, configEntries }],
      waitForLeaders: false,
    });
    await this.isLed(topic, replicas[0]?.[0] ?? 1);
  }

  /** Waits until the broker leads all of the topic. */
  isLed(topic: string, leader: number): Promise<void> {
    return this.#until(topic, `led by ${leader}`, (one) => one.leader === leader);
  }

  /** Waits until these brokers and no others have all of the topic. */
  isInSync(topic: string, brokers: readonly number[]): Promise<void> {
    const wanted = brokers.join();
    return this.#until(
      topic,
      `in sync on ${wanted}`,
      ({ isr }) => isr.toSorted((a, b) => a - b).join() === wanted,
    );
  }

  async destroy(): Promise<void> {
    await Promise.all(this.all.map((one) => one.destroy()));
  }

  async #until(topic: string, what: string, isSo: (of: PartitionMetadata) => boolean): Promise<void> {
    const admin = await this.first.admin();
    let last: unknown = null;
    const all = async (): Promise<boolean> => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] }).catch(() => ({ topics: [] }));
      const [found] = topics;
      last = found;
      return found?.partitions.every(isSo) === true;
    };
    await waitUntil(all, WAIT_MS, () => `${topic} is not ${what}: ${JSON.stringify(last)}`);
  }
}

/** Two brokers, of which `second` may be stopped and killed. */
export class KafkaPair extends BrokerGroup {
  readonly second: KafkaServer;

  private constructor(all: readonly [KafkaServer, ...KafkaServer[]], second: KafkaServer) {
    super(all);
    this.second = second;
  }

  /** @throws Error when they cannot run here. Nothing is left behind. */
  static async create(): Promise<KafkaPair> {
    const [first, second] = await BrokerGroup.start(2);
    if (second === undefined) throw new Error('one broker is no pair');
    return new KafkaPair([first, second], second);
  }
}

/** Three, of which two may be stopped and killed. */
export class KafkaTrio extends BrokerGroup {
  readonly second: KafkaServer;
  readonly third: KafkaServer;

  private constructor(all: readonly [KafkaServer, KafkaServer, KafkaServer]) {
    super(all);
    [, this.second, this.third] = all;
  }

  /** @throws Error when they cannot run here. Nothing is left behind. */
  static async create(): Promise<KafkaTrio> {
    const [first, second, third] = await BrokerGroup.start(3);
    if (second === undefined || third === undefined) throw new Error('these are not three');
    return new KafkaTrio([first, second, third]);
  }
}
