import type { Producer } from 'kafkajs';
import type { KafkaAddress } from '../../src/config/kafka.ts';
import type { Outlet, OutletMessage } from '../../src/connector/outlet.ts';
import { kafkaClient } from './client.ts';
import { kafkaFailure } from './failure.ts';

/**
 * A topic to publish to. Every replica in sync has a message before it counts as sent, and the brokers leave out what
 * is sent twice (idempotent producer). Throws TP-UNREACHABLE, TP-AUTH, TP-TLS, TP-PERMISSION.
 */
export async function openTopicOutlet(address: KafkaAddress, topic: string): Promise<Outlet> {
  const client = await kafkaClient(address);
  const producer = client.producer({
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
  });
  try {
    await producer.connect();
  } catch (error) {
    await producer.disconnect().catch(() => undefined);
    throw kafkaFailure(error);
  }
  return new TopicOutlet(producer, topic);
}

class TopicOutlet implements Outlet {
  readonly #producer: Producer;
  readonly #topic: string;

  constructor(producer: Producer, topic: string) {
    this.#producer = producer;
    this.#topic = topic;
  }

  async send(messages: readonly OutletMessage[]): Promise<void> {
    try {
      await this.#producer.send({
        topic: this.#topic,
        acks: -1,
        messages: messages.map(({ key, value }) => ({ key, value })),
      });
    } catch (error) {
      throw kafkaFailure(error);
    }
  }

  async close(): Promise<void> {
    await this.#producer.disconnect();
  }
}
