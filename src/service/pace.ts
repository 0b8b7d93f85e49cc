import type { Timing } from '../compare/timing.ts';

/** How long idle time may be saved up: after a pause nobody may read the rows of an hour at once. */
const SAVED_MS = 1000;

/** Holds a reader back to a rate. */
export class Pace {
  readonly #rowsPerSecond: number | null;
  readonly #timing: Timing;
  /** When everything read so far would have been read at the rate. */
  #paidUntilMs: number;

  /** `rowsPerSecond` null: as fast as it goes. */
  constructor(rowsPerSecond: number | null, timing: Timing) {
    this.#rowsPerSecond = rowsPerSecond;
    this.#timing = timing;
    this.#paidUntilMs = timing.now();
  }

  /** Rows that were read. */
  spent(rows: number): void {
    if (this.#rowsPerSecond === null) return;
    const start = Math.max(this.#paidUntilMs, this.#timing.now() - SAVED_MS);
    this.#paidUntilMs = start + (rows / this.#rowsPerSecond) * 1000;
  }

  /** Milliseconds until reading may go on. */
  get waitMs(): number {
    return Math.max(0, this.#paidUntilMs - this.#timing.now());
  }

  async admit(signal: AbortSignal): Promise<void> {
    if (this.waitMs > 0) await this.#timing.sleep(this.waitMs, signal);
  }
}
