import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BodySink } from '../../src/row/body-sink.ts';
import { TapSocket } from '../../src/connector/tap-socket.ts';
import { readRaw } from '../../connectors/postgres/wire.ts';
import { type Cluster, createCluster } from '../servers/harness/cluster.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import type { VerifyDocument } from '../../src/report/verify-json.ts';
import {
  type CliResult,
  type CliRun,
  documentOf,
  expectClean,
  reasonCodes,
  startCli,
} from '../servers/harness/cli.ts';
import { until } from '../servers/harness/cli.ts';
import { verifierOf } from '../servers/harness/readiness.ts';
import { ServerSet, forever } from '../servers/harness/server-set.ts';

const ROWS = 200_000;
const servers = new ServerSet();
let primary: Cluster;
let standby: Cluster;

beforeAll(async () => {
  primary = servers.add(await createCluster({ version: 17, settings: { autovacuum: 'off' } }));
  await primary.sql(verifierOf(17));
  await primary.sql(
    `CREATE ROLE hurried LOGIN; GRANT pg_read_all_data TO hurried;
     ALTER ROLE hurried SET statement_timeout = '250ms'`,
  );
  standby = servers.add(
    await createStandby(primary, { settings: { autovacuum: 'off', max_standby_streaming_delay: '0' } }),
  );
});

afterAll(() => servers.end());

/** A table that a throttled run reads for about three seconds. */
beforeAll(async () => {
  await primary.sql(
    `CREATE TABLE big (id bigint PRIMARY KEY, v text);
     INSERT INTO big SELECT g, 'row ' || g FROM generate_series(1, ${ROWS}) g; ANALYZE big`,
  );
  await waitForReplay(standby);
});

function slowRun(...more: readonly string[]): CliRun {
  const sites = [
    '--primary',
    primary.url('postgres', 'verifier'),
    '--candidate',
    standby.url('postgres', 'verifier'),
  ];
  const pace = ['--jobs', '2', '--max-rows-per-second', '60000', '--format', 'json'];
  return startCli(['verify', ...sites, ...pace, ...more]);
}

async function readers(cluster: Cluster): Promise<number> {
  const [row] = await cluster.sql(
    `SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = 'twinproof read'`,
  );
  return Number(row?.['n']);
}

/** Waits until the run is in the midst of reading. */
async function reading(run: CliRun): Promise<void> {
  void run;
  await until(
    async () => (await readers(primary)) > 0 && (await readers(standby)) > 0,
    'readers on both sites',
  );
}

async function endOf(run: CliRun): Promise<{ result: CliResult; document: VerifyDocument }> {
  const result = await run.ended;
  expectClean(result);
  return { result, document: documentOf(result) };
}

/** A run that saw trouble may be sure or unsure, and never wrong about sites that are the same. */
function expectNotDifferent({ result, document }: { result: CliResult; document: VerifyDocument }): void {
  expect(['same', 'unproven']).toContain(document.outcome);
  expect(result.code).toBe(document.outcome === 'same' ? 0 : 3);
  expect(document.tables.every(({ outcome }) => outcome !== 'different')).toBe(true);
}

describe('a run recovers and says same', () => {
  test('when its backends are killed again and again, on both sites', async () => {
    const run = slowRun();
    await reading(run);
    let killed = 0;
    for (let round = 0; round < 4; round += 1) {
      for (const cluster of [primary, standby]) {
        const rows = await cluster.sql(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'twinproof %'`,
        );
        killed += rows.length;
      }
      await until(async () => (await readers(primary)) > 0 || run.child.exitCode !== null, 'new readers');
    }
    const { result, document } = await endOf(run);
    expect(killed).toBeGreaterThan(8);
    expect([document.outcome, reasonCodes(document), result.code]).toEqual(['same', [], 0]);
    expect(document.tables[0]?.rows).toEqual({ primary: String(ROWS), candidate: String(ROWS) });
  });

  test('when the standby is restarted in the middle', async () => {
    const run = slowRun();
    await reading(run);
    await standby.restart();
    const { document } = await endOf(run);
    expect([document.outcome, reasonCodes(document)]).toEqual(['same', []]);
    expect(document.tables[0]?.rows).toEqual({ primary: String(ROWS), candidate: String(ROWS) });
  });

  test('when replay cancels its reads on the standby', async () => {
    const conflicts = async (): Promise<number> => {
      const rows = await standby.sql(`SELECT sum(confl_snapshot)::int AS n FROM pg_stat_database_conflicts`);
      return Number(rows[0]?.['n']);
    };
    const before = await conflicts();
    const run = slowRun();
    await reading(run);
    for (let round = 1; run.child.exitCode === null && round <= 60; round += 1) {
      await primary.sql(`UPDATE big SET v = v || '.' WHERE id % 97 = ${round % 97}`);
      await primary.sql('VACUUM (TRUNCATE off) big');
      if ((await conflicts()) > before && round > 10) break;
    }
    const ended = await endOf(run);
    expectNotDifferent(ended);
    expect(ended.document.outcome).toBe('same');
  });

  test('when the role has a short statement timeout: ours counts', async () => {
    const holder = await primary.connect();
    await holder.query('BEGIN; LOCK TABLE big IN ACCESS EXCLUSIVE MODE');
    const urls = [primary, standby].map((cluster) => cluster.url('postgres', 'hurried'));
    const run = startCli(['verify', '--primary', urls[0] ?? '', '--candidate', urls[1] ?? '']);
    const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND now() - query_start > '600ms'`;
    await until(async () => (await primary.sql(waiting)).length > 0, 'a statement that waits for the lock');
    await holder.query('COMMIT');
    expect(await run.ended).toMatchObject({ code: 0 });
    expect(await primary.log(100)).not.toContain('statement timeout');
  });
});

test('a statement timeout of ours that is too short ends unproven, within bounds', async () => {
  const sites = [
    '--primary',
    primary.url('postgres', 'verifier'),
    '--candidate',
    standby.url('postgres', 'verifier'),
    '--format',
    'json',
  ];
  const run = startCli(['verify', ...sites, '--statement-timeout', '4ms', '--timeout', '5s', '--jobs', '1']);
  const result = await run.ended;
  expectClean(result);
  expect(result.code).toBe(3);
});

test('a read over a connection that died while it was idle fails at once, to be repeated', async () => {
  const session = await servers.open(primary, 'postgres', 'postgres', {
    purpose: 'read',
    socket: () => new TapSocket(),
  });
  const closed = new Promise<void>((resolve) => session.client.once('end', resolve));
  await primary.sql('SELECT pg_terminate_backend($1)', [session.backendPid]);
  await closed;
  const read = readRaw(session.client, { sql: 'select 1', parameters: [] }, new BodySink(1000), forever());
  await expect(read).rejects.toThrow(/socket|connection/i);
});

test('a standby that goes away for good ends the run unproven', async () => {
  const run = slowRun('--timeout', '40s');
  await reading(run);
  await standby.stop('immediate');
  try {
    const { result, document } = await endOf(run);
    expect([document.outcome, result.code]).toEqual(['unproven', 3]);
    expect(reasonCodes(document)).toContain('TP-UNREACHABLE');
    expect(reasonCodes(document)).not.toContain('TP-TIMEOUT');
  } finally {
    await standby.start();
  }
});
