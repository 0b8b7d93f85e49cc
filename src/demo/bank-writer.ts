import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { z } from 'zod';
import { BUSY_ACCOUNTS, DATABASE } from './bank-schema.ts';
import type { Cluster } from './cluster.ts';

const SESSIONS = 2;
/** Wanted of each session. A slow machine gives less, and nothing is made up for. */
const TRANSACTIONS_PER_SECOND = 150;
const XID = 'SELECT pg_current_xact_id()::xid::text AS xid';

/** What the writer did, in numbers. */
export interface WriterReport {
  readonly transactions: number;
  readonly perSecond: number;
}

/** A transaction of which the server said that it is committed. */
export interface Committed {
  /** Its 32-bit transaction id, as the log has it. */
  readonly id: string;
  /** `table key` of every row that it wrote, such as `public.account 17`. */
  readonly rows: readonly string[];
}

/** The bank's customers at work: transfers, purchases and corrections, committed all the time until `stop`. */
export class BankWriter {
  readonly #stop = new AbortController();
  readonly #sessions: Client[];
  readonly #work: Promise<unknown>;
  readonly #startedAt = performance.now();
  readonly #committed: Committed[] = [];

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
    const transactions = this.#committed.length;
    return { transactions, perSecond: Math.round(transactions / seconds) };
  }

  /** In the order in which the commits were confirmed, which of two sessions need not be that of the log. */
  get committed(): readonly Committed[] {
    return this.#committed;
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

  /** Returns when the server has gone, and with it every session. */
  async lost(): Promise<void> {
    this.#stop.abort();
    await this.#work.catch(() => undefined);
  }

  async #write(session: Client): Promise<void> {
    const { signal } = this.#stop;
    let due = performance.now();
    while (!signal.aborted) {
      // Several statements at once have several results, which the type does not say.
      const results: unknown = await session.query(transaction());
      this.#committed.push(committedOf(resultsSchema.parse(results)));
      due = Math.max(due + 1_000 / TRANSACTIONS_PER_SECOND, performance.now() - 100);
      const pause = due - performance.now();
      if (pause > 1) await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }
}

const resultsSchema = z.array(z.object({ rows: z.array(z.record(z.string(), z.unknown())) }));

/** The rows that statements returned: `xid`, or a table's name and the key of a row of it. */
function committedOf(results: z.infer<typeof resultsSchema>): Committed {
  const cells = results.flatMap(({ rows }) => rows.flatMap((row) => Object.entries(row)));
  return {
    id: String(cells.find(([name]) => name === 'xid')?.[1]),
    rows: cells.filter(([name]) => name !== 'xid').map(([table, key]) => `public.${table} ${String(key)}`),
  };
}

/** One transaction as text: numbers only, all of our own making. */
function transaction(): string {
  const [a, b] = [randomInt(1, BUSY_ACCOUNTS), randomInt(1, BUSY_ACCOUNTS)];
  const amount = `${randomInt(1, 500)}.${randomInt(10, 100)}`;
  if (randomInt(4) === 0) {
    return `BEGIN;
      INSERT INTO purchase (account_id, amount, merchant, details)
        VALUES (${a}, ${amount}, 'Han River Market', '{"terminal": ${randomInt(300)}}') RETURNING id AS purchase;
      UPDATE account SET balance = balance - ${amount}, updated_at = now() WHERE id = ${a} RETURNING id AS account;
      ${XID}; COMMIT`;
  }
  // In one order always, so that two sessions never wait for one another.
  const [first, second] = a < b ? [a, b] : [b, a];
  return `BEGIN;
    UPDATE account SET balance = balance - ${amount}, updated_at = now() WHERE id = ${first} RETURNING id AS account;
    UPDATE account SET balance = balance + ${amount}, updated_at = now() WHERE id = ${second} RETURNING id AS account;
    INSERT INTO transfer (from_account, to_account, amount) VALUES (${first}, ${second}, ${amount})
      RETURNING id AS transfer;
    ${XID}; COMMIT`;
}
