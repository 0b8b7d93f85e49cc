import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseLsn } from '../../connectors/postgres/lsn.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createCluster } from './harness/cluster.ts';
import { createStandby } from '../../src/demo/cluster-standby.ts';
import { Known } from '../../src/ledger/known.ts';
import { until } from './harness/cli.ts';
import { hasLogUpTo, ledgerSettled } from './harness/ledger-truth.ts';
import { openSite } from './harness/ledger-site.ts';
import { forever, ServerSet } from './harness/server-set.ts';
import {
  ledgerRows,
  ledgerRowsOf,
  problemsOf,
  provenOf,
  type RowsOfBoth,
  RunningWatch,
  WatchFolder,
} from './harness/watch.ts';
import { createWatcher } from './harness/watcher.ts';

/** What is done to a table, statement by statement, while its primary is watched. */
interface Change {
  readonly what: string;
  readonly table: string;
  readonly sql: readonly string[];
  /** How it is made; null: it is not there before. */
  readonly made?: string | null;
}

const CHANGES: readonly Change[] = [
  {
    what: 'savepoints, rolled back and released',
    table: 'saved',
    sql: [
      `BEGIN; UPDATE saved SET v = 'kept' WHERE id = 1; SAVEPOINT a; UPDATE saved SET v = 'lost' WHERE id = 2;
       INSERT INTO saved VALUES (1000, 'lost'); ROLLBACK TO a; SAVEPOINT b; DELETE FROM saved WHERE id = 3; RELEASE b;
       INSERT INTO saved VALUES (1001, 'kept'); COMMIT`,
    ],
  },
  {
    what: 'transactions that were rolled back',
    table: 'undone',
    sql: [
      `BEGIN; DELETE FROM undone; INSERT INTO undone VALUES (1000, 'lost'); ROLLBACK`,
      `UPDATE undone SET v = 'kept' WHERE id = 1`,
    ],
  },
  {
    what: 'prepared transactions, committed and rolled back',
    table: 'prepared',
    sql: [
      `BEGIN; UPDATE prepared SET v = 'kept' WHERE id < 50; PREPARE TRANSACTION 'kept'`,
      `BEGIN; DELETE FROM prepared WHERE id > 50; PREPARE TRANSACTION 'lost'`,
      `ROLLBACK PREPARED 'lost'`,
      `COMMIT PREPARED 'kept'`,
    ],
  },
  {
    what: 'rows that get other keys, and keys that get other rows',
    table: 'rekeyed',
    sql: [
      'UPDATE rekeyed SET id = id + 1000 WHERE id <= 50; UPDATE rekeyed SET id = id - 50 WHERE id BETWEEN 51 AND 100',
    ],
  },
  {
    what: 'TRUNCATE, with rows behind it, and one that was rolled back',
    table: 'emptied',
    sql: [
      `TRUNCATE emptied; INSERT INTO emptied VALUES (5, 'after')`,
      'BEGIN; TRUNCATE emptied; ROLLBACK',
      `INSERT INTO emptied VALUES (6, 'after')`,
    ],
  },
  {
    what: 'ALTER TABLE, with changes of rows in the same transaction',
    table: 'altered',
    sql: [
      `BEGIN; ALTER TABLE altered ADD COLUMN more int; UPDATE altered SET more = id WHERE id < 10;
       ALTER TABLE altered DROP COLUMN v; COMMIT`,
      'ALTER TABLE altered RENAME COLUMN more TO less; ALTER TABLE altered ALTER COLUMN less TYPE bigint',
      'INSERT INTO altered VALUES (2000, 5)',
    ],
  },
  {
    what: 'COPY',
    table: 'copied',
    sql: [`COPY copied (id) FROM PROGRAM 'seq 1001 1500'`],
  },
  {
    what: 'upserts and MERGE',
    table: 'upserted',
    sql: [
      `INSERT INTO upserted SELECT i, 'again' FROM generate_series(50, 150) i ON CONFLICT (id) DO UPDATE SET v = 'again'`,
      `INSERT INTO upserted SELECT i, 'never' FROM generate_series(1, 160) i ON CONFLICT DO NOTHING`,
      `MERGE INTO upserted u USING (VALUES (3, 'merged'), (3000, 'merged')) s(id, v) ON u.id = s.id
       WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v)`,
    ],
  },
  {
    what: 'rows that move to other partitions',
    table: 'parts',
    made: `CREATE TABLE parts (id int, side text, v text, PRIMARY KEY (id, side)) PARTITION BY LIST (side);
      CREATE TABLE parts_a PARTITION OF parts FOR VALUES IN ('a'); CREATE TABLE parts_b PARTITION OF parts FOR VALUES IN ('b');
      INSERT INTO parts SELECT i, CASE i % 2 WHEN 0 THEN 'a' ELSE 'b' END, 'v' FROM generate_series(1, 100) i`,
    sql: [`UPDATE parts SET side = 'a' WHERE id BETWEEN 20 AND 60`, `DELETE FROM parts WHERE id = 21`],
  },
  {
    what: 'a table that is created and then published',
    table: 'created',
    made: null,
    sql: [
      `CREATE TABLE created (id int PRIMARY KEY, v text); INSERT INTO created VALUES (1, 'before')`,
      'ALTER PUBLICATION twinproof ADD TABLE created',
      `INSERT INTO created VALUES (2, 'after'); UPDATE created SET v = 'after' WHERE id = 1`,
    ],
  },
  {
    what: 'replica identity full',
    table: 'whole',
    sql: [
      'ALTER TABLE whole REPLICA IDENTITY FULL',
      `UPDATE whole SET v = 'new' WHERE id < 20; DELETE FROM whole WHERE id > 90; UPDATE whole SET id = -id WHERE id = 50`,
    ],
  },
  {
    what: 'a replica identity that is another index than the primary key',
    table: 'indexed',
    made: `CREATE TABLE indexed (id int PRIMARY KEY, code int NOT NULL UNIQUE, v text);
      ALTER TABLE indexed REPLICA IDENTITY USING INDEX indexed_code_key;
      INSERT INTO indexed SELECT i, 1000 - i, 'v' FROM generate_series(1, 100) i`,
    sql: [
      `UPDATE indexed SET code = code + 5000 WHERE id < 20; UPDATE indexed SET id = -id WHERE id > 90`,
      `DELETE FROM indexed WHERE id = 30`,
    ],
  },
  {
    what: 'wide rows of which the log leaves out what did not change',
    table: 'wide',
    made: `CREATE TABLE wide (id int PRIMARY KEY, n int, body text); ALTER TABLE wide ALTER body SET STORAGE EXTERNAL;
      INSERT INTO wide SELECT i, i, repeat(md5(i::text), 200) FROM generate_series(1, 50) i`,
    sql: ['UPDATE wide SET n = n + 1 WHERE id < 30', 'UPDATE wide SET id = id + 1000 WHERE id <= 10'],
  },
  {
    what: 'ALTER TYPE USING, of which the log says nothing',
    table: 'retyped',
    made: `CREATE TABLE retyped (id int PRIMARY KEY, n int); INSERT INTO retyped SELECT i, i FROM generate_series(1, 100) i`,
    sql: ['ALTER TABLE retyped ALTER COLUMN n TYPE int USING n + 100'],
  },
  {
    what: 'ADD COLUMN DEFAULT, of which the log says nothing',
    table: 'defaulted',
    sql: ['ALTER TABLE defaulted ADD COLUMN level int DEFAULT 7'],
  },
  {
    what: 'a partition that is detached, written to and attached',
    table: 'shed',
    made: `CREATE TABLE shed (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
      CREATE TABLE shed_a PARTITION OF shed FOR VALUES FROM (0) TO (50);
      CREATE TABLE shed_b PARTITION OF shed FOR VALUES FROM (50) TO (200);
      INSERT INTO shed SELECT i, 'v' FROM generate_series(1, 100) i`,
    sql: [
      'ALTER TABLE shed DETACH PARTITION shed_b',
      `UPDATE shed_b SET v = 'apart'; DELETE FROM shed_b WHERE id = 77`,
      'ALTER TABLE shed ATTACH PARTITION shed_b FOR VALUES FROM (50) TO (200)',
    ],
  },
  {
    what: 'a table that is written to while it is out of the publication',
    table: 'unseen',
    sql: [
      'ALTER PUBLICATION twinproof DROP TABLE unseen',
      `UPDATE unseen SET v = 'unseen' WHERE id < 10; INSERT INTO unseen VALUES (1000, 'unseen')`,
      'ALTER PUBLICATION twinproof ADD TABLE unseen',
    ],
  },
];

