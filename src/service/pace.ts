import type { Timing } from '../compare/timing.ts';
import { ScrubRates, type ScrubConfig } from '../config/scrub.ts';

/** How long idle time may be saved up: after a pause nobody may read the rows of an hour at once. */
const SAVED_MS = 1000;
/** How often it is looked whether reading may go on where none is allowed, or the rate has changed. */
const LOOK_EVERY_MS = 30_000;

/** Holds a reader back to a rate, which may be another one at another time of day. */
export class Pace {
  readonly #rates: ScrubRates;
  readonly #timing: Timing;
  /** Rows that were read and would not have been yet at the rate; below zero: idle time that is saved up. */
  #ahead = 0;
  #seenMs: number;

  constructor(scrub: ScrubConfig, timing: Timing) {
    this.#rates = new ScrubRates(scrub);
    this.#timing = timing;
    this.#seenMs = timing.now();
  }

  /** Rows that were read. */
  spent(rows: number): void {
    if (this.#look() !== null) this.#ahead += rows;
  }

  /** Milliseconds until reading may go on, or until it is to be looked again whether it may. */
  get waitMs(): number {
    const rate = this.#look();
    if (rate === null) return 0;
    if (rate === 0) return LOOK_EVERY_MS;
    return Math.min(LOOK_EVERY_MS, Math.max(0, (this.#ahead / rate) * 1000));
  }

  /** The rate of now, with the time that has passed made good. When the clock is set back nobody waits for as long. */
  #look(): number | null {
    const now = this.#timing.now();
    const rate = this.#rates.at(now);
    const passedMs = Math.max(0, now - this.#seenMs);
    this.#seenMs = now;
    if (rate === null) this.#ahead = 0;
    else this.#ahead = Math.max(this.#ahead - (rate * passedMs) / 1000, (-rate * SAVED_MS) / 1000);
    return rate;
  }

  /** Ends when reading may go on. Throws the signal's reason. */
  async admit(signal: AbortSignal): Promise<void> {
    for (let waitMs = this.waitMs; waitMs > 0; waitMs = this.waitMs) await this.#timing.sleep(waitMs, signal);
  }
}
