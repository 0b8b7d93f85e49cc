/**
 * How far a candidate is behind its primary, told apart: what it has not received (transport), and what it has received
 * and not applied. Null is unknown and never zero: a receiver that is gone, a stream that is not read, a position that
 * cannot be compared.
 */
export interface LagFigure {
  readonly bytes: bigint | null;
  /** Committed transactions that changed a table in the ledger. */
  readonly transactions: bigint | null;
  /** The age of the oldest of them, by the commit times in the primary's own log; 0 only when there is none. */
  readonly ms: number | null;
}

export interface CandidateLag {
  readonly transport: LagFigure;
  readonly apply: LagFigure;
  /** Both together: what a promotion now would not have. */
  readonly total: LagFigure;
}

/** What is known of the commits behind a position of the primary's log. */
export interface Behind {
  readonly bytes: bigint | null;
  /** Null: they cannot be counted. */
  readonly transactions: bigint | null;
  readonly oldestCommitAt: Date | null;
}

export interface LagFacts {
  /** Behind what the candidate has received, and behind what it has applied; null: it does not say where that is. */
  readonly received: Behind | null;
  readonly applied: Behind | null;
  /** What it has received and not applied, by its own word; null or absent: it does not say. */
  readonly pendingBytes?: bigint | null;
  /**
   * Up to when everything that the primary committed is in the journal, on its clock: what is not counted by then is not
   * known to be absent later. Null: never.
   */
  readonly witnessedUntil: Date | null;
  /** Now, on the primary's clock. */
  readonly now: Date;
  /** Whether something brings it the primary's changes, and applies them, at this moment; null: not known. */
  readonly fed: boolean | null;
  /** Whether it receives them, applied or not. Absent: as `fed`. */
  readonly receiving?: boolean | null;
  /** How old a witness may be to stand for now. */
  readonly witnessMsMax: number;
}

const UNKNOWN: LagFigure = { bytes: null, transactions: null, ms: null };

/** Pure. Nothing is called 0 that was not seen lately. */
export function lagOf(facts: LagFacts): CandidateLag {
  const { received, applied } = facts;
  const total = figureOf(applied, facts, facts.fed);
  const transport = figureOf(received, facts, facts.receiving === undefined ? facts.fed : facts.receiving);
  return { transport, apply: difference(total, transport, applied, received, facts), total };
}

function figureOf(behind: Behind | null, facts: LagFacts, alive: boolean | null): LagFigure {
  if (behind === null) return UNKNOWN;
  const { bytes, transactions, oldestCommitAt } = behind;
  // What was seen behind the position is there; that nothing is there takes a witness of now, and a stream that is alive.
  const isNow = alive === true && isWitnessed(facts);
  const seen = { ...UNKNOWN, bytes: bytes === 0n && !isNow ? null : bytes };
  if (transactions === null || (transactions === 0n && !isNow)) return seen;
  return { bytes, transactions, ms: ageOf(transactions, oldestCommitAt, facts) };
}

function isWitnessed({ witnessedUntil, now, witnessMsMax }: LagFacts): boolean {
  return witnessedUntil !== null && now.getTime() - witnessedUntil.getTime() <= witnessMsMax;
}

function ageOf(transactions: bigint, oldest: Date | null, { now }: LagFacts): number | null {
  if (transactions === 0n) return 0;
  return oldest === null ? null : Math.max(0, now.getTime() - oldest.getTime());
}

/** What was received and not applied: the oldest commit behind the applied position, unless it is one still on the way. */
function difference(
  total: LagFigure,
  transport: LagFigure,
  applied: Behind | null,
  received: Behind | null,
  facts: LagFacts,
): LagFigure {
  const bytes = minus(total.bytes, transport.bytes) ?? facts.pendingBytes ?? null;
  const transactions = minus(applied?.transactions ?? null, received?.transactions ?? null);
  if (transactions === null) return { ...UNKNOWN, bytes };
  return { bytes, transactions, ms: ageOf(transactions, applied?.oldestCommitAt ?? null, facts) };
}

/** Readings that overtake one another are no negative lag. */
function minus(a: bigint | null, b: bigint | null): bigint | null {
  if (a === null || b === null) return null;
  return a > b ? a - b : 0n;
}

/**
 * Whether the lag is within what may be lost. `unknown` is never ok, nor is a lag that only grows since nothing brings the
 * candidate what the primary commits.
 */
export function judgeLag(
  { total }: CandidateLag,
  rpoMs: number | null,
  fed: boolean | null = null,
): 'ok' | 'late' | 'unknown' {
  if (total.ms === null) return 'unknown';
  if (fed === false) return 'late';
  return rpoMs === null || total.ms <= rpoMs ? 'ok' : 'late';
}
