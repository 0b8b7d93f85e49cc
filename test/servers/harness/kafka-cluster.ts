import { randomBytes } from 'node:crypto';
import { Kafka, type KafkaConfig, logLevel } from 'kafkajs';
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
  'offsets.topic.replication.factor': '2',
};
const WAIT_MS = 90_000;

/** Two brokers, of which `second` may be stopped and killed: the other one is the controller. */
export class KafkaPair {
  readonly first: KafkaServer;
  readonly second: KafkaServer;

  private constructor(first: KafkaServer, second: KafkaServer) {
    this.first = first;
    this.second = second;
  }

  /** @throws Error when they cannot run here. Nothing is left behind. */
  static async create(): Promise<KafkaPair> {
    const clusterId = randomBytes(16).toString('base64url');
    const controller = await freePort();
    const first = await createKafka(SETTINGS, { node: { id: 1, clusterId, controller } });
    try {
      return new KafkaPair(first, await createKafka(SETTINGS, { node: { id: 2, clusterId, controller } }));
    } catch (error) {
      await first.destroy();
      throw error;
    }
  }

  get brokers(): string[] {
    return [this.second.broker, this.first.broker];
  }

  client(options: Partial<KafkaConfig> = {}): Kafka {
    const retry = { retries: 12, initialRetryTime: 100, maxRetryTime: 2000 };
    return new Kafka({ brokers: this.brokers, logLevel: logLevel.NOTHING, retry, ...options });
  }

  /** Partition by partition the brokers that have it, the leader by choice first. */
  async createTopic(topic: string, replicas: readonly (readonly number[])[]): Promise<void> {
    const admin = await this.first.admin();
    const replicaAssignment = replicas.map((of, partition) => ({ partition, replicas: [...of] }));
    await admin.createTopics({ topics: [{ topic, replicaAssignment }], waitForLeaders: false });
    await this.isLed(topic, replicas[0]?.[0] ?? 1);
  }

  /** Waits until the broker leads all of the topic. */
  async isLed(topic: string, leader: number): Promise<void> {
    const admin = await this.first.admin();
    let last: unknown = null;
    const led = async (): Promise<boolean> => {
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] }).catch(() => ({ topics: [] }));
      const [found] = topics;
      last = found;
      return found?.partitions.every((one) => one.leader === leader) === true;
    };
    await waitUntil(led, WAIT_MS, () => `${topic} is not led by ${leader}: ${JSON.stringify(last)}`);
  }

  async destroy(): Promise<void> {
    await Promise.all([this.first.destroy(), this.second.destroy()]);
  }
}