const NAMES = CHANGES.map(({ table }) => `public.${table}`);

const PLAIN = (table: string): string => `CREATE TABLE ${table} (id int PRIMARY KEY, v text);
  INSERT INTO ${table} SELECT i, 'v' || i FROM generate_series(1, 100) i`;

const servers = new ServerSet();
let primary: Cluster;
let folder: WatchFolder;
let watch: RunningWatch;

beforeAll(async () => {
  primary = servers.add(await createCluster({ version: 18, settings: { max_prepared_transactions: '10' } }));
  await createWatcher(primary);
  for (const { table, made = PLAIN(table) } of CHANGES) if (made !== null) await primary.sql(made);
  await primary.sql(`${PLAIN('dropped')}; ${PLAIN('mute')}; ALTER TABLE mute REPLICA IDENTITY NOTHING`);
  await prepare();
  const standby = servers.add(await createStandby(primary));
  folder = new WatchFolder({ primary, candidates: { gasan: standby } });
  watch = new RunningWatch(folder);
  await watch.said(/^stream$/, /following/);
  await ledgerSettled(folder, watch, primary);
});

afterAll(async () => {
  await watch.stop();
  folder.remove();
  await servers.end();
});

/** As a DBA would who runs what `preflight --sql` prints. */
async function prepare(): Promise<void> {
  const site = await openSite(primary);
  const { sql } = await site.ledgerSetup({ include: ['public.*'], exclude: [] }, null, forever());
  await site.close();
  for (const statement of sql.split(/;\n/)) await primary.sql(statement);
}

