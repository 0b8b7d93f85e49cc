const FIRST_MS = 500;
const MOST_MS = 30_000;

/**
 * How long to wait before trying again for the `attempt`-th time (from 1): doubling, and spread over the upper half of
 * that, so that many that lost the same server do not come back at once. `random` is from 0 to 1. Pure.
 */
export function pauseBefore(attempt: number, random: number): number {
  const most = Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempt - 1, 16));
  return Math.round(most / 2 + (most / 2) * random);
}
