import { DEFAULT_POLICY } from '../config/policy.ts';
import type { Connector, RowShape } from '../connector/contract.ts';
import type { PairKind } from '../connector/table.ts';
import type { Timing } from './timing.ts';

/** Two live sites and the bounds within which they are compared. */
export interface SitePair {
  readonly primary: Connector;
  readonly candidate: Connector;
  readonly kind: PairKind;
  /**
   * Null: the candidate says what it has applied of the primary's log. Else it cannot (its engine is another), and the
   * operator says that a change reaches it within this time, in milliseconds.
   */
  readonly applyWithinMs: number | null;
  readonly limits: Limits;
  readonly timing: Timing;
  /** Changes while a run goes on. */
  readonly learnt: Learnt;
}

/** What a run has found out about its pair. */
export interface Learnt {
  /** The candidate moved and did not come to a position even so: once a run it is waited for so long. */
  isTooSlow: boolean;
}

/** The shape of one table's rows, as each site reads them: the same columns in the same order. */
export interface ShapePair {
  readonly primary: RowShape;
  readonly candidate: RowShape;
}

/** Every loop has a bound; these are all of them. */
export interface Limits {
  /** Pairs of reads in flight, and so connections for reading on each site. */
  readonly jobs: number;
  readonly rangeRowsMax: number;
  readonly rangeBytesMax: number;
  /** Attempts at one read before its table is unproven. */
  readonly attemptsMax: number;
  readonly retryPauseMs: number;
  /** Rounds of settling before a row is called unsettled. */
  readonly roundsMax: number;
  /** How long a candidate may stand still before a position that it is to apply; see waitForCandidate. */
  readonly catchUpMs: number;
  readonly pollMs: number;
  /** Keys of one point read. */
  readonly settleBatch: number;
  /** Suspects waiting to be settled, per table, before reading pauses. */
  readonly suspectsMax: number;
  readonly samplesMax: number;
  /** Where rows have no versions: keys of a table that was written to, to be settled one by one. */
  readonly movedKeysMax: number;
  /** Memory for joining the rows of mismatched slices. */
  readonly joinBytesMax: number;
}

/** Longer than a healthy change stream takes, short enough to wait for. */
export const DEFAULT_APPLY_WITHIN_MS = DEFAULT_POLICY.applyWithin;

export const DEFAULT_LIMITS: Limits = {
  jobs: 4,
  rangeRowsMax: 32_768,
  rangeBytesMax: 4 * 1024 * 1024,
  // With the pauses between them 16 seconds: a server that restarts is back by then.
  attemptsMax: 8,
  retryPauseMs: 200,
  roundsMax: 40,
  catchUpMs: 60_000,
  pollMs: 20,
  settleBatch: 1000,
  suspectsMax: 100_000,
  samplesMax: 20,
  movedKeysMax: 32_768,
  joinBytesMax: 168 * 1024 * 1024,
};
