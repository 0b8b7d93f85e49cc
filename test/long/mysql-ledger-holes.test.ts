import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Connection } from 'mysql2/promise';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { certify, fenced, weighty } from '../servers/harness/certify-ledger.ts';
import { runCli } from '../servers/harness/cli.ts';
import { builtProgram } from '../servers/harness/cli-build.ts';
import { VERIFIER } from '../servers/harness/mysql-accounts.ts';
import type { MysqlPair } from '../servers/harness/mysql-pair.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';
import {
  createWatchedPair,
  ledgerCaughtUp,
  mysqlWatchFolder,
  provenWatch,
} from '../servers/harness/mysql-watch.ts';
import type { RunningWatch, WatchFolder } from '../servers/harness/watch.ts';

const SCHEMA = `CREATE TABLE account (id int PRIMARY KEY, amount int);
  CREATE TABLE side (id int PRIMARY KEY, amount int);
  INSERT INTO account VALUES ${rows(50)}; INSERT INTO side VALUES ${rows(50)}`;
const TABLES = 2;
const LIMIT_MS = 60_000;

function rows(count: number): string {
  return Array.from({ length: count }, (_, i) => `(${i + 1}, 0)`).join();
}

/**
 * What is committed while a worker of the replica waits for a row, and what of it the replica cannot have. MySQL with
 * replica_preserve_commit_order=OFF commits whatever does not depend on what waits; MariaDB whatever is of another domain.
 */
const STORY = {
  mysql: {
    settings: { replica_preserve_commit_order: 'OFF', replica_parallel_workers: '4' },
    // What depends on the one that waits comes last: the coordinator waits with it, too.
    write: `UPDATE account SET amount = 1 WHERE id = 1; UPDATE account SET amount = 2 WHERE id = 2;
      UPDATE side SET amount = 3 WHERE id = 3; UPDATE side SET amount = 5 WHERE id = 5;
      INSERT INTO side VALUES (100, 6); UPDATE account SET amount = 4 WHERE id = 1`,
    lost: ['bank.account id=1', 'bank.account id=1'],
    there: 4,
  },
  mariadb: {
    settings: { slave_domain_parallel_threads: '2' },
    write: `UPDATE account SET amount = 1 WHERE id = 1; UPDATE account SET amount = 2 WHERE id = 2;
      SET SESSION gtid_domain_id = 7; UPDATE side SET amount = 3 WHERE id = 3; UPDATE side SET amount = 5 WHERE id = 5;
      SET SESSION gtid_domain_id = 0; UPDATE account SET amount = 4 WHERE id = 1;
      SET SESSION gtid_domain_id = 7; INSERT INTO side VALUES (100, 6)`,
    lost: ['bank.account id=1', 'bank.account id=2', 'bank.account id=1'],
    there: 3,
  },
} as const;

/** What a server has committed itself since it was promoted, as it names it. */
const OWN = {
  mysql: `SELECT CONCAT(@@GLOBAL.server_uuid, ':1') AS own`,
  mariadb: `SELECT CONCAT('up to ', @@last_gtid) AS own`,
} as const;

function lostRows(file: string): readonly string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line): { table: string; key: Readonly<Record<string, string>> } => JSON.parse(line))
    .map(({ table, key }) => `${table} id=${key['id']}`);
}

