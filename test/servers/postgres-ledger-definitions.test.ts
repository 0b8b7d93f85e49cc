import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectPostgres, type PostgresConnector } from '../../connectors/postgres/connector.ts';
import { readDefinitions } from '../../connectors/postgres/definitions.ts';
import { parseUrl } from '../../src/config/url.ts';
import type { StreamedTable } from '../../src/connector/changes.ts';
import type { SourceTable } from '../../src/connector/ledger-sites.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { Follower } from './harness/change-stream.ts';
import { forever, ServerSet } from './harness/server-set.ts';
import { WATCHER } from './harness/watcher.ts';

const servers = new ServerSet();
const sites: PostgresConnector[] = [];
const ALL = { include: ['*'], exclude: [] };

afterAll(async () => {
  for (const site of sites) await site.close();
  await servers.end();
});

async function siteOf(cluster: Cluster): Promise<PostgresConnector> {
  const { address } = parseUrl(cluster.url('postgres', WATCHER), 'secret');
  const stream = { slot: 'twinproof', publication: 'twinproof', allowUnboundedWal: true };
  const site = await connectPostgres(address, { jobs: 1, statementTimeoutMs: 60_000, stream }, forever());
  sites.push(site);
  return site;
}

async function tablesOf(site: PostgresConnector): Promise<Map<string, SourceTable>> {
  const tables = await site.sourceTables(ALL, 'physical', forever());
  return new Map(tables.map((table) => [table.leaf, table]));
}

const SCHEMA = `
  CREATE TYPE mood AS ENUM ('sad', 'glad');
  CREATE TABLE plain (id int PRIMARY KEY, v int, gone int, w int, twice int GENERATED ALWAYS AS (w * 2) STORED);
  ALTER TABLE plain DROP COLUMN gone;
  CREATE TABLE pair_keyed (b text, a int, rest numeric(9,2), feeling mood, PRIMARY KEY (a, b));
  CREATE TABLE whole (id bigint PRIMARY KEY, v text); ALTER TABLE whole REPLICA IDENTITY FULL;
  CREATE TABLE otherwise (id int PRIMARY KEY, code uuid NOT NULL UNIQUE);
  ALTER TABLE otherwise REPLICA IDENTITY USING INDEX otherwise_code_key;
  CREATE TABLE parts (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
  CREATE TABLE parts_a PARTITION OF parts FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
  CREATE TABLE parts_b (day date NOT NULL, id int NOT NULL, PRIMARY KEY (id, day));
  ALTER TABLE parts ATTACH PARTITION parts_b FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
  CREATE TABLE loose (id int PRIMARY KEY);
  CREATE TABLE bare (id int);
  CREATE TABLE late_key (id int PRIMARY KEY DEFERRABLE);
  CREATE UNLOGGED TABLE fleeting (id int PRIMARY KEY);
  CREATE MATERIALIZED VIEW view AS SELECT 1 AS one;
  CREATE PUBLICATION twinproof FOR TABLE plain, pair_keyed, whole, otherwise, parts;
  SELECT pg_create_logical_replication_slot('twinproof', 'pgoutput');`;

/** Publications of every kind; the second list from version 15 on, the third from 18 on. */
const PUBLICATIONS = [
  [
    'named FOR TABLE plain, whole, parts',
    'leaf_only FOR TABLE parts_a, whole',
    'rooted FOR TABLE parts, whole, parts_a WITH (publish_via_partition_root = true)',
    'leaf_rooted FOR TABLE parts_a, plain WITH (publish_via_partition_root = true)',
    'everything FOR ALL TABLES',
    'everything_rooted FOR ALL TABLES WITH (publish_via_partition_root = true)',
    'nothing',
  ],
  [
    'by_schema FOR TABLES IN SCHEMA public',
    'by_other_schema FOR TABLES IN SCHEMA other',
    'by_schema_rooted FOR TABLES IN SCHEMA public WITH (publish_via_partition_root = true)',
    'listed FOR TABLE plain (id, w), whole WHERE (id > 5), parts_b (day, id)',
  ],
  [
    'made FOR TABLE plain, whole WITH (publish_generated_columns = stored)',
    'made_listed FOR TABLE plain (id, twice)',
  ],
];

