import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chown, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { POSTGRES_VERSIONS, installedVersions } from '../../src/demo/binaries.ts';
import { type Cluster, type ClusterOptions, createCluster } from '../servers/harness/cluster.ts';
import { createLogicalPair, waitForApply } from '../../src/demo/cluster-logical.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { spawnServerOwner } from '../servers/harness/child.ts';
import {
  corruptPage,
  editStandby,
  eraseTuple,
  relationPath,
  replaceInRelation,
} from '../servers/harness/heap.ts';

const clusters: Cluster[] = [];

async function newCluster(options: Partial<ClusterOptions> = {}): Promise<Cluster> {
  const cluster = await createCluster({ version: 17, ...options });
  clusters.push(cluster);
  return cluster;
}

async function newStandby(
  primary: Cluster,
  options: Parameters<typeof createStandby>[1] = {},
): Promise<Cluster> {
  const standby = await createStandby(primary, options);
  clusters.push(standby);
  return standby;
}

async function drop(...owned: Cluster[]): Promise<void> {
  for (const cluster of owned) await cluster.destroy();
}

afterAll(() => drop(...clusters));

function isRunning(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !text.slice(text.lastIndexOf(')')).startsWith(') Z');
  } catch {
    return false;
  }
}

describe.each(POSTGRES_VERSIONS)('PostgreSQL %i', (version) => {
  test('a primary and its standby start, replicate, promote and vanish', async ({ skip }) => {
    // On a CI server a missing version is a failure.
    const missing = !installedVersions().includes(version) && process.env['CI'] === undefined;
    skip(missing, `PostgreSQL ${version} is not installed for this platform`);
    const primary = await newCluster({ version });
    const standby = await newStandby(primary);
    await primary.sql('CREATE TABLE t AS SELECT g AS id FROM generate_series(1, 500) g');
    await waitForReplay(standby);
    const facts = await standby.sql(
      `SELECT current_setting('server_version_num')::int / 10000 AS version, pg_is_in_recovery() AS standby,
              current_setting('data_checksums') AS checksums, (SELECT count(*)::int FROM t) AS rows`,
    );
    expect(facts).toEqual([{ version, standby: true, checksums: 'off', rows: 500 }]);
    expect(await standby.systemIdentifier()).toBe(await primary.systemIdentifier());

    expect(await standby.promote()).toBe(2);
    await standby.sql('DELETE FROM t WHERE id = 1');

    const homes = [primary.paths.home, standby.paths.home];
    await drop(primary, standby);
    expect(homes.filter((home) => existsSync(home))).toEqual([]);
  });
});

describe('a cluster', () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await newCluster({ settings: { log_min_duration_statement: '0' } });
  });
  afterAll(() => drop(cluster));

  test('is private to its user and answers on 127.0.0.1 by its URL', async () => {
    expect((await stat(cluster.paths.home)).mode & 0o777).toBe(0o700);
    expect(cluster.url('bank', 'anna')).toBe(`postgres://anna@127.0.0.1:${cluster.port}/bank`);
    await cluster.createDatabase('a "quoted" bank');
    const rows = await cluster.query(
      'a "quoted" bank',
      'SELECT current_database() AS name, $1::int AS n',
      [7],
    );
    expect(rows).toEqual([{ name: 'a "quoted" bank', n: 7 }]);
    expect(await cluster.sql('SELECT 1 AS a; SELECT 2 AS b')).toEqual([{ b: 2 }]);
  });

  test('has a system identifier of its own', async () => {
    const other = await newCluster({ name: 'other' });
    expect(await other.systemIdentifier()).not.toBe(await cluster.systemIdentifier());
    await drop(other);
  });

  test('keeps port and committed rows over stop, immediate stop and kill', async () => {
    const port = cluster.port;
    await cluster.sql('CREATE TABLE kept (id int)');
    for (const end of [() => cluster.stop(), () => cluster.stop('immediate'), () => cluster.kill()]) {
      await cluster.sql('INSERT INTO kept VALUES (1)');
      const session = await cluster.connect();
      const backend = Number(
        (await session.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows[0]?.pid,
      );
      await end();
      expect(cluster.running).toBe(false);
      expect(isRunning(backend)).toBe(false);
      await cluster.start();
    }
    expect(cluster.port).toBe(port);
    expect(await cluster.sql('SELECT count(*)::int AS n FROM kept')).toEqual([{ n: 3 }]);
  });

  test('takes new settings by reload and by restart, and shows its log', async () => {
    await cluster.configure({ work_mem: '7MB', shared_buffers: '48MB' });
    await cluster.reload();
    const shown = `SELECT current_setting('work_mem') AS w, current_setting('shared_buffers') AS s`;
    expect(await cluster.sql(shown)).toEqual([{ w: '7MB', s: '32MB' }]);
    await cluster.restart();
    expect(await cluster.sql(shown)).toEqual([{ w: '7MB', s: '48MB' }]);
    expect(await cluster.log(200)).toContain("current_setting('work_mem')");
  });

  test('says why it does not start, and leaves nothing', async () => {
    const failure = newCluster({ settings: { shared_buffers: 'much' } });
    await expect(failure).rejects.toMatchObject({
      code: 'TP-DEMO',
      hint: expect.stringContaining('shared_buffers'),
    });
    // With a choice of its own it is not copied: initdb takes longer than that.
    const stopped = newCluster({ checksums: true, signal: AbortSignal.timeout(100) });
    await expect(stopped).rejects.toMatchObject({ code: 'TP-INTERRUPTED' });
  });
});

