import { setTimeout as sleep } from 'node:timers/promises';
import type { Timing } from '../compare/timing.ts';

/** The real clock. */
export const REAL_TIMING: Timing = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    try {
      await sleep(ms, undefined, { signal });
    } catch (error) {
      signal.throwIfAborted();
      throw error;
    }
  },
};
