import type { Admin, Kafka } from 'kafkajs';
import { Brokers } from './brokers.ts';
import { isHungUp, isStale, kafkaFailure } from './failure.ts';

/**
 * One connection for questions, opened at the first and kept; a failure closes it, and the next question opens another.
 */
export class AdminShare {
  readonly #client: Kafka;
  #open: Promise<Brokers> | null = null;

  constructor(client: Kafka) {
    this.#client = client;
  }

  /**
   * Where a connection that was kept has died, or knows leaders that lead no more, the question is asked once more on
   * another. Throws as kafkaFailure tells, or the signal's reason.
   */
  async ask<T>(signal: AbortSignal, question: (admin: Admin, brokers: Brokers) => Promise<T>): Promise<T> {
    for (let again = true; ; again = false) {
      signal.throwIfAborted();
      const kept = this.#open !== null;
      const open = (this.#open ??= Brokers.connect(this.#client, 'written'));
      try {
        const brokers = await open;
        return await question(brokers.admin, brokers);
      } catch (error) {
        if (this.#open === open) {
          this.#open = null;
          await close(open);
        }
        signal.throwIfAborted();
        if (!again || !kept || !(isStale(error) || isHungUp(error))) throw kafkaFailure(error);
      }
    }
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    if (open !== null) await close(open);
  }
}

async function close(open: Promise<Brokers>): Promise<void> {
  try {
    await (await open).close();
  } catch {
    // It was never there.
  }
}
