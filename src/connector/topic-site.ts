/** A record by what it holds: key, value, headers and time stamp, each framed, as one 128-bit name (src/digest). */
export interface NamedRecord {
  readonly offset: bigint;
  readonly name: string;
  /** Milliseconds since 1970, as the producer or the broker set it. */
  readonly timeMs: number;
  /** Of a producer's transaction that was taken back: nobody is to read it. */
  readonly takenBack?: true;
}

export interface PartitionFacts {
  readonly partition: number;
  /** Of the oldest record that is kept, and behind the newest that can be read. */
  readonly low: bigint;
  readonly high: bigint;
  /** Behind everything: above `high` while a producer's transaction is open. */
  readonly written: bigint;
}

export interface TopicFacts {
  readonly clusterId: string;
  readonly topic: string;
  readonly partitions: readonly PartitionFacts[];
  /** Of a key only the newest record is kept. Also true when that may not be seen. */
  readonly compacted: boolean;
}

/** How far a consumer group has committed a partition. */
export interface GroupOffset {
  readonly group: string;
  readonly partition: number;
  readonly offset: bigint;
}

/**
 * Takes records of a partition, in order. `behind` is the offset behind everything that was read: places that hold no
 * record of an application, such as the ends of producers' transactions, are below it. While the promise waits, no more of the partition comes.
 */
export type TakeNamed = (
  partition: number,
  records: readonly NamedRecord[],
  behind: bigint,
) => Promise<void> | null;

/** One topic of one cluster, to be compared with its replica. */
export interface TopicSite {
  /** Throws TP-STREAM-SETUP for a topic that does not exist. */
  facts(signal: AbortSignal): Promise<TopicFacts>;
  /**
   * Gives the records of every partition in order, from the oldest on, until every one has reached its end in `until`,
   * or aborted. First of each it gives none, with the offset from which it reads. What stands in or behind an open
   * transaction is waited for. Throws TP-CONNECTION-LOST and the like, TP-GAP for records that were removed meanwhile.
   */
  read(until: ReadonlyMap<number, bigint>, take: TakeNamed, signal: AbortSignal): Promise<void>;
  /** Keys of single records, for people; null: it has none. Left out: the record is not there any more. */
  keysAt(
    partition: number,
    offsets: readonly bigint[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<bigint, string | null>>;
  /** Of every group that has committed this topic and may be seen. */
  groupOffsets(signal: AbortSignal): Promise<readonly GroupOffset[]>;
  close(): Promise<void>;
}
