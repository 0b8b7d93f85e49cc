import type { Kafka } from 'kafkajs';
import { Brokers } from './brokers.ts';

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

/** `topic:partition` → behind its newest record, also where that stands in a transaction that is still open. */
export async function endsOfTopic(client: Kafka, topic: string): Promise<ReadonlyMap<string, bigint>> {
  const brokers = await Brokers.connect(client, 'written');
  try {
    const ends = await brokers.endsOf([topic]);
    return new Map([...ends].map(([name, { high }]) => [name, high]));
  } finally {
    await brokers.close();
  }
}

/**
 * What a hole means, in words. The ends of producers' transactions, and those that were taken back, leave none. Pure.
 */
export function missingIn({ name, from, to, low, compacted }: Hole): string {
  if (low !== null && low > from)
    return `${name} lost its records from ${from} to ${low} before they were read`;
  if (compacted) return `${name} is compacted: changes behind offset ${from} are gone`;
  return `${name} has no records from offset ${from} to ${to}`;
}
