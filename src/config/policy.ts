/* Apart from the schema, so that commands without a configuration need not load what reads one. */

/** The name by which a system's primary is called: `bank/primary`. No candidate may take it. */
export const PRIMARY = 'primary';

export interface Policy {
  /** Loss that is acceptable, in milliseconds of commits; null: not stated. */
  readonly rpo: number | null;
  /** The longest unwitnessed tail that is acceptable, in milliseconds; null: not stated. */
  readonly maxTail: number | null;
  /** Milliseconds. */
  readonly maxProofAge: number;
  /** Milliseconds. */
  readonly certificateValidFor: number;
  /**
   * How long at most a change of the primary takes to reach the candidate, in milliseconds, where positions cannot tell:
   * on pairs of different engines.
   */
  readonly applyWithin: number;
}

export const DEFAULT_POLICY: Policy = {
  rpo: null,
  maxTail: null,
  maxProofAge: 86_400_000,
  certificateValidFor: 600_000,
  applyWithin: 10_000,
};
