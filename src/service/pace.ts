import type { Timing } from '../compare/timing.ts';

/** How long idle time may be saved up: after a pause nobody may read the rows of an hour at once. */
const SAVED_MS = 1000;

/** Holds a reader back to a rate. */
export class Pace {
  readonly #rowsPerSecond: number | null;
  readonly #timing: Timing;
  /** When everything read so far would have been read at the rate. */
  #paidUntilMs: number;
  #seenMs: number;

  /** `rowsPerSecond` null: as fast as it goes. */
  constructor(rowsPerSecond: number | null, timing: Timing) {
    this.#rowsPerSecond = rowsPerSecond;
    this.#timing = timing;
    this.#paidUntilMs = timing.now();
    this.#seenMs = this.#paidUntilMs;
  }

  /** Rows that were read. */
  spent(rows: number): void {
    if (this.#rowsPerSecond === null) return;
    const now = this.#now();
    const start = Math.max(this.#paidUntilMs, now - SAVED_MS);
    this.#paidUntilMs = start + (rows / this.#rowsPerSecond) * 1000;
  }

  /** Milliseconds until reading may go on. */
  get waitMs(): number {
    const now = this.#now();
    return Math.max(0, this.#paidUntilMs - now);
  }

  /** The clock. When it is set back nobody waits for as long as that. */
  #now(): number {
    const now = this.#timing.now();
    if (now < this.#seenMs) this.#paidUntilMs -= this.#seenMs - now;
    this.#seenMs = now;
    return now;
  }

  async admit(signal: AbortSignal): Promise<void> {
    if (this.waitMs > 0) await this.#timing.sleep(this.waitMs, signal);
  }
}
