import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createLogicalPair, type LogicalPair, waitForApply } from '../../src/demo/cluster-logical.ts';
import { prepareStream } from './harness/change-stream.ts';
import { ServerSet } from './harness/server-set.ts';
import { ledgerRows, provenOf, RunningWatch, watchOnce, WatchFolder } from './harness/watch.ts';

const SCHEMA = `CREATE TABLE account (id bigint PRIMARY KEY, owner text, amount numeric(12,2));
  CREATE TABLE price (amount numeric PRIMARY KEY, note text);
  CREATE TABLE part (id int, region text, v text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
  CREATE TABLE part_kr PARTITION OF part FOR VALUES IN ('kr');
  CREATE TABLE part_jp PARTITION OF part FOR VALUES IN ('jp');
  CREATE TABLE mute (id int PRIMARY KEY, v text);
  CREATE TABLE outside (id int PRIMARY KEY, v text);
  ALTER TABLE mute REPLICA IDENTITY NOTHING`;
const TABLES = ['public.account', 'public.part', 'public.price'];
const servers = new ServerSet();
let primary: Cluster;
let subscriber: Cluster;
let pair: LogicalPair;
let folder: WatchFolder;

beforeAll(async () => {
  [primary, subscriber] = await Promise.all([servers.cluster(), servers.cluster()]);
  await Promise.all([primary.sql(SCHEMA), subscriber.sql(SCHEMA)]);
  pair = await createLogicalPair(primary, subscriber, {
    name: 'bank',
    tables: ['account', 'price', 'part', 'outside'],
    copyData: false,
  });
  await primary.sql(`INSERT INTO account SELECT i, 'owner ' || i, i FROM generate_series(1, 5000) i;
    INSERT INTO price SELECT i / 10.0, 'note' FROM generate_series(1, 300) i;
    INSERT INTO part SELECT i, CASE i % 2 WHEN 0 THEN 'kr' ELSE 'jp' END, 'v' FROM generate_series(1, 500) i;
    INSERT INTO outside VALUES (1, 'one')`);
  await prepareStream(primary, 'TABLE account, price, part_kr, part_jp');
  await waitForApply(pair);
});

afterAll(() => servers.end());

beforeEach(() => {
  folder = new WatchFolder({ primary, candidates: { gasan: subscriber } });
});
afterEach(() => folder.remove());

const UNFOLLOWED = [
  'primary: public.mute',
  'primary: public.outside',
  'gasan: public.mute',
  'gasan: public.outside',
];

describe('watch on a subscriber', () => {
  it('proves every table of which the log comes, and names the others', async () => {
    expect(await watchOnce(folder)).toEqual({ differences: 0, unproven: UNFOLLOWED });
    for (const table of TABLES) {
      const rows = await ledgerRows(folder, table);
      expect(rows.ledger).toEqual(rows.primary);
    }
    expect(await provenOf(folder, 'gasan')).toEqual({ unproven: [], dirty: 0, differences: [] });
  });

  it('names rows that were altered, removed and added on the subscriber, and sees them mended', async () => {
    const breaking = [
      `UPDATE account SET owner = 'mallory' WHERE id = 4711`,
      `DELETE FROM price WHERE amount = 3.0`,
      `INSERT INTO part VALUES (9999, 'kr', 'never')`,
      `INSERT INTO price VALUES (777, 'never')`,
    ];
    const mending = [
      `UPDATE account SET owner = 'owner 4711' WHERE id = 4711`,
      `INSERT INTO price VALUES (30 / 10.0, 'note')`,
      `DELETE FROM part WHERE id = 9999`,
      `DELETE FROM price WHERE amount = 777`,
    ];
    await subscriber.sql(breaking.join(';'));
    const watch = new RunningWatch(folder);
    await watch.said(/^stream$/, /following/);
    await watch.sees(async () => (await provenOf(folder, 'gasan')).differences.length === 4, 'all are found');
    const { differences, dirty } = await provenOf(folder, 'gasan');
    expect(differences.toSorted()).toEqual([
      'public.account changed',
      'public.part extra',
      'public.price extra',
      'public.price missing',
    ]);
    expect(dirty).toBeGreaterThanOrEqual(4);
    expect(watch.lines.filter(({ event }) => event === 'difference').map(({ message }) => message)).toContain(
      'public.account: a row is changed (id=4711)',
    );
    await subscriber.sql(mending.join(';'));
    await watch.sees(
      async () => (await provenOf(folder, 'gasan')).differences.length === 0,
      'all are mended',
    );
    await watch.stop();
    expect(await watchOnce(folder)).toEqual({ differences: 0, unproven: UNFOLLOWED });
  }, 300_000);

  it('follows partition moves, truncation, new keys and redefinitions of which the log says nothing', async () => {
    const watch = new RunningWatch(folder);
    await watch.said(/^stream$/, /following/);
    await watch.sees(async () => (await provenOf(folder, 'gasan')).unproven.length === 0, 'all is proven');
    await primary.sql(`UPDATE part SET region = 'kr' WHERE region = 'jp' AND id < 50;
      UPDATE account SET id = -id WHERE id < 100; TRUNCATE price; INSERT INTO price VALUES (1.50, 'after')`);
    await Promise.all(
      [primary, subscriber].map((one) => one.sql('ALTER TABLE account ADD COLUMN level int DEFAULT 7')),
    );
    await watch.said(/^definition public.account/, /redefined/);
    await primary.sql(`UPDATE account SET level = 8 WHERE id = 200`);
    await waitForApply(pair);
    await watch.sees(
      async () => watch.lines.some(({ event, message }) => event === 'baseline' && /account/.test(message)),
      'read anew',
    );
    await watch.stop();
    expect(await watchOnce(folder)).toEqual({ differences: 0, unproven: UNFOLLOWED });
    for (const table of TABLES) {
      const rows = await ledgerRows(folder, table);
      expect(rows.ledger).toEqual(rows.primary);
    }
    expect(await provenOf(folder, 'gasan')).toEqual({ unproven: [], dirty: 0, differences: [] });
  }, 300_000);
});
