import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from '../servers/harness/cluster.ts';
import { createLogicalPair } from '../../src/demo/cluster-logical.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import {
  type CliOptions,
  type CliResult,
  type CliRun,
  documentOf,
  expectClean,
  reasonCodes,
  startCli,
  until,
} from '../servers/harness/cli.ts';
import { verifierOf } from '../servers/harness/readiness.ts';
import { ServerSet } from '../servers/harness/server-set.ts';

const ROWS = 200_000;
const servers = new ServerSet();
let folder = '';
let primary: Cluster;
let standby: Cluster;
let subscriber: Cluster;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'twinproof-run-'));
  const settings = { autovacuum: 'off' };
  [primary, subscriber] = await Promise.all([
    createCluster({ version: 17, settings }),
    createCluster({ version: 17, settings }),
  ]);
  servers.add(primary);
  servers.add(subscriber);
  const schema = 'CREATE TABLE big (id bigint PRIMARY KEY, v text); CREATE TABLE small (id int PRIMARY KEY)';
  await Promise.all([primary, subscriber].map((cluster) => cluster.sql(verifierOf(17) + schema)));
  await primary.sql(
    `INSERT INTO big SELECT g, 'row ' || g FROM generate_series(1, ${ROWS}) g; INSERT INTO small VALUES (1)`,
  );
  await createLogicalPair(primary, subscriber, { tables: ['big', 'small'] });
  await Promise.all([primary, subscriber].map((cluster) => cluster.sql('VACUUM (FREEZE, ANALYZE)')));
  standby = servers.add(await createStandby(primary, { settings }));
});

afterAll(async () => {
  await servers.end();
  rmSync(folder, { recursive: true, force: true });
});

/** Reads big at a rate that takes about ten seconds. */
function slowRun(candidate: Cluster, more: readonly string[] = [], options: CliOptions = {}): CliRun {
  const sites = [
    '--primary',
    primary.url('postgres', 'verifier'),
    '--candidate',
    candidate.url('postgres', 'verifier'),
  ];
  const pace = ['--jobs', '1', '--max-rows-per-second', '20000', '--format', 'json'];
  return startCli(['verify', ...sites, ...pace, ...more], { cwd: folder, ...options });
}

function fastRun(candidate: Cluster, ...more: readonly string[]): CliRun {
  return slowRun(candidate, ['--max-rows-per-second', '10000000', ...more]);
}

/** Waits until the run has read something. */
async function reading(cluster: Cluster): Promise<void> {
  const text = `SELECT FROM pg_stat_activity WHERE application_name = 'twinproof read' AND state = 'idle'`;
  await until(async () => (await cluster.sql(text)).length > 0, 'a reader that has read');
}

async function endOf(run: CliRun): Promise<CliResult> {
  const result = await run.ended;
  expectClean(result);
  return result;
}

describe('a run that is ended early prints what it has and gives 3', () => {
  test.each([
    ['SIGINT', 'TP-INTERRUPTED'],
    ['SIGTERM', 'TP-INTERRUPTED'],
  ] as const)('by %s, within five seconds', async (signal, code) => {
    const run = slowRun(standby, ['--out', `${signal}.json`]);
    await reading(standby);
    const asked = performance.now();
    run.child.kill(signal);
    const result = await endOf(run);
    expect(performance.now() - asked).toBeLessThan(5_000);
    expect(result.code).toBe(3);
    const document = documentOf(result);
    expect(document.outcome).toBe('unproven');
    expect(reasonCodes(document)).toContain(code);
    // A table that was read whole counts; one that was not is not called the same.
    expect(document.tables.find(({ table }) => table === 'public.big')?.outcome).toBe('unproven');
    expect(readFileSync(join(folder, `${signal}.json`), 'utf8')).toBe(result.stdout);
  });

  test('by --timeout', async () => {
    // Enough to reach both sites on a slow machine, and not to read everything.
    const result = await endOf(slowRun(standby, ['--timeout', '6s']));
    expect(result.code).toBe(3);
    expect(documentOf(result).outcome).toBe('unproven');
    expect(reasonCodes(documentOf(result))).toContain('TP-TIMEOUT');
  });

  test('at once by a second SIGINT', async () => {
    const run = slowRun(standby);
    await reading(standby);
    run.child.kill('SIGINT');
    run.child.kill('SIGINT');
    expect((await run.ended).code).toBe(3);
  });
});

