import type { ChangeEvent } from '../../src/connector/changes.ts';

/** Hands batches from who reads them to who asks for them: one is taken before the next is gathered. */
export class BatchQueue {
  #batch: readonly ChangeEvent[] | null = null;
  #failure: { readonly error: unknown } | null = null;
  #ended = false;
  /** Called at every change of state. */
  #wake: (() => void)[] = [];

  get ended(): boolean {
    return this.#ended || this.#failure !== null;
  }

  /** Resolves when the batch was taken, or nobody will. */
  async put(batch: readonly ChangeEvent[]): Promise<void> {
    if (batch.length === 0 || this.ended) return;
    this.#batch = batch;
    this.#changed();
    while (this.#batch === batch && !this.ended) await this.#change();
  }

  /** Whoever asks from now on gets the error. The first one stands. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#changed();
  }

  /** Nobody asks any more. */
  end(): void {
    this.#ended = true;
    this.#changed();
  }

  /** Null: it ended. Throws what it failed with. */
  async take(): Promise<readonly ChangeEvent[] | null> {
    for (;;) {
      if (this.#failure !== null) throw this.#failure.error;
      if (this.#ended) return null;
      const batch = this.#batch;
      if (batch !== null) {
        this.#batch = null;
        this.#changed();
        return batch;
      }
      await this.#change();
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #changed(): void {
    const waiting = this.#wake;
    this.#wake = [];
    for (const wake of waiting) wake();
  }
}
