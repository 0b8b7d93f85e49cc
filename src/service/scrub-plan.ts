import { unprovenRanges, type ProvenRange } from '../ledger/coverage.ts';

/** Rows of one range: few enough to be read in a moment, many enough that the list of proofs stays short. */
const ROWS_MIN = 8192;
const ROWS_MAX = 32_768;
const RANGES_PER_TABLE = 1000;

/** Key fields in the order of the store, hexadecimal; null: open. */
export interface PlannedBounds {
  readonly from: string | null;
  readonly to: string | null;
}

/** How urgent it is to read something of a table. */
export interface Due {
  readonly bounds: PlannedBounds;
  /** When it was proven, microseconds; null: never. */
  readonly provenAtUs: bigint | null;
}

/**
 * What of a table is to be read next: the first keys of which nothing is proven in one of its leaves, else those whose
 * proof is oldest, if that is from before `renewBeforeUs`; null: nothing. Pure.
 */
export function nextDue(proofs: readonly (readonly ProvenRange[])[], renewBeforeUs: bigint): Due | null {
  const open = proofs.flatMap((ranges) => unprovenRanges(ranges));
  const first = open.reduce<PlannedBounds | null>(
    (best, range) => (best === null || startsBefore(range, best) ? range : best),
    null,
  );
  if (first !== null) return { bounds: first, provenAtUs: null };
  let oldest: Due | null = null;
  for (const { from, to, provenAtUs } of proofs.flat()) {
    const at = BigInt(provenAtUs);
    if (at < renewBeforeUs && (oldest?.provenAtUs == null || at < oldest.provenAtUs)) {
      oldest = { bounds: { from, to }, provenAtUs: at };
    }
  }
  return oldest;
}

function startsBefore(a: PlannedBounds, b: PlannedBounds): boolean {
  return b.from !== null && (a.from === null || a.from < b.from);
}

/** Which of two is more urgent: what was never proven, then what was proven longer ago. Pure. */
export function isMoreUrgent(a: Due, b: Due): boolean {
  if (b.provenAtUs === null) return false;
  return a.provenAtUs === null || a.provenAtUs < b.provenAtUs;
}

/** Rows of one range of a table with so many. */
export function rowsPerRange(rows: number): number {
  return Math.round(Math.min(ROWS_MAX, Math.max(ROWS_MIN, rows / RANGES_PER_TABLE)));
}
