import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MysqlConnector } from '../../connectors/mysql/connector.ts';
import type { TableDescription } from '../../src/connector/table.ts';
import { TwinproofError } from '../../src/errors.ts';
import { accountsSql } from './harness/mysql-accounts.ts';
import type { MysqlFlavor } from './harness/mysql-installation.ts';
import { createMysqlServer, type MysqlServer } from './harness/mysql-server.ts';
import { describeMysql } from './harness/mysql-suite.ts';
import { connectTo } from './harness/verify-mysql.ts';

const TOKEN = { user: 'clerk', password: 'clerk' };

const SCHEMA = `CREATE DATABASE public; CREATE DATABASE \`PUBLIC\`; CREATE TABLE \`PUBLIC\`.other (id int PRIMARY KEY);
  USE public;
  CREATE TABLE plain (id bigint PRIMARY KEY, note varchar(20));
  CREATE TABLE \`Plain\` (id int PRIMARY KEY);
  CREATE TABLE computed (id int PRIMARY KEY, n int, v int AS (n + 1) VIRTUAL, s int AS (n * 2) STORED, h int INVISIBLE);
  CREATE TABLE promoted (a int NOT NULL, b int NOT NULL, c varchar(9) NOT NULL, UNIQUE KEY second (b, a), UNIQUE KEY (c(3)));
  CREATE TABLE nullable (a int, UNIQUE KEY (a));
  CREATE TABLE prefixed (a varchar(20) NOT NULL, UNIQUE KEY (a(5)));
  CREATE TABLE texts (k varchar(20) COLLATE utf8mb4_unicode_ci, n int, PRIMARY KEY (k, n));
  CREATE TABLE floats (k double PRIMARY KEY);
  CREATE TABLE labels (k enum('x', 'y'), n int, PRIMARY KEY (k, n));
  CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10));
  CREATE TABLE isam (id int PRIMARY KEY) ENGINE = MyISAM;
  CREATE TABLE memo (id int PRIMARY KEY) ENGINE = MEMORY;
  CREATE VIEW looked AS SELECT * FROM plain;
  CREATE USER clerk IDENTIFIED BY 'clerk'; GRANT SELECT ON public.plain TO clerk;`;

const OWN: Readonly<Record<MysqlFlavor, string>> = {
  mysql: `USE public; CREATE TABLE falling (id int, n int, PRIMARY KEY (id DESC));
    CREATE TABLE expressed (a int NOT NULL, UNIQUE KEY ((a + 1)));
    CREATE TABLE unseen (b int NOT NULL, UNIQUE KEY (b), a int NOT NULL, UNIQUE KEY k (a) INVISIBLE);
    SET sql_generate_invisible_primary_key = ON; CREATE TABLE numbered (v int)`,
  mariadb: `USE public; CREATE TABLE versioned (id int PRIMARY KEY) WITH SYSTEM VERSIONING; CREATE SEQUENCE counter;
    CREATE TABLE hashed (a longtext NOT NULL, UNIQUE KEY (a));
    CREATE TABLE unseen (b int NOT NULL, UNIQUE KEY (b), a int NOT NULL, UNIQUE KEY k (a) IGNORED);
    CREATE TABLE ids (k uuid PRIMARY KEY)`,
};

