import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, createCluster } from './harness/cluster.ts';
import { connectionString, type Settings } from '../../src/demo/cluster-settings.ts';
import { createStandby, waitForReplay, waitForStreaming } from '../../src/demo/cluster-standby.ts';
import { until } from './harness/cli.ts';
import {
  expectFault,
  expectFinding,
  expectGone,
  expectQuiet,
  ReadinessPair,
  verifierOf,
} from './harness/readiness.ts';
import { ServerSet } from './harness/server-set.ts';

/** As a careful DBA has it on both sites. */
const SETTINGS: Settings = {
  autovacuum: 'off',
  fsync: 'on',
  wal_log_hints: 'on',
  archive_mode: 'on',
  archive_command: '/bin/true',
  shared_preload_libraries: 'auto_explain',
  max_prepared_transactions: '5',
};

const servers = new ServerSet();
let primary: Cluster;
let standby: Cluster;
let pair: ReadinessPair;

beforeAll(async () => {
  primary = servers.add(await createCluster({ version: 18, settings: SETTINGS }));
  await primary.sql(`${verifierOf(18)} CREATE TABLE account (id int PRIMARY KEY, owner text)`);
  standby = servers.add(
    await createStandby(primary, { settings: SETTINGS, slot: 'dr', hotStandbyFeedback: true }),
  );
  // Slots are synchronised through a connection to a database.
  await reloaded(standby, { primary_conninfo: upstreamOf(primary) });
  await waitForStreaming(standby);
  pair = new ReadinessPair(primary, standby, 'physical');
});

afterAll(async () => {
  await pair.close();
  await servers.end();
});

function upstreamOf(cluster: Cluster): string {
  const application = { application_name: 'standby', dbname: 'postgres' };
  return connectionString({
    host: '127.0.0.1',
    port: String(cluster.port),
    user: 'postgres',
    ...application,
  });
}

async function reloaded(cluster: Cluster, settings: Settings): Promise<void> {
  await cluster.configure(settings);
  await cluster.reload();
}

/** A setting of the candidate that acts at a reload, otherwise and back. */
function expectSetting(code: string, name: string, bad: string, good: string): Promise<unknown> {
  const set = (value: string): Promise<void> => reloaded(standby, { [name]: value });
  return expectFault(
    pair,
    code,
    () => set(bad),
    () => set(good),
  );
}

async function onPrimary(sql: string): Promise<void> {
  await primary.sql(sql);
  await waitForReplay(standby);
}

test('a healthy pair gives no finding above a note, read without special rights', async () => {
  await expectQuiet(pair);
  const results = await pair.judge();
  expect(results.filter(({ state }) => state === 'unknown')).toEqual([]);
  expect(new Set(results.map(({ code }) => code)).size).toBeGreaterThan(35);
});

