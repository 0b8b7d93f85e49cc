import type { Position } from '../connector/position.ts';
import { withRetry } from './retry.ts';
import type { SitePair } from './site-pair.ts';

/** How hard a run may work. Null: no bound. */
export interface ThrottleOptions {
  readonly rowsPerSecondMax: number | null;
  /** Reading pauses while the candidate is further behind than this. */
  readonly lagMaxMs: number | null;
}

/** How long a reader has to wait so that `rows` in `elapsedMs` stay below a rate. Pure. */
export function pauseForRate(rows: number, elapsedMs: number, rowsPerSecondMax: number): number {
  return Math.max(0, (rows / rowsPerSecondMax) * 1000 - elapsedMs);
}

/** A head of the primary's log and when it was seen. */
interface Mark {
  readonly head: Position;
  readonly seenAtMs: number;
}

const LAG_POLL_MS = 250;
const MARKS_MAX = 256;

/** Holds readers back, by rate and by the candidate's apply lag. */
export class Throttle {
  readonly #options: ThrottleOptions;
  readonly #pair: SitePair;
  readonly #startedAtMs: number;
  #rows = 0;
  #marks: Mark[] = [];
  #checkedAtMs = -Infinity;
  #lagMs = 0;
  #checking: Promise<void> | null = null;

  readonly #onPause: () => void;

  /** `onPause` is called whenever `paused` says something new. */
  constructor(options: ThrottleOptions, pair: SitePair, onPause: () => void) {
    this.#options = options;
    this.#pair = pair;
    this.#onPause = onPause;
    this.#startedAtMs = pair.timing.now();
  }

  /** Why readers wait at the moment, for the progress display. */
  paused: string | null = null;

  /** Tells that rows were read on both sites. */
  spent(rows: bigint): void {
    this.#rows += Number(rows);
  }

  /** Waits until reading may go on. */
  async admit(signal: AbortSignal): Promise<void> {
    const { rowsPerSecondMax, lagMaxMs } = this.#options;
    if (rowsPerSecondMax !== null) {
      const pause = pauseForRate(this.#rows, this.#pair.timing.now() - this.#startedAtMs, rowsPerSecondMax);
      if (pause > 0) await this.#pair.timing.sleep(pause, signal);
    }
    if (lagMaxMs === null) return;
    for (;;) {
      this.#checking ??= this.#measure(signal).finally(() => (this.#checking = null));
      await this.#checking;
      if (this.#lagMs <= lagMaxMs) break;
      this.#pause(`the candidate is ${Math.round(this.#lagMs / 1000)} s behind`);
      await this.#pair.timing.sleep(LAG_POLL_MS, signal);
    }
    this.#pause(null);
  }

  #pause(why: string | null): void {
    const known = this.paused;
    this.paused = why;
    if (why !== known) this.#onPause();
  }

  /**
   * Lag by our own clock: the age of the oldest head that we saw on the primary and the candidate has not applied.
   * It needs no clock of the servers, and a receiver that stands still shows as growing lag, never as none.
   */
  async #measure(signal: AbortSignal): Promise<void> {
    const now = this.#pair.timing.now();
    if (now - this.#checkedAtMs < LAG_POLL_MS) return;
    const { head } = await withRetry(this.#pair, signal, () => this.#pair.primary.head(signal));
    const { applied } = await withRetry(this.#pair, signal, () => this.#pair.candidate.applied(signal));
    this.#checkedAtMs = now;
    this.#marks.push({ head, seenAtMs: now });
    if (applied !== null) {
      this.#marks = this.#marks.filter((mark) => {
        const order = this.#pair.candidate.comparePositions(applied, mark.head);
        return order !== 'equal' && order !== 'after';
      });
    }
    if (this.#marks.length > MARKS_MAX) this.#marks = this.#marks.filter((_, index) => index % 2 === 0);
    const oldest = this.#marks[0];
    this.#lagMs = oldest === undefined ? 0 : now - oldest.seenAtMs;
  }
}
