import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readFacts } from '../../connectors/postgres/facts.ts';
import { readIdentity } from '../../connectors/postgres/identity.ts';
import { readHead } from '../../connectors/postgres/positions.ts';
import { readFindings } from '../../connectors/postgres/preflight.ts';
import type { Session } from '../../connectors/postgres/session.ts';
import { handleOf } from '../../connectors/postgres/table.ts';
import { describeTables } from '../../connectors/postgres/tables.ts';
import type { TableDescription } from '../../src/connector/table.ts';
import { POSTGRES_VERSIONS, installedVersions } from '../../src/demo/binaries.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { ServerSet, describeAll, forever } from './harness/server-set.ts';

const servers = new ServerSet();

afterAll(() => servers.end());

/** Code of the obstacle of every table that has one. */
function obstacles(from: ReadonlyMap<string, TableDescription>): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name, obstacle } of from.values()) if (obstacle !== null) found[name] = obstacle.code;
  return found;
}

async function printOf(session: Session): Promise<string | undefined> {
  return (await describeAll(session)).get('public.sales')?.fingerprint;
}

describe.each(POSTGRES_VERSIONS)('PostgreSQL %i', (version) => {
  test('answers every query of the catalog, to a role without privileges too', async ({ skip }) => {
    const missing = !installedVersions().includes(version) && process.env['CI'] === undefined;
    skip(missing, `PostgreSQL ${version} is not installed for this platform`);
    const cluster = await servers.cluster(version);
    await cluster.sql(
      `CREATE ROLE lowly LOGIN; REVOKE ALL ON SCHEMA public FROM PUBLIC;
       CREATE TABLE a (id serial PRIMARY KEY, v text); CREATE SEQUENCE alone;
       CREATE PUBLICATION p FOR TABLE a;`,
    );
    for (const user of ['postgres', 'lowly']) {
      const session = await servers.open(cluster, user);
      const privileged = user === 'postgres';
      const identity = await readIdentity(session, forever());
      expect(identity).toMatchObject({
        role: 'primary',
        timeline: '1',
        writable: true,
        database: 'postgres',
      });
      expect(identity.version).toMatch(new RegExp(`^${version}[.]`));
      expect(identity.systemId).toBe(await cluster.systemIdentifier());
      expect(Math.abs(Date.parse(identity.serverTime) - Date.now())).toBeLessThan(60_000);
      const [table] = await describeTables(session, () => true, forever());
      expect(table).toMatchObject({ name: 'public.a', key: ['id'], keyOrder: 'portable' });
      expect(table?.obstacle?.code).toBe(privileged ? undefined : 'TP-T-PERMISSION');
      const facts = await readFacts([session], forever());
      expect(facts).toMatchObject({
        inRecovery: false,
        writable: true,
        replayPaused: false,
        unloggedTables: [],
      });
      expect(facts.unread.length === 0).toBe(privileged);
      const codes = (await readFindings(session, () => true, forever())).map(({ code }) => code);
      const lacking = ['TP-P-STATS', 'TP-P-SETTINGS', 'TP-P-FILES', 'TP-P-SEQUENCES', 'TP-P-GRANT'];
      expect(codes).toEqual(privileged ? ['TP-P-SUPERUSER'] : lacking);
      expect((await readHead(session, forever())).quiet).toBe(true);
    }
    await cluster.destroy();
  });
});

