import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { editStandby, eraseTuple, relationPath } from '../../src/demo/heap-edit.ts';
import { prepareStream } from './harness/change-stream.ts';
import { ServerSet } from './harness/server-set.ts';
import { ledgerRows, problemsOf, provenOf, RunningWatch, watchOnce, WatchFolder } from './harness/watch.ts';

const TABLES = ['public.account', 'public.tag', 'public.wide'];
const servers = new ServerSet();
let primary: Cluster;
let standby: Cluster;
let folder: WatchFolder;

beforeAll(async () => {
  primary = await servers.cluster();
  await primary.sql(`CREATE TABLE account (id bigint PRIMARY KEY, owner text, amount numeric(12,2))
      WITH (autovacuum_enabled = off);
    CREATE TABLE tag (name text PRIMARY KEY, note text);
    CREATE TABLE wide (id int PRIMARY KEY, n int, body text);
    INSERT INTO account SELECT i, 'owner ' || i, i / 7.0 FROM generate_series(-20, 30000) i;
    INSERT INTO tag SELECT 'tag ' || i, repeat('x', i % 50) FROM generate_series(1, 500) i;
    ALTER TABLE wide ALTER body SET STORAGE EXTERNAL;
    INSERT INTO wide SELECT i, i, repeat(md5(i::text), 200) FROM generate_series(1, 200) i`);
  await primary.sql('VACUUM (FREEZE)');
  await prepareStream(primary, 'TABLE account, tag, wide');
  standby = servers.add(await createStandby(primary));
});

afterAll(() => servers.end());

beforeEach(() => {
  folder = new WatchFolder({ primary, candidates: { gasan: standby } });
});
afterEach(() => folder.remove());

/** Writes of every kind until told to stop. */
class Writer {
  readonly #stopped: Promise<void>;
  #running = true;

  constructor(cluster: Cluster) {
    this.#stopped = this.#run(cluster);
  }

  async stop(): Promise<void> {
    this.#running = false;
    await this.#stopped;
  }

  async #run(cluster: Cluster): Promise<void> {
    let round = 0;
    while (this.#running) {
      const id = 100_000 + round;
      const write = `INSERT INTO account VALUES (${id}, 'new', 1), (${-id}, 'new', 2);
        UPDATE account SET amount = amount + 1 WHERE id BETWEEN ${round * 40} AND ${round * 40 + 30};
        DELETE FROM account WHERE id = ${round * 40 + 35};
        UPDATE tag SET name = name || '!' WHERE name = 'tag ${round}';
        UPDATE wide SET n = n + 1 WHERE id % 10 = ${round % 10}`;
      const rolledBack = `BEGIN; UPDATE account SET amount = 0; SAVEPOINT a; DELETE FROM tag; ROLLBACK`;
      // The server may be down on purpose.
      await cluster.sql(round % 10 === 0 ? rolledBack : write).catch(() => undefined);
      round++;
      await sleep(5);
    }
  }
}

async function expectEqualRows(): Promise<void> {
  for (const table of TABLES) {
    const rows = await ledgerRows(folder, table);
    expect(rows.ledger).toEqual(rows.primary);
  }
  expect(await problemsOf(folder)).toEqual([]);
}

describe('watch on a standby', () => {
  it('knows every row of the primary and proves the standby', async () => {
    expect(await watchOnce(folder)).toEqual({ differences: 0, unproven: [] });
    await expectEqualRows();
    expect(await provenOf(folder, 'gasan')).toEqual({ unproven: [], dirty: 0, differences: [] });
  }, 300_000);

  it('reads its baseline under load, and goes on through restarts of either server', async () => {
    const writer = new Writer(primary);
    const watch = new RunningWatch(folder);
    await watch.said(/^connection$/, /^connected$/);
    await watch.said(/^baseline$/, /account/);
    await primary.restart('immediate');
    await standby.restart('fast');
    await watch.said(/^incarnation$/, /anew/);
    await writer.stop();
    await watch.stop();
    expect(await watchOnce(folder)).toEqual({ differences: 0, unproven: [] });
    await expectEqualRows();
    expect(await provenOf(folder, 'gasan')).toEqual({ unproven: [], dirty: 0, differences: [] });
  }, 300_000);

  it('finds a row that was taken out of the standby below everything that the server sees', async () => {
    await watchOnce(folder);
    const path = await relationPath(primary, 'postgres', 'account');
    const [row] = await primary.sql('SELECT ctid::text FROM account WHERE id = 29999');
    await editStandby(primary, standby, (target) => eraseTuple(target, path, String(row?.['ctid'])));
    try {
      expect(await watchOnce(folder)).toEqual({ differences: 1, unproven: [] });
      expect(await provenOf(folder, 'gasan')).toMatchObject({ unproven: [], dirty: 1 });
      expect((await provenOf(folder, 'gasan')).differences).toEqual(['public.account missing']);
    } finally {
      await primary.sql('UPDATE account SET amount = amount + 1 WHERE id = 29999');
      await waitForReplay(standby);
    }
    expect(await watchOnce(folder)).toEqual({ differences: 0, unproven: [] });
  });

  it('is refused on a ledger that another one writes to', async () => {
    const watch = new RunningWatch(folder);
    await watch.said(/^stream$/, /following/);
    await expect(watchOnce(folder)).rejects.toMatchObject({ code: 'TP-LEDGER-LOCKED' });
    await watch.stop();
  });
});
