import { type Place, recordMark } from './position.ts';

/** A record as it was read from a partition. */
export interface TopicRecord {
  /** `topic:partition` */
  readonly name: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Milliseconds since 1970, as the producer or the broker set it. */
  readonly timestamp: number;
  /** Of the leader that took it in; negative: not known. */
  readonly leaderEpoch: number;
}

/** Behind the record. */
export function placeBehind({ offset, timestamp, value, leaderEpoch }: TopicRecord): Place {
  return { offset: offset + 1n, mark: recordMark(timestamp, value?.length ?? 0, leaderEpoch) };
}
