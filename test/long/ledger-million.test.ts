import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby } from '../../src/demo/cluster-standby.ts';
import { prepareStream } from '../servers/harness/change-stream.ts';
import { ledgerSettled } from '../servers/harness/ledger-truth.ts';
import { ServerSet } from '../servers/harness/server-set.ts';
import { ledgerRows, problemsOf, RunningWatch, WatchFolder } from '../servers/harness/watch.ts';

const servers = new ServerSet();
let primary: Cluster;
let folder: WatchFolder;

beforeAll(async () => {
  primary = await servers.cluster();
  await primary.sql(`CREATE TABLE many (id bigint PRIMARY KEY, v int);
    INSERT INTO many SELECT i, i FROM generate_series(1, 1000) i`);
  await prepareStream(primary, 'TABLE many');
  folder = new WatchFolder({ primary, candidates: { gasan: servers.add(await createStandby(primary)) } });
});

afterAll(async () => {
  folder.remove();
  await servers.end();
});

it('a transaction of a million rows is in the ledger, whole', async () => {
  const watch = new RunningWatch(folder);
  await watch.said(/^baseline$/, /every row is known/);
  await primary.sql(`BEGIN; INSERT INTO many SELECT i, i FROM generate_series(1001, 1000000) i;
    UPDATE many SET v = -v WHERE id % 10 = 0; SAVEPOINT a; DELETE FROM many WHERE id % 2 = 0; ROLLBACK TO a;
    DELETE FROM many WHERE id % 7 = 0; COMMIT`);
  await ledgerSettled(folder, watch, primary);
  const rows = await ledgerRows(folder, 'public.many');
  expect(rows.ledger.size).toBe(1_000_000 - Math.floor(1_000_000 / 7));
  expect(rows.ledger).toEqual(rows.primary);
  expect(await problemsOf(folder)).toEqual([]);
  await watch.stop();
});
