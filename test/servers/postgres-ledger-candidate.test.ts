import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresConnector } from '../../connectors/postgres/connector.ts';
import { parsePosition } from '../../connectors/postgres/lsn.ts';
import type { FollowedSource } from '../../src/connector/ledger-sites.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createLogicalPair, type LogicalPair, waitForApply } from '../../src/demo/cluster-logical.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { TwinproofError } from '../../src/errors.ts';
import { Follower, isRowChange, prepareStream, short } from './harness/change-stream.ts';
import { openSite } from './harness/ledger-site.ts';
import { forever, ServerSet } from './harness/server-set.ts';

const servers = new ServerSet();
const sites: PostgresConnector[] = [];
const SCHEMA = `CREATE TABLE t (id int PRIMARY KEY, v int);
  CREATE TABLE parts (id int PRIMARY KEY, v int) PARTITION BY RANGE (id);
  CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM (0) TO (100);
  CREATE TABLE parts_b PARTITION OF parts FOR VALUES FROM (100) TO (200)`;

let primary: Cluster;
let source: FollowedSource;

async function open(cluster: Cluster): Promise<PostgresConnector> {
  const site = await openSite(cluster);
  sites.push(site);
  return site;
}

/** Of a server as it is now, over connections of its own. */
async function incarnationOf(cluster: Cluster): Promise<string> {
  const site = await openSite(cluster);
  try {
    await site.follow(source, forever());
    return await site.incarnation(forever());
  } finally {
    await site.close();
  }
}

async function codeOf(attempt: () => Promise<unknown>): Promise<string> {
  try {
    await attempt();
    return 'none';
  } catch (error) {
    return error instanceof TwinproofError ? error.code : 'another';
  }
}

beforeAll(async () => {
  primary = await servers.cluster(18);
  await primary.sql(SCHEMA);
  await prepareStream(primary, 'TABLE t, parts');
});

afterAll(async () => {
  for (const site of sites) await site.close();
  await servers.end();
});

describe('a standby', () => {
  let standby: Cluster;

  beforeAll(async () => {
    standby = servers.add(await createStandby(primary));
    source = await (await open(primary)).followedSource(forever());
  });

  test('follows its own primary and no other', async () => {
    const site = await open(standby);
    await site.follow(source, forever());
    expect(await codeOf(() => site.follow({ ...source, systemId: '1' }, forever()))).toBe('TP-UNRELATED');
    const elsewhere = { ...source, details: { ...source.details, database: 'other' } };
    expect(await codeOf(() => site.follow(elsewhere, forever()))).toBe('TP-UNRELATED');
    expect(await codeOf(async () => (await open(primary)).follow(source, forever()))).toBe('TP-ROLES');
  });

  test('is another after a restart and after a crash, as a copy of it would be', async () => {
    const first = await incarnationOf(standby);
    expect(await incarnationOf(standby)).toBe(first);
    await standby.restart();
    const second = await incarnationOf(standby);
    await standby.kill();
    await standby.start();
    expect(new Set([first, second, await incarnationOf(standby)]).size).toBe(3);
  });

  test('stays the same through a clean restart where a slot says that no copy takes its place, and no further', async () => {
    await standby.sql(`SELECT pg_create_physical_replication_slot('twinproof_mark')`);
    const marked = await incarnationOf(standby);
    await standby.restart();
    expect(await incarnationOf(standby)).toBe(marked);
    await standby.kill();
    await standby.start();
    const crashed = await incarnationOf(standby);
    expect(crashed).not.toBe(marked);
    const copy = servers.add(await createStandby(primary, { name: 'copy' }));
    await copy.sql(`SELECT pg_create_physical_replication_slot('twinproof_mark')`);
    expect([marked, crashed]).not.toContain(await incarnationOf(copy));
    await copy.stop();
    await standby.sql(`SELECT pg_drop_replication_slot('twinproof_mark')`);
  });

  test('tells what it has received and not applied, and when what it applied was committed', async () => {
    await standby.sql('SELECT pg_wal_replay_resume()');
    await primary.sql('INSERT INTO t VALUES (1, 1)');
    await waitForReplay(standby);
    const site = await open(standby);
    await site.follow(source, forever());
    const before = await site.pendingLog(forever());
    expect(before.bytes).toBe(0n);
    const [clock] = await primary.sql(`SELECT (extract(epoch from now()) * 1000000)::int8::text AS us`);
    expect(before.appliedCommitUs).toBeLessThan(BigInt(String(clock?.['us'])));
    await standby.sql('SELECT pg_wal_replay_pause()');
    await primary.sql('INSERT INTO t SELECT g, 0 FROM generate_series(10, 1000) g');
    await waitUntil(
      async () => ((await site.pendingLog(forever())).bytes ?? 0n) > 10_000n,
      20_000,
      () => 'nothing was received',
    );
    const { received, applied, bytes } = await site.pendingLog(forever());
    if (received === null || applied === null) throw new Error('it does not tell');
    expect(site.bytesBetween(applied, received)).toBe(bytes);
    await standby.sql('SELECT pg_wal_replay_resume()');
    await waitForReplay(standby);
  });

  test('has no log of its own to look for local writes in, and needs nothing for it', async () => {
    const site = await open(standby);
    const everything = { include: ['*'], exclude: [] };
    expect(await site.ledgerSetup(everything, 'someone', forever())).toEqual({ sql: '', findings: [] });
    expect(await site.ownChanges({ after: null, pair: 'physical' }, forever())).toBeNull();
  });

  test('that was promoted is no candidate any more, and tells where it left the primary', async () => {
    const site = await open(standby);
    expect(await site.forks(forever())).toEqual([]);
    const before = await incarnationOf(standby);
    await waitForReplay(standby);
    const applied = (await site.pendingLog(forever())).applied;
    await standby.promote();
    expect(await codeOf(() => site.follow(source, forever()))).toBe('TP-ROLES');
    expect(await site.incarnation(forever())).not.toBe(before);
    const [fork, ...more] = await site.forks(forever());
    if (fork === undefined || applied === null) throw new Error('it does not tell');
    expect([more, parsePosition(fork).timeline]).toEqual([[], '1']);
    expect(parsePosition(fork).lsn).toBeGreaterThanOrEqual(parsePosition(applied).lsn);
  });
});

