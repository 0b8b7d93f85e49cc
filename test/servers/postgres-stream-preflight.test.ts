import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  readSetupFacts,
  streamSetup,
  type StreamSetup,
} from '../../connectors/postgres/replication-setup.ts';
import { readStreamFacts } from '../../connectors/postgres/replication-slot.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { Follower } from './harness/change-stream.ts';
import { forever, ServerSet } from './harness/server-set.ts';

const servers = new ServerSet();
const NAMES = { slot: 'twinproof', publication: 'Twin "proof"' };
let cluster: Cluster;

beforeAll(async () => {
  cluster = await servers.cluster(14);
  await cluster.sql(`
    CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE "Odd ""name" (id int PRIMARY KEY);
    CREATE TABLE bare (id int); CREATE TABLE granted (id int PRIMARY KEY, a aclitem[]);
    CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY);
    CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE parts_one PARTITION OF parts FOR VALUES FROM (0) TO (100);
    CREATE ROLE watcher LOGIN`);
});

afterAll(() => servers.end());

async function setup(allowUnboundedWal: boolean): Promise<StreamSetup> {
  const session = await servers.open(cluster, 'watcher');
  const facts = await readStreamFacts(session, NAMES, forever());
  return streamSetup(
    await readSetupFacts(session, facts, NAMES, () => true, forever()),
    NAMES,
    allowUnboundedWal,
  );
}

test('an unlimited slot is not made, and tables that cannot be published are named', async () => {
  const { sql, findings } = await setup(false);
  expect(sql).not.toContain('replication_slot');
  expect(findings.map(({ code, severity, subject }) => [code, severity, subject])).toEqual([
    ['TP-P-WAL-LIMIT', 'block', 'max_slot_wal_keep_size'],
    ['TP-P-UNPUBLISHED', 'warn', 'public.bare'],
    ['TP-P-UNPUBLISHED', 'warn', 'public.fleeting'],
    ['TP-P-UNPUBLISHED', 'warn', 'public.granted'],
  ]);
});

test('no slot is made where none is free', async () => {
  await cluster.sql(
    `SELECT pg_create_physical_replication_slot('taken_' || i) FROM generate_series(1, 10) i`,
  );
  const { sql, findings } = await setup(true);
  expect(sql).not.toContain('replication_slot');
  expect(findings.find(({ code }) => code === 'TP-P-SLOTS')).toMatchObject({
    severity: 'block',
    message: 'all 10 of them are taken',
  });
  await cluster.sql('SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots');
});

test('the SQL makes all that is needed, and nothing that harms the writes of the primary', async () => {
  const { sql } = await setup(true);
  for (const statement of sql.split(/;\n|;$/)) if (statement !== '') await cluster.sql(statement);
  await cluster.sql('INSERT INTO bare VALUES (1); UPDATE bare SET id = 2; DELETE FROM bare');
  const follower = await Follower.open(cluster, { ...NAMES, user: 'watcher' });
  await cluster.sql(`INSERT INTO "Odd ""name" VALUES (1); INSERT INTO parts VALUES (5)`);
  expect(await follower.changes()).toEqual([
    'insert public.Odd "name 1 [1]',
    'insert public.parts_one 5 [5]',
  ]);
  await follower.stream.close();
  const again = await setup(true);
  expect(again.sql).toBe('');
});

test('a table that came later is added to the list', async () => {
  await cluster.sql('CREATE TABLE later (id int PRIMARY KEY)');
  const { sql } = await setup(true);
  expect(sql).toBe('ALTER PUBLICATION "Twin ""proof""" ADD TABLE\n  ONLY public.later;');
});