describe('how the standby is fed', () => {
  test('replay that is paused, and log that waits for it', async () => {
    await expectFault(
      pair,
      ['TP-R-REPLAY-PAUSED', 'TP-R-PG-UNREPLAYED'],
      async () => {
        await standby.sql('SELECT pg_wal_replay_pause()');
        for (let segment = 0; segment < 6; segment += 1) {
          await primary.sql(`SELECT pg_logical_emit_message(false, 'x', 'y'); SELECT pg_switch_wal()`);
        }
      },
      () => standby.sql('SELECT pg_wal_replay_resume()'),
    );
  });

  test('a receiver that is gone, and a slot that nobody uses', async () => {
    await expectFault(
      pair,
      ['TP-R-PG-RECEIVER', 'TP-R-PG-OWN-SLOT'],
      () => reloaded(standby, { primary_conninfo: 'host=127.0.0.1 port=1 user=postgres' }),
      () => reloaded(standby, { primary_conninfo: upstreamOf(primary) }),
    );
  });

  test('an upstream that is not the primary, and a primary that is none', async () => {
    const other = servers.add(await createStandby(primary, { name: 'other', settings: SETTINGS }));
    // The slot that was its own is then one of the primary’s that it lacks.
    const [found] = await expectFault(
      pair,
      ['TP-R-PG-UPSTREAM', 'TP-R-PG-SLOTS'],
      () => reloaded(standby, { primary_conninfo: upstreamOf(other), primary_slot_name: '' }),
      () => reloaded(standby, { primary_conninfo: upstreamOf(primary), primary_slot_name: 'dr' }),
    );
    expect(found?.message).toContain(`127.0.0.1:${other.port}`);
    await expectFinding(new ReadinessPair(other, standby, 'physical'), 'TP-R-PRIMARY-ROLE');
    await other.destroy();
  });

  test('a delay on purpose', () =>
    expectSetting('TP-R-PG-APPLY-DELAY', 'recovery_min_apply_delay', '1min', '0'));

  test('slots that stay behind', async () => {
    const found = await expectFault(
      pair,
      'TP-R-PG-SLOTS',
      () => primary.sql(`SELECT pg_create_physical_replication_slot('another')`),
      () => primary.sql(`SELECT pg_drop_replication_slot('another')`),
    );
    expect(found.map(({ subject }) => subject)).toEqual(['slot another']);
  });

  test('failover slots that are not synchronised', async () => {
    const synchronise = async (): Promise<boolean> => {
      await primary.sql('SELECT pg_log_standby_snapshot()');
      await waitForReplay(standby);
      await standby.sql('SELECT pg_sync_replication_slots()');
      const rows = await standby.sql(`SELECT FROM pg_replication_slots WHERE synced AND NOT temporary`);
      return rows.length > 0;
    };
    await expectFault(
      pair,
      'TP-R-PG-FAILOVER-SLOTS',
      () => primary.sql(`SELECT pg_create_logical_replication_slot('feed', 'pgoutput', false, false, true)`),
      () => until(synchronise, 'synchronised'),
    );
    await primary.sql(`SELECT pg_drop_replication_slot('feed')`);
    await standby.sql('SELECT pg_sync_replication_slots()');
  });

  test('commits that wait for another standby, now or after the promotion', async () => {
    await expectFault(
      pair,
      'TP-R-PG-SYNCHRONOUS',
      () => reloaded(primary, { synchronous_standby_names: 'another' }),
      () => reloaded(primary, { synchronous_standby_names: '' }),
    );
    await expectSetting('TP-R-PG-SYNC-AFTERWARDS', 'synchronous_standby_names', 'another', '');
  });

  test('prepared transactions', async () => {
    await expectFault(
      pair,
      'TP-R-PG-PREPARED',
      () => primary.sql(`BEGIN; INSERT INTO account VALUES (1, 'x'); PREPARE TRANSACTION 'order-7'`),
      () => primary.sql(`ROLLBACK PREPARED 'order-7'`),
    );
  });

  test('queries that replay cancelled', async () => {
    await reloaded(standby, { max_standby_streaming_delay: '0' });
    const reader = await standby.connect();
    await reader.query('BEGIN; SELECT * FROM account');
    await onPrimary('TRUNCATE account');
    await expectFinding(pair, 'TP-R-PG-CONFLICTS');
    await reader.end();
    await standby.sql('SELECT pg_stat_reset()');
    await expectGone(pair, 'TP-R-PG-CONFLICTS');
  });
});

async function failing(): Promise<ReadonlySet<string>> {
  const results = await pair.judge();
  return new Set(results.filter(({ state }) => state === 'fail').map(({ code }) => code));
}

