import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresConnector } from '../../connectors/postgres/connector.ts';
import { parsePosition } from '../../connectors/postgres/lsn.ts';
import type { SnapshotReading } from '../../src/connector/ledger-sites.ts';
import type { Position } from '../../src/connector/position.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { BodySink } from '../../src/row/body-sink.ts';
import { frameFields } from '../../src/row/stream.ts';
import { Follower, isRowChange, prepareStream, type StreamedTransaction } from './harness/change-stream.ts';
import { integersOf, type LedgerTable, ledgerTable, openSite } from './harness/ledger-site.ts';
import { forever, ServerSet } from './harness/server-set.ts';

const servers = new ServerSet();
const KEYS = 40;

afterAll(() => servers.end());

function keyOf(id: number): Uint8Array {
  const field = Buffer.alloc(4);
  field.writeInt32BE(id);
  return frameFields([field]);
}

function isAfter(a: Position, b: Position): boolean {
  return parsePosition(a).lsn > parsePosition(b).lsn;
}

describe.each([14, 18] as const)('PostgreSQL %i: what is read of the primary', (version) => {
  let cluster: Cluster;
  let site: PostgresConnector;
  let table: LedgerTable;
  let follower: Follower;
  const keys = Array.from({ length: KEYS * 2 }, (_, id) => keyOf(id));

  beforeAll(async () => {
    cluster = await servers.cluster(version);
    await cluster.sql('CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL)');
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
    readonly rows: ReadonlyMap<number, number>;
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

  function rowsOf(bodies: readonly Uint8Array[]): ReadonlyMap<number, number> {
    return new Map(bodies.map((body) => integersOf(body)).map(([id = -1, v = -1]) => [id, v]));
  }

  /** The state that those transactions make that a read saw, in the order of the log. */
  function stateOf(transactions: readonly StreamedTransaction[], { snapshot }: Read): Map<number, number> {
    const state = new Map<number, number>();
    for (const { commit, events } of transactions) {
      if (!snapshot.visible(commit.id)) continue;
      expect(isAfter(commit.position, snapshot.until)).toBe(false);
      for (const event of events) {
        if (!isRowChange(event)) continue;
        const gone = event.oldKey ?? (event.type === 'delete' ? event.key : null);
        if (gone !== null) state.delete(new DataView(gone.buffer, gone.byteOffset).getInt32(4));
        const [id, v] = event.after === null ? [] : integersOf(event.after);
        if (id !== undefined && v !== undefined) state.set(id, v);
      }
    }
    return state;
  }

  test('is under load exactly what the transactions did that its snapshot shows', async () => {
    const writing = [0, 1, 2].map((writer) => write(writer));
    const reads: Read[] = [];
    const load = { over: false };
    void Promise.allSettled(writing).then(() => (load.over = true));
    while (!load.over && reads.length < 400) reads.push(await readKeys(), await readRange());
    await Promise.all(writing);
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

  /** Updates, moves to other keys and back, deletes, aborted work, several rows at once. */
  async function write(writer: number): Promise<void> {
    const client = await cluster.connect();
    for (let round = 0; round < 60; round += 1) {
      const id = (round * 7 + writer * 3) % KEYS;
      await client.query('BEGIN');
      await client.query('UPDATE t SET v = v + 1 WHERE id = $1', [id]);
      if (round % 5 === 0) {
        await client.query(`SAVEPOINT s; UPDATE t SET v = -5 WHERE id = ${id}; ROLLBACK TO s`);
      }
      if (round % 9 === 4) await client.query('DELETE FROM t WHERE id = $1', [id]);
      if (round % 9 === 5) {
        await client.query('INSERT INTO t VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET v = -1', [
          id,
          round,
        ]);
      }
      if (round % 4 === 1) {
        const away = KEYS + writer * 10 + (round % 10);
        await client.query(
          'UPDATE t SET id = $2 WHERE id = $1 AND NOT EXISTS (SELECT FROM t WHERE id = $2)',
          [id, away],
        );
      }
      await client.query(round % 7 === 6 ? 'ROLLBACK' : 'COMMIT');
    }
    await client.end();
  }

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

    let visible = false;
    const settled = site.commitsVisible(forever()).then(() => (visible = true));
    // Longer than it rests where nobody waits.
    const began = Date.now();
    await waitUntil(
      async () => visible || Date.now() - began > 1_500,
      10_000,
      () => 'stuck',
    );
    expect(visible).toBe(false);
    await cluster.configure({ synchronous_standby_names: '' });
    await cluster.reload();
    await Promise.all([waiting, settled]);
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

  test('a witness of an idle server is reached by the stream', async () => {
    const { position } = await site.witness(forever());
    while (isAfter(position, follower.newest)) await follower.batch();
    expect(follower.newest).not.toBe('');
  });
});
