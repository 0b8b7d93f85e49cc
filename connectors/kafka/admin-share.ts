import type { Admin, Kafka } from 'kafkajs';
import { kafkaFailure } from './failure.ts';

/** One connection for questions, opened at the first and kept; a failure closes it, and the next question opens another. */
export class AdminShare {
  readonly #client: Kafka;
  #open: Promise<Admin> | null = null;

  constructor(client: Kafka) {
    this.#client = client;
  }

  /** Throws as kafkaFailure tells, or the signal's reason. */
  async ask<T>(signal: AbortSignal, question: (admin: Admin) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const open = (this.#open ??= this.#connect());
    try {
      return await question(await open);
    } catch (error) {
      if (this.#open === open) {
        this.#open = null;
        await disconnect(open);
      }
      signal.throwIfAborted();
      throw kafkaFailure(error);
    }
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = null;
    if (open !== null) await disconnect(open);
  }

  async #connect(): Promise<Admin> {
    const admin = this.#client.admin();
    try {
      await admin.connect();
      return admin;
    } catch (error) {
      await admin.disconnect().catch(() => undefined);
      throw error;
    }
  }
}

async function disconnect(open: Promise<Admin>): Promise<void> {
  try {
    await (await open).disconnect();
  } catch {
    // It was never there, or is gone already.
  }
}
