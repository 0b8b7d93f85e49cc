import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HeldTransaction } from '../../src/connector/changes.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { Follower, prepareStream } from '../servers/harness/change-stream.ts';
import { ServerSet } from '../servers/harness/server-set.ts';

const servers = new ServerSet();
afterAll(() => servers.end());

describe.each([14, 18] as const)('PostgreSQL %i: a server that tells its log once more', (version) => {
  let cluster: Cluster;
  /** All that was read, as a ledger would hold it. */
  const held: HeldTransaction[] = [];
  const asked: string[] = [];

  beforeAll(async () => {
    cluster = await servers.cluster(version);
    await cluster.sql('CREATE TABLE t (id int PRIMARY KEY)');
    await prepareStream(cluster, 'TABLE t');
  });

  function open(): Promise<Follower> {
    const after = held.at(-1)?.position ?? null;
    const told = (behind: string): readonly HeldTransaction[] => {
      asked.push(behind);
      return held;
    };
    return Follower.open(cluster, { after, held: told });
  }

  /** Reads so many transactions and acknowledges none of them. */
  async function follow(count: number): Promise<readonly string[]> {
    const follower = await open();
    const changes: string[] = [];
    for (let at = 0; at < count; at++) {
      const { commit } = await follower.transaction();
      held.push({ id: commit.id, position: commit.position, committedAtUs: commit.committedAtUs });
      changes.push(commit.id);
    }
    await follower.stream.close();
    return changes;
  }

  /** Another server in its place: what it was when `act` began, gone on from there by itself. */
  async function setBack(act: () => Promise<void>): Promise<void> {
    const { data } = cluster.paths;
    await cluster.stop();
    execFileSync('cp', ['-a', data, `${data}.before`]);
    await cluster.start();
    await act();
    await cluster.stop('immediate');
    rmSync(data, { recursive: true });
    execFileSync('mv', [`${data}.before`, data]);
    await cluster.start();
  }

  test('is followed from where the store ends, with nothing lost and nothing twice', async () => {
    await cluster.sql('INSERT INTO t VALUES (1); ');
    await cluster.sql('INSERT INTO t VALUES (2)');
    await follow(2);
    await cluster.sql('BEGIN; SAVEPOINT a; INSERT INTO t VALUES (9); ROLLBACK TO a; COMMIT');
    await cluster.sql('INSERT INTO t VALUES (3)');
    const [id] = await follow(1);
    expect(held.map((one) => one.id)).toEqual([...new Set(held.map((one) => one.id))]);
    expect(held.at(-1)?.id).toBe(id);
    await cluster.kill();
    await cluster.start();
    await cluster.sql('INSERT INTO t VALUES (4)');
    await follow(1);
    expect(held).toHaveLength(4);
    expect(asked.length).toBeGreaterThan(0);
  });

  test.each([
    ['other commits in place of those that were read', 'INSERT INTO t SELECT generate_series(100, 5000)'],
    [
      'nothing in place of those that were read',
      `SELECT pg_logical_emit_message(false, 'x', repeat('x', 500000))`,
    ],
  ])('and was set back meanwhile is a gap: %s', async (_, instead) => {
    await setBack(async () => {
      await cluster.sql('INSERT INTO t VALUES (5)');
      await cluster.sql('INSERT INTO t VALUES (6)');
      await follow(2);
    });
    // Its log is longer than ours again, on the same timeline.
    await cluster.sql(instead);
    await cluster.sql('INSERT INTO t VALUES (7)');
    const follower = await open();
    await expect(follower.transaction()).rejects.toThrow(/another log than it had/);
    await follower.stream.close().catch(() => undefined);
    await cluster.sql('DELETE FROM t WHERE id >= 5');
    held.length = 0;
    await cluster.sql(`SELECT pg_replication_slot_advance('twinproof', pg_current_wal_lsn())`);
    await cluster.sql('INSERT INTO t VALUES (8)');
    await follow(1);
    await cluster.sql('DELETE FROM t WHERE id = 8');
    await follow(1);
  });

  test('and committed something where there was nothing is a gap', async () => {
    const idle: { position: HeldTransaction['position'] | null } = { position: null };
    await setBack(async () => {
      await cluster.sql(`SELECT pg_logical_emit_message(false, 'x', repeat('x', 500000))`);
      await cluster.sql('INSERT INTO t VALUES (5)');
      const follower = await open();
      const { commit } = await follower.transaction();
      idle.position = commit.position;
      await follower.stream.close();
    });
    await cluster.sql('INSERT INTO t VALUES (6)');
    await cluster.sql(`SELECT pg_logical_emit_message(false, 'x', repeat('x', 900000))`);
    await cluster.sql('INSERT INTO t VALUES (7)');
    // Of what was read nothing changed a table: the store holds no more than it did.
    const follower = await Follower.open(cluster, { after: idle.position, held: () => held.slice(-1) });
    await expect(follower.transaction()).rejects.toThrow(/another log than it had/);
    await follower.stream.close().catch(() => undefined);
  });
});
