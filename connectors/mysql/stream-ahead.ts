import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ChangeEvent } from '../../src/connector/changes.ts';
import type { EventBatch } from '../../src/row/event-batch.ts';

/** Where a batch comes from. */
export interface AheadSource {
  /** Takes what has come into the batch, until that is full. A promise: to be waited for, then to be called again. */
  gather(): Promise<void> | null;
  /** Waits until more has come. Throws when no more will. */
  more(): Promise<void>;
}

/**
 * Gathers the next batch while the one before it is being stored: until the disk says that it has that one there would
 * be nothing to do, for milliseconds each time. No more than one is gathered ahead.
 */
export class BatchAhead {
  readonly #batch: EventBatch;
  readonly #source: AheadSource;
  #failure: { readonly error: unknown } | null = null;
  #wakeTaker: (() => void) | null = null;
  #wakeGatherer: (() => void) | null = null;

  constructor(batch: EventBatch, source: AheadSource) {
    this.#batch = batch;
    this.#source = source;
  }

  /** Gathers until the source fails. Never rejects: `ready` does. To be called once. */
  async run(): Promise<void> {
    try {
      for (;;) {
        const waits = this.#source.gather();
        if (waits !== null) {
          await waits;
          continue;
        }
        if (!this.#batch.empty) this.#wakeUp();
        if (this.#batch.full) await this.#room();
        else await this.#source.more();
      }
    } catch (error) {
      this.#failure = { error };
      this.#wakeUp();
    }
  }

  /**
   * Waits until there is something to take. Throws what gathering failed by, when all that came before it was taken.
   */
  async ready(): Promise<void> {
    while (this.#batch.empty) {
      if (this.#failure !== null) throw this.#failure.error;
      await new Promise<void>((resolve) => {
        this.#wakeTaker = resolve;
      });
    }
  }

  take(): readonly ChangeEvent[] {
    const events = this.#batch.take();
    this.#wakeGatherer?.();
    this.#wakeGatherer = null;
    return events;
  }

  async #room(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wakeGatherer = resolve;
    });
    // Whoever took the batch stores it first: gathering is for the time in which they wait for the disk.
    await nextTurn();
  }

  #wakeUp(): void {
    this.#wakeTaker?.();
    this.#wakeTaker = null;
  }
}