describe.each([14, 18] as const)('PostgreSQL %i: what the catalog says of a table', (version) => {
  let cluster: Cluster;
  let site: PostgresConnector;

  beforeAll(async () => {
    cluster = await servers.cluster(version);
    for (const statement of SCHEMA.split(';')) await cluster.sql(statement);
    site = await siteOf(cluster);
  });

  test('is what the log says of it', async () => {
    const follower = await Follower.open(cluster);
    await cluster.sql(`
      INSERT INTO plain VALUES (1, 1); INSERT INTO pair_keyed VALUES ('b', 1, 1, 'sad'); INSERT INTO whole VALUES (1, 'v');
      INSERT INTO otherwise VALUES (1, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');
      INSERT INTO parts VALUES (1, '2020-05-05'), (1, '2021-05-05')`);
    await follower.transaction();
    await follower.stream.close();
    const streamed = new Map<string, StreamedTable>();
    for (const event of follower.events) {
      if (event.type === 'definition') streamed.set(event.table.leaf, event.table);
    }
    expect([...streamed.keys()].toSorted()).toEqual(
      ['otherwise', 'pair_keyed', 'parts_a', 'parts_b', 'plain', 'whole'].map((name) => `public.${name}`),
    );
    const tables = await tablesOf(site);
    for (const [leaf, table] of streamed) {
      expect(tables.get(leaf)).toEqual({
        id: table.id,
        leaf,
        root: table.root,
        fingerprint: table.fingerprint,
        unfollowed: null,
        table,
      });
    }
    expect(site.signedKey(streamed.get('public.pair_keyed') ?? never())).toEqual([true, false]);
    expect(site.signedKey(streamed.get('public.otherwise') ?? never())).toEqual([false]);
  });

  test('is what the server itself says of a publication, of every kind', async () => {
    await cluster.sql(`CREATE SCHEMA other;
      CREATE TABLE other.parts_c PARTITION OF parts FOR VALUES FROM ('2030-01-01') TO ('2031-01-01')`);
    const since = version >= 18 ? 3 : version >= 15 ? 2 : 1;
    const session = await servers.open(cluster);
    for (const publication of PUBLICATIONS.slice(0, since).flat()) {
      await cluster.sql(`CREATE PUBLICATION ${publication}`);
      const [name = ''] = publication.split(' ');
      const told = await cluster.sql(
        `SELECT p.schemaname || '.' || p.tablename AS leaf, to_jsonb(p) -> 'attnames' AS columns,
           to_jsonb(p) ->> 'rowfilter' IS NOT NULL AS filtered
         FROM pg_publication_tables p JOIN pg_class c ON c.oid = format('%I.%I', p.schemaname, p.tablename)::regclass
         WHERE p.pubname = $1 AND c.relkind = 'r' ORDER BY 1`,
        [name],
      );
      const found = (await readDefinitions(session, name, null, forever())).filter(
        ({ published }) => published,
      );
      expect(
        found
          .map(({ leaf, filtered, relation }) => ({
            leaf,
            columns: version < 15 ? null : relation.columns.map((column) => column.name),
            filtered,
          }))
          .toSorted((a, b) => (a.leaf < b.leaf ? -1 : 1)),
      ).toEqual(told);
      await cluster.sql(`DROP PUBLICATION ${name}`);
    }
    await cluster.sql('DROP SCHEMA other CASCADE');
  });

  test('does not wait for a table that somebody redefines, and neither does a stream', async () => {
    const holder = await cluster.connect();
    await holder.query('BEGIN; ALTER TABLE plain ALTER COLUMN v TYPE int USING v + 1; LOCK TABLE parts');
    const before = await tablesOf(site);
    expect(before.get('public.plain')?.unfollowed).toBeNull();
    expect(before.get('public.parts_a')?.unfollowed).toBeNull();
    // A stream that begins describes every table.
    const follower = await Follower.open(cluster);
    await cluster.sql(`INSERT INTO whole VALUES (-1, 'meanwhile')`);
    await follower.transaction();
    const others = await siteOf(cluster);
    expect((await others.describeTables(ALL, forever())).map(({ name }) => name)).toContain('public.plain');
    await holder.query('COMMIT');
    await holder.end();
    await follower.stream.close();
    expect((await tablesOf(site)).get('public.plain')?.fingerprint).not.toBe(
      before.get('public.plain')?.fingerprint,
    );
    await cluster.sql('DELETE FROM whole WHERE id = -1');
  });

  test('names the reason why changes do not come with the log', async () => {
    const tables = await tablesOf(site);
    const reasons = [...tables.values()].flatMap(({ leaf, unfollowed }) =>
      unfollowed === null ? [] : [[leaf, unfollowed]],
    );
    const absent = 'publication twinproof does not have it';
    expect(Object.fromEntries(reasons)).toEqual({
      'public.loose': absent,
      'public.bare': absent,
      'public.late_key': absent,
      'public.fleeting': 'it is unlogged',
      'public.view': 'it is a materialized view: its rows do not come with the log',
    });
    await cluster.sql('ALTER PUBLICATION twinproof ADD TABLE bare, late_key');
    const now = await tablesOf(site);
    const identity = 'it has no replica identity: the log does not say which of its rows changed';
    for (const leaf of ['public.bare', 'public.late_key']) {
      expect(now.get(leaf)).toMatchObject({ unfollowed: identity, table: null });
    }
    await cluster.sql('ALTER PUBLICATION twinproof DROP TABLE bare, late_key');
  });

  const SILENT: readonly (readonly [string, string, readonly string[]])[] = [
    ['ALTER TYPE USING', 'ALTER TABLE plain ALTER COLUMN v TYPE int USING v + 100', ['plain']],
    ['ADD COLUMN DEFAULT', 'ALTER TABLE whole ADD COLUMN more int DEFAULT 7', ['whole']],
    ['DROP COLUMN', 'ALTER TABLE whole DROP COLUMN more', ['whole']],
    ['a renamed label', `ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'`, ['pair_keyed']],
    ['DETACH', 'ALTER TABLE parts DETACH PARTITION parts_b', ['parts_b']],
    [
      'ATTACH',
      `ALTER TABLE parts ATTACH PARTITION parts_b FOR VALUES FROM ('2021-01-01') TO ('2022-01-01')`,
      ['parts_b'],
    ],
    [
      'a partition unlogged for a while',
      'ALTER TABLE parts_a SET UNLOGGED; ALTER TABLE parts_a SET LOGGED',
      ['parts_a'],
    ],
    [
      'dropping from the publication and adding again',
      'ALTER PUBLICATION twinproof DROP TABLE plain; ALTER PUBLICATION twinproof ADD TABLE plain',
      ['plain'],
    ],
    [
      'withholding deletes for a while',
      `ALTER PUBLICATION twinproof SET (publish = 'insert');
       ALTER PUBLICATION twinproof SET (publish = 'insert, update, delete, truncate')`,
      ['plain', 'pair_keyed', 'whole', 'otherwise', 'parts_a', 'parts_b'],
    ],
    ['another replica identity', 'ALTER TABLE otherwise REPLICA IDENTITY DEFAULT', ['otherwise']],
  ];

  test.each(SILENT)('has another fingerprint after %s, and only there', async (_, sql, names) => {
    const before = await tablesOf(site);
    for (const statement of sql.split(';')) await cluster.sql(statement);
    const after = await tablesOf(site);
    const changed = [...after.values()].filter(
      ({ leaf, fingerprint, unfollowed }) =>
        before.get(leaf)?.fingerprint !== fingerprint &&
        (unfollowed === null || names.includes(leaf.replace('public.', ''))),
    );
    expect(changed.map(({ leaf }) => leaf).toSorted()).toEqual(
      names.map((name) => `public.${name}`).toSorted(),
    );
  });

  test('is not unlogged while the publication has it by its own name: the server refuses', async () => {
    await expect(cluster.sql('ALTER TABLE plain SET UNLOGGED')).rejects.toThrow(/publication/);
  });

  const conditional = version >= 16 ? ['a condition'] : [];
  test.each(conditional)('is not followed with %s, and has another fingerprint', async () => {
    const before = await tablesOf(site);
    await cluster.sql(
      'ALTER PUBLICATION twinproof SET TABLE plain WHERE (id > 5), pair_keyed, whole, otherwise, parts',
    );
    const after = await tablesOf(site);
    expect(after.get('public.plain')?.unfollowed).toContain('condition');
    expect(after.get('public.plain')?.fingerprint).not.toBe(before.get('public.plain')?.fingerprint);
    expect(after.get('public.whole')).toEqual(before.get('public.whole'));
  });

  test('keeps its fingerprint through what changes no row unseen', async () => {
    const before = await tablesOf(site);
    for (const statement of [
      'TRUNCATE whole',
      `INSERT INTO whole VALUES (5, 'x')`,
      'VACUUM FULL pair_keyed',
      'REINDEX TABLE pair_keyed',
      'ANALYZE',
      'CREATE INDEX ON whole (v)',
      `CREATE TABLE parts_c PARTITION OF parts FOR VALUES FROM ('2022-01-01') TO ('2023-01-01')`,
      'ALTER PUBLICATION twinproof ADD TABLE loose',
    ]) {
      await cluster.sql(statement);
    }
    const after = await tablesOf(site);
    before.delete('public.loose');
    for (const [leaf, table] of before) expect(after.get(leaf)).toEqual(table);
    expect(after.get('public.parts_c')?.unfollowed).toBeNull();
    expect(after.get('public.loose')?.unfollowed).toBeNull();
  });
});

function never(): never {
  throw new Error('the log did not tell of it');
}
