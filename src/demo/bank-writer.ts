import { setTimeout as sleep } from 'node:timers/promises';

const SESSIONS = 2;
/** Wanted of each session. A slow machine gives less, and nothing is made up for. */
const TRANSACTIONS_PER_SECOND = 150;

/** What the writer did, in numbers. */
export interface WriterReport {
  readonly transactions: number;
  readonly perSecond: number;
}

/** A transaction of which the server said that it is committed. */
export interface Committed {
  /** As the log has it: a 32-bit transaction id, or a GTID. */
  readonly id: string;
  /** `table key` of every row that it wrote, such as `public.account 17`. */
  readonly rows: readonly string[];
}

/** One connection of an application. */
export interface BankSession {
  /** Commits one transaction of the bank's business; throws what the server answers. */
  commit(): Promise<Committed>;
  end(): Promise<void>;
}

/** The bank's customers at work: transfers, purchases and corrections, committed all the time until `stop`. */
export class BankWriter {
  readonly #stop = new AbortController();
  readonly #sessions: readonly BankSession[];
  readonly #work: Promise<unknown>;
  readonly #startedAt = performance.now();
  readonly #committed: Committed[] = [];

  private constructor(sessions: readonly BankSession[]) {
    this.#sessions = sessions;
    this.#work = Promise.all(sessions.map((session) => this.#write(session)));
    // Whoever calls `stop` hears of it; until then a failed writer is no unhandled rejection.
    this.#work.catch(() => undefined);
  }

  /** `connect` opens one session. */
  static async start(connect: () => Promise<BankSession>): Promise<BankWriter> {
    return new BankWriter(await Promise.all(Array.from({ length: SESSIONS }, connect)));
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

  async #write(session: BankSession): Promise<void> {
    const { signal } = this.#stop;
    let due = performance.now();
    while (!signal.aborted) {
      const begun = performance.now();
      this.#committed.push(await session.commit());
      const now = performance.now();
      // Where everything is slow, what applies these transactions must have its turn, too.
      due = Math.max(due + 1_000 / TRANSACTIONS_PER_SECOND, now + (now - begun));
      const pause = due - performance.now();
      if (pause > 1) await sleep(pause, undefined, { signal }).catch(() => undefined);
    }
  }
}