describe('a subscriber', () => {
  let subscriber: Cluster;
  let pair: LogicalPair;
  let site: PostgresConnector;

  beforeAll(async () => {
    subscriber = await servers.cluster(18);
    await subscriber.sql(SCHEMA);
    await prepareStream(subscriber, 'TABLE t, parts');
    pair = await createLogicalPair(primary, subscriber, {
      tables: ['t', 'parts'],
      name: 'sub',
      copyData: false,
    });
    source = await (await open(primary)).followedSource(forever());
    site = await open(subscriber);
    await site.follow(source, forever());
  });

  test('follows by slot and publications, and a stranger does not', async () => {
    expect(
      await codeOf(() =>
        site.follow({ ...source, details: { ...source.details, slots: '["other"]' } }, forever()),
      ),
    ).toBe('TP-UNRELATED');
    await site.follow(source, forever());
    expect((await site.pendingLog(forever())).bytes).toBe(0n);
  });

  test('needs a role that may see how far it is', async () => {
    const { sql } = await site.ledgerSetup({ include: ['*'], exclude: [] }, 'someone', forever());
    expect(sql).toContain(
      'GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_replication_origin_status() TO someone;',
    );
  });

  test.each([
    ['a column of another type', 'ALTER TABLE t ALTER COLUMN v TYPE int USING v + 1'],
    [
      'a table that its own publication lacked for a while',
      'ALTER PUBLICATION twinproof DROP TABLE t; ALTER PUBLICATION twinproof ADD TABLE t',
    ],
    [
      'a partition that was unlogged for a while',
      'ALTER TABLE parts_b SET UNLOGGED; UPDATE parts_b SET v = 0; ALTER TABLE parts_b SET LOGGED',
    ],
    [
      'a partition taken away and put back',
      `ALTER TABLE parts DETACH PARTITION parts_b;
       ALTER TABLE parts ATTACH PARTITION parts_b FOR VALUES FROM (100) TO (200)`,
    ],
    ['a partition taken away', 'ALTER TABLE parts DETACH PARTITION parts_b'],
  ])('is another after %s', async (_, sql) => {
    const before = await incarnationOf(subscriber);
    await primary.sql('INSERT INTO t VALUES (-1, 1) ON CONFLICT (id) DO UPDATE SET v = 2');
    await waitForApply(pair);
    expect(await incarnationOf(subscriber)).toBe(before);
    await subscriber.sql(sql);
    expect(await incarnationOf(subscriber)).not.toBe(before);
  });

  test('streams its own log: what the primary wrote with its position there, and what others wrote without', async () => {
    const theirs = Follower.over(
      await (await open(primary)).streamChanges({ after: null, pair: 'logical' }, forever()),
    );
    const stream = await site.ownChanges({ after: null, pair: 'logical' }, forever());
    if (stream === null) throw new Error('a subscriber can be written to');
    const own = Follower.over(stream);
    await subscriber.sql(`
      CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN NEW.v := NEW.v + 1000; RETURN NEW; END $$;
      CREATE TRIGGER meddle BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.id = 7002) EXECUTE FUNCTION meddle();
      ALTER TABLE t ENABLE ALWAYS TRIGGER meddle`);
    await primary.sql('INSERT INTO t VALUES (7001, 1)');
    await waitForApply(pair);
    await subscriber.sql('INSERT INTO t VALUES (8001, 1)');
    await primary.sql('INSERT INTO t VALUES (7002, 1)');
    const seen = new Map<string, string | null>();
    while (seen.size < 3) {
      const { events, commit } = await own.transaction();
      const begin = own.events.find((event) => event.type === 'begin' && event.id === commit.id);
      const change = events.find(isRowChange);
      if (change === undefined || begin?.type !== 'begin') continue;
      const text = short(change);
      if (/700|800/.test(text)) seen.set(text, site.originPosition(begin.origin));
    }
    const positions = new Map<string, string>();
    while (![...positions.keys()].some((text) => text.includes('7002'))) {
      const { commit, events } = await theirs.transaction();
      for (const event of events) if (isRowChange(event)) positions.set(short(event), commit.position);
    }
    await theirs.stream.close();
    await own.stream.close();
    expect(Object.fromEntries(seen)).toEqual({
      'insert public.t 7001 [7001|1]': positions.get('insert public.t 7001 [7001|1]'),
      'insert public.t 8001 [8001|1]': null,
      'insert public.t 7002 [7002|1001]': positions.get('insert public.t 7002 [7002|1]'),
    });
  });

  test('is another after a restart', async () => {
    const before = await incarnationOf(subscriber);
    await subscriber.restart();
    expect(await incarnationOf(subscriber)).not.toBe(before);
  });
});
