import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PostgresVersion } from '../../src/demo/binaries.ts';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { ChangeEvent } from '../../src/connector/changes.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import {
  Follower,
  type FollowOptions,
  isRowChange,
  prepareStream,
} from '../servers/harness/change-stream.ts';
import { ServerSet } from '../servers/harness/server-set.ts';

const servers = new ServerSet();

afterAll(() => servers.end());

const ROWS = 1_000_000;
const MEGABYTE = 1024 * 1024;

/** Memory of this process that no file backs, in bytes (Linux, proc(5)). */
function privateMemory(): number {
  const match = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
  return Number(match?.[1] ?? 0) * 1024;
}

interface Count {
  readonly rows: number;
  readonly memoryMax: number;
  /** Kinds of events in the order in which they first came. */
  readonly kinds: readonly string[];
}

/** Reads one transaction without keeping it. */
async function countTransaction(batches: AsyncIterable<readonly ChangeEvent[]>): Promise<Count> {
  let rows = 0;
  let memoryMax = 0;
  const kinds = new Set<string>();
  for await (const batch of batches) {
    memoryMax = Math.max(memoryMax, privateMemory());
    for (const event of batch) {
      if (event.type !== 'idle') kinds.add(event.type);
      if (isRowChange(event)) rows += 1;
      if (event.type === 'commit') return { rows, memoryMax, kinds: [...kinds] };
    }
  }
  throw new Error('the stream ended');
}

/** The keys of the rows of the next transaction. */
async function idsOf(follower: Follower): Promise<ReadonlySet<number>> {
  const { events } = await follower.transaction();
  return new Set(events.filter(isRowChange).map(({ key }) => Buffer.from(key ?? []).readInt32BE(4)));
}

/** All versions take a minute: TWINPROOF_FULL asks for them. */
const VERSIONS: readonly PostgresVersion[] = process.env['TWINPROOF_FULL'] === undefined ? [18] : [14, 18];

