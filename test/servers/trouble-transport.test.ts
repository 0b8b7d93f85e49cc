import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { WorkerRangeReader } from '../../src/compare/worker-range-reader.ts';
import type { RangeReading } from '../../src/compare/range-reader.ts';
import { type Cluster, createCluster } from './harness/cluster.ts';
import { writeOwned } from '../../src/demo/cluster-files.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { editStandby, relationPath, replaceInRelation } from './harness/heap.ts';
import type { VerifyDocument } from '../../src/report/verify-json.ts';
import { shapesOf } from '../contract/pair.ts';
import { builtProgram } from './harness/cli-build.ts';
import { documentOf, expectClean, runCli, startCli, until } from './harness/cli.ts';
import { verifierOf } from './harness/readiness.ts';
import { forever, ServerSet } from './harness/server-set.ts';
import { Verifier } from './harness/verify.ts';

/** Rows over TLS and through worker threads: the same rows, the same answers. */
const ROWS = 40_000;
const servers = new ServerSet();
const folder = mkdtempSync(join(tmpdir(), 'twinproof-transport-'));
const TRUSTING = `?sslmode=verify-full&sslrootcert=${join(folder, 'server.crt')}`;
let primary: Cluster;
let standby: Cluster;

beforeAll(async () => {
  primary = servers.add(await createCluster({ version: 16, settings: { autovacuum: 'off' } }));
  await useTls(primary);
  await primary.sql(
    `${verifierOf(16)} CREATE TABLE plain (id bigint PRIMARY KEY, v text);
     INSERT INTO plain SELECT g, 'row ' || g FROM generate_series(1, ${ROWS}) g;
     CREATE TABLE wide (id int PRIMARY KEY, v text); ALTER TABLE wide ALTER v SET STORAGE EXTERNAL;
     INSERT INTO wide SELECT g, repeat(md5(g::text), 20000) FROM generate_series(1, 12) g;
     CREATE TABLE broken (id int PRIMARY KEY, v text);
     INSERT INTO broken SELECT g, 'intact ' || g FROM generate_series(1, ${ROWS}) g;`,
  );
  await primary.sql('VACUUM (FREEZE, ANALYZE)');
  standby = servers.add(await createStandby(primary, { settings: { autovacuum: 'off' } }));
  // The certificate came with the copy.
  await standby.configure({ ssl: 'on' });
  await waitForReplay(standby);
  const path = await relationPath(primary, 'postgres', 'broken');
  await editStandby(primary, standby, async (target) => {
    await replaceInRelation(target, path, Buffer.from('intact 777'), Buffer.from('intakt 777'), { every: 5 });
  });
});

afterAll(async () => {
  await servers.end();
  rmSync(folder, { recursive: true, force: true });
});

async function useTls(cluster: Cluster): Promise<void> {
  const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...names];
  execFileSync('openssl', [...request, '-keyout', 'server.key', '-out', 'server.crt'], {
    cwd: folder,
    stdio: 'pipe',
  });
  for (const name of ['server.crt', 'server.key']) {
    const path = join(cluster.paths.data, name);
    await writeOwned(path, readFileSync(join(folder, name), 'utf8'), cluster.binaries.user);
    chmodSync(path, 0o600);
  }
  await cluster.configure({ ssl: 'on' });
  await cluster.reload();
}

function urlOf(cluster: Cluster): string {
  return cluster.url('postgres', 'verifier');
}

function verifyArguments(suffix: string, more: readonly string[]): string[] {
  const sites = ['--primary', urlOf(primary) + suffix, '--candidate', urlOf(standby) + suffix];
  return ['verify', ...sites, '--format', 'json', ...more];
}

async function verify(suffix: string, ...more: readonly string[]): Promise<VerifyDocument> {
  const result = await runCli(verifyArguments(suffix, more));
  expectClean(result);
  return documentOf(result);
}

function summaryOf({ tables }: VerifyDocument): unknown[] {
  return tables.map(({ table, outcome, rows, differences, samples }) => [
    table,
    outcome,
    rows.primary,
    differences.changed,
    new Set(samples.map(({ key }) => JSON.stringify(key))).size,
  ]);
}

