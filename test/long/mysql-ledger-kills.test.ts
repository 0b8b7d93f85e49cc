import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type CandidateVerdict, certify, fenced, weighty } from '../servers/harness/certify-ledger.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { KilledWriter, lostIn, problemsOf } from '../servers/harness/kill-account.ts';
import type { MysqlPair } from '../servers/harness/mysql-pair.ts';
import type { MysqlServer } from '../servers/harness/mysql-server.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';
import {
  createWatchedPair,
  ledgerCaughtUp,
  mysqlWatchFolder,
  provenWatch,
  untilProven,
} from '../servers/harness/mysql-watch.ts';
import type { RunningWatch, WatchFolder } from '../servers/harness/watch.ts';

/** For each engine. */
const RUNS = Number(process.env['TWINPROOF_KILLS'] ?? '5');
const SCHEMA = `CREATE TABLE done (n bigint PRIMARY KEY);
  CREATE TABLE account (id int PRIMARY KEY, amount int, note varchar(40));
  CREATE TABLE journal (id bigint PRIMARY KEY, n bigint, KEY (n));
  INSERT INTO account VALUES ${Array.from({ length: 400 }, (_, i) => `(${i + 1}, 0, 'account ${i + 1}')`).join()}`;
const TABLES = 3;

function statements(n: number): string {
  const account = (n % 400) + 1;
  const many = Array.from({ length: 40 }, (_, i) => `(${n * 100 + i}, ${n})`).join();
  const work = [
    `UPDATE account SET amount = amount + 1 WHERE id = ${account}`,
    `REPLACE INTO account VALUES (${account}, 0, 'again ${n}')`,
    `SAVEPOINT a; UPDATE account SET amount = -1 WHERE id = ${account}; ROLLBACK TO SAVEPOINT a; INSERT INTO journal VALUES (${n}, ${n})`,
    `INSERT INTO journal VALUES ${many}`,
    `INSERT INTO account VALUES (${account}, 1, 'new') ON DUPLICATE KEY UPDATE note = 'upserted ${n}'`,
    `UPDATE journal SET id = id + 50000000 WHERE n = ${n - 2} AND id < 50000000`,
  ][n % 6];
  const rolledBack = n % 10 === 0 ? 'START TRANSACTION; DELETE FROM done; ROLLBACK;' : '';
  return `${rolledBack} START TRANSACTION; INSERT INTO done VALUES (${n}); ${work}; COMMIT`;
}

async function doneOn(server: MysqlServer, database: string): Promise<Set<number>> {
  const rows = await server.sql('SELECT n FROM done', [], database);
  return new Set(rows.map((row) => Number(row['n'])));
}

/** The replica has something that the log had not brought yet when the source was killed. */
function isAhead({ loss: { tail } }: CandidateVerdict): boolean {
  return tail !== null && tail.ms !== 0;
}

await describeMysql('a %s primary that is killed under load', (flavor) => {
  let pair: MysqlPair;
  let folder: WatchFolder;
  let watch: RunningWatch;

  beforeAll(async () => {
    builtProgram();
    pair = await createWatchedPair({ flavor, schema: SCHEMA });
    folder = mysqlWatchFolder(pair, { policy: '{ rpo: 1h, maxTail: 1h }' });
    watch = await provenWatch(folder, TABLES);
  }, 400_000);

  afterAll(async () => {
    await watch?.stop().catch(() => undefined);
    await pair?.destroy();
    folder?.remove();
  });

  it(`is survived by an account of exactly what is lost, ${RUNS} times`, async () => {
    let next = 1;
    const answers: { readonly loss: CandidateVerdict['loss'] }[] = [];
    for (let run = 0; run < RUNS; run++) {
      const writer = new KilledWriter(
        () => pair.source.connect({ database: pair.database }),
        statements,
        next,
      );
      await sleep(300 + ((run * 173) % 700));
      // In some runs the replica stops receiving a while before, in others both are there to the end.
      const cut = run % 3 !== 1;
      if (cut) await pair.stopReplica('io');
      await sleep((run * 97) % 500);
      await pair.source.kill();
      await writer.stop();
      next = writer.next;
      const file = path.join(folder.path, `lost-${run}.jsonl`);
      const { verdict } = await certify(folder, ...fenced(), '--losses', file);
      const there = await doneOn(pair.replica, pair.database);
      await pair.source.start();
      const committed = await doneOn(pair.source, pair.database);
      const { acknowledged } = writer;
      const mayBeAhead = !cut || isAhead(verdict);
      const lost = lostIn(file, 'bank.done');
      const problems = problemsOf({ mayBeAhead, verdict, lost, there, committed, acknowledged });
      const answer = { run, problems, reasons: weighty(verdict), loss: verdict.loss };
      expect(answer).toEqual({ ...answer, problems: [] });
      answers.push(answer);
      if (run + 1 === RUNS) break;
      // It would try by itself only after a minute.
      await pair.stopReplica();
      await pair.startReplica();
      await pair.caughtUp();
      await ledgerCaughtUp(folder, pair, watch);
      await untilProven(watch, folder, TABLES);
    }
    // With luck alone nothing is ever lost.
    expect(answers.some(({ loss }) => Number(loss.transactions) > 0)).toBe(true);
  }, 3_600_000);
});
