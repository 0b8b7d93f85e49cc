/** A promise that is shorter would be broken by a machine that is merely busy. */
const FRESH_MS_MIN = 5_000;
const TURN_MS_MIN = 1_000;
/** A board looks once a second for what has become too old. */
const SHOWN_MS = 1_000;

/** When a process that publishes a system looks, and what it promises. All in milliseconds. */
export interface Rhythm {
  /** How long what was written counts: that it has stopped is seen within the interval. */
  readonly freshMs: number;
  /** From one writing to the next: half of the interval, so that a late one breaks no promise. */
  readonly turnMs: number;
  readonly turnsPerInterval: number;
  /** How long a site may take for its answer, before it counts as silent. */
  readonly answerMs: number;
}

/**
 * Of `state.every`. A site that hangs just after it was asked is asked again within a turn and given up within another
 * half of the interval: so within one interval, all in all. Pure.
 */
export function rhythmOf(everyMs: number): Rhythm {
  const freshMs = Math.max(FRESH_MS_MIN, everyMs - SHOWN_MS);
  const turnMs = Math.max(TURN_MS_MIN, Math.floor(everyMs / 2));
  return {
    freshMs,
    turnMs,
    turnsPerInterval: Math.max(1, Math.round(everyMs / turnMs)),
    answerMs: Math.floor(freshMs / 2),
  };
}
