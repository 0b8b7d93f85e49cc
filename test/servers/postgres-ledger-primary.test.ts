import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresConnector } from '../../connectors/postgres/connector.ts';
import { parsePosition } from '../../connectors/postgres/lsn.ts';
import type { SnapshotReading, SourceTable } from '../../src/connector/ledger-sites.ts';
import type { Position } from '../../src/connector/position.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { BodySink } from '../../src/row/body-sink.ts';
import { Follower, isRowChange, prepareStream, type StreamedTransaction } from './harness/change-stream.ts';
import { apply, KEYS, KEYS_MAX, keyOf, type Rows, rowsOf, underLoad } from './harness/ledger-load.ts';
import { type LedgerTable, ledgerTable, openSite } from './harness/ledger-site.ts';
import { forever, ServerSet } from './harness/server-set.ts';

const servers = new ServerSet();

afterAll(() => servers.end());

function isAfter(a: Position, b: Position): boolean {
  return parsePosition(a).lsn > parsePosition(b).lsn;
}

function fingerprintOf(tables: readonly SourceTable[], leaf: string): string | undefined {
  return tables.find((table) => table.leaf === leaf)?.fingerprint;
}

describe('what is read of the primary', () => {
  let cluster: Cluster;
  let site: PostgresConnector;
  let table: LedgerTable;
  let follower: Follower;
  const keys = Array.from({ length: KEYS_MAX }, (_, id) => keyOf(id));

  beforeAll(async () => {
    cluster = await servers.cluster(18);
    await cluster.sql('CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL)');
    await cluster.sql('CREATE TABLE other (id int PRIMARY KEY)');
    await prepareStream(cluster, 'TABLE t');
    site = await openSite(cluster);
    table = await ledgerTable(site, 'public.t', 'logical');
    follower = Follower.over(await site.streamChanges({ after: null, pair: 'logical' }, forever()));
    await cluster.sql(`INSERT INTO t SELECT g, 0 FROM generate_series(0, ${KEYS - 1}) g`);
  });

  afterAll(async () => {
    await follower.stream.close();
    await site.close();
  });

  interface Read {
    readonly snapshot: SnapshotReading;
    readonly rows: Rows;
  }

  function sourceTables(): Promise<readonly SourceTable[]> {
    return site.sourceTables({ include: ['*'], exclude: [] }, 'logical', forever());
  }

  async function readKeys(): Promise<Read> {
    const { rows, snapshot } = await site.readRowsSnapshot(table.shape, keys, forever());
    return { snapshot, rows: rowsOf(rows.map(({ row }) => row)) };
  }

  async function readRange(): Promise<Read> {
    const options = { kind: 'block', rowsMax: 1_000_000, bytesMax: 1_000_000_000 } as const;
    const [range, ...more] = await site.planLeaf(table.source, table.shape, options, forever());
    if (range === undefined || more.length > 0) throw new Error('one range was wanted');
    const sink = new BodySink(Infinity);
    const snapshot = await site.readSnapshot({ shape: table.shape, range }, sink, forever());
    return { snapshot, rows: rowsOf(sink.bodies) };
  }

  /** The state that those transactions make that a read saw, in the order of the log. */
  function stateOf(transactions: readonly StreamedTransaction[], { snapshot }: Read): Map<number, number> {
    const state = new Map<number, number>();
    for (const transaction of transactions) {
      const { commit } = transaction;
      if (!snapshot.visible(commit.id)) continue;
      expect(isAfter(commit.position, snapshot.until)).toBe(false);
      apply(state, transaction);
    }
    return state;
  }

  test('is under load exactly what the transactions did that its snapshot shows', async () => {
    const reads: Read[] = [];
    await underLoad(cluster, { rounds: 60, times: 3 }, async () => {
      reads.push(await readKeys(), await readRange());
    });
    await cluster.sql('INSERT INTO t VALUES (-1, 1)');
    const transactions: StreamedTransaction[] = [];
    while (!transactions.at(-1)?.events.some((event) => isRowChange(event) && event.key?.[4] === 255)) {
      transactions.push(await follower.transaction());
    }
    expect(reads.length).toBeGreaterThan(4);
    for (const read of reads) expect(read.rows).toEqual(stateOf(transactions, read));
    await cluster.sql('DELETE FROM t WHERE id = -1');
    await follower.transaction();
  });

  test('does not hold a commit that is in the log and waits for a standby, and commits are waited for', async () => {
    await cluster.configure({ synchronous_standby_names: 'nobody' });
    await cluster.reload();
    const waiting = cluster.sql('INSERT INTO t VALUES (1000, 1)');
    const early = await follower.transaction();
    await cluster.sql(`SET synchronous_commit = local; INSERT INTO t VALUES (1001, 1)`);
    const late = await follower.transaction();
    const { rows, snapshot } = await site.readRowsSnapshot(
      table.shape,
      [keyOf(1000), keyOf(1001)],
      forever(),
    );
    expect(rowsOf(rows.map(({ row }) => row))).toEqual(new Map([[1001, 1]]));
    expect(snapshot.visible(early.commit.id)).toBe(false);
    expect(snapshot.visible(late.commit.id)).toBe(true);
    const range = await readRange();
    expect([range.rows.has(1000), range.snapshot.visible(early.commit.id)]).toEqual([false, false]);

    const before = fingerprintOf(await sourceTables(), 'public.other');
    const redefining = cluster.sql('ALTER TABLE other ADD COLUMN more int DEFAULT 5');
    await waitUntil(
      async () => {
        const text = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event = 'SyncRep'`;
        return (await cluster.sql(text))[0]?.['n'] === 2;
      },
      30_000,
      () => 'the redefinition does not wait',
    );
    let visible = false;
    const settled = site.commitsVisible(forever()).then(() => (visible = true));
    // The catalog must not be older than the log was when it was asked.
    let told = false;
    const tables = sourceTables().finally(() => (told = true));
    // Longer than it rests where nobody waits.
    const began = Date.now();
    await waitUntil(
      async () => visible || Date.now() - began > 1_500,
      10_000,
      () => 'stuck',
    );
    expect([visible, told]).toEqual([false, false]);
    await cluster.configure({ synchronous_standby_names: '' });
    await cluster.reload();
    await Promise.all([waiting, settled, redefining]);
    expect(fingerprintOf(await tables, 'public.other')).not.toBe(before);
    const after = await readKeys();
    expect(after.snapshot.visible(early.commit.id)).toBe(true);
  });

  test('a transaction that stays open holds up nothing, and one that ends is not waited for longer', async () => {
    const open = await cluster.connect();
    await open.query('BEGIN; INSERT INTO t VALUES (2000, 1)');
    await site.commitsVisible(forever());
    await open.query('ROLLBACK');
    await open.end();
    await expect(site.commitsVisible(forever())).resolves.toBeUndefined();
  });

  test('of what waits for a standby nothing is waited for but what was asked for', async () => {
    await cluster.configure({ synchronous_standby_names: 'nobody' });
    await cluster.reload();
    const open = await cluster.connect();
    await open.query('BEGIN; INSERT INTO t VALUES (2001, 1)');
    const id = String((await open.query('SELECT pg_current_xact_id()::text AS id')).rows[0]?.id);
    const waiting = open.query('COMMIT');
    const isWaiting = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event = 'SyncRep'`;
    await waitUntil(
      async () => (await cluster.sql(isWaiting))[0]?.['n'] === 1,
      30_000,
      () => 'the commit does not wait',
    );
    await site.commitsVisible(forever(), new Set(['7']));
    const settled = site.commitsVisible(forever(), new Set([id])).then(() => 'seen');
    // Longer than it rests where nobody waits.
    const early = await Promise.race([settled, sleep(1500, 'it waits')]);
    await cluster.configure({ synchronous_standby_names: '' });
    await cluster.reload();
    await waiting;
    await open.end();
    await follower.transaction();
    expect([early, await settled]).toEqual(['it waits', 'seen']);
  });

  test('a witness holds every commit that had returned by its time', async () => {
    for (let round = 0; round < 5; round += 1) {
      await cluster.sql(`INSERT INTO t VALUES ($1, 0)`, [3000 + round * 2]);
      const before = await follower.transaction();
      const witness = await site.witness(forever());
      await cluster.sql(`INSERT INTO t VALUES ($1, 0)`, [3001 + round * 2]);
      const after = await follower.transaction();
      expect(isAfter(before.commit.position, witness.position)).toBe(false);
      expect(isAfter(after.commit.position, witness.position)).toBe(true);
      expect(witness.timeUs).toBeGreaterThanOrEqual(before.commit.committedAtUs);
      expect(witness.timeUs).toBeLessThanOrEqual(after.commit.committedAtUs);
    }
  });

  test('a stream that waits for standbys is known for it', async () => {
    expect((await site.followedSource(forever())).details['heldBackBy']).toBe('');
    await cluster.configure({ synchronized_standby_slots: 'dr_one' });
    await cluster.reload();
    // A slot that is not for failover waits for nobody.
    expect((await site.followedSource(forever())).details['heldBackBy']).toBe('');
    await cluster.sql(`SELECT pg_create_logical_replication_slot('kept', 'pgoutput', false, false, true)`);
    const other = await openSite(cluster, { stream: { slot: 'kept' } });
    expect((await other.followedSource(forever())).details['heldBackBy']).toBe('dr_one');
    await other.close();
  });

  test('a witness of an idle server is reached by the stream', async () => {
    const { position } = await site.witness(forever());
    while (isAfter(position, follower.newest)) await follower.batch();
    expect(follower.newest).not.toBe('');
  });
});
