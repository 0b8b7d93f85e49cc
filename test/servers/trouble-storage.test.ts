import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, createCluster } from './harness/cluster.ts';
import { createLogicalPair } from '../../src/demo/cluster-logical.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { type CliResult, documentOf, reasonCodes, runCli, until, verdictOf } from './harness/cli.ts';
import { corruptPage, editStandby, eraseTuple, relationPath } from './harness/heap.ts';
import { verifierOf } from './harness/readiness.ts';
import { ServerSet } from './harness/server-set.ts';

const servers = new ServerSet();
let primary: Cluster;
let standby: Cluster;

beforeAll(async () => {
  primary = servers.add(await createCluster({ version: 17, settings: { autovacuum: 'off' } }));
  await primary.sql(verifierOf(17));
  await primary.sql(
    `CREATE TABLE sound (id int PRIMARY KEY, v text); CREATE TABLE rotten (id int PRIMARY KEY, v text);
     INSERT INTO sound SELECT g, 'row ' || g FROM generate_series(1, 5000) g;
     INSERT INTO rotten SELECT g, 'row ' || g FROM generate_series(1, 5000) g`,
  );
  await primary.sql('VACUUM (FREEZE, ANALYZE)');
  standby = servers.add(await createStandby(primary, { settings: { autovacuum: 'off' } }));
});

afterAll(() => servers.end());

function run(command: 'verify' | 'certify', candidate: Cluster, ...more: string[]): Promise<CliResult> {
  const sites = [
    '--primary',
    primary.url('postgres', 'verifier'),
    '--candidate',
    candidate.url('postgres', 'verifier'),
  ];
  return runCli([command, ...sites, '--format', 'json', ...more]);
}

test('a row whose commit waits for a synchronous standby is no difference, and the same after its release', async () => {
  await primary.sql(`ALTER SYSTEM SET synchronous_standby_names = 'nobody'`);
  await primary.reload();
  const writer = await primary.connect();
  const committing = writer.query(`INSERT INTO sound VALUES (9999, 'waits')`);
  try {
    const arrived = async (): Promise<boolean> =>
      (await standby.sql('SELECT FROM sound WHERE id = 9999')).length === 1;
    await until(arrived, 'the row on the standby');
    expect(await primary.sql('SELECT FROM sound WHERE id = 9999')).toEqual([]);
    const document = documentOf(await run('verify', standby, '--timeout', '4s'));
    expect(document.outcome).toBe('unproven');
    expect(document.tables.every(({ outcome }) => outcome !== 'different')).toBe(true);
  } finally {
    await primary.sql('ALTER SYSTEM RESET synchronous_standby_names');
    await primary.reload();
    await committing;
  }
  await waitForReplay(standby);
  expect(documentOf(await run('verify', standby)).outcome).toBe('same');
});

test('rows that an index of the candidate hides are a corrupt index, not missing rows', async () => {
  const pair = await Promise.all([createCluster({ version: 17 }), createCluster({ version: 17 })]);
  const [publisher, subscriber] = pair;
  for (const cluster of pair) {
    servers.add(cluster);
    await cluster.configure({ autovacuum: 'off' });
    await cluster.reload();
    await cluster.sql(`${verifierOf(17)} CREATE TABLE deal (id bigint PRIMARY KEY, v text)`);
  }
  await publisher.sql(`INSERT INTO deal SELECT g, 'row ' || g FROM generate_series(1, 90000) g`);
  await createLogicalPair(publisher, subscriber, { tables: ['deal'] });
  for (const cluster of pair) await cluster.sql('VACUUM (FREEZE, ANALYZE) deal');
  // Of one leaf page of the index one entry is wiped out, as a lost write would: the table still has the row.
  const path = await relationPath(subscriber, 'postgres', 'deal_pkey');
  await subscriber.stop();
  await eraseTuple({ cluster: subscriber, edits: [] }, path, '(5,7)', 'dead');
  await subscriber.start();
  // A search that meets the place is led astray, too.
  const hidden = `SET enable_seqscan = off; SELECT FROM generate_series(1, 90000) g
    WHERE NOT EXISTS (SELECT FROM deal WHERE id = g OFFSET 0)`;
  expect((await subscriber.sql(hidden)).length).toBeGreaterThan(0);

  const sites = [
    '--primary',
    publisher.url('postgres', 'verifier'),
    '--candidate',
    subscriber.url('postgres', 'verifier'),
    '--format',
    'json',
  ];
  const result = await runCli(['verify', ...sites]);
  const document = documentOf(result);
  expect(reasonCodes(document)).toContain('TP-INDEX-CORRUPT');
  expect(document.tables[0]?.differences).toEqual({ missing: '0', extra: '0', changed: '0' });
  expect([document.outcome, result.code]).toEqual(['different', 2]);
  const verdict = await runCli(['certify', ...sites, '--quiesced']);
  expect([verdictOf(verdict).verdict, verdict.code]).toEqual(['NOT_SAFE', 2]);
});

test('a page of the candidate that cannot be read blocks, and the other tables are still judged', async () => {
  const path = await relationPath(primary, 'postgres', 'rotten');
  await editStandby(primary, standby, (target) => corruptPage(target, path, 3));
  const result = await run('verify', standby);
  const document = documentOf(result);
  expect([document.outcome, result.code]).toEqual(['unproven', 3]);
  expect(document.tables.map(({ table, outcome }) => [table, outcome])).toEqual([
    ['public.rotten', 'unproven'],
    ['public.sound', 'same'],
  ]);
  expect(document.tables[0]?.reasons[0]).toMatchObject({ code: 'TP-UNREADABLE', severity: 'block' });

  const verdict = await run('certify', standby, '--quiesced');
  expect([verdictOf(verdict).verdict, verdict.code]).toEqual(['NOT_SAFE', 2]);
  expect(verdictOf(verdict).reasons.map(({ code }) => code)).toContain('TP-UNREADABLE');
});