await describeMysql('the tables of a database on %s', (flavor) => {
  let server: MysqlServer;
  let connector: MysqlConnector;
  let tables: ReadonlyMap<string, TableDescription>;
  const signal = new AbortController().signal;
  const describeAll = async (): Promise<Map<string, TableDescription>> => {
    const found = await connector.describeTables({ include: ['*'], exclude: [] }, signal);
    return new Map(found.map((table) => [table.name.slice('public.'.length), table]));
  };
  const fingerprint = async (table: string): Promise<string | undefined> =>
    (await describeAll()).get(table)?.fingerprint;

  beforeAll(async () => {
    // What the server hides from others it must not hide from us.
    const hiding = { show_gipk_in_create_table_and_information_schema: 'OFF' };
    server = await createMysqlServer({ flavor, settings: flavor === 'mysql' ? hiding : {} });
    await server.sql(SCHEMA);
    await server.sql(OWN[flavor]);
    await server.sql(accountsSql(flavor, 'public'));
    connector = await connectTo(server);
    tables = await describeAll();
  });
  afterAll(async () => {
    await connector?.close();
    await server?.destroy();
  });

  test('are those that hold rows, in this database only, and names differ by case', () => {
    const common = ['Plain', 'computed', 'floats', 'isam', 'labels', 'memo', 'nullable', 'parted', 'plain'];
    const own = { mysql: ['expressed', 'falling', 'numbered'], mariadb: ['hashed', 'ids', 'versioned'] }[
      flavor
    ];
    const expected = [...common, 'prefixed', 'promoted', 'texts', 'unseen', ...own];
    expect([...tables.keys()].sort()).toEqual(expected.sort());
  });

  test.each<readonly [table: string, key: readonly string[] | null]>([
    ['plain', ['id']],
    ['promoted', ['b', 'a']],
    ['nullable', null],
    ['prefixed', null],
    ['texts', ['k', 'n']],
    ['unseen', ['b']],
    ...(flavor === 'mysql' ? [['numbered', ['my_row_id']] as const] : []),
  ])('%s has the key %j', (table, key) => {
    expect(tables.get(table)?.key).toEqual(key);
  });

  test.each([
    ['plain', 'portable', true],
    ['promoted', 'portable', true],
    ['texts', 'portable', true],
    ['floats', 'local', true],
    ['labels', 'local', true],
    ['nullable', 'local', false],
    ...(flavor === 'mysql'
      ? ([
          ['falling', 'local', true],
          ['expressed', 'local', false],
        ] as const)
      : []),
    ...(flavor === 'mariadb'
      ? ([
          ['ids', 'local', true],
          ['hashed', 'local', false],
        ] as const)
      : []),
  ] as const)('%s is ordered as %s, stored by its key: %s', (table, keyOrder, clustered) => {
    expect(tables.get(table)).toMatchObject({ keyOrder, clustered });
  });

  test('a text key names the collation that orders it', () => {
    expect(tables.get('texts')?.keyCollation).toBe('utf8mb4_unicode_ci');
    expect(tables.get('plain')?.keyCollation).toBeUndefined();
  });

  test('generated and invisible columns are columns', () => {
    expect(tables.get('computed')?.columns.map(({ name }) => name)).toEqual(['id', 'n', 'v', 's', 'h']);
  });

  test.each([
    ['isam', 'TP-T-ENGINE'],
    ['memo', 'TP-T-ENGINE'],
    ...(flavor === 'mariadb' ? [['versioned', 'TP-T-VERSIONED'] as const] : []),
    ['plain', undefined],
    ['parted', undefined],
  ] as const)('%s meets the obstacle %s', (table, code) => {
    expect(tables.get(table)?.obstacle?.code).toBe(code);
  });

  test('the fingerprint stays when rows and statistics change', async () => {
    const before = await fingerprint('plain');
    await server.sql(`INSERT INTO public.plain VALUES (1, 'a'), (2, 'b'); ANALYZE TABLE public.plain`);
    expect(await fingerprint('plain')).toBe(before);
  });

  test.each([
    ['ALTER TABLE plain MODIFY note varchar(30)', 'plain'],
    ['ALTER TABLE plain MODIFY note varchar(30) COLLATE utf8mb4_bin', 'plain'],
    ['ALTER TABLE plain ADD INDEX (note)', 'plain'],
    ['ALTER TABLE parted ADD PARTITION (PARTITION p1 VALUES LESS THAN (20))', 'parted'],
    ['ALTER TABLE computed ALTER h SET DEFAULT 5', 'computed'],
  ])('the fingerprint changes by %s', async (sql, table) => {
    const before = await fingerprint(table);
    await server.sql(sql, [], 'public');
    expect(await fingerprint(table)).not.toBe(before);
  });

  test('an account that may read some tables only is told so, and gets no part of the list', async () => {
    const clerk = await connectTo(server, TOKEN);
    try {
      const listing = clerk.describeTables({ include: ['*'], exclude: [] }, signal);
      await expect(listing).rejects.toMatchObject({ code: 'TP-PERMISSION' });
      await expect(listing).rejects.toBeInstanceOf(TwinproofError);
      await server.sql(`CREATE ROLE reading; GRANT SELECT ON public.* TO reading; GRANT reading TO clerk;
        ${flavor === 'mysql' ? 'SET DEFAULT ROLE reading TO clerk' : 'SET DEFAULT ROLE reading FOR clerk'}`);
    } finally {
      await clerk.close();
    }
    const reader = await connectTo(server, TOKEN);
    try {
      const found = await reader.describeTables({ include: ['*'], exclude: [] }, signal);
      expect(found).toHaveLength(tables.size);
    } finally {
      await reader.close();
    }
  });
});
