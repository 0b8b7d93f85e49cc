import { rm } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { type CandidateVerdict, certify, fenced, weighty } from '../servers/harness/certify-ledger.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { REPLICATOR } from '../servers/harness/mysql-accounts.ts';
import { MysqlPair } from '../servers/harness/mysql-pair.ts';
import type { MysqlServer } from '../servers/harness/mysql-server.ts';
import { Replication } from '../../src/demo/mysql-replication.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';
import { copyFolder } from '../servers/harness/mysql-template.ts';
import {
  createWatchedPair,
  ledgerCaughtUp,
  mysqlWatchFolder,
  provenWatch,
  untilProven,
} from '../servers/harness/mysql-watch.ts';
import { provenOf, type RunningWatch, type WatchFolder } from '../servers/harness/watch.ts';

const SCHEMA = `CREATE TABLE account (id int PRIMARY KEY, owner varchar(40));
  CREATE TABLE other (id int PRIMARY KEY, v int);
  INSERT INTO account VALUES ${Array.from({ length: 500 }, (_, i) => `(${i + 1}, 'owner ${i + 1}')`).join()};
  INSERT INTO other VALUES (1, 1), (2, 2)`;
const TABLES = 2;

/** The replica becomes the source, and the source its replica: both have given numbers to transactions from then on. */
async function switched(first: MysqlPair): Promise<MysqlPair> {
  const { source, replica, database } = first;
  const mysql = source.flavor === 'mysql';
  await replica.sql(mysql ? 'STOP REPLICA; RESET REPLICA ALL' : 'STOP SLAVE; RESET SLAVE ALL');
  await first.setReadOnly(false);
  if (!mysql) await source.sql('SET GLOBAL gtid_slave_pos = @@gtid_binlog_pos');
  await new Replication(replica, source).follow(REPLICATOR);
  const pair = new MysqlPair(replica, source, database);
  await pair.setReadOnly(true);
  await pair.write(`UPDATE account SET owner = 'by the second' WHERE id = 5`);
  return pair;
}

/** The tests follow one another: what happens to the two servers is one story. */
await describeMysql('a %s replica that was the primary once, whose primary is gone,', (flavor) => {
  let pair: MysqlPair;
  let folder: WatchFolder;
  let watch: RunningWatch;
  let older = '';

  beforeAll(async () => {
    builtProgram();
    pair = await switched(await createWatchedPair({ flavor, schema: SCHEMA }));
    folder = mysqlWatchFolder(pair, { policy: '{ rpo: 1h, maxTail: 1h }' });
    watch = await provenWatch(folder, TABLES);
    await pair.replica.kill();
    older = path.join(pair.replica.paths.home, 'older');
    await copyFolder(pair.replica.paths.data, older);
    await pair.replica.start();
    await pair.write(
      `UPDATE account SET owner = 'since' WHERE id IN (7, 8); INSERT INTO account VALUES (900, 'since');
       DELETE FROM account WHERE id = 9`,
    );
    await ledgerCaughtUp(folder, pair, watch);
    await untilProven(watch, folder, TABLES);
    await pair.source.kill();
  }, 400_000);

  afterAll(async () => {
    await watch?.stop().catch(() => undefined);
    await pair?.destroy();
    folder?.remove();
  });

  it('lacks nothing of what was seen', async () => {
    const { verdict } = await certify(folder, ...fenced());
    expect(verdict).toMatchObject({ integrity: 'same', loss: { transactions: '0', keys: '0' } });
  }, 400_000);

  it('is not safe from the moment on in which somebody changes, removes and adds rows', async () => {
    await pair.tamper(
      `UPDATE account SET owner = 'mallory' WHERE id = 7; DELETE FROM account WHERE id = 100;
       INSERT INTO account VALUES (1000, 'mallory')`,
      true,
    );
    expect(unsafe(await certified())).toBe(true);
    await watch.sees(async () => (await provenOf(folder, 'gasan')).differences.length === 3, 'all are found');
    const verdict = await certified();
    expect(verdict).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
    const reason = verdict.reasons.find(({ code }) => code === 'TP-V-DIFFERENT');
    expect(reason?.message).toContain('1 missing, 1 extra, 1 changed');
    await pair.tamper(
      `UPDATE account SET owner = 'since' WHERE id = 7; INSERT INTO account VALUES (100, 'owner 100');
       DELETE FROM account WHERE id = 1000`,
      true,
    );
    await untilProven(watch, folder, TABLES);
  }, 400_000);

  it('is not safe where somebody wrote to it when its own log had been begun anew', async () => {
    const executed = await executedOn(pair.replica);
    // From here on the log is in its first file, whose name stays when it is begun anew.
    await beginLogAnew(pair.replica, executed);
    await watch.said(/^incarnation$/, /its own log has a gap/);
    await untilProven(watch, folder, TABLES);
    await pair.tamper(`UPDATE account SET owner = 'for a moment' WHERE id = 201`, true);
    await pair.tamper(`UPDATE account SET owner = 'owner 201' WHERE id = 201`, true);
    await untilProven(watch, folder, TABLES);
    // What is written next gets the number of what was written then.
    await beginLogAnew(pair.replica, executed);
    await pair.tamper(`UPDATE account SET owner = 'mallory' WHERE id = 200`, true);
    expect(unsafe(await certified())).toBe(true);
    await watch.sees(async () => (await provenOf(folder, 'gasan')).differences.length === 1, 'it is found');
    expect(await certified()).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
    await pair.tamper(`UPDATE account SET owner = 'owner 200' WHERE id = 200`, true);
    await untilProven(watch, folder, TABLES);
  }, 400_000);

  it('is not safe when a table was emptied there', async () => {
    await pair.tamper('TRUNCATE TABLE other', true);
    expect(unsafe(await certified())).toBe(true);
    await watch.said(/^difference$/, /other.*missing/);
    expect(await certified()).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
  }, 400_000);

  it('is not what was proven when an older copy stands in its place, whose loss is larger', async () => {
    await pair.replica.kill();
    await rm(pair.replica.paths.data, { recursive: true });
    await copyFolder(older, pair.replica.paths.data);
    await pair.replica.start();
    const first = await certified();
    expect(unsafe(first) || first.loss.transactions === '3').toBe(true);
    // What the primary changed behind the copy stays to be looked at.
    const proven = async (): Promise<boolean> => (await certified()).integrity === 'same';
    await waitUntil(proven, 120_000, () => 'the older copy was never proven');
    expect(await certified()).toMatchObject({
      integrity: 'same',
      loss: { kind: 'bounded', transactions: '3', changes: '4', keys: '4' },
    });
  }, 400_000);

  async function certified(): Promise<CandidateVerdict> {
    return (await certify(folder, ...fenced())).verdict;
  }
});

/** Empty on MariaDB, whose replicas keep what they have applied apart from their own log. */
async function executedOn(server: MysqlServer): Promise<string> {
  if (server.flavor === 'mariadb') return '';
  const [row] = await server.sql('SELECT @@global.gtid_executed AS gtids');
  return String(row?.['gtids']);
}

/** As people do it to be rid of errant transactions. */
async function beginLogAnew(server: MysqlServer, executed: string): Promise<void> {
  await server.sql(
    server.flavor === 'mysql'
      ? `RESET BINARY LOGS AND GTIDS; SET GLOBAL gtid_purged = '${executed}'`
      : 'RESET MASTER',
  );
}

function unsafe(verdict: CandidateVerdict): boolean {
  expect(weighty(verdict)).not.toEqual([]);
  return verdict.verdict === 'NOT_SAFE' || verdict.verdict === 'UNKNOWN';
}
