import type { Kafka } from 'kafkajs';

/** A hole in the offsets of a partition. */
export interface Hole {
  /** `topic:partition` */
  readonly name: string;
  /** Of the first record that is not there, and of the first that is. */
  readonly from: bigint;
  readonly to: bigint;
  /** Of the oldest record that is kept; null: not known. */
  readonly low: bigint | null;
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

/** What a hole means, in words. The ends of producers' transactions, and those that were taken back, leave none. Pure. */
export function missingIn({ name, from, to, low, compacted }: Hole): string {
  if (low !== null && low > from)
    return `${name} lost its records from ${from} to ${low} before they were read`;
  if (compacted) return `${name} is compacted: changes behind offset ${from} are gone`;
  return `${name} has no records from offset ${from} to ${to}`;
}
