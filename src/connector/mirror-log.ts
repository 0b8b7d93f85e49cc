/** A record on its way to a mirror. */
export interface MirrorMessage {
  /** Unlike that of any other record: nothing that keeps only the newest of a key may drop one. */
  readonly key: string;
  readonly value: Buffer;
}

/** What stands in a mirror: records from `first` on, up to before `end`. */
export interface MirrorExtent {
  readonly first: bigint;
  readonly end: bigint;
}

/** A record as it stands in a mirror. */
export interface StoredRecord {
  readonly offset: bigint;
  /** Milliseconds since 1970 UTC, on the clock of whoever wrote it. */
  readonly writtenAtMs: number;
  /** A view, valid within the call that hands it out. Null: somebody else's record that says nothing. */
  readonly value: Buffer | null;
}

/** A log elsewhere, in one order, that a ledger is written to as well. */
export interface MirrorLog {
  /**
   * Appends records in their order; resolves when every replica in sync has them, with the offset behind the last of
   * them, null if that was not told. Throws TP-UNREACHABLE and the like: then they may be there or not.
   */
  append(messages: readonly MirrorMessage[]): Promise<bigint | null>;
  /** Throws TP-STREAM-SETUP where it is missing, or has no single order. */
  extent(signal: AbortSignal): Promise<MirrorExtent>;
  /** Hands out the records from `from` up to before `to`, in order. Throws what `take` throws. */
  read(extent: MirrorExtent, take: (record: StoredRecord) => void, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}
