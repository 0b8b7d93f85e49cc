import { setTimeout as sleep } from 'node:timers/promises';
import type { Timing } from '../compare/timing.ts';

async function sleepFor(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** The real clock, which may be set at any time: how long something takes is to be measured by `steadyMs`. */
export const REAL_TIMING: Timing = { now: () => Date.now(), sleep: sleepFor };

/** Milliseconds since the process began, whatever becomes of the clock. */
export function steadyMs(): number {
  return performance.now();
}

/**
 * For one run: it begins at the real time and goes on evenly. What is proven by time is proven by time that has passed,
 * and a clock that is set back holds up nothing.
 */
export function steadyTiming(): Timing {
  const begun = Date.now() - steadyMs();
  return { now: () => Math.round(begun + steadyMs()), sleep: sleepFor };
}
