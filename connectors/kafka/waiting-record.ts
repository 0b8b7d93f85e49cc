import type { Place } from './position.ts';

/** A record that waits until it may be handed out. */
export interface Waiting {
  /** `topic:partition` */
  readonly name: string;
  /** Behind it, and behind what follows it and is nothing to hand out. */
  place: Place;
  /** As the ends of transactions name it; null: it is none of a table's. */
  readonly table: string | null;
  /** It makes no sense, so what it is of is not known. Absent: it does. */
  readonly broken?: boolean;
  /** Null: of none. */
  readonly transaction: string | null;
  /** It may be handed out within a transaction that is not its own. */
  readonly anywhere: boolean;
  readonly bytes: number;
}

/** Records that never reached the topic of their table. */
export interface LostRecords {
  readonly table: string;
  readonly transaction: string;
  readonly count: number;
}

/** Where records go. */
export interface TransactionSink<T> {
  /**
   * `whole`: as a part of the transaction that is open, or opens with it; else by itself. False: it was there before.
   */
  give(record: T, whole: boolean): boolean;
  /** Ends the transaction that is open, if one is. */
  end(): void;
  /** Records of a table are in the database's log and in no topic. */
  lacks(lost: LostRecords): void;
}