describe('how the candidate is configured', () => {
  test('read-only by default', () =>
    expectSetting('TP-R-PG-READ-ONLY', 'default_transaction_read_only', 'on', 'off'));

  test('not durable', () => expectSetting('TP-R-PG-DURABILITY', 'full_page_writes', 'off', 'on'));

  test('settings that change what statements do', () =>
    expectSetting(
      'TP-R-PG-SETTINGS',
      'default_text_search_config',
      'pg_catalog.english',
      'pg_catalog.simple',
    ));

  test('no room for the log', () => expectSetting('TP-R-PG-DISK', 'max_wal_size', '1000TB', '1GB'));

  test('configuration files with errors', async () => {
    const found = await expectFault(
      pair,
      'TP-R-PG-CONFIG-FILES',
      () => standby.configure({ work_mem: 'banana' }),
      () => standby.configure({ work_mem: '4MB' }),
    );
    expect(found[0]?.message).toContain('work_mem');
    const file = join(standby.paths.data, 'pg_hba.conf');
    const sound = await readFile(file, 'utf8');
    await expectFault(
      pair,
      'TP-R-PG-HBA-FILES',
      () => appendFile(file, 'nonsense\n'),
      () => writeFile(file, sound),
    );
  });

  test('archiving that fails', async () => {
    const written = `SELECT pg_logical_emit_message(false, 'x', 'y'); SELECT pg_switch_wal()`;
    await expectFault(
      pair,
      'TP-R-PG-ARCHIVER',
      async () => {
        await reloaded(primary, { archive_command: '/bin/false' });
        await primary.sql(written);
      },
      () => reloaded(primary, { archive_command: '/bin/true' }),
    );
  });

  test('a limit below the primary’s, at which replay stops', async () => {
    await expectFault(
      pair,
      ['TP-R-PG-STANDBY-LIMITS', 'TP-R-REPLAY-PAUSED'],
      async () => {
        await primary.configure({ max_connections: '70' });
        await primary.restart();
        await until(async () => (await failing()).has('TP-R-REPLAY-PAUSED'), 'paused');
        await waitForStreaming(standby);
      },
      async () => {
        await standby.configure({ max_connections: '70' });
        await standby.restart();
        await waitForStreaming(standby);
      },
    );
  });

  test('what takes a restart to change, and what waits for one', async () => {
    const bad = {
      max_replication_slots: '5',
      wal_level: 'replica',
      recovery_target_timeline: 'current',
      archive_mode: 'off',
      shared_preload_libraries: '',
      wal_log_hints: 'off',
    };
    const good = {
      ...SETTINGS,
      max_replication_slots: '10',
      wal_level: 'logical',
      recovery_target_timeline: 'latest',
    };
    await expectFault(
      pair,
      [
        'TP-R-PG-SLOT-LIMITS',
        'TP-R-PG-WAL-LEVEL',
        'TP-R-PG-RECOVERY-TARGET',
        'TP-R-PG-ARCHIVE-MODE',
        'TP-R-PG-PRELOAD',
      ],
      async () => {
        await reloaded(standby, bad);
        const waiting = await expectFinding(pair, 'TP-R-PG-PENDING-RESTART');
        expect(waiting.map(({ subject }) => subject)).toContain('wal_level');
        // A good value that waits for a restart is no error of the file.
        expect(await failing()).not.toContain('TP-R-PG-CONFIG-FILES');
        await standby.restart();
        await waitForStreaming(standby);
        await expectFinding(pair, 'TP-R-PG-REWIND');
        await expectGone(pair, 'TP-R-PG-PENDING-RESTART');
      },
      async () => {
        await standby.configure(good);
        await standby.restart();
        await waitForStreaming(standby);
      },
    );
    await expectGone(pair, 'TP-R-PG-REWIND');
  });
});

test('a candidate that was promoted, until it is made anew', async () => {
  await standby.promote();
  for (const code of ['TP-R-RECOVERY', 'TP-R-SECOND-WRITER', 'TP-R-TIMELINE'])
    await expectFinding(pair, code);
  await standby.destroy();
  const anew = servers.add(await createStandby(primary, { settings: SETTINGS, slot: 'dr' }));
  const mended = new ReadinessPair(primary, anew, 'physical');
  await expectGone(mended, 'TP-R-RECOVERY');
  await expectGone(mended, 'TP-R-SECOND-WRITER');
  await expectGone(mended, 'TP-R-TIMELINE');
  await mended.close();
});
