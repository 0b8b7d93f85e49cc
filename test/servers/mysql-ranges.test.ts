import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MysqlConnector } from '../../connectors/mysql/connector.ts';
import { rangeQuery } from '../../connectors/mysql/ranges.ts';
import { pointQueries } from '../../connectors/mysql/points.ts';
import type { Range, RowShape } from '../../src/connector/contract.ts';
import { fieldsOf, frameFields } from '../../src/row/stream.ts';
import { CollectingSink } from '../contract/collecting-sink.ts';
import { describeTable } from '../contract/pair.ts';
import { accountsSql } from './harness/mysql-accounts.ts';
import { createMysqlServer, type MysqlServer } from './harness/mysql-server.ts';
import { describeMysql } from './harness/mysql-suite.ts';
import { connectTo } from './harness/verify-mysql.ts';

const ROWS = 6000;
const ROWS_MAX = 500;
const signal = new AbortController().signal;

/** A table of numbers: neither server makes as many by recursion unless told to. */
const NUMBERS = `CREATE DATABASE public; USE public; CREATE TABLE anchor (id int PRIMARY KEY);
  CREATE TABLE digits (d int); INSERT INTO digits VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9);
  CREATE TABLE numbers (n bigint PRIMARY KEY);
  INSERT INTO numbers SELECT 1 + a.d + 10 * b.d + 100 * c.d + 1000 * e.d
    FROM digits a, digits b, digits c, digits e;`;

interface TableCase {
  readonly table: string;
  readonly columns: string;
  /** Of row n, as SQL. */
  readonly values: string;
  /** Most rows that a range may have. */
  readonly most?: number;
}

const CASES: readonly TableCase[] = [
  { table: 'dense', columns: 'k bigint PRIMARY KEY', values: 'n' },
  { table: 'corner', columns: 'k bigint PRIMARY KEY', values: 'if(n = 1, 9223372036854775807, n)' },
  {
    table: 'wide',
    columns: 'k bigint unsigned PRIMARY KEY',
    values: 'cast(n AS unsigned) * 3074457345618258',
  },
  { table: 'exact', columns: 'k decimal(65,30) PRIMARY KEY', values: 'n / 7' },
  { table: 'moments', columns: 'k datetime(6) PRIMARY KEY', values: `'2026-01-01' + INTERVAL n MICROSECOND` },
  { table: 'stamps', columns: 'k timestamp(6) PRIMARY KEY', values: `from_unixtime(1.5e9 + n * 1000)` },
  { table: 'numbered', columns: 'k varchar(40) PRIMARY KEY', values: `concat('key ', n)` },
  {
    table: 'mixed',
    columns: 'k varchar(40) COLLATE utf8mb4_unicode_ci PRIMARY KEY',
    values: `concat(elt(1 + n % 4, 'Ab', 'aC', 'ÄD', 'z-'), n)`,
  },
  {
    table: 'latin',
    columns: 'k varchar(40) CHARACTER SET latin1 PRIMARY KEY',
    values: `concat('é', n, '''')`,
  },
  { table: 'kana', columns: 'k varchar(40) CHARACTER SET sjis PRIMARY KEY', values: `concat('表', n)` },
  {
    table: 'hashed',
    columns: 'k binary(16) PRIMARY KEY',
    values: 'unhex(lpad(hex(crc32(n) * 4294967291), 32, n))',
  },
  {
    table: 'few_first',
    columns: 'a int, b varchar(9), k int, PRIMARY KEY (a, b, k)',
    values: `n % 2, elt(1 + n % 3, 'x', 'Y', 'z'), n`,
  },
  { table: 'parted', columns: 'k int PRIMARY KEY', values: 'n' },
];