describe('a run that was interrupted is taken up again with --state', () => {
  test('saying what it took over, counting all rows, and finding what changed in the rest', async () => {
    const interrupted = slowRun(subscriber, ['--state', 'resume.json']);
    const kept = (): boolean => stateText('resume.json').includes('public.big');
    await until(kept, 'a range in the state file');
    interrupted.child.kill('SIGINT');
    expect(documentOf(await endOf(interrupted)).outcome).toBe('unproven');

    const resumed = await endOf(fastRun(subscriber, '--state', 'resume.json'));
    const document = documentOf(resumed);
    expect([document.outcome, resumed.code]).toEqual(['same', 0]);
    expect(document.resumed?.ranges).toBeGreaterThan(0);
    expect(Number(document.resumed?.rows)).toBeGreaterThan(0);
    expect(document.tables.find(({ table }) => table === 'public.big')?.rows).toEqual({
      primary: String(ROWS),
      candidate: String(ROWS),
    });
  });

  test('and rows that changed in ranges not yet proven are found', async () => {
    const interrupted = slowRun(subscriber, ['--state', 'changed.json']);
    await until(() => stateText('changed.json').includes('public.big'), 'a range in the state file');
    interrupted.child.kill('SIGINT');
    await endOf(interrupted);
    await subscriber.sql(`UPDATE big SET v = 'tampered' WHERE id = ${ROWS}`);
    const resumed = await endOf(fastRun(subscriber, '--state', 'changed.json'));
    expect(documentOf(resumed)).toMatchObject({ outcome: 'different' });
    expect(documentOf(resumed).tables[0]?.samples[0]?.key).toEqual({ id: String(ROWS) });
    await subscriber.sql(`UPDATE big SET v = 'row ${ROWS}' WHERE id = ${ROWS}`);
  });

  test('and a definition that changed since then voids what was proven of the table', async () => {
    expect((await endOf(fastRun(subscriber, '--state', 'definition.json'))).code).toBe(0);
    const again = documentOf(await endOf(fastRun(subscriber, '--state', 'definition.json')));
    expect(again.resumed?.ranges).toBeGreaterThan(0);
    for (const cluster of [primary, subscriber]) await cluster.sql('ALTER TABLE big ADD COLUMN n int');
    const changed = documentOf(await endOf(fastRun(subscriber, '--state', 'definition.json')));
    expect([changed.outcome, changed.resumed]).toEqual(['same', null]);
  });
});

function stateText(name: string): string {
  try {
    return readFileSync(join(folder, name), 'utf8');
  } catch {
    return '';
  }
}

describe('a run holds back', () => {
  test('by --max-rows-per-second', async () => {
    const begun = performance.now();
    const run = fastRun(standby, '--max-rows-per-second', '100000');
    expect((await endOf(run)).code).toBe(0);
    expect(performance.now() - begun).toBeGreaterThan(1_300);
  });

  test('by --max-lag while replay is paused, and goes on when it goes on', async () => {
    await waitForReplay(standby);
    await standby.sql('SELECT pg_wal_replay_pause()');
    await primary.sql('INSERT INTO small VALUES (2)');
    const run = slowRun(standby, ['--max-lag', '300ms', '--max-rows-per-second', '60000']);
    await until(() => run.stderr().includes('behind'), 'a pause that is told');
    expect(run.child.exitCode).toBe(null);
    await standby.sql('SELECT pg_wal_replay_resume()');
    const result = await endOf(run);
    expect([documentOf(result).outcome, result.code]).toEqual(['same', 0]);
  });
});
