import { type Place, recordMark } from './position.ts';
import type { RecordCursor } from './record-batch.ts';
import type { PartitionStart } from './topic-log.ts';

/** How far a partition was read, while it is. */
export class PartitionReading implements Place {
  /** `topic:partition` */
  readonly name: string;
  readonly topic: string;
  readonly partition: number;
  /** Of the next record. */
  offset: bigint;
  /** Whether it is not known yet that this is still the log that was read. */
  unchecked: boolean;
  /** Of the record before `offset`; null: as it was at the start, or nothing is known of it. */
  #last: { timestamp: number; valueBytes: number } | null = null;
  #mark: string | null;

  constructor(topic: string, { partition, place, readFrom }: PartitionStart) {
    this.name = `${topic}:${partition}`;
    this.topic = topic;
    this.partition = partition;
    this.offset = place.offset;
    this.unchecked = readFrom < place.offset;
    this.#mark = place.mark;
  }

  get mark(): string | null {
    return this.#last === null ? this.#mark : recordMark(this.#last.timestamp, this.#last.valueBytes);
  }

  /** Behind the record that the cursor is at. */
  passed(offset: bigint, { timestamp, valueBytes }: RecordCursor): void {
    this.offset = offset + 1n;
    this.#last ??= { timestamp, valueBytes };
    this.#last.timestamp = timestamp;
    this.#last.valueBytes = valueBytes;
  }

  /** Behind records that are not there. */
  jump(offset: bigint): void {
    this.offset = offset;
    this.#last = null;
    this.#mark = null;
  }

  /** False: where the record stood that was read last, another stands. */
  isSame(offset: bigint, { timestamp, valueBytes }: RecordCursor): boolean {
    if (offset + 1n !== this.offset) return true;
    const { mark } = this;
    this.unchecked = false;
    return mark === null || mark === recordMark(timestamp, valueBytes);
  }
}