describe.each([
  ['over TLS, in one thread', TRUSTING, '0'],
  ['over TLS, in two worker threads', TRUSTING, '2'],
  ['in two worker threads', '', '2'],
  ['in one thread', '', '0'],
])('read %s', (_, suffix, workers) => {
  test('many rows, wide rows and rows that differ give the same answer', async () => {
    const summary = summaryOf(await verify(suffix, '--workers', workers));
    const broken = summary.find((row) => Array.isArray(row) && row[0] === 'public.broken');
    expect(broken).toEqual([
      'public.broken',
      'different',
      String(ROWS),
      expect.stringMatching(/^[1-9]/),
      expect.any(Number),
    ]);
    expect(summary).toContainEqual(['public.plain', 'same', String(ROWS), '0', 0]);
    expect(summary).toContainEqual(['public.wide', 'same', '12', '0', 0]);
  });
});

test('a connection is encrypted where the URL asks for it', async () => {
  const run = startCli(verifyArguments(TRUSTING, ['--tables', 'plain', '--max-rows-per-second', '20000']));
  await until(async () => {
    const [row] = await primary.sql(
      `SELECT count(*)::int AS n FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
       WHERE application_name = 'twinproof read' AND ssl`,
    );
    return Number(row?.['n']) > 0;
  }, 'an encrypted reader');
  expect(documentOf(await run.ended).outcome).toBe('same');
});

test('the readers of worker threads are replaced when the server ends them', async () => {
  const pace = ['--tables', 'plain', '--workers', '2', '--max-rows-per-second', '20000'];
  const run = startCli(verifyArguments('', pace));
  let ended = 0;
  await until(async () => {
    const rows = await primary.sql(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'twinproof read'`,
    );
    ended += rows.length;
    return ended > 0;
  }, 'a reader was ended');
  const result = await run.ended;
  expectClean(result);
  expect(documentOf(result).outcome).toBe('same');
});

test('a table without a key that is rewritten meanwhile is never called different', async () => {
  await primary.sql(`CREATE TABLE keyless AS SELECT g, 'row ' || g AS v FROM generate_series(1, 30000) g`);
  await waitForReplay(standby);
  const run = startCli(verifyArguments('', ['--tables', 'keyless', '--max-rows-per-second', '10000']));
  for (let rewrites = 0; rewrites < 4; rewrites++) {
    await primary.sql('DELETE FROM keyless WHERE g % 1000 = 1');
    await primary.sql('VACUUM FULL keyless');
  }
  const result = await run.ended;
  expectClean(result);
  expect(documentOf(result).tables.map(({ outcome }) => outcome)).not.toContain('different');
});

/** The reader of worker threads as it is built: a thread is started from a JavaScript file. */
async function builtReader(registry: string): Promise<WorkerRangeReader> {
  const path = join(dirname(builtProgram()), 'compare', 'worker-range-reader.js');
  const built: { WorkerRangeReader: typeof WorkerRangeReader } = await import(pathToFileURL(path).href);
  const address = { engine: 'postgres', host: '127.0.0.1', port: 1, user: null, password: null } as const;
  const site = { ...address, database: null, parameters: {} };
  const options = { jobs: 1, statementTimeoutMs: 0 };
  return new built.WorkerRangeReader(1, { registry, primary: site, candidate: site, options });
}

test('a worker thread that ends leaves an error behind, and nothing that waits for ever', async () => {
  // Nothing is read: any role will do, and these servers have no other.
  const verifier = await Verifier.open(primary, standby, { user: 'postgres' });
  try {
    const { primary: ours, candidate: theirs } = verifier;
    const pair = { kind: 'physical', primary: ours, candidate: theirs } as const;
    const shapes = await shapesOf(pair, { schema: 'public', table: 'plain' });
    const sent = { primary: withoutHandle(shapes.primary), candidate: withoutHandle(shapes.candidate) };
    const reader = await builtReader('data:text/javascript,export const connectSite = () => process.exit(3)');
    const range = {
      table: 'public.plain',
      kind: 'block',
      id: 'x',
      from: null,
      to: null,
      rowsEstimate: 1,
    } as const;
    const read = (): Promise<RangeReading> => reader.read(sent, range, forever());
    await expect(read()).rejects.toMatchObject({ code: 'TP-BUG' });
    await expect(async () => read()).rejects.toMatchObject({ code: 'TP-BUG' });
    await reader.close();
  } finally {
    await verifier.close();
  }
});

function withoutHandle<Shape extends { readonly table: object }>(shape: Shape): Shape {
  return { ...shape, table: { ...shape.table, handle: null } };
}
