import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, createCluster } from './harness/cluster.ts';
import { createLogicalPair } from '../../src/demo/cluster-logical.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import type { VerifyDocument } from '../../src/report/verify-json.ts';
import { type CliRun, documentOf, expectClean, startCli, until } from './harness/cli.ts';
import { verifierOf } from './harness/readiness.ts';
import { ServerSet } from './harness/server-set.ts';

const ROWS = 40_000;
const CHANGES = {
  added: 'ALTER TABLE added ADD COLUMN flag boolean DEFAULT true',
  cleared: 'TRUNCATE cleared',
  dropped: 'DROP TABLE dropped',
  narrowed: 'ALTER TABLE narrowed ALTER COLUMN v TYPE varchar(40)',
  packed: 'VACUUM FULL packed',
  rekeyed: 'ALTER TABLE rekeyed ALTER COLUMN id TYPE numeric',
  renamed: 'ALTER TABLE renamed RENAME COLUMN v TO w',
  steady: `INSERT INTO steady SELECT g, 'new' FROM generate_series(-100, 0) g`,
} as const;
const servers = new ServerSet();
let primary: Cluster;
let standby: Cluster;

beforeAll(async () => {
  primary = servers.add(await createCluster({ version: 17, settings: { autovacuum: 'off' } }));
  await primary.sql(verifierOf(17));
  for (const table of Object.keys(CHANGES)) {
    const key = table === 'packed' ? '' : 'PRIMARY KEY';
    await primary.sql(
      `CREATE TABLE ${table} (id int ${key}, v text);
       INSERT INTO ${table} SELECT g, 'row ' || g FROM generate_series(1, ${ROWS}) g; ANALYZE ${table}`,
    );
  }
  standby = servers.add(await createStandby(primary, { settings: { autovacuum: 'off' } }));
});

afterAll(() => servers.end());

function start(from: Cluster, to: Cluster, ...more: readonly string[]): CliRun {
  const sites = [
    '--primary',
    from.url('postgres', 'verifier'),
    '--candidate',
    to.url('postgres', 'verifier'),
  ];
  return startCli(['verify', ...sites, '--jobs', '2', '--format', 'json', ...more]);
}

async function reading(cluster: Cluster): Promise<void> {
  const text = `SELECT FROM pg_stat_activity WHERE application_name = 'twinproof read'`;
  await until(async () => (await cluster.sql(text)).length > 0, 'a reader');
}

async function endOf(run: CliRun): Promise<VerifyDocument> {
  const result = await run.ended;
  expectClean(result);
  return documentOf(result);
}

function outcomes({ tables }: VerifyDocument): Record<string, string> {
  return Object.fromEntries(tables.map(({ table, outcome }) => [table.replace('public.', ''), outcome]));
}

test('definitions that change in the middle never give a difference: tables are read again or named', async () => {
  const run = start(primary, standby, '--max-rows-per-second', '120000');
  await reading(primary);
  for (const change of Object.values(CHANGES)) await primary.sql(change);
  const document = await endOf(run);
  expect(outcomes(document)).toEqual({
    added: 'same',
    cleared: 'same',
    dropped: 'unproven',
    narrowed: 'same',
    packed: 'same',
    rekeyed: 'same',
    renamed: 'same',
    steady: 'same',
  });
  const dropped = document.tables.find(({ table }) => table === 'public.dropped');
  expect(dropped?.reasons.map(({ code }) => code)).toContain('TP-DEFINITION-CHANGED');

  await waitForReplay(standby);
  expect((await endOf(start(primary, standby))).outcome).toBe('same');
});

test('a table whose definition never stands still is unproven', async () => {
  const run = start(primary, standby, '--jobs', '1', '--max-rows-per-second', '30000', '--tables', 'steady');
  await reading(primary);
  for (let round = 0; run.child.exitCode === null && round < 500; round += 1) {
    await primary.sql(`ALTER TABLE steady ADD COLUMN c${round} int`);
  }
  const document = await endOf(run);
  expect(outcomes(document)).toEqual({ steady: 'unproven' });
});

test('a type that changes on the primary first is unproven, not a difference in every row', async () => {
  const pair = await Promise.all([createCluster({ version: 17 }), createCluster({ version: 17 })]);
  for (const cluster of pair) {
    servers.add(cluster);
    await cluster.sql(`${verifierOf(17)} CREATE TABLE deal (id int PRIMARY KEY, amount int)`);
  }
  const [publisher, subscriber] = pair;
  await publisher.sql(`INSERT INTO deal SELECT g, g FROM generate_series(1, ${ROWS}) g; ANALYZE`);
  await createLogicalPair(publisher, subscriber, { tables: ['deal'] });
  await subscriber.sql('ANALYZE');
  const run = start(publisher, subscriber, '--max-rows-per-second', '15000');
  await reading(publisher);
  await publisher.sql('ALTER TABLE deal ALTER COLUMN amount TYPE bigint');
  expect(outcomes(await endOf(run))).toEqual({ deal: 'unproven' });
});
