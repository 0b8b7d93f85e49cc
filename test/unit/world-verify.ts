import type { MemoryPair } from '../../connectors/memory/pair.ts';
import type { Timing } from '../../src/compare/timing.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/compare/site-pair.ts';
import type { VerifyResult } from '../../src/compare/result.ts';
import { verify } from '../../src/compare/verify.ts';
import type { VerifyOptions } from '../../src/compare/verify-options.ts';

/** Bounds for tables of some hundred rows: several ranges a table, several reads at once, and patience in ticks. */
export const WORLD_LIMITS: Limits = {
  ...DEFAULT_LIMITS,
  jobs: 2,
  rangeRowsMax: 16,
  attemptsMax: 3,
  retryPauseMs: 1,
  roundsMax: 12,
  catchUpMs: 2000,
  pollMs: 2,
  settleBatch: 7,
  suspectsMax: 25,
  samplesMax: 5,
  movedKeysMax: 10,
  joinBytesMax: 2 * 1024 * 1024,
};

/** The world's own clock: time passes only where somebody waits. */
export function worldTiming({ world }: MemoryPair): Timing {
  return {
    now: () => world.now(),
    sleep: async (ms, signal) => {
      signal.throwIfAborted();
      await world.sleep(ms);
      signal.throwIfAborted();
    },
  };
}

export function verifyOptions(pair: MemoryPair, options: Partial<VerifyOptions> = {}): VerifyOptions {
  return {
    primary: pair.primary,
    candidate: pair.candidate,
    selection: { include: ['*.*'], exclude: [] },
    limits: WORLD_LIMITS,
    throttle: { rowsPerSecondMax: null, lagMaxMs: null },
    timing: worldTiming(pair),
    signal: new AbortController().signal,
    showValues: false,
    onDifference: null,
    onProgress: null,
    checkpoint: null,
    ...options,
  };
}

/** Compares the two sites of a simulated pair. */
export function verifyPair(pair: MemoryPair, options: Partial<VerifyOptions> = {}): Promise<VerifyResult> {
  return verify(verifyOptions(pair, options));
}
