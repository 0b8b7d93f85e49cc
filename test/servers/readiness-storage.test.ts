import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, createCluster } from './harness/cluster.ts';
import { editPages, HEADER_BYTES } from '../../src/demo/heap-edit.ts';
import { relationPath } from './harness/heap.ts';
import { expectFault, expectQuiet, ReadinessPair, verifierOf } from './harness/readiness.ts';
import { ServerSet } from './harness/server-set.ts';

const servers = new ServerSet();
let site: Cluster;
let pair: ReadinessPair;
let extensions: string;

/** Rules about what a PostgreSQL site stores are the same for every pair; here nothing feeds it, so no pair is needed. */
beforeAll(async () => {
  site = servers.add(
    await createCluster({
      version: 18,
      checksums: true,
      settings: {
        autovacuum: 'off',
        fsync: 'on',
        autovacuum_freeze_max_age: '100000',
        autovacuum_naptime: '1h',
        max_prepared_transactions: '2',
        // Room for few locks.
        max_connections: '15',
        max_locks_per_transaction: '10',
        allow_in_place_tablespaces: 'on',
      },
    }),
  );
  extensions = join(site.paths.home, 'own');
  await mkdir(join(extensions, 'extension'), { recursive: true });
  await writeExtension();
  await site.configure({ extension_control_path: `$system:${extensions}` });
  await site.reload();
  await site.sql(`${verifierOf(18)} CREATE EXTENSION amcheck; CREATE EXTENSION twinfake;
    GRANT EXECUTE ON FUNCTION bt_index_check(regclass, boolean) TO verifier;
    CREATE TABLE account (id int PRIMARY KEY, owner text COLLATE "und-x-icu");
    CREATE INDEX account_owner ON account (owner);
    INSERT INTO account SELECT g, 'owner ' || g FROM generate_series(1, 300) g`);
  pair = new ReadinessPair(site, site, 'cross-engine');
});

afterAll(async () => {
  await pair.close();
  await servers.end();
});

const CONTROL = join('extension', 'twinfake.control');

async function writeExtension(): Promise<void> {
  await writeFile(join(extensions, CONTROL), `default_version = '1.0'\n`);
  await writeFile(join(extensions, 'extension', 'twinfake--1.0.sql'), 'SELECT 1;\n');
}

test('a healthy site gives no finding, with its indexes checked too', async () => {
  await expectQuiet(pair, { deep: true });
  const results = await pair.judge({ deep: true });
  const index = results.find(({ code }) => code === 'TP-R-PG-INDEX-DAMAGE');
  expect(index).toMatchObject({ state: 'pass', message: '2 B-tree indexes match their tables' });
});

test('more sequences than the server has room for locks', async () => {
  await site.sql(`DO $$ BEGIN FOR i IN 1..2000 LOOP EXECUTE 'CREATE SEQUENCE many_' || i;
    IF i % 20 = 0 THEN COMMIT; END IF; END LOOP; END $$`);
  const all = `SELECT pg_sequence_last_value(oid) FROM pg_class WHERE relkind = 'S'`;
  await expect(site.sql(all)).rejects.toThrow(/out of shared memory/);
  await expectQuiet(pair);
  await site.sql(`DO $$ BEGIN FOR i IN 1..2000 LOOP EXECUTE 'DROP SEQUENCE many_' || i;
    IF i % 20 = 0 THEN COMMIT; END IF; END LOOP; END $$`);
});

test('collations of another version than indexes were built with', async () => {
  const [found] = await expectFault(
    pair,
    'TP-R-PG-COLLATION-VERSION',
    () => site.sql(`UPDATE pg_collation SET collversion = '0.1' WHERE collname = 'und-x-icu'`),
    () => site.sql(`ALTER COLLATION "und-x-icu" REFRESH VERSION`),
  );
  expect(found?.subject).toBe('collation pg_catalog.und-x-icu');
  await expectFault(
    pair,
    'TP-R-PG-COLLATION-VERSION',
    () => site.sql(`UPDATE pg_database SET datcollversion = '0.1' WHERE datname = 'postgres'`),
    () => site.sql(`UPDATE pg_database SET datcollversion = NULL WHERE datname = 'postgres'`),
  );
});

test('indexes that are not valid', async () => {
  const found = await expectFault(
    pair,
    'TP-R-PG-INDEX-INVALID',
    async () => {
      await site.sql('CREATE TABLE twice (v int); INSERT INTO twice VALUES (1), (1)');
      const built = site.sql('CREATE UNIQUE INDEX CONCURRENTLY once ON twice (v)');
      await expect(built).rejects.toThrow(/could not create unique index/);
    },
    () => site.sql('DROP TABLE twice'),
  );
  expect(found.map(({ subject }) => subject)).toEqual(['public.once']);
});

