import type { Kafka } from 'kafkajs';

/** A hole in the offsets of a partition. */
export interface Hole {
  readonly topic: string;
  readonly partition: number;
  /** Of the first record that is not there. */
  readonly offset: bigint;
  readonly compacted: boolean;
}

type TopicOffsets = Awaited<ReturnType<ReturnType<Kafka['admin']>['fetchTopicOffsets']>>;

async function offsetsOf(client: Kafka, topic: string): Promise<TopicOffsets> {
  const admin = client.admin();
  try {
    await admin.connect();
    return await admin.fetchTopicOffsets(topic);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

/** `topic:partition` → behind its newest record. */
export async function endsOfTopic(client: Kafka, topic: string): Promise<ReadonlyMap<string, bigint>> {
  const offsets = await offsetsOf(client, topic);
  return new Map(offsets.map(({ partition, high }) => [`${topic}:${partition}`, BigInt(high)]));
}

/** What a hole means, in words; null: nothing, for offsets are left out where a transaction of a producer ended. */
export async function missingIn(client: Kafka, hole: Hole): Promise<string | null> {
  const { topic, partition, offset, compacted } = hole;
  const offsets = await offsetsOf(client, topic);
  const low = BigInt(offsets.find((one) => one.partition === partition)?.low ?? '0');
  if (low > offset)
    return `${topic}:${partition} lost its records from ${offset} to ${low} before they were read`;
  return compacted ? `${topic}:${partition} is compacted: changes behind offset ${offset} are gone` : null;
}

/** Without the right to it, the brokers forget a group by themselves (offsets.retention.minutes). */
export async function forgetGroup(client: Kafka, group: string): Promise<void> {
  const admin = client.admin({ retry: { retries: 0 } });
  try {
    await admin.connect();
    await admin.deleteGroups([group]);
  } finally {
    await admin.disconnect();
  }
}
