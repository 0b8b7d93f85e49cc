import { readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby } from '../../src/demo/cluster-standby.ts';
import { prepareStream } from './harness/change-stream.ts';
import {
  type CandidateVerdict,
  certify,
  fenced,
  becomesProven,
  ledgerCaughtUp,
  provenWatch,
  setReceiving,
  weighty,
} from './harness/certify-ledger.ts';
import { builtProgram } from './harness/cli-build.ts';
import { ServerSet } from './harness/server-set.ts';
import { type RunningWatch, WatchFolder } from './harness/watch.ts';

const RUNS = Number(process.env['TWINPROOF_KILLS'] ?? '2');
const TABLES = 3;

const servers = new ServerSet();
let primary: Cluster;
let standby: Cluster;
let folder: WatchFolder;
let watch: RunningWatch;
let conninfo = '';

beforeAll(async () => {
  builtProgram();
  primary = await servers.cluster();
  await primary.sql(`CREATE TABLE done (n bigint PRIMARY KEY);
    CREATE TABLE account (id int PRIMARY KEY, amount int, note text);
    CREATE TABLE journal (id bigint PRIMARY KEY, n bigint);
    INSERT INTO account SELECT i, 0, 'account ' || i FROM generate_series(1, 400) i`);
  await prepareStream(primary, 'TABLE done, account, journal');
  standby = servers.add(await createStandby(primary));
  await standby.sql(`ALTER SYSTEM SET wal_retrieve_retry_interval = '50ms'`);
  await standby.reload();
  conninfo = String((await standby.sql('SHOW primary_conninfo'))[0]?.['primary_conninfo']).replaceAll(
    "'",
    "''",
  );
  folder = new WatchFolder({
    primary,
    candidates: { gasan: standby },
    policy: '{ rpo: 1h, maxTail: 1h }',
  });
  watch = await provenWatch(folder, ['gasan'], TABLES);
}, 300_000);

afterAll(async () => {
  await watch.stop().catch(() => undefined);
  await servers.end();
  folder.remove();
});

/** Transactions of every kind, each with its number; what was acknowledged, and when, in microseconds. */
class Writer {
  readonly acknowledged = new Map<number, bigint>();
  readonly #ended: Promise<unknown>;
  #running = true;
  #next: number;

  constructor(first: number) {
    this.#next = first;
    this.#ended = Promise.all([this.#write(), this.#write()]);
  }

  get next(): number {
    return this.#next;
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#ended;
  }

  async #write(): Promise<void> {
    const client = await primary.connect();
    try {
      while (this.#running) {
        const number = this.#next++;
        await client.query(statements(number));
        this.acknowledged.set(number, BigInt(Date.now()) * 1000n);
      }
    } catch {
      // The server was killed.
    }
  }
}

function statements(n: number): string {
  const account = (n % 400) + 1;
  const work = [
    `UPDATE account SET amount = amount + 1 WHERE id = ${account}`,
    `DELETE FROM account WHERE id = ${account}; INSERT INTO account VALUES (${account}, 0, 'again ${n}')`,
    `SAVEPOINT a; UPDATE account SET amount = -1 WHERE id = ${account}; ROLLBACK TO a; INSERT INTO journal VALUES (${n}, ${n})`,
    `INSERT INTO journal SELECT ${n * 100} + i, ${n} FROM generate_series(1, 40) i`,
    `DELETE FROM journal WHERE id IN (SELECT id FROM journal ORDER BY id LIMIT 10)`,
    `SAVEPOINT b; UPDATE journal SET id = id + 50000000 WHERE n = ${n - 6} AND id < 50000000; RELEASE b`,
  ][n % 6];
  const rolledBack = n % 10 === 0 ? `BEGIN; DELETE FROM done; TRUNCATE journal; ROLLBACK;` : '';
  return `${rolledBack} BEGIN; INSERT INTO done VALUES (${n}); ${work}; COMMIT`;
}

async function doneOn(cluster: Cluster): Promise<Set<number>> {
  const rows = await cluster.sql('SELECT n::float8 AS n FROM done');
  return new Set(rows.map((row) => Number(row['n'])));
}

function lostIn(file: string): number[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line): { table: string; kind: string; key: { n?: string } } => JSON.parse(line))
    .filter(({ table, kind }) => table === 'public.done' && kind === 'insert')
    .map(({ key }) => Number(key.n));
}

interface Kill {
  readonly cut: boolean;
  readonly verdict: CandidateVerdict;
  readonly lost: readonly number[];
  readonly there: ReadonlySet<number>;
  readonly committed: ReadonlySet<number>;
  readonly acknowledged: ReadonlyMap<number, bigint>;
}

/** What is wrong about an answer; nothing is. */
function problemsOf({ cut, verdict, lost, there, committed, acknowledged }: Kill): string[] {
  const problems: string[] = [];
  const claim = (holds: boolean, problem: string): void => {
    if (!holds) problems.push(problem);
  };
  // What the standby has beyond the ledger may have changed rows that the ledger waits to see: then it is UNKNOWN.
  const allowed = cut ? ['SAFE_WITH_LOSS'] : ['SAFE_WITH_LOSS', 'UNKNOWN'];
  claim(allowed.includes(verdict.verdict), `the verdict is ${verdict.verdict}`);
  claim(verdict.integrity !== 'different', 'the unwitnessed tail is called a difference');
  claim(!lost.some((n) => there.has(n)), 'something is called lost that the standby has');
  claim(!lost.some((n) => !committed.has(n)), 'something is called lost that was never committed');
  claim(Number(verdict.loss.transactions) === new Set(lost).size, 'the count of lost transactions is wrong');
  const witnessUs = BigInt(Date.parse(verdict.loss.witnessedUntil ?? '')) * 1000n;
  const missing = [...acknowledged].filter(([n]) => !there.has(n) && !lost.includes(n));
  claim(!missing.some(([, atUs]) => atUs < witnessUs), 'a commit of before the witness is not accounted for');
  return problems;
}

describe('a primary that is killed under load', () => {
  it(`is survived by an account of exactly what is lost, ${RUNS} times`, async () => {
    let next = 1;
    const answers: { readonly loss: CandidateVerdict['loss'] }[] = [];
    for (let run = 0; run < RUNS; run++) {
      const writer = new Writer(next);
      await sleep(300 + ((run * 173) % 700));
      // In some runs the standby stops receiving a while before, in others both are there to the end.
      const cut = run % 3 !== 1;
      if (cut) await setReceiving(standby, null);
      await sleep((run * 97) % 500);
      await primary.kill();
      await writer.stop();
      next = writer.next;
      const file = path.join(folder.path, `lost-${run}.jsonl`);
      const { verdict } = await certify(folder, ...fenced(), '--losses', file);
      const there = await doneOn(standby);
      await primary.start();
      const committed = await doneOn(primary);
      const { acknowledged } = writer;
      const problems = problemsOf({ cut, verdict, lost: lostIn(file), there, committed, acknowledged });
      const answer = { run, problems, reasons: weighty(verdict), loss: verdict.loss };
      expect(answer).toEqual({ ...answer, problems: [] });
      answers.push(answer);
      if (run + 1 === RUNS) break;
      if (cut) await setReceiving(standby, conninfo);
      await ledgerCaughtUp(folder, primary);
      await becomesProven(folder, 'gasan', TABLES);
    }
    // With luck alone nothing is ever lost.
    expect(answers.some(({ loss }) => Number(loss.transactions) > 0)).toBe(true);
  }, 3_600_000);
});
