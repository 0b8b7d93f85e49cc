import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { BUSY_ACCOUNTS, DATABASE } from './bank-schema.ts';
import type { Cluster } from './cluster.ts';

const SESSIONS = 2;
/** Wanted of each session. A slow machine gives less, and nothing is made up for. */
const TRANSACTIONS_PER_SECOND = 150;

/** What the writer did, in numbers. */
export interface WriterReport {
  readonly transactions: number;
  readonly perSecond: number;
}

/** The bank's customers at work: transfers, purchases and corrections, committed all the time until `stop`. */
export class BankWriter {
  readonly #stop = new AbortController();
  readonly #sessions: Client[];
  readonly #work: Promise<unknown>;
  readonly #startedAt = performance.now();
  #transactions = 0;

  private constructor(sessions: Client[]) {
    this.#sessions = sessions;
    this.#work = Promise.all(sessions.map((session) => this.#write(session)));
    // Whoever calls `stop` hears of it; until then a failed writer is no unhandled rejection.
    this.#work.catch(() => undefined);
  }

  static async start(primary: Cluster): Promise<BankWriter> {
    const sessions = await Promise.all(Array.from({ length: SESSIONS }, () => primary.connect(DATABASE)));
    return new BankWriter(sessions);
  }

  get report(): WriterReport {
    const seconds = (performance.now() - this.#startedAt) / 1_000;
    return { transactions: this.#transactions, perSecond: Math.round(this.#transactions / seconds) };
  }

  /** Returns when the last transaction is committed and the sessions are closed. Throws what a transaction threw. */
  async stop(): Promise<WriterReport> {
    this.#stop.abort();
    const { report } = this;
    try {
      await this.#work;
    } finally {
      await Promise.all(this.#sessions.map((session) => session.end().catch(() => undefined)));
    }
    return report;
  }

  async #write(session: Client): Promise<void> {
    const { signal } = this.#stop;
    let due = performance.now();
    while (!signal.aborted) {
      await session.query(transaction());
      this.#transactions += 1;
      due = Math.max(due + 1_000 / TRANSACTIONS_PER_SECOND, performance.now() - 100);
      const pause = due - performance.now();
      if (pause > 1) await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** One transaction as text: numbers only, all of our own making. */
function transaction(): string {
  const [a, b] = [randomInt(1, BUSY_ACCOUNTS), randomInt(1, BUSY_ACCOUNTS)];
  const amount = `${randomInt(1, 500)}.${randomInt(10, 100)}`;
  if (randomInt(4) === 0) {
    return `BEGIN;
      INSERT INTO purchase (account_id, amount, merchant, details)
        VALUES (${a}, ${amount}, 'Han River Market', '{"terminal": ${randomInt(300)}}');
      UPDATE account SET balance = balance - ${amount}, updated_at = now() WHERE id = ${a};
      COMMIT`;
  }
  // In one order always, so that two sessions never wait for one another.
  const [first, second] = a < b ? [a, b] : [b, a];
  return `BEGIN;
    UPDATE account SET balance = balance - ${amount}, updated_at = now() WHERE id = ${first};
    UPDATE account SET balance = balance + ${amount}, updated_at = now() WHERE id = ${second};
    INSERT INTO transfer (from_account, to_account, amount) VALUES (${first}, ${second}, ${amount});
    COMMIT`;
}
