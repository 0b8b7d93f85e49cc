import { type Place, recordMark } from './position.ts';
import { keyOf, type RecordBytes, valueOf, valueSizeOf } from './record-bytes.ts';

/** A record as it was read from a partition: key and value are where they stand in its batch. */
export class TopicRecord implements RecordBytes {
  /** `topic:partition` */
  readonly name: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  /** Milliseconds since 1970, as the producer or the broker set it. */
  readonly timestamp: number;
  /** Of the leader that took it in; negative: not known. */
  readonly leaderEpoch: number;
  readonly bytes: Uint8Array;
  readonly keyFrom: number;
  readonly keyTo: number;
  readonly valueFrom: number;
  readonly valueTo: number;

  constructor(
    {
      name,
      topic,
      partition,
      leaderEpoch,
    }: Pick<TopicRecord, 'name' | 'topic' | 'partition' | 'leaderEpoch'>,
    offset: bigint,
    content: RecordBytes & { readonly timestamp: number },
  ) {
    this.name = name;
    this.topic = topic;
    this.partition = partition;
    this.offset = offset;
    this.timestamp = content.timestamp;
    this.leaderEpoch = leaderEpoch;
    this.bytes = content.bytes;
    this.keyFrom = content.keyFrom;
    this.keyTo = content.keyTo;
    this.valueFrom = content.valueFrom;
    this.valueTo = content.valueTo;
  }

  get key(): Uint8Array | null {
    return keyOf(this);
  }

  get value(): Uint8Array | null {
    return valueOf(this);
  }

  get valueBytes(): number {
    return valueSizeOf(this);
  }

  /** With a copy of its key and without its value: what was fetched together stays for as long as a view of it does. */
  withoutValue(): TopicRecord {
    const bytes = new Uint8Array(this.key ?? []);
    const { timestamp } = this;
    const keyFrom = this.keyFrom < 0 ? -1 : 0;
    const content = { bytes, timestamp, keyFrom, keyTo: bytes.length, valueFrom: -1, valueTo: bytes.length };
    return new TopicRecord(this, this.offset, content);
  }
}

/** Behind the record. */
export function placeBehind({ offset, timestamp, valueBytes, leaderEpoch }: TopicRecord): Place {
  return { offset: offset + 1n, mark: recordMark(timestamp, valueBytes, leaderEpoch) };
}
