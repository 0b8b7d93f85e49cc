/**
 * A point in the primary's commit order. Opaque outside the connector that made it: only its comparePositions may
 * order two of them.
 */
export type Position = string & { readonly position: unique symbol };

export type PositionOrder = 'before' | 'equal' | 'after' | 'incomparable';

/** The primary's own reading. */
export interface HeadReading {
  /** No commit that is visible lies behind it. */
  readonly head: Position;
  /**
   * True when no transaction that may already be in the log was still invisible here (in progress with an assigned id,
   * prepared, or waiting for a synchronous standby), just before `head` was read and just after; null when that cannot
   * be known. Two readings with equal heads, both quiet: nothing was committed in between, visible or not.
   */
  readonly quiet: boolean | null;
}

/** What a candidate has applied. */
export interface AppliedReading {
  /** Every commit up to here is applied; more may be. Null when the candidate does not say. */
  readonly applied: Position | null;
}
