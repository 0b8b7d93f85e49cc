import type { Kafka, Producer } from 'kafkajs';
import type { KafkaAddress } from '../../src/config/kafka.ts';
import type { MirrorExtent, MirrorLog, MirrorMessage, StoredRecord } from '../../src/connector/mirror-log.ts';
import { TwinproofError } from '../../src/errors.ts';
import { AdminShare } from './admin-share.ts';
import type { Brokers } from './brokers.ts';
import { kafkaClient } from './client.ts';
import { kafkaFailure } from './failure.ts';
import { RecordCursor } from './record-batch.ts';
import { type TakeRecords, TopicReader } from './topic-reader.ts';

/**
 * A topic of one partition as the mirror of a ledger. A record counts as appended when every replica in sync has it,
 * and the brokers leave out what one connection sends twice (idempotent producer). Connects when it is asked. Throws
 * TP-TLS.
 */
export async function openLedgerTopic(address: KafkaAddress, topic: string): Promise<MirrorLog> {
  return new LedgerTopic(await kafkaClient(address), topic);
}

class LedgerTopic implements MirrorLog {
  readonly #client: Kafka;
  readonly #topic: string;
  readonly #admin: AdminShare;
  #producer: Promise<Producer> | null = null;

  constructor(client: Kafka, topic: string) {
    this.#client = client;
    this.#topic = topic;
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
    return this.#admin.ask(signal, (_, brokers) => this.#extent(brokers));
  }

  async read(
    { first, end }: MirrorExtent,
    take: (record: StoredRecord) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const refusals: unknown[] = [];
    const each = taker({ first, end }, take);
    const partitions = new Map(first < end ? [[0, { from: first, end }] as const] : []);
    const reader = new TopicReader(this.#client, { topic: this.#topic, partitions }, (partition, fetched) => {
      try {
        return each(partition, fetched);
      } catch (error) {
        refusals.push(error);
        throw error;
      }
    });
    try {
      await reader.run(signal);
    } catch (error) {
      // What it threw is nothing of the brokers'.
      throw refusals.length > 0 ? refusals[0] : error;
    }
    signal.throwIfAborted();
  }

  async close(): Promise<void> {
    await this.#admin.close();
    await this.#dropProducer();
  }

  async #extent(brokers: Brokers): Promise<MirrorExtent> {
    const partitions = [...(await brokers.endsOf([this.#topic])).values()];
    const [only] = partitions;
    if (only === undefined || partitions.length > 1) {
      throw new TwinproofError('TP-STREAM-SETUP', {
        message: `the topic ${this.#topic} has ${partitions.length} partitions`,
        hint: 'a ledger needs one order: make the topic with one partition',
      });
    }
    return { first: only.low, end: only.high };
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

function taker({ first, end }: MirrorExtent, take: (record: StoredRecord) => void): TakeRecords {
  const cursor = new RecordCursor();
  return (_, { batches }) => {
    for (const batch of batches.filter(({ kind }) => kind === 'data')) {
      cursor.open(batch);
      while (cursor.next()) {
        const { offset, timestamp, value } = cursor;
        if (offset < first || offset >= end) continue;
        const bytes = value === null ? null : Buffer.from(value.buffer, value.byteOffset, value.length);
        take({ offset, writtenAtMs: timestamp, value: bytes });
      }
    }
    return null;
  };
}
