import { readFileSync } from 'node:fs';
import type { CandidateVerdict } from './certify-ledger.ts';

/** Runs statements of one connection until its server is killed. */
export interface WritingClient {
  readonly query: (sql: string) => Promise<unknown>;
}

/** Transactions of every kind, each with its number; what was acknowledged, and when, in microseconds. */
export class KilledWriter {
  readonly acknowledged = new Map<number, bigint>();
  readonly #statements: (number: number) => string;
  readonly #ended: Promise<unknown>;
  #running = true;
  #next: number;

  constructor(connect: () => Promise<WritingClient>, statements: (number: number) => string, first: number) {
    this.#statements = statements;
    this.#next = first;
    this.#ended = Promise.all([this.#write(connect), this.#write(connect)]);
  }

  get next(): number {
    return this.#next;
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#ended;
  }

  async #write(connect: () => Promise<WritingClient>): Promise<void> {
    const client = await connect();
    try {
      while (this.#running) {
        const number = this.#next++;
        await client.query(this.#statements(number));
        this.acknowledged.set(number, BigInt(Date.now()) * 1000n);
      }
    } catch {
      // The server was killed.
    }
  }
}

/** The numbers whose insertion into the table `done` (`schema.done`) is named as lost. */
export function lostIn(file: string, done: string): number[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line): { table: string; kind: string; key: { n?: string } } => JSON.parse(line))
    .filter(({ table, kind }) => table === done && kind === 'insert')
    .map(({ key }) => Number(key.n));
}

export interface Kill {
  /** What the candidate has beyond the ledger may have changed rows that the ledger waits to see: then it is UNKNOWN. */
  readonly mayBeAhead: boolean;
  readonly verdict: CandidateVerdict;
  readonly lost: readonly number[];
  readonly there: ReadonlySet<number>;
  readonly committed: ReadonlySet<number>;
  readonly acknowledged: ReadonlyMap<number, bigint>;
}

/** What is wrong about an answer; nothing is. */
export function problemsOf({ mayBeAhead, verdict, lost, there, committed, acknowledged }: Kill): string[] {
  const problems: string[] = [];
  const claim = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(problem);
  };
  const allowed = mayBeAhead ? ['SAFE_WITH_LOSS', 'UNKNOWN'] : ['SAFE_WITH_LOSS'];
  claim(allowed.includes(verdict.verdict), `the verdict is ${verdict.verdict}`);
  claim(verdict.integrity !== 'different', 'the unwitnessed tail is called a difference');
  claim(!lost.some((n) => there.has(n)), 'something is called lost that the candidate has');
  claim(!lost.some((n) => !committed.has(n)), 'something is called lost that was never committed');
  claim(Number(verdict.loss.transactions) === new Set(lost).size, 'the count of lost transactions is wrong');
  const witnessUs = BigInt(Date.parse(verdict.loss.witnessedUntil ?? '')) * 1000n;
  const missing = [...acknowledged].filter(([n]) => !there.has(n) && !lost.includes(n));
  claim(!missing.some(([, atUs]) => atUs < witnessUs), 'a commit of before the witness is not accounted for');
  return problems;
}
