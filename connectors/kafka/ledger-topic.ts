import type { Admin, Kafka, Producer } from 'kafkajs';
import type { KafkaAddress } from '../../src/config/kafka.ts';
import type { MirrorExtent, MirrorLog, MirrorMessage, StoredRecord } from '../../src/connector/mirror-log.ts';
import { TwinproofError } from '../../src/errors.ts';
import { AdminShare } from './admin-share.ts';
import { kafkaClient } from './client.ts';
import { kafkaFailure } from './failure.ts';
import { LedgerTopicReader } from './ledger-topic-reader.ts';

/**
 * A topic of one partition as the mirror of a ledger. A record counts as appended when every replica in sync has it, and
 * the brokers leave out what one connection sends twice (idempotent producer). `random` ends the name of the consumer
 * group that reads it. Connects when it is asked. Throws TP-TLS.
 */
export async function openLedgerTopic(
  address: KafkaAddress,
  topic: string,
  random: () => string,
): Promise<MirrorLog> {
  return new LedgerTopic(await kafkaClient(address), topic, random);
}

class LedgerTopic implements MirrorLog {
  readonly #client: Kafka;
  readonly #topic: string;
  readonly #random: () => string;
  readonly #admin: AdminShare;
  #producer: Promise<Producer> | null = null;

  constructor(client: Kafka, topic: string, random: () => string) {
    this.#client = client;
    this.#topic = topic;
    this.#random = random;
    this.#admin = new AdminShare(client);
  }

  async append(messages: readonly MirrorMessage[]): Promise<bigint | null> {
    try {
      this.#producer ??= this.#connect();
      const producer = await this.#producer;
      const [stored] = await producer.send({
        topic: this.#topic,
        acks: -1,
        messages: messages.map(({ key, value }) => ({ key, value, partition: 0 })),
      });
      // Kafka protocol guide, Produce response: the offset of the first record; -1 where the broker does not know it.
      const first = stored?.baseOffset;
      return first === undefined || first.startsWith('-') ? null : BigInt(first) + BigInt(messages.length);
    } catch (error) {
      await this.#dropProducer();
      throw kafkaFailure(error);
    }
  }

  extent(signal: AbortSignal): Promise<MirrorExtent> {
    return this.#admin.ask(signal, (admin) => this.#extent(admin));
  }

  async read(extent: MirrorExtent, take: (record: StoredRecord) => void, signal: AbortSignal): Promise<void> {
    if (extent.first >= extent.end) return;
    const group = `twinproof-${this.#random()}`;
    await new LedgerTopicReader(this.#client, group, { topic: this.#topic, ...extent }, take).run(signal);
  }

  async close(): Promise<void> {
    await this.#admin.close();
    await this.#dropProducer();
  }

  async #extent(admin: Admin): Promise<MirrorExtent> {
    const partitions = await admin.fetchTopicOffsets(this.#topic);
    const [only] = partitions;
    if (only === undefined || partitions.length > 1) {
      throw new TwinproofError('TP-STREAM-SETUP', {
        message: `the topic ${this.#topic} has ${partitions.length} partitions`,
        hint: 'a ledger needs one order: make the topic with one partition',
      });
    }
    return { first: BigInt(only.low), end: BigInt(only.high) };
  }

  async #connect(): Promise<Producer> {
    const producer = this.#client.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
    });
    try {
      await producer.connect();
      return producer;
    } catch (error) {
      await producer.disconnect().catch(() => undefined);
      throw error;
    }
  }

  async #dropProducer(): Promise<void> {
    const open = this.#producer;
    this.#producer = null;
    if (open === null) return;
    try {
      await (await open).disconnect();
    } catch {
      // It was never there, or is gone already.
    }
  }
}