describe.each(VERSIONS)('PostgreSQL %i: transactions that are large', (version) => {
  let cluster: Cluster;
  let folder: string;
  const followers: Follower[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'twinproof-large-'));
    cluster = await servers.cluster(version);
    // The smallest: whatever is larger is sent before it is committed.
    await cluster.configure({ logical_decoding_work_mem: '64kB', max_wal_size: '2GB' });
    await cluster.reload();
    await cluster.sql(
      `CREATE TABLE t (id int PRIMARY KEY, note text); CREATE TABLE other (id int PRIMARY KEY)`,
    );
    await prepareStream(cluster, 'TABLE t, other');
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  // The next test starts where the server is then.
  afterEach(async () => {
    for (const follower of followers.splice(0)) await follower.stream.close();
    await idle();
    await cluster.sql('TRUNCATE t');
    await cluster.sql(`SELECT pg_replication_slot_advance('twinproof', pg_current_wal_lsn())`);
  });

  /** A stream that stands at the server's end. */
  async function follow(options: FollowOptions): Promise<Follower> {
    const follower = await Follower.open(cluster, { spoolFolder: folder, ...options });
    followers.push(follower);
    if (options.after === undefined) await follower.batch();
    return follower;
  }

  test.each([true, false])(
    `a transaction of a million rows passes through in bounded memory (sent early: %s)`,
    async (early) => {
      const follower = await follow({ early, spoolBytesMax: 1024 * MEGABYTE });
      const before = privateMemory();
      await cluster.sql(
        `DELETE FROM t WHERE false; INSERT INTO t SELECT i, repeat('x', 50) FROM generate_series(1, ${ROWS}) i`,
      );
      const { rows, memoryMax, kinds } = await countTransaction(follower.stream.batches);
      expect(rows).toBe(ROWS);
      expect(kinds).toEqual(['begin', 'definition', 'insert', 'commit']);
      // As objects they would be more than 500 MB; garbage that was not collected yet counts too.
      expect((memoryMax - before) / MEGABYTE).toBeLessThan(200);
      await follower.stream.close();
      expect(readdirSync(folder)).toEqual([]);
    },
    120_000,
  );

  async function idle(): Promise<void> {
    const free = async (): Promise<boolean> =>
      (await cluster.sql('SELECT FROM pg_replication_slots WHERE active')).length === 0;
    await waitUntil(free, 10_000, () => 'the slot is still in use');
  }

  test('of a transaction sent early only what its commit kept is handed out', async () => {
    const follower = await follow({});
    const client = await cluster.connect();
    const insert = (from: number): Promise<unknown> =>
      client.query(
        `INSERT INTO t SELECT i, repeat('y', 100) FROM generate_series(${from}, ${from + 1999}) i`,
      );
    await client.query('BEGIN');
    await insert(1);
    await client.query('SAVEPOINT a');
    await insert(10_001);
    await client.query('SAVEPOINT b');
    await insert(20_001);
    await client.query('ROLLBACK TO a');
    await insert(30_001);
    // A commit of someone else goes out first, though it began later.
    await cluster.sql('INSERT INTO other VALUES (1)');
    await client.query('COMMIT');
    await client.end();
    expect(await follower.changes()).toEqual(['insert public.other 1 [1]']);
    const ids = await idsOf(follower);
    expect(ids.size).toBe(4000);
    expect([ids.has(1), ids.has(10_001), ids.has(20_001), ids.has(30_001)]).toEqual([
      true,
      false,
      false,
      true,
    ]);
    await follower.stream.close();
  });

  test('one that is rolled back after it was sent leaves nothing, and the next comes whole', async () => {
    const follower = await follow({});
    await cluster.sql(
      `BEGIN; INSERT INTO t SELECT i, repeat('z', 100) FROM generate_series(50001, 60000) i; ROLLBACK`,
    );
    await cluster.sql(`INSERT INTO other VALUES (2)`);
    expect(await follower.changes()).toEqual(['insert public.other 2 [2]']);
    await follower.stream.close();
  });

  test('an open transaction is sent again after a new start, and its definition with it', async () => {
    const client = await cluster.connect();
    await client.query('BEGIN');
    await client.query('ALTER TABLE t ADD COLUMN extra int DEFAULT 7');
    await client.query(`INSERT INTO t SELECT i, repeat('w', 100) FROM generate_series(70001, 72000) i`);
    await client.query('SAVEPOINT a');
    await client.query('ALTER TABLE t DROP COLUMN extra');
    await client.query(`INSERT INTO t SELECT i, repeat('v', 100) FROM generate_series(73001, 75000) i`);
    await client.query('ROLLBACK TO a');
    await client.query(`INSERT INTO t SELECT i, repeat('v', 100) FROM generate_series(76001, 78000) i`);
    const first = await follow({});
    const stored = first.position;
    await first.stream.close();
    await idle();
    await client.query('COMMIT');
    await client.end();
    const second = await follow({ after: stored });
    expect((await idsOf(second)).size).toBe(4000);
    await second.stream.close();
  });

  test('a spool that is full ends the stream with nothing handed out', async () => {
    const follower = await follow({ spoolBytesMax: 100_000 });
    await cluster.sql(
      `INSERT INTO t (id, note) SELECT i, repeat('u', 100) FROM generate_series(80001, 90000) i`,
    );
    await expect(countTransaction(follower.stream.batches)).rejects.toMatchObject({
      code: 'TP-SPOOL-FULL',
    });
    await follower.stream.close();
    expect(readdirSync(folder)).toEqual([]);
  });

  test('a reader that does not ask makes the server wait, and keeps little', async () => {
    const follower = await follow({ early: false });
    const before = privateMemory();
    await cluster.sql(
      `INSERT INTO t (id, note) SELECT i, repeat('t', 900) FROM generate_series(100001, 200000) i`,
    );
    const sent = async (): Promise<string> =>
      String((await cluster.sql(`SELECT sent_lsn::text AS lsn FROM pg_stat_replication`))[0]?.['lsn']);
    // The server stops sending once everything between is full.
    let last = '';
    const stalled = async (): Promise<boolean> => {
      const now = await sent();
      const same = now === last;
      last = now;
      return same;
    };
    await waitUntil(stalled, 20_000, () => 'the server goes on sending');
    expect((privateMemory() - before) / MEGABYTE).toBeLessThan(60);
    expect((await countTransaction(follower.stream.batches)).rows).toBe(100_000);
    await follower.stream.close();
  });
});
