import pLimit from 'p-limit';
import type { Duplex } from 'node:stream';
import { TwinproofError } from '../errors.ts';

/** What a pool has to know of the connections of an engine. */
export interface PoolMember<Reader> {
  open(signal: AbortSignal): Promise<Reader>;
  streamOf(reader: Reader): Duplex;
  /** Tells the server to stop what the reader asked for; never throws. */
  cancel(reader: Reader): void;
  close(reader: Reader): Promise<void>;
  /** Whether the connection can be used again after this error of a read. */
  usableAfter(error: unknown): boolean;
  failureOf(error: unknown): Error;
}

/** Reading connections of one site: at most `size` of them, opened when first needed, replaced when they break. */
export class SessionPool<Reader> {
  readonly #member: PoolMember<Reader>;
  readonly #limit: ReturnType<typeof pLimit>;
  readonly #idle: Reader[] = [];
  readonly #open = new Set<Reader>();
  #closed = false;

  constructor(size: number, member: PoolMember<Reader>) {
    this.#limit = pLimit(size);
    this.#member = member;
  }

  /** Gives a reader to `work`. Throws what `failureOf` makes of an error; when aborted, the error as it is. */
  use(signal: AbortSignal, work: (reader: Reader) => Promise<void>): Promise<void> {
    return this.#limit(async () => {
      signal.throwIfAborted();
      this.demandOpen();
      const reader = this.#idle.pop() ?? (await this.#connect(signal));
      let broken = false;
      try {
        await work(reader);
      } catch (error) {
        broken = !this.#member.usableAfter(error);
        if (!signal.aborted) throw this.#member.failureOf(error);
        this.#member.cancel(reader);
        throw error;
      } finally {
        if (broken || this.#closed) await this.#drop(reader);
        else this.#idle.push(reader);
      }
    });
  }

  /** Reads that go on end with TP-CONNECTION-LOST, on the server too. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const reader of this.#open) {
      if (this.#idle.includes(reader)) continue;
      this.#member.cancel(reader);
      this.#member
        .streamOf(reader)
        .destroy(new TwinproofError('TP-CONNECTION-LOST', { message: 'the connector was closed' }));
    }
    await Promise.all([...this.#open].map((reader) => this.#member.close(reader)));
    this.#open.clear();
  }

  /** Throws TP-BUG after `close`. */
  demandOpen(): void {
    if (this.#closed) throw new TwinproofError('TP-BUG', { message: 'the connector is closed' });
  }

  async #connect(signal: AbortSignal): Promise<Reader> {
    const reader = await this.#member.open(signal);
    this.#open.add(reader);
    return reader;
  }

  async #drop(reader: Reader): Promise<void> {
    this.#open.delete(reader);
    await this.#member.close(reader);
  }
}
