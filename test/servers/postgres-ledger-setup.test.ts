import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { Follower, isRowChange, short } from './harness/change-stream.ts';
import { type CliResult, runCli } from './harness/cli.ts';
import { builtProgram } from './harness/cli-build.ts';
import { keyOf } from './harness/ledger-load.ts';
import { ledgerTable, openSite } from './harness/ledger-site.ts';
import { forever, ServerSet } from './harness/server-set.ts';

const servers = new ServerSet();
let cluster: Cluster;
let folder: string;

beforeAll(async () => {
  // Where it is not built it is translated now, and not within the time of a test.
  builtProgram();
  folder = await mkdtemp(join(tmpdir(), 'twinproof-setup-'));
  cluster = await servers.cluster(15);
  await cluster.sql(`CREATE SCHEMA "Odd ""one"; CREATE TABLE "Odd ""one".t (id int PRIMARY KEY, v int);
    CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE bare (id int); CREATE TABLE apart (id int PRIMARY KEY);
    CREATE TABLE parts (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
    CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (0) TO (100);
    CREATE TABLE late_key (id int PRIMARY KEY DEFERRABLE, v int);
    CREATE TABLE secured (id int PRIMARY KEY, v int); ALTER TABLE secured ENABLE ROW LEVEL SECURITY`);
});

afterAll(async () => {
  await servers.end();
  await rm(folder, { recursive: true, force: true });
});

/** What was printed, statement after statement, as psql would run it. */
async function run(result: CliResult): Promise<void> {
  const lines = result.stdout.split('\n').filter((line) => !line.startsWith('--'));
  for (const statement of lines.join('\n').split(/;\n/)) {
    if (statement.trim() !== '') await cluster.sql(statement);
  }
}

test('the SQL makes the role, and everything with which it streams and reads', async () => {
  const args = ['preflight', cluster.url(), '--sql', '--role', 'the watcher'];
  const first = await runCli(args);
  expect(first).toMatchObject({ code: 2 });
  expect(first.stdout).toContain('ALTER SYSTEM SET max_slot_wal_keep_size');
  expect(first.stdout).toContain('CREATE ROLE "the watcher" LOGIN REPLICATION;');
  expect(first.stdout).not.toContain('pg_create_logical_replication_slot');
  expect(first.stdout).not.toContain('ALL TABLES;');
  await run(first);

  const second = await runCli(args);
  expect(second).toMatchObject({ code: 1 });
  expect(second.stdout).toContain('pg_create_logical_replication_slot');
  expect(second.stdout).not.toContain('CREATE ROLE');
  await run(second);
  // What cannot be published is still said.
  const third = await runCli(args);
  expect(third.stdout.split('\n').filter((line) => line !== '' && !line.startsWith('--'))).toEqual([]);
  expect(third.stdout).toContain('public.bare');

  await cluster.sql('INSERT INTO bare VALUES (1); UPDATE bare SET id = 2; DELETE FROM bare');
  await cluster.sql('INSERT INTO late_key VALUES (1); UPDATE late_key SET v = 2; DELETE FROM late_key');
  const site = await openSite(cluster, { user: 'the watcher', stream: { allowUnboundedWal: false } });
  const follower = Follower.over(await site.streamChanges({ after: null, pair: 'physical' }, forever()));
  await cluster.sql(
    `INSERT INTO "Odd ""one".t VALUES (1, 1); INSERT INTO t VALUES (1, 2); INSERT INTO parts VALUES (1, 3)`,
  );
  await cluster.sql('INSERT INTO secured VALUES (1, 4)');
  const events = [...(await follower.transaction()).events, ...(await follower.transaction()).events];
  expect(events.filter(isRowChange).map(short)).toEqual([
    'insert Odd "one.t 1 [1|1]',
    'insert public.t 1 [1|2]',
    'insert public.parts_a 1 [1|3]',
    'insert public.secured 1 [1|4]',
  ]);
  for (const leaf of ['Odd "one.t', 'public.t', 'public.parts_a', 'public.secured']) {
    const { shape } = await ledgerTable(site, leaf, 'physical');
    expect((await site.readRowsSnapshot(shape, [keyOf(1)], forever())).rows).toHaveLength(1);
  }
  await follower.stream.close();
  await site.close();
});

test('the configuration names slot, publication and tables', async () => {
  const file = join(folder, 'twinproof.yaml');
  const site = `{ url: "${cluster.url()}", slot: mine, publication: "Our tables", allowUnboundedWal: true }`;
  await writeFile(
    file,
    `systems: { bank: { primary: ${site}, candidates: [{ name: dr, url: "${cluster.url()}" }], tables: { include: ["public.t", "parts"] } } }`,
    { mode: 0o600 },
  );
  const args = ['preflight', 'bank/primary', '--config', file, '--sql', '--role', 'reader'];
  const result = await runCli(args);
  expect(result.stdout).toContain(
    'CREATE PUBLICATION "Our tables" FOR TABLE\n  ONLY public.parts_a,\n  ONLY public.t;',
  );
  expect(result.stdout).toContain(`pg_create_logical_replication_slot('mine', 'pgoutput')`);
  expect(result.stdout).toContain('GRANT SELECT ON public.t TO reader;');
  expect(result.stdout).not.toContain('apart');
  await run(result);
  const again = await runCli(args);
  expect(again).toMatchObject({ code: 0, stdout: '-- bank/primary: nothing is missing\n' });
});

test('a role that is missing only the right to replicate gets that', async () => {
  await cluster.sql('CREATE ROLE nearly LOGIN; GRANT pg_read_all_data, pg_read_all_stats TO nearly');
  const { stdout } = await runCli(['preflight', cluster.url('postgres', 'nearly'), '--sql']);
  const sql = stdout.split('\n').filter((line) => line !== '' && !line.startsWith('--'));
  expect(sql.slice(0, 2)).toEqual(['ALTER ROLE nearly REPLICATION;', 'ALTER ROLE nearly BYPASSRLS;']);
});
