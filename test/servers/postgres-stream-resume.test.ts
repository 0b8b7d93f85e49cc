import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parsePosition, positionOf } from '../../connectors/postgres/lsn.ts';
import type { Position } from '../../src/connector/position.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { TwinproofError } from '../../src/errors.ts';
import { Follower, prepareStream } from './harness/change-stream.ts';
import { ServerSet } from './harness/server-set.ts';

const servers = new ServerSet();

afterAll(() => servers.end());

/** The error that opening or reading ends with. */
async function failure(attempt: () => Promise<unknown>): Promise<TwinproofError> {
  try {
    await attempt();
  } catch (error) {
    if (error instanceof TwinproofError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

async function confirmed(cluster: Cluster): Promise<string> {
  const rows = await cluster.sql(`SELECT confirmed_flush_lsn::text AS lsn FROM pg_replication_slots
    WHERE slot_name = 'twinproof'`);
  return String(rows[0]?.['lsn']);
}

function lsnOf(position: Position): string {
  return position.split('/').slice(2).join('/');
}

describe.each([14, 18] as const)('PostgreSQL %i: going on after a stop', (version) => {
  let cluster: Cluster;
  let id = 0;

  beforeAll(async () => {
    cluster = await servers.cluster(version);
    await cluster.sql('CREATE TABLE t (id int PRIMARY KEY)');
    await cluster.sql('CREATE PUBLICATION twinproof FOR TABLE t');
  });

  beforeEach(async () => {
    await waitUntil(
      async () => (await cluster.sql(`SELECT FROM pg_stat_replication`)).length === 0,
      10_000,
      () => 'busy',
    );
    await cluster.sql(`SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots`);
    await cluster.sql(`SELECT pg_create_logical_replication_slot('twinproof', 'pgoutput')`);
  });

  /** Commits a row and gives its change in short form. */
  async function insert(): Promise<string> {
    id += 1;
    await cluster.sql('INSERT INTO t VALUES ($1)', [id]);
    return `insert public.t ${id} [${id}]`;
  }

  /** Starts anew: where the server stands comes first, to be stored before anything. */
  async function begin(): Promise<Follower> {
    const follower = await Follower.open(cluster);
    const first = await follower.batch();
    expect(first).toMatchObject([{ type: 'idle' }]);
    return follower;
  }

  test('every commit after the acknowledged position comes again, and none before it', async () => {
    const first = await begin();
    const rows = [await insert(), await insert(), await insert()];
    expect(await first.changes()).toEqual([rows[0]]);
    const stored = first.position;
    first.stream.acknowledge(stored);
    expect(await first.changes()).toEqual([rows[1]]);
    await first.stream.close();

    const second = await Follower.open(cluster, { after: stored });
    expect([await second.changes(), await second.changes()]).toEqual([[rows[1]], [rows[2]]]);
    await second.stream.close();
    // Acknowledging is what moves the server, reading is not.
    expect(await confirmed(cluster)).toBe(lsnOf(stored));
  });

  test('a position that is stored and was never acknowledged is enough to go on from', async () => {
    const first = await begin();
    const start = await confirmed(cluster);
    await insert();
    await first.changes();
    const stored = first.position;
    const next = await insert();
    await first.stream.close();
    expect(await confirmed(cluster)).toBe(start);
    const second = await Follower.open(cluster, { after: stored });
    expect(await second.changes()).toEqual([next]);
    await second.stream.close();
  });

  test('a server that shuts down is let go, and the stream goes on where it was', async () => {
    const first = await begin();
    const row = await insert();
    const following = failure(async () => {
      for (;;) {
        await first.batch();
        first.stream.acknowledge(first.newest);
      }
    });
    // It waits until its streams have confirmed all of the log.
    await cluster.restart();
    expect(await following).toMatchObject({ code: 'TP-CONNECTION-LOST', retryable: true });
    await first.stream.close();
    // The catalog’s session may have ended before the row could be described: then it comes now.
    const seen = first.events.some(({ type }) => type === 'insert');
    const second = await Follower.open(cluster, { after: first.newest });
    const next = await insert();
    const rest = seen ? [] : [await second.changes()];
    expect([...rest, await second.changes()]).toEqual([...(seen ? [] : [[row]]), [next]]);
    await second.stream.close();
  });

  test('a killed server comes back with nothing lost and nothing twice', async () => {
    const first = await begin();
    const rows = [await insert()];
    expect(await first.changes()).toEqual([rows[0]]);
    const stored = first.position;
    first.stream.acknowledge(stored);
    await cluster.kill();
    expect((await failure(() => first.changes())).retryable).toBe(true);
    await first.stream.close();
    await cluster.start();
    const second = await Follower.open(cluster, { after: stored });
    const next = await insert();
    expect(await second.changes()).toEqual([next]);
    await second.stream.close();
  });

  test('idle positions move on while other tables are written to', async () => {
    const follower = await begin();
    const before = follower.position;
    await cluster.sql('CREATE TABLE IF NOT EXISTS other (id int)');
    await cluster.sql('INSERT INTO other SELECT generate_series(1, 1000)');
    const [row] = await cluster.sql('SELECT pg_current_wal_lsn()::text AS lsn');
    const { systemId, timeline } = parsePosition(before);
    const [high, low] = String(row?.['lsn']).split('/');
    const target = (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
    while (parsePosition(follower.position).lsn < target) {
      await follower.batch();
      follower.stream.acknowledge(follower.position);
    }
    await follower.stream.close();
    expect(positionOf(systemId, timeline, target)).toBe(follower.position);
    expect(await confirmed(cluster)).toBe(lsnOf(follower.position));
  });

  test('a slot that somebody advanced is a gap', async () => {
    const first = await begin();
    await insert();
    await first.changes();
    const stored = first.position;
    first.stream.acknowledge(stored);
    await first.stream.close();
    await insert();
    await cluster.sql(`SELECT pg_replication_slot_advance('twinproof', pg_current_wal_lsn())`);
    const error = await failure(() => Follower.open(cluster, { after: stored }));
    expect(error).toMatchObject({ code: 'TP-GAP', retryable: false });
    expect(error.message).toContain('beyond');
  });

  test('a slot that was dropped, or made anew, is a gap', async () => {
    const first = await begin();
    await insert();
    await first.changes();
    const stored = first.position;
    await first.stream.close();
    await cluster.sql(`SELECT pg_drop_replication_slot('twinproof')`);
    expect((await failure(() => Follower.open(cluster, { after: stored }))).code).toBe('TP-GAP');
    await insert();
    await cluster.sql(`SELECT pg_create_logical_replication_slot('twinproof', 'pgoutput')`);
    expect((await failure(() => Follower.open(cluster, { after: stored }))).code).toBe('TP-GAP');
  });

  test('a slot whose log was removed is a gap', async () => {
    const first = await begin();
    const stored = first.position;
    await first.stream.close();
    await cluster.configure({
      max_slot_wal_keep_size: '1MB',
      wal_keep_size: '0',
      max_wal_size: '32MB',
      min_wal_size: '32MB',
    });
    await cluster.reload();
    for (let round = 0; round < 4; round += 1)
      await cluster.sql('INSERT INTO t VALUES (-1); DELETE FROM t WHERE id = -1; SELECT pg_switch_wal()');
    await cluster.sql('CHECKPOINT');
    const error = await failure(() => Follower.open(cluster, { after: stored }));
    expect(error).toMatchObject({ code: 'TP-GAP', retryable: false });
    expect(error.message).toContain('lost');
    await cluster.configure({ max_slot_wal_keep_size: '-1', wal_keep_size: '256MB' });
    await cluster.reload();
  });

  test('a position that the server has not reached is a gap: it was restored', async () => {
    const first = await begin();
    const { systemId, timeline, lsn } = parsePosition(first.position);
    await first.stream.close();
    const error = await failure(() =>
      Follower.open(cluster, { after: positionOf(systemId, timeline, lsn + 0x1000_0000n) }),
    );
    expect(error.code).toBe('TP-GAP');
    expect(error.message).toContain('restored');
  });

  test('a position of another server is refused', async () => {
    expect((await failure(() => Follower.open(cluster, { after: positionOf('1', '1', 1n) }))).code).toBe(
      'TP-UNRELATED',
    );
  });

  test('only positions that were handed out can be acknowledged', async () => {
    const follower = await begin();
    const { systemId, timeline, lsn } = parsePosition(follower.position);
    expect(() => follower.stream.acknowledge(positionOf(systemId, timeline, lsn + 8n))).toThrow(
      'never handed out',
    );
    expect(() => follower.stream.acknowledge(positionOf('1', '1', lsn))).toThrow('never handed out');
    await follower.stream.close();
  });

  test('a second stream from the slot is told to wait, and the slot is free after a close', async () => {
    const first = await begin();
    const error = await failure(() => Follower.open(cluster));
    expect(error).toMatchObject({ code: 'TP-STREAM-SETUP', retryable: true });
    await first.stream.close();
    await waitUntil(
      async () => (await cluster.sql(`SELECT FROM pg_replication_slots WHERE active`)).length === 0,
      5_000,
      () => 'still in use',
    );
    await (await begin()).stream.close();
  });

  test('an abort ends it within the second, wherever it is', async () => {
    const interruption = new AbortController();
    const follower = await Follower.open(cluster, { signal: interruption.signal });
    const waiting = failure(async () => {
      for (;;) await follower.batch();
    });
    interruption.abort();
    expect((await waiting).code).toBe('TP-INTERRUPTED');
    await follower.stream.close();
    expect((await failure(() => Follower.open(cluster, { signal: AbortSignal.abort() }))).code).toBe(
      'TP-INTERRUPTED',
    );
  });
});

describe('another server of the same system', () => {
  test('a standby of version 18 streams what it replays', async () => {
    const primary = await servers.cluster(18);
    await primary.sql('CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION twinproof FOR TABLE t');
    const standby = servers.add(await createStandby(primary, { settings: { hot_standby_feedback: 'on' } }));
    await waitForReplay(standby);
    // The slot is ready when the standby has replayed a list of running transactions.
    const made = standby.sql(`SELECT pg_create_logical_replication_slot('twinproof', 'pgoutput')`);
    const ready = async (): Promise<boolean> => {
      await primary.sql('SELECT pg_log_standby_snapshot()');
      const rows = await standby.sql(`SELECT FROM pg_replication_slots WHERE confirmed_flush_lsn IS NOT NULL
        AND active_pid IS NULL`);
      return rows.length === 1;
    };
    await waitUntil(ready, 20_000, () => 'the slot on the standby is not ready');
    await made;
    const follower = await Follower.open(standby);
    await primary.sql('INSERT INTO t VALUES (1)');
    expect(await follower.changes()).toEqual(['insert public.t 1 [1]']);
    await follower.stream.close();
  });

  test('a position behind the fork is a gap, and so is one before a slot that was made too late', async () => {
    const primary = await servers.cluster(18);
    await primary.sql('CREATE TABLE t (id int PRIMARY KEY)');
    await prepareStream(primary, 'TABLE t');
    const follower = await Follower.open(primary);
    await follower.batch();
    const stored = follower.position;
    await follower.stream.close();
    const standby = servers.add(await createStandby(primary));
    await waitForReplay(standby);
    await standby.promote();
    await standby.sql(`SELECT pg_create_logical_replication_slot('twinproof', 'pgoutput')`);
    // A slot made after the fork is beyond the stored position, and so this is a gap for want of the log.
    expect((await failure(() => Follower.open(standby, { after: stored }))).message).toContain('beyond');
    const { systemId, timeline, lsn } = parsePosition(stored);
    const far = await failure(() =>
      Follower.open(standby, { after: positionOf(systemId, timeline, lsn + 0x1000_0000n) }),
    );
    expect(far).toMatchObject({ code: 'TP-GAP' });
    expect(far.message).toContain('left it at');
  });
});