async function expectAllEqual(): Promise<void> {
  const rows = await ledgerRowsOf(folder, NAMES);
  for (const { table } of CHANGES) expectEqual(rows.get(`public.${table}`));
}

function expectEqual(rows: RowsOfBoth | undefined): void {
  expect(rows?.ledger.size).toBeGreaterThan(0);
  expect(rows?.ledger).toEqual(rows?.primary);
}

describe('what is done to a table on the primary', () => {
  let rows: ReadonlyMap<string, RowsOfBoth>;

  beforeAll(async () => {
    for (const { sql } of CHANGES) for (const statement of sql) await primary.sql(statement);
    await primary.sql(`UPDATE dropped SET v = 'gone' WHERE id < 10; DROP TABLE dropped`);
    await primary.sql(
      `UPDATE mute SET v = 'new'; DELETE FROM mute WHERE id > 50; INSERT INTO mute VALUES (1000, 'new')`,
    );
    await ledgerSettled(folder, watch, primary);
    rows = await ledgerRowsOf(folder, NAMES);
  });

  it.each(CHANGES)('is in the ledger: $what', ({ table }) => {
    expectEqual(rows.get(`public.${table}`));
  });

  it('leaves no table behind that was dropped, and follows none whose changes the log cannot name', async () => {
    const tables = await folder.reading(({ core }) => new Known(core.store).definitions()?.tables ?? []);
    expect(tables.some(({ leaf }) => leaf === 'public.dropped')).toBe(false);
    const mute = tables.find(({ leaf }) => leaf === 'public.mute');
    expect(mute?.unfollowed).toBe('publication twinproof does not have it');
  });

  it('is proven on the standby, without a false alarm on the way', async () => {
    await watch.sees(async () => (await provenOf(folder, 'gasan')).unproven.length === 0, 'all is proven');
    expect(watch.lines.filter(({ event }) => event === 'difference')).toEqual([]);
    expect(await problemsOf(folder)).toEqual([]);
  });
});

describe('what happens to the primary', () => {
  it('a commit that waits for a standby when the primary is killed is in the ledger, as it is in the log', async () => {
    await primary.configure({ synchronous_standby_names: 'nobody' });
    await primary.reload();
    const waiting = primary.sql(`INSERT INTO saved VALUES (5000, 'waiting')`).catch(() => undefined);
    await until(async () => {
      const [row] = await primary.sql(
        `SELECT count(*) AS n FROM pg_stat_activity WHERE wait_event = 'SyncRep'`,
      );
      return row?.['n'] === '1';
    }, 'the commit waits');
    const [head] = await primary.sql('SELECT pg_current_wal_flush_lsn()::text AS lsn');
    const lsn = parseLsn(String(head?.['lsn']));
    await watch.sees(() => folder.reading((ledger) => hasLogUpTo(ledger, lsn)), 'the ledger has it');
    const before = await ledgerRows(folder, 'public.saved');
    expect(before.ledger.size).toBe(before.primary.size + 1);
    await primary.kill();
    await waiting;
    await primary.configure({ synchronous_standby_names: '' });
    await primary.start();
    await ledgerSettled(folder, watch, primary);
    expectEqual(await ledgerRows(folder, 'public.saved'));
  });

  it('a slot that was dropped is a gap: it is named, with what to do, and everything is read anew', async () => {
    await until(async () => {
      await primary.sql(`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
        WHERE slot_name = 'twinproof' AND active`);
      const drop = primary.sql(`SELECT pg_drop_replication_slot('twinproof')`);
      return drop.then(
        () => true,
        () => false,
      );
    }, 'the slot is dropped');
    await primary.sql(`INSERT INTO saved VALUES (6000, 'in the gap'); DELETE FROM undone WHERE id < 10`);
    await watch.said(/^gap$/, /slot twinproof has gone/);
    await watch.said(/^stream$/, /slot twinproof does not exist/);
    expect(await folder.reading(({ core }) => new Known(core.store).gap()?.reason)).toMatch(/has gone/);
    expect((await provenOf(folder, 'gasan')).unproven).toContain('public.saved');
    await primary.sql(`SELECT pg_create_logical_replication_slot('twinproof', 'pgoutput')`);
    await ledgerSettled(folder, watch, primary);
    await expectAllEqual();
  });

  it('a slot that somebody advanced while nobody watched is a gap too', async () => {
    await watch.stop();
    await primary.sql(`INSERT INTO saved VALUES (7000, 'in the gap'); TRUNCATE undone`);
    await primary.sql(`INSERT INTO undone VALUES (1, 'anew')`);
    await primary.sql(`SELECT pg_replication_slot_advance('twinproof', pg_current_wal_lsn())`);
    watch = new RunningWatch(folder);
    await watch.said(/^gap$/, /somebody else read or advanced it/);
    await ledgerSettled(folder, watch, primary);
    await expectAllEqual();
    expect(watch.lines.filter(({ event }) => event === 'difference')).toEqual([]);
  });
});