test('a cluster with ICU, checksums and a password, and its standby with a slot', async () => {
  const primary = await newCluster({
    locale: { provider: 'icu', providerLocale: 'de-DE' },
    checksums: true,
    password: "it's a \\ secret",
    settings: { max_connections: '70' },
  });
  expect(primary.url()).not.toContain('secret');
  const standby = await newStandby(primary, {
    name: 'far',
    slot: 'far_slot',
    hotStandbyFeedback: true,
    recoveryMinApplyDelay: '600ms',
  });
  const facts = `SELECT (SELECT datlocprovider::text FROM pg_database WHERE datname = 'postgres') AS provider,
      current_setting('data_checksums') AS checksums, slot_name::text AS slot, application_name AS name
    FROM pg_stat_replication JOIN pg_replication_slots ON active_pid = pid`;
  expect(await primary.sql(facts)).toEqual([
    { provider: 'i', checksums: 'on', slot: 'far_slot', name: 'far' },
  ]);
  const begun = Date.now();
  await primary.sql('CREATE TABLE late (id int)');
  await waitForReplay(standby);
  expect(Date.now() - begun).toBeGreaterThan(500);
  await expect(waitForReplay(standby, 'F/0', 50)).rejects.toMatchObject({ code: 'TP-DEMO' });
  await drop(standby, primary);
});

test('a standby copied under load is the same as its primary, tablespaces included', async () => {
  const primary = await newCluster();
  const space = join(primary.paths.home, 'space');
  const { user } = primary.binaries;
  await mkdir(space);
  if (user !== null) await chown(space, user.uid, user.gid);
  await primary.sql(`CREATE TABLESPACE outside LOCATION '${space}'`);
  await primary.sql('CREATE TABLE t (id int, note text)');
  await primary.sql('CREATE TABLE u TABLESPACE outside AS SELECT g AS id FROM generate_series(1, 1000) g');
  const load = new AbortController();
  const loaded = (async () => {
    for (let n = 0; !load.signal.aborted; n += 1) {
      await primary.sql(`INSERT INTO t SELECT g, repeat('x', 200) FROM generate_series(1, 300) g`);
      await primary.sql(n % 5 === 4 ? 'CHECKPOINT' : 'UPDATE t SET id = id + 1 WHERE id % 7 = 0');
    }
  })();
  const standby = await newStandby(primary).finally(() => load.abort());
  await loaded;
  await waitForReplay(standby);
  const sums = `SELECT count(*)::int AS n, sum(hashtext(t::text))::text AS sum, (SELECT count(*)::int FROM u) AS u FROM t`;
  expect(await standby.sql(sums)).toEqual(await primary.sql(sums));
  await drop(standby, primary);
});