/** The tests follow one another: what happens to the two servers is one story. */
await describeMysql('a %s replica that has applied transactions behind one that it lacks', (flavor) => {
  const story = STORY[flavor];
  let pair: MysqlPair;
  let folder: WatchFolder;
  let watch: RunningWatch;
  let holder: Connection;

  const certificate = (name: string): readonly string[] => [
    '--out',
    path.join(folder.path, `${name}.cert`),
    '--key',
    path.join(folder.path, 'key'),
  ];
  const promoted = async (name: string, ...args: readonly string[]): Promise<object> => {
    const file = path.join(folder.path, `${name}.cert`);
    const common = ['certify', '--after-promotion', file, '--config', folder.config, '--format', 'json'];
    const { code, stdout } = await runCli([...common, ...args]);
    const answer: object = JSON.parse(stdout);
    return { code, ...answer };
  };

  beforeAll(async () => {
    builtProgram();
    pair = await createWatchedPair({ flavor, schema: SCHEMA, replicaSettings: story.settings });
    // A domain that the primary has had is known to the ledger.
    if (flavor === 'mariadb')
      await pair.write('SET SESSION gtid_domain_id = 7; UPDATE side SET amount = 1 WHERE id = 50');
    folder = mysqlWatchFolder(pair, { policy: '{ rpo: 1h, maxTail: 1h }' });
    watch = await provenWatch(folder, TABLES);
    holder = await pair.replica.connect({ database: pair.database });
    await holder.query('START TRANSACTION; SELECT amount FROM account WHERE id = 1 LOCK IN SHARE MODE');
    await pair.source.sql(story.write, [], pair.database);
    const hasLast = async (): Promise<boolean> =>
      (await pair.replica.sql('SELECT id FROM side WHERE id = 100', [], pair.database)).length === 1;
    await waitUntil(hasLast, LIMIT_MS, () => 'the replica waits with what does not depend on it');
    await ledgerCaughtUp(folder, pair, watch);
  }, 400_000);

  afterAll(async () => {
    await watch?.stop().catch(() => undefined);
    await pair?.destroy();
    folder?.remove();
  });

  it('is behind by exactly what it lacks', async () => {
    const { stdout } = await runCli(['lag', '--config', folder.config, '--format', 'json']);
    expect(JSON.parse(stdout)).toMatchObject({ total: { transactions: String(story.lost.length) } });
  }, 60_000);

  it('loses exactly what it lacks when its primary is gone, and is told to have what came later', async () => {
    await pair.source.kill();
    const file = path.join(folder.path, 'lost.jsonl');
    await runCli(['keygen', '--out', path.join(folder.path, 'key')]);
    const { verdict } = await certify(folder, ...fenced(), '--losses', file, ...certificate('behind'));
    expect(lostRows(file)).toEqual(story.lost);
    expect({ verdict, weighty: weighty(verdict) }).toMatchObject({
      // What it has received it can still apply, and must before it is promoted.
      weighty: ['TP-R-MY-UNAPPLIED candidate', 'TP-V-LOSS-WITHIN-RPO loss'],
      verdict: {
        integrity: 'same',
        loss: {
          kind: 'bounded',
          transactions: String(story.lost.length),
          changes: String(story.lost.length),
          keys: String(new Set(story.lost).size),
        },
      },
    });
    const told = verdict.reasons.find(({ code }) => code === 'TP-V-OUT-OF-ORDER');
    expect(told?.message).toContain(`it has ${story.there} transactions behind one that it lacks`);
  }, 60_000);

  it('is not what it says to have, where a row of a later transaction is as it was before', async () => {
    if (flavor === 'mysql') await pair.replica.sql('SET GLOBAL super_read_only = OFF');
    await pair.replica.sql(
      'SET SESSION sql_log_bin = 0; UPDATE side SET amount = 0 WHERE id = 5',
      [],
      pair.database,
    );
    const { verdict } = await certify(folder, ...fenced());
    expect(verdict).toMatchObject({ verdict: 'NOT_SAFE', integrity: 'different' });
    expect(verdict.reasons.find(({ code }) => code === 'TP-V-DIFFERENT')?.message).toMatch(/1 changed.*id=5/);
  }, 60_000);

  it('loses nothing of what it had received, once it has applied it', async () => {
    await pair.replica.sql(
      'SET SESSION sql_log_bin = 0; UPDATE side SET amount = 5 WHERE id = 5',
      [],
      pair.database,
    );
    await holder.query('ROLLBACK');
    const applied = async (): Promise<boolean> => {
      const [row] = await pair.replica.sql('SELECT amount FROM account WHERE id = 1', [], pair.database);
      return Number(row?.['amount']) === 4;
    };
    await waitUntil(applied, LIMIT_MS, () => 'the replica does not apply what it had received');
    const { verdict } = await certify(folder, ...fenced(), ...certificate('whole'));
    expect(verdict).toMatchObject({ verdict: 'SAFE_WITH_LOSS', loss: { transactions: '0' } });
    expect(verdict.reasons.map(({ code }) => code)).not.toContain('TP-V-OUT-OF-ORDER');
  }, 60_000);

  it('is held against its certificates after its promotion, with what it wrote since', async () => {
    expect(await promoted('whole')).toMatchObject({ code: 3, outcome: 'not promoted', own: null });
    await pair.stopReplica();
    await pair.replica.sql('RESET REPLICA ALL');
    await pair.setReadOnly(false);
    expect(await promoted('whole')).toMatchObject({ code: 0, outcome: 'certified', own: null });
    const local = `INSERT INTO side VALUES (200, 1), (201, 1); ${OWN[flavor]}`;
    const [{ own } = {}] = await pair.replica.sql(local, [], pair.database);
    expect(await promoted('whole')).toMatchObject({ code: 0, outcome: 'certified', own });
    // What it applied after that certificate was written is not covered by it.
    expect(await promoted('behind')).toMatchObject({ code: 3, outcome: 'later', own });
    // What the ledger holds says nothing of one that was promoted, and takes writes.
    const { verdict } = await certify(folder, ...fenced());
    expect({ verdict: verdict.verdict, weighty: weighty(verdict) }).toMatchObject({
      verdict: 'NOT_SAFE',
      weighty: expect.arrayContaining(['TP-V-LINEAGE candidate']),
    });
    await pair.source.start();
    const elsewhere = ['--candidate', pair.source.url(VERIFIER.user, pair.database, VERIFIER.password)];
    expect(await promoted('whole', ...elsewhere)).toMatchObject({ code: 2, outcome: 'other' });
  }, 120_000);
});
