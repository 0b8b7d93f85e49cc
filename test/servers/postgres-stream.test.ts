import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { Follower, prepareStream } from './harness/change-stream.ts';
import { ServerSet } from './harness/server-set.ts';

const servers = new ServerSet();

afterAll(() => servers.end());

describe.each([14, 18] as const)('PostgreSQL %i: changes of rows', (version) => {
  let cluster: Cluster;
  let follower: Follower;

  beforeAll(async () => {
    cluster = await servers.cluster(version);
    await cluster.sql(`
      CREATE TABLE t (id int PRIMARY KEY, name text, note text);
      CREATE TABLE whole (id int PRIMARY KEY, note text); ALTER TABLE whole REPLICA IDENTITY FULL;`);
    await prepareStream(cluster, 'TABLE t, whole');
    follower = await Follower.open(cluster);
  });

  afterAll(() => follower.stream.close());

  test('an insert, an update and a delete come in one transaction with its time and id', async () => {
    const before = Date.now() * 1000;
    await cluster.sql(`INSERT INTO t VALUES (1, 'a', null); UPDATE t SET name = 'b'; DELETE FROM t`);
    const { commit, events } = await follower.transaction();
    expect(events.map(({ type }) => type)).toEqual(['definition', 'insert', 'update', 'delete']);
    expect(Number(commit.committedAtUs)).toBeGreaterThan(before - 1e6);
    expect(Number(commit.committedAtUs)).toBeLessThan(Date.now() * 1000 + 1e6);
    expect(commit.id).toMatch(/^\d+$/);
  });
});