test('a logical pair copies what was there and applies what follows', async () => {
  const publisher = await newCluster({ name: 'publisher' });
  const subscriber = await newCluster({ name: 'subscriber' });
  for (const cluster of [publisher, subscriber]) {
    await cluster.createDatabase('bank');
    await cluster.query(
      'bank',
      'CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY)',
    );
  }
  await publisher.query('bank', `INSERT INTO a SELECT g, 'old' FROM generate_series(1, 100) g`);
  const pair = await createLogicalPair(publisher, subscriber, {
    database: 'bank',
    tables: ['public.a', 'public.b'],
    subscriptionOptions: 'binary = true',
  });
  await publisher.query('bank', `UPDATE a SET v = 'new' WHERE id <= 10; INSERT INTO b VALUES (1)`);
  await waitForApply(pair);
  const rows = await subscriber.query(
    'bank',
    `SELECT count(*)::int AS n, count(*) FILTER (WHERE v = 'new')::int AS new, (SELECT count(*)::int FROM b) AS b FROM a`,
  );
  expect(rows).toEqual([{ n: 100, new: 10, b: 1 }]);
  await drop(subscriber, publisher);
});

describe('edits of a standby’s heap', () => {
  let primary: Cluster;
  let standby: Cluster;
  beforeAll(async () => {
    primary = await newCluster();
    await primary.sql(
      `CREATE TABLE t (id int PRIMARY KEY, note text);
       INSERT INTO t SELECT g, 'honest ' || g FROM generate_series(1, 2000) g`,
    );
    await primary.sql('VACUUM (FREEZE) t');
    standby = await newStandby(primary);
  });
  afterAll(() => drop(standby, primary));

  test('change values, erase rows and leave the primary alone', async () => {
    const path = await relationPath(primary, 'postgres', 't');
    const ctids = (await primary.sql('SELECT ctid::text AS at FROM t WHERE id IN (3, 4) ORDER BY id')).map(
      (row) => String(row['at']),
    );
    const edits = await editStandby(primary, standby, async (target) => {
      const from = Buffer.from('honest ');
      const to = Buffer.from('forged ');
      expect(await replaceInRelation(target, path, from, to, { every: 100, count: 12 })).toBe(12);
      await eraseTuple(target, path, ctids[0] ?? '');
      await eraseTuple(target, path, ctids[1] ?? '', 'dead');
    });
    expect(edits).toHaveLength(14);
    const count = `SELECT count(*)::int AS n, count(*) FILTER (WHERE note LIKE 'forged%')::int AS forged FROM t`;
    expect(await standby.sql(count)).toEqual([{ n: 1998, forged: 12 }]);
    expect(await standby.sql('SELECT note FROM t WHERE id IN (3, 4)')).toEqual([]);
    expect(await primary.sql(count)).toEqual([{ n: 2000, forged: 0 }]);
    await primary.sql(`INSERT INTO t VALUES (9999, 'later')`);
    await waitForReplay(standby);
    expect(await standby.sql('SELECT note FROM t WHERE id = 9999')).toEqual([{ note: 'later' }]);
  });

  test('break a page, so that reading it fails', async () => {
    const path = await relationPath(primary, 'postgres', 't');
    await editStandby(primary, standby, (target) => corruptPage(target, path, 2));
    await expect(standby.sql('SELECT count(note) FROM t')).rejects.toMatchObject({ code: 'XX001' });
    expect(await standby.sql(`SELECT count(*)::int AS n FROM t WHERE ctid < '(2,0)'`)).not.toEqual([]);
  });

  test('are refused on a running server, and reported when replay undoes them', async () => {
    const path = await relationPath(primary, 'postgres', 't');
    await expect(corruptPage({ cluster: standby, edits: [] }, path, 0)).rejects.toThrow('must be stopped');
    const healed = editStandby(primary, standby, async (target) => {
      await eraseTuple(target, path, '(0,1)');
      // The first change of a page after a checkpoint carries the whole page.
      await primary.sql(`UPDATE t SET note = 'x' WHERE ctid = '(0,9)'`);
    });
    await expect(healed).rejects.toThrow('replay undid the edit');
  });
});

test('no server outlives the process that made it', async () => {
  const ends = ['SIGINT', 'SIGKILL'] as const;
  await Promise.all(
    ends.map(async (signal) => {
      const owner = await spawnServerOwner();
      try {
        expect(isRunning(owner.postmaster)).toBe(true);
        owner.process.kill(signal);
        await once(owner.process, 'exit');
        for (let waited = 0; waited < 5_000 && existsSync(owner.home); waited += 50) await sleep(50);
        expect([signal, isRunning(owner.postmaster), existsSync(owner.home)]).toEqual([signal, false, false]);
      } finally {
        await owner.dispose();
      }
    }),
  );
});
