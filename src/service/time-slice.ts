import type { Timing } from '../compare/timing.ts';

/** Whether so much time has passed since the call; also when the clock was set, whichever way. */
export function timeSlice(timing: Pick<Timing, 'now'>, ms: number): () => boolean {
  const begun = timing.now();
  return () => Math.abs(timing.now() - begun) >= ms;
}