describe('tables', () => {
  let cluster: Cluster;
  let session: Session;
  let tables: Map<string, TableDescription>;

  beforeAll(async () => {
    cluster = await servers.cluster();
    await cluster.sql(
      `CREATE SCHEMA "Odd.Schema"; CREATE TABLE "Odd.Schema"."T 1" ("A""b" int, "c.d" text COLLATE "C", PRIMARY KEY ("c.d", "A""b"));
       CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TYPE pair AS (a int, b aclitem); CREATE DOMAIN positive AS int CHECK (value > 0);
       CREATE TABLE kinds (id positive NOT NULL, m mood, p pair, l aclitem, f float8[], n numeric(12,2), c char(3),
         gone int, g int GENERATED ALWAYS AS (id * 2) STORED);
       ALTER TABLE kinds DROP COLUMN gone;
       CREATE TABLE uniques (a int NOT NULL, b int NOT NULL, n int, t text NOT NULL);
       CREATE UNIQUE INDEX ON uniques (n); CREATE UNIQUE INDEX ON uniques (a) WHERE b > 0; CREATE UNIQUE INDEX ON uniques ((a + 1));
       CREATE UNIQUE INDEX ON uniques (t) INCLUDE (n); CREATE UNIQUE INDEX uniques_ab ON uniques (a DESC, b);
       CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child () INHERITS (parent);
       CREATE TABLE sales (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
       CREATE TABLE sales_1 PARTITION OF sales FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
       CREATE TABLE sales_2 PARTITION OF sales FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY HASH (id);
       CREATE TABLE sales_2a PARTITION OF sales_2 FOR VALUES WITH (modulus 1, remainder 0);
       CREATE TABLE empty_root (id int) PARTITION BY LIST (id);
       CREATE MATERIALIZED VIEW filled AS SELECT 1 AS one; CREATE MATERIALIZED VIEW hollow AS SELECT 1 AS one WITH NO DATA;
       CREATE UNLOGGED TABLE scratch (id int); CREATE TEMP TABLE fleeting (id int);
       CREATE TABLE secret (id int); ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
       CREATE ROLE reader LOGIN; GRANT SELECT ON secret, kinds, sales, uniques TO reader; GRANT SELECT (id) ON parent TO reader;
       INSERT INTO kinds SELECT g, 'sad' FROM generate_series(1, 1000) g; ANALYZE kinds`,
    );
    session = await servers.open(cluster);
    tables = await describeAll(session);
  });

  test('are all there, partitions under their root, nothing of the system', () => {
    const names = 'child empty_root filled hollow kinds parent sales scratch secret uniques'.split(' ');
    expect([...tables.keys()]).toEqual(['Odd.Schema.T 1', ...names.map((name) => `public.${name}`)]);
    const leaves = (name: string): string[] | undefined => {
      const table = tables.get(name);
      return table && handleOf(table).leaves.map((leaf) => leaf.qualifiedName);
    };
    expect(leaves('public.sales')).toEqual(['public.sales_1', 'public.sales_2a']);
    expect(leaves('public.empty_root')).toEqual([]);
    expect(leaves('Odd.Schema.T 1')).toEqual(['"Odd.Schema"."T 1"']);
    expect(leaves('public.child')).toEqual(['public.child']);
  });

  test('have their columns as the catalog has them', () => {
    const kinds = tables.get('public.kinds');
    const seen = kinds?.columns.map(({ name, type, baseType, encodings }) => [
      name,
      type,
      baseType,
      encodings.physical,
      encodings.logical,
    ]);
    expect(seen).toEqual([
      ['id', 'public.positive', 'integer', 'pg-binary', 'pg-binary'],
      ['m', 'public.mood', 'public.mood', 'pg-binary', 'pg-binary'],
      ['p', 'public.pair', 'public.pair', 'pg-text', 'pg-text'],
      ['l', 'aclitem', 'aclitem', 'pg-text', 'pg-text'],
      ['f', 'double precision[]', 'double precision[]', 'pg-binary', 'pg-text'],
      ['n', 'numeric(12,2)', 'numeric', 'pg-binary', 'pg-binary'],
      ['c', 'character(3)', 'character', 'pg-binary', 'pg-binary'],
      ['g', 'integer', 'integer', 'pg-binary', 'pg-binary'],
    ]);
    expect(kinds).toMatchObject({ key: null, rowsEstimate: 1000, obstacle: null });
    expect(kinds?.bytesEstimate).toBeGreaterThan(8192);
    expect(tables.get('public.filled')?.columns[0]?.encodings.logical).toBe(null);
    const odd = tables.get('Odd.Schema.T 1');
    expect(odd && handleOf(odd).columns.map(({ quotedName }) => quotedName)).toEqual(['"A""b"', '"c.d"']);
  });

  test('have the key that tells rows apart, in the index’s order', () => {
    expect(tables.get('Odd.Schema.T 1')).toMatchObject({
      key: ['c.d', 'A"b'],
      keyOrder: 'portable',
      clustered: true,
    });
    expect(tables.get('public.sales')).toMatchObject({ key: ['id', 'at'], keyOrder: 'portable' });
    expect(tables.get('public.uniques')?.key).toEqual(['t']);
    expect(tables.get('public.child')?.key).toBe(null);
  });

  test('prefer the replica identity over a shorter key', async () => {
    await cluster.sql('ALTER TABLE uniques REPLICA IDENTITY USING INDEX uniques_ab');
    expect((await describeAll(session)).get('public.uniques')).toMatchObject({
      key: ['a', 'b'],
      keyOrder: 'portable',
    });
  });

  test('take no column for NOT NULL whose rows were not checked', async ({ skip }) => {
    skip(session.versionNumber < 180_000, 'NOT NULL … NOT VALID came with PostgreSQL 18');
    await cluster.sql(
      `CREATE TABLE unchecked (a int UNIQUE); INSERT INTO unchecked VALUES (NULL), (NULL);
       ALTER TABLE unchecked ADD CONSTRAINT given NOT NULL a NOT VALID`,
    );
    expect((await describeAll(session)).get('public.unchecked')?.key).toBe(null);
    await cluster.sql('DELETE FROM unchecked; ALTER TABLE unchecked VALIDATE CONSTRAINT given');
    expect((await describeAll(session)).get('public.unchecked')?.key).toEqual(['a']);
  });

  test('say why they cannot be compared', async () => {
    expect(obstacles(tables)).toEqual({ 'public.hollow': 'TP-T-UNPOPULATED' });
    const reader = await describeAll(await servers.open(cluster, 'reader'));
    expect(obstacles(reader)).toMatchObject({
      'public.secret': 'TP-T-ROW-SECURITY',
      // One column is not enough, nor the root of partitions that are read one by one.
      'public.parent': 'TP-T-PERMISSION',
      'public.sales': 'TP-T-PERMISSION',
      'Odd.Schema.T 1': 'TP-T-PERMISSION',
      'public.hollow': 'TP-T-UNPOPULATED',
    });
    expect(reader.get('public.kinds')?.obstacle).toBe(null);
  });

  test('change their fingerprint with every change of the definition, and only then', async () => {
    let before = await printOf(session);
    await cluster.sql(`INSERT INTO sales VALUES (1, '2025-05-05'); ANALYZE sales`);
    expect(await printOf(session)).toBe(before);
    const changes = [
      'ALTER TABLE sales ADD COLUMN extra int DEFAULT 5',
      'ALTER TABLE sales ALTER COLUMN extra TYPE bigint USING extra * 2',
      'ALTER TABLE sales ALTER COLUMN extra SET NOT NULL',
      'ALTER TABLE sales RENAME COLUMN extra TO more',
      'ALTER TABLE sales DETACH PARTITION sales_1',
      `ALTER TABLE sales ATTACH PARTITION sales_1 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')`,
      'TRUNCATE sales_2a',
      'VACUUM FULL sales_1',
      'ALTER TABLE sales_2a ENABLE ROW LEVEL SECURITY',
    ];
    for (const change of changes) {
      await cluster.sql(change);
      const after = await printOf(session);
      expect([change, after === before]).toEqual([change, false]);
      before = after;
    }
  });

  test('are described although someone holds an exclusive lock', async () => {
    const holder = await cluster.connect();
    await holder.query('BEGIN; LOCK TABLE kinds');
    const hasty = await servers.open(cluster, 'postgres', 'postgres', { lockTimeoutMs: 100 });
    expect((await describeAll(hasty)).get('public.kinds')?.rowsEstimate).toBe(1000);
    await holder.end();
  });

  test('by the thousand take seconds', async () => {
    await cluster.createDatabase('many');
    await cluster.query(
      'many',
      `DO $$ BEGIN FOR i IN 1..2000 LOOP EXECUTE format('CREATE TABLE t%s (id bigint PRIMARY KEY, a text, b numeric, c int[])', i);
         IF i % 250 = 0 THEN COMMIT; END IF; END LOOP; END $$`,
    );
    const many = await servers.open(cluster, 'postgres', 'many');
    const started = performance.now();
    expect((await describeAll(many)).size).toBe(2000);
    expect(performance.now() - started).toBeLessThan(5000);
  });
});
