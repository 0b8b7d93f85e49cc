import { epochOf, isSameMark, type Place, recordMark } from './position.ts';
import type { RecordBatch, RecordCursor } from './record-batch.ts';
import { LOOK_BACK, otherLog, type PartitionStart } from './topic-log.ts';

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
  /** What is looked back at was handed out before the reading began, and nothing is known of it. */
  recalls: boolean;
  /** Of the leader who took in what was read last; −1: not known. */
  leaderEpoch: number;
  /** Which topic of that name it is; null: the brokers do not say. */
  readonly topicId: string | null;
  /** Of the record before `offset`; null: as it was at the start, or nothing is known of it. */
  #last: { timestamp: number; valueBytes: number; leaderEpoch: number } | null = null;
  #mark: string | null;

  constructor(topic: string, { partition, place, readFrom }: PartitionStart) {
    this.name = `${topic}:${partition}`;
    this.topic = topic;
    this.partition = partition;
    this.offset = place.offset;
    this.unchecked = readFrom < place.offset;
    this.recalls = this.unchecked;
    this.#mark = place.mark;
    this.leaderEpoch = epochOf(place.mark);
    this.topicId = place.topicId ?? null;
  }

  get mark(): string | null {
    if (this.#last === null) return this.#mark;
    const { timestamp, valueBytes, leaderEpoch } = this.#last;
    return recordMark(timestamp, valueBytes, leaderEpoch);
  }

  /**
   * Before the batch is read: where to begin again, since another leader wrote it, who may have lost the end of the log
   * that was read; null: nowhere, go on. `low`: of the oldest record that is there. Throws TP-GAP for an earlier
   * leader's, which only another log can hold.
   */
  before({ leaderEpoch, lastOffset }: RecordBatch, low: bigint | null): bigint | null {
    if (this.unchecked || lastOffset < this.offset) return null;
    const known = this.leaderEpoch;
    if (leaderEpoch < known) throw otherLog(this.name);
    this.leaderEpoch = leaderEpoch;
    return known < 0 || known === leaderEpoch ? null : this.again(low);
  }

  /**
   * Where to begin again so that the log is known to be the one that was read, since it may have become another; null:
   * nowhere, go on. `low`: as above.
   */
  again(low: bigint | null): bigint | null {
    if (this.unchecked || this.mark === null) return null;
    const from = this.offset - LOOK_BACK;
    const start = low !== null && low > from ? low : from < 0n ? 0n : from;
    if (start >= this.offset) return null;
    this.unchecked = true;
    return start;
  }

  /** Behind the record that the cursor is at. */
  passed(offset: bigint, { timestamp, valueBytes }: RecordCursor): void {
    this.offset = offset + 1n;
    const { leaderEpoch } = this;
    this.#last ??= { timestamp, valueBytes, leaderEpoch };
    this.#last.timestamp = timestamp;
    this.#last.valueBytes = valueBytes;
    this.#last.leaderEpoch = leaderEpoch;
  }

  /** Behind records that are not there. */
  jump(offset: bigint): void {
    this.offset = offset;
    this.#last = null;
    this.#mark = null;
  }

  /** False: where the record stood that was read last, another stands. `leaderEpoch`: of its batch. */
  isSame(offset: bigint, { timestamp, valueBytes }: RecordCursor, leaderEpoch: number): boolean {
    if (offset + 1n !== this.offset) return true;
    const { mark } = this;
    this.unchecked = false;
    this.recalls = false;
    return mark === null || isSameMark(mark, recordMark(timestamp, valueBytes, leaderEpoch));
  }
}
