import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rhythmOf } from '../../src/state/rhythm.ts';
import { times } from './property-runs.ts';

/** Between two writings a publisher rests for so long at least. */
const REST_MS = 1_000;
const every = fc.integer({ min: 1_000, max: 600_000 });

describe('the rhythm of a publisher', () => {
  it('promises the interval that was set, less what a board takes to see it, and five seconds at least', () => {
    expect([1_000, 10_000, 60_000].map((ms) => rhythmOf(ms).freshMs)).toEqual([5_000, 9_000, 59_000]);
    expect(rhythmOf(10_000)).toEqual({
      freshMs: 9_000,
      turnMs: 5_000,
      turnsPerInterval: 2,
      answerMs: 4_500,
    });
  });

  it('notices within the interval a site that hangs just after it was asked', () => {
    const noticed = fc.property(every, (ms) => {
      const { turnMs, answerMs } = rhythmOf(ms);
      expect(turnMs + answerMs).toBeLessThanOrEqual(Math.max(5_000, ms));
    });
    fc.assert(noticed, { numRuns: times(200) });
  });

  it('breaks no promise while a site takes all the time that it may', () => {
    const kept = fc.property(every, (ms) => {
      const { freshMs, turnMs, answerMs } = rhythmOf(ms);
      const between = Math.max(turnMs, answerMs + REST_MS);
      expect(between).toBeLessThanOrEqual(0.75 * freshMs);
    });
    fc.assert(kept, { numRuns: times(200) });
  });
});
