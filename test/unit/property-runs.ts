/**
 * How often a property is tried. `TWINPROOF_RUNS=50 npm run test:unit` tries each fifty times as often, as one does
 * after a change of what it is about; by itself a run stays short.
 */
const FACTOR = Number(process.env['TWINPROOF_RUNS'] ?? 1);

export function times(count: number): number {
  return Math.ceil(count * FACTOR);
}

/** Of one test, in milliseconds: it grows with the runs. */
export const PROPERTY_TIMEOUT_MS = 60_000 * Math.max(1, FACTOR);
