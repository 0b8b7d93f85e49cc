import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { certify } from '../servers/harness/certify-ledger.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import type { MysqlPair } from '../servers/harness/mysql-pair.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';
import {
  createWatchedPair,
  ledgerCaughtUp,
  ledgerSettled,
  mysqlWatchFolder,
  provenWatch,
  untilProven,
} from '../servers/harness/mysql-watch.ts';
import { ledgerRowsOf, RunningWatch, type WatchFolder } from '../servers/harness/watch.ts';

const SCHEMA = `CREATE TABLE t (id int PRIMARY KEY, v varchar(40));
  INSERT INTO t VALUES (1, 'row 1'), (2, 'row 2'), (3, 'row 3')`;
/** More transactions than either server has. */
const MANY = 200;

/** The tests follow one another: what happens to the two servers is one story. */
await describeMysql('a %s pair whose logs are begun anew while nobody watches', (flavor) => {
  const mysql = flavor === 'mysql';
  const reset = mysql ? 'RESET BINARY LOGS AND GTIDS' : 'RESET MASTER';
  let pair: MysqlPair;
  let folder: WatchFolder;
  let watch: RunningWatch;

  const insert = (from: number, count: number, text: string): Promise<unknown> => {
    const rows = Array.from({ length: count }, (_, i) => `INSERT INTO t VALUES (${from + i}, '${text}')`);
    return pair.source.sql(rows.join('; '), [], pair.database);
  };
  /** The log is void, and what the ledger has then is what the primary has. */
  const expectGap = async (): Promise<void> => {
    watch = new RunningWatch(folder);
    await watch.said(/^gap$/, /set back/);
    await ledgerSettled(folder, watch, pair);
    const rows = (await ledgerRowsOf(folder, ['bank.t'])).get('bank.t');
    expect(rows?.primary.size).toBeGreaterThan(3);
    expect(rows?.ledger).toEqual(rows?.primary);
    const { verdict } = await certify(folder);
    expect(['NOT_SAFE', 'UNKNOWN']).toContain(verdict.verdict);
  };

  beforeAll(async () => {
    builtProgram();
    pair = await createWatchedPair({ flavor, schema: SCHEMA });
    folder = mysqlWatchFolder(pair, { policy: '{ rpo: 1h, maxTail: 1h }' });
    watch = await provenWatch(folder, 1);
  }, 400_000);

  afterAll(async () => {
    await watch?.stop().catch(() => undefined);
    await pair?.destroy();
    folder?.remove();
  });

  /** A row of the replica alone, and its log begun anew, as people do who want such GTIDs to be gone. */
  async function changeAndForget(): Promise<void> {
    await pair.stopReplica();
    const [before] = await pair.replica.sql('SELECT @@global.gtid_executed AS gtids').catch(() => []);
    await pair.tamper(`UPDATE t SET v = 'changed' WHERE id = 1`, true);
    await pair.setReadOnly(false);
    await pair.replica.sql(reset);
    if (mysql) await pair.replica.sql('SET GLOBAL gtid_purged = ?', [before?.['gtids'] ?? '']);
    await pair.setReadOnly(true);
    await pair.startReplica();
  }

  it('finds what was written to the replica before that', async () => {
    await pair.write(`INSERT INTO t VALUES (10, 'a last one')`);
    await ledgerCaughtUp(folder, pair, watch);
    await untilProven(watch, folder, 1);
    await watch.stop();
    await changeAndForget();
    await pair.write(`INSERT INTO t VALUES (11, 'another one')`);
    watch = new RunningWatch(folder);
    await watch.said(/^difference$/, /bank\.t.*changed.*id=1\b/);
    const { verdict } = await certify(folder);
    expect(verdict).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
    await pair.tamper(`UPDATE t SET v = 'row 1' WHERE id = 1`);
    await untilProven(watch, folder, 1);
  }, 400_000);

  it('goes on where nothing of the kind happened', async () => {
    await pair.source.sql('FLUSH BINARY LOGS');
    await watch.stop();
    await pair.write(`INSERT INTO t VALUES (12, 'meanwhile')`);
    watch = new RunningWatch(folder);
    await ledgerCaughtUp(folder, pair, watch);
    await untilProven(watch, folder, 1);
    expect(watch.lines.filter(({ event }) => event === 'gap' || event === 'incarnation')).toEqual([]);
  }, 400_000);

  it('has a gap where an older copy of the primary has given the same numbers', async () => {
    const { data } = pair.source.paths;
    const copy = `${data}-copy`;
    await pair.stopReplica();
    await pair.source.kill();
    execFileSync('cp', ['-a', data, copy]);
    await pair.source.start();
    await insert(1000, 8, 'will be gone');
    await ledgerCaughtUp(folder, pair, watch);
    await watch.stop();
    await pair.source.kill();
    execFileSync('rm', ['-rf', data]);
    execFileSync('mv', [copy, data]);
    await pair.source.start();
    await insert(2000, 12, 'in their place');
    await expectGap();
  }, 400_000);

  it('has a gap where the primary began anew and has given as many numbers', async () => {
    await watch.stop();
    await pair.source.sql(reset);
    await insert(3000, MANY, 'of another history');
    await expectGap();
  }, 400_000);
});
