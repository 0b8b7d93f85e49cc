import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, createCluster } from './harness/cluster.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { editStandby, relationPath } from '../../src/demo/heap-edit.ts';
import type { ReadinessJson } from '../../src/report/readiness-json.ts';
import { builtProgram } from './harness/cli-build.ts';
import { type CliResult, expectRefusal, runCli, startCli } from './harness/cli.ts';
import { replaceInRelation } from './harness/heap.ts';
import { verifierOf } from './harness/readiness.ts';
import { ServerSet } from './harness/server-set.ts';

const servers = new ServerSet();
let folder = '';
let primary: Cluster;
let standby: Cluster;

/** The oldest version that is read, so that its catalog is asked too. */
beforeAll(async () => {
  builtProgram();
  folder = mkdtempSync(join(tmpdir(), 'twinproof-readiness-'));
  const settings = { fsync: 'on', wal_log_hints: 'on', autovacuum: 'off' };
  primary = servers.add(await createCluster({ version: 14, settings }));
  await primary.sql(`${verifierOf(14)} CREATE TABLE account (id serial PRIMARY KEY)`);
  standby = servers.add(await createStandby(primary, { settings }));
});

afterAll(async () => {
  await servers.end();
  rmSync(folder, { recursive: true, force: true });
});

function readiness(...args: readonly string[]): Promise<CliResult> {
  return runCli(['readiness', ...args], { cwd: folder });
}

function sites(): readonly string[] {
  const url = (cluster: Cluster): string => cluster.url('postgres', 'verifier');
  return ['--primary', url(primary), '--candidate', url(standby)];
}

function documentOf(result: CliResult): ReadinessJson {
  const document: ReadinessJson = JSON.parse(result.stdout);
  return document;
}

test('a pair with nothing wrong is ready: exit code 0, and it says what was not done', async () => {
  const text = await readiness(...sites());
  expect(text.stdout).toMatch(/READY {2}nothing that was checked stands against it \(switchover\)/);
  expect([text.stdout, text.code]).toEqual([expect.stringContaining('rows were not compared'), 0]);
  const json = documentOf(await readiness(...sites(), '--format', 'json'));
  expect(json).toMatchObject({
    schema: 'twinproof.readiness/v1',
    pair: 'physical',
    mode: 'switchover',
    switchover: { word: 'ready', blocking: 0, unknown: 0, warnings: 0 },
    refusal: null,
  });
});

test('a finding that blocks is exit code 2, a warning 1, and a waiver in force takes it away', async () => {
  await primary.sql('CREATE UNLOGGED TABLE cache (id int)');
  const config = join(folder, 'twinproof.yaml');
  const waived = (until: string): Promise<CliResult> => {
    writeFileSync(
      config,
      `systems:
  bank:
    primary: { url: "${primary.url('postgres', 'verifier')}" }
    candidates: [{ name: gasan, url: "${standby.url('postgres', 'verifier')}" }]
    waivers: [{ rule: TP-R-UNLOGGED, subject: public.cache, reason: rebuilt, by: Kim, until: ${until} }]
`,
    );
    return readiness('--config', config);
  };
  const blocked = await readiness(...sites());
  expect([blocked.stdout, blocked.code]).toEqual([expect.stringContaining('TP-R-UNLOGGED'), 2]);
  const accepted = await waived('2999-01-01');
  expect([accepted.stdout, accepted.code]).toEqual([expect.stringContaining('waived by Kim'), 0]);
  const lapsed = await waived('2020-01-01');
  expect([lapsed.stdout, lapsed.code]).toEqual([expect.stringContaining('TP-R-WAIVER'), 2]);
  expect(accepted.stdout).not.toContain('TP-R-WAIVER');
  await primary
    .sql('DROP TABLE cache; CREATE INDEX CONCURRENTLY later ON account (id)')
    .catch(() => undefined);
  await primary.sql(
    'ALTER TABLE account ADD CONSTRAINT low CHECK (id < 9) NOT VALID; DROP TABLE IF EXISTS cache',
  );
  expect((await readiness(...sites())).code).toBe(1);
});

test('a role that may nothing is told what it lacks, rule by rule, and its pair is not called ready', async () => {
  await primary.sql('CREATE ROLE lowly LOGIN');
  await waitForReplay(standby);
  const urls = [primary, standby].map((cluster) => cluster.url('postgres', 'lowly'));
  const lowly = ['--primary', urls[0] ?? '', '--candidate', urls[1] ?? ''];
  const result = await readiness(...lowly, '--format', 'json');
  const { switchover, results } = documentOf(result);
  expect([switchover.word, result.code]).toEqual(['unknown', 3]);
  const lacking = results.filter(
    ({ state, severity }) => state === 'unknown' && severity.switchover === 'block',
  );
  expect(lacking.map(({ code, hint }) => [code, hint])).toContainEqual([
    'TP-R-PG-RECEIVER',
    'GRANT pg_read_all_stats TO lowly;',
  ]);
});

test('--deep finds an index of the standby that its table does not match, and nothing else does', async () => {
  await primary.sql(`CREATE EXTENSION amcheck; GRANT EXECUTE ON FUNCTION bt_index_check(regclass, boolean) TO verifier;
    CREATE TABLE note (id int PRIMARY KEY, body text); CREATE INDEX note_body ON note (body);
    INSERT INTO note SELECT i, 'note ' || i FROM generate_series(100, 200) i`);
  await primary.sql('VACUUM (FREEZE) note');
  const path = await relationPath(primary, 'postgres', 'note');
  const change = (from: string, to: string): Promise<unknown> =>
    editStandby(primary, standby, (target) =>
      replaceInRelation(target, path, Buffer.from(from), Buffer.from(to), { count: 1 }),
    );
  const deep = async (...args: readonly string[]): Promise<readonly (readonly [string, string])[]> => {
    const { results } = documentOf(await readiness(...sites(), '--format', 'json', ...args));
    return results
      .filter(({ code }) => code === 'TP-R-PG-INDEX-DAMAGE')
      .map(({ state, subject }) => [state, subject] as const);
  };
  await change('note 150', 'nota 150');
  expect(await deep('--deep')).toEqual([['fail', 'public.note_body']]);
  expect(await deep()).toEqual([]);
  await change('nota 150', 'note 150');
  expect((await deep('--deep')).map(([state]) => state)).toEqual(['pass']);
});

test('with the primary gone it is about a failover, and what only the primary knows is unknown', async () => {
  await primary.stop();
  const result = await readiness(...sites(), '--format', 'json');
  const json = documentOf(result);
  expect(json.mode).toBe('failover');
  expect(json.primary.silence).not.toBeNull();
  expect([json.failover.word, result.code]).toEqual(['unknown', 3]);
  const lost = await readiness('--candidate', standby.url('postgres', 'verifier'), '--primary-lost');
  expect(lost.code).toBe(3);
  // Once among what would stand against a promotion, once among the rest.
  expect(lost.stdout.match(/only the primary could tell/g)).toHaveLength(2);
  await standby.stop();
  expectRefusal(await readiness(...sites()), 3, 'TP-UNREACHABLE');
});

test('every rule is printed on request, without any site', async () => {
  const { stdout, code } = await readiness('--rules');
  expect([stdout.split('\n')[0], code]).toEqual(['# Readiness rules', 0]);
});

test.each(['readiness --rules', 'verify --help'])(
  '%s into a pipe that nobody reads ends without a word',
  async (line) => {
    const { child, ended } = startCli(line.split(' '));
    child.stdout?.destroy();
    const { stderr, code } = await ended;
    expect([stderr, code]).toEqual(['', 0]);
  },
);