await describeMysql('ranges of a table on %s', (flavor) => {
  let server: MysqlServer;
  let connector: MysqlConnector;

  beforeAll(async () => {
    server = await createMysqlServer({ flavor });
    await server.sql(NUMBERS);
    const statements = CASES.map(({ table, columns, values }) => {
      const partitions = table === 'parted' ? 'PARTITION BY HASH (k) PARTITIONS 4' : '';
      return `CREATE TABLE ${table} (${columns}) ${partitions};
        INSERT INTO ${table} SELECT ${values} FROM numbers WHERE n <= ${ROWS}; ANALYZE TABLE ${table};`;
    });
    await server.sql(statements.join('\n'), [], 'public');
    await server.sql(`${accountsSql(flavor, 'public')} GRANT REPLICATION SLAVE ON *.* TO verifier@'%'`);
    connector = await connectTo(server);
  });
  afterAll(async () => {
    await connector?.close();
    await server?.destroy();
  });

  const shapeOf = async (table: string): Promise<RowShape> => {
    const description = await describeTable(connector, { schema: 'public', table });
    const key = description.key ?? [];
    const rest = description.columns.map(({ name }) => name).filter((name) => !key.includes(name));
    const columns = [...key, ...rest].map((name) => ({ name, encoding: 'mysql-binary' as const }));
    return { table: description, identity: 'key', columns, keyFields: key.length, pair: 'logical' };
  };
  const planOf = (shape: RowShape): Promise<readonly Range[]> =>
    connector.planRanges(shape, { kind: 'key', rowsMax: ROWS_MAX, bytesMax: 1 << 30 }, signal);
  const read = async (shape: RowShape, range: Range): Promise<Uint8Array[]> => {
    const sink = new CollectingSink();
    await connector.readRange({ shape, range }, sink, signal);
    return sink.rows;
  };
  const accessOf = async (sql: string): Promise<unknown> => {
    const [plan] = await server.sql(`EXPLAIN FORMAT=TRADITIONAL ${sql}`, [], 'public');
    return [plan?.['type'], plan?.['key'], String(plan?.['Extra']).includes('filesort')];
  };

  test.each(CASES)('$table: few, even, together whole, and read by the key’s index', async ({ table }) => {
    const shape = await shapeOf(table);
    const ranges = await planOf(shape);
    const sizes: number[] = [];
    const keys = new Set<string>();
    for (const range of ranges) {
      const rows = await read(shape, range);
      sizes.push(rows.length);
      for (const row of rows) keys.add(Buffer.from(row).toString('hex'));
    }
    expect(keys.size).toBe(ROWS);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(ROWS);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2 * ROWS_MAX);
    expect(ranges.length).toBeLessThan(60);
    const middle = ranges[ranges.length >> 1];
    if (middle === undefined) throw new Error('no ranges');
    expect(await accessOf(rangeQuery(shape, middle).sql)).toEqual(['range', 'PRIMARY', false]);
  });

  test.each(CASES)(
    '$table: keys are looked up through the index, and in the heap without it',
    async ({ table }) => {
      const shape = await shapeOf(table);
      const [range] = await planOf(shape);
      if (range === undefined) throw new Error('no ranges');
      const rows = (await read(shape, range)).slice(0, 40);
      const keys = rows.map((row) => frameFields(fieldsOf(row).slice(0, shape.keyFields)));
      const expected = rows.map((row) => Buffer.from(row).toString('hex')).sort();
      for (const access of ['index', 'heap'] as const) {
        const found = await connector.readRows(shape, keys, access, signal);
        expect(found.map(({ row }) => Buffer.from(row).toString('hex')).sort()).toEqual(expected);
        const [query] = pointQueries(shape, keys, access);
        const plan = access === 'index' ? ['range', 'PRIMARY', false] : ['ALL', null, false];
        expect(await accessOf(query?.sql ?? '')).toEqual(plan);
      }
    },
  );

  test('a range that proved too large is cut into parts that are whole together', async () => {
    await server.sql(
      `CREATE TABLE grown (k int PRIMARY KEY);
       INSERT INTO grown SELECT a.k * 10000 + b.k FROM dense a, dense b WHERE a.k <= 15 AND b.k <= 5000`,
      [],
      'public',
    );
    const shape = await shapeOf('grown');
    const whole: Range = {
      table: 'public.grown',
      kind: 'key',
      id: '-',
      from: null,
      to: null,
      rowsEstimate: 0,
    };
    const parts = await connector.splitRange(shape, whole, signal);
    const sizes: number[] = [];
    for (const part of parts) sizes.push((await read(shape, part)).length);
    expect(sizes).toEqual([32_768, 32_768, 75_000 - 65_536]);
    expect(new Set(parts.map(({ id }) => id)).size).toBe(3);
  });

  test('the keys of a table come again only when it was written to since the mark', async () => {
    const shape = await shapeOf('dense');
    const written = async (mark: string): Promise<number> => {
      const sink = new CollectingSink();
      await connector.readWrittenSince(shape, mark, sink, signal);
      return sink.rows.length;
    };
    const mark = await connector.markNow(signal);
    await server.sql(
      'INSERT INTO public.anchor VALUES (1); UPDATE public.anchor SET id = 2; FLUSH BINARY LOGS',
    );
    await server.sql('DELETE FROM public.anchor');
    expect(await written(mark)).toBe(0);
    await server.sql('UPDATE public.dense SET k = k + 1 WHERE k = 6000');
    expect(await written(mark)).toBe(ROWS);
    expect(await written(await connector.markNow(signal))).toBe(0);
    expect(await written('')).toBe(ROWS);
    const another = await connector.markNow(signal);
    await server.sql('CREATE TABLE public.made (id int PRIMARY KEY)');
    expect(await written(another)).toBe(ROWS);
  });
});