test('constraints that were not checked', async () => {
  const found = await expectFault(
    pair,
    'TP-R-PG-CONSTRAINT-UNVALIDATED',
    () => site.sql('ALTER TABLE account ADD CONSTRAINT low CHECK (id < 1000) NOT VALID'),
    () => site.sql('ALTER TABLE account VALIDATE CONSTRAINT low'),
  );
  expect(found.map(({ subject }) => subject)).toEqual(['public.account.low']);
  // Declared so, which is somebody’s wish.
  await site.sql('ALTER TABLE account ADD CONSTRAINT wish CHECK (id < 1) NOT ENFORCED');
  await expectQuiet(pair);
});

test('unlogged tables', async () => {
  await expectFault(
    pair,
    'TP-R-UNLOGGED',
    () => site.sql('CREATE UNLOGGED TABLE fleeting (v int)'),
    () => site.sql('ALTER TABLE fleeting SET LOGGED'),
  );
});

test('transaction numbers that vacuum does not keep up with', async () => {
  await expectFault(
    pair,
    'TP-R-PG-WRAPAROUND',
    async () => {
      await site.sql(`BEGIN; INSERT INTO account VALUES (999, 'x'); PREPARE TRANSACTION 'holder'`);
      await site.sql(
        `DO $$ BEGIN FOR i IN 1..160000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$`,
      );
    },
    async () => {
      await site.sql(`ROLLBACK PREPARED 'holder'`);
      await site.sql('ALTER DATABASE template0 ALLOW_CONNECTIONS true');
      for (const database of ['template0', 'template1', 'postgres']) {
        await site.query(database, 'VACUUM (FREEZE)');
      }
    },
  );
});

test('an extension whose files are not installed', async () => {
  const found = await expectFault(
    pair,
    'TP-R-PG-EXTENSION-FILES',
    () => rm(join(extensions, CONTROL)),
    () => writeExtension(),
  );
  expect(found.map(({ subject }) => subject)).toEqual(['extension twinfake']);
});

test('a tablespace that is not there', async () => {
  await site.sql(`CREATE TABLESPACE away LOCATION ''`);
  await site.sql('CREATE TABLE kept (v int) TABLESPACE away');
  const [row] = await site.sql(
    `SELECT 'pg_tblspc/' || oid AS path FROM pg_tablespace WHERE spcname = 'away'`,
  );
  const mount = join(site.paths.data, String(row?.['path']));
  const [version] = await readdir(mount);
  const folder = join(mount, String(version));
  await site.sql('CHECKPOINT');
  await expectFault(
    pair,
    'TP-R-PG-TABLESPACES',
    () => rename(folder, `${folder}.gone`),
    () => rename(`${folder}.gone`, folder),
  );
});

/** Flips one bit of a row of a stopped server’s table, or flips it back: its index then has no such row, or has it again. */
async function rot(table: string): Promise<void> {
  const path = await relationPath(site, 'postgres', table);
  await site.stop();
  await editPages({ cluster: site, edits: [] }, path, 0, 1, (page, record) => {
    const place = page.indexOf('wner 100', HEADER_BYTES) - 1;
    page.writeUInt8(page.readUInt8(place) ^ 1, place);
    record(place, 1);
  });
  await site.start();
}

test('pages that fail their checksum', async () => {
  await expectFault(
    pair,
    'TP-R-PG-CHECKSUM-FAILURES',
    async () => {
      await rot('account');
      await expect(site.sql('SELECT * FROM account')).rejects.toThrow(/invalid page/);
    },
    async () => {
      await rot('account');
      await site.sql('SELECT pg_stat_reset()');
    },
  );
});

test('an index that does not match its table, on request only', async () => {
  // As if the page had been written so: nobody sees it but who compares.
  await site.configure({ ignore_checksum_failure: 'on' });
  await site.restart();
  const found = await expectFault(
    pair,
    ['TP-R-PG-INDEX-DAMAGE', 'TP-R-PG-CHECKSUM-FAILURES'],
    () => rot('account'),
    async () => {
      await rot('account');
      await site.sql('SELECT pg_stat_reset()');
    },
    { deep: true },
  );
  expect(found.map(({ subject }) => subject)).toContain('public.account_owner');
});
