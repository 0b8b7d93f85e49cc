import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectPostgres, type PostgresConnector } from '../../connectors/postgres/connector.ts';
import { parseUrl } from '../../src/config/url.ts';
import type { ColumnRead, RowShape } from '../../src/connector/contract.ts';
import type { PortableForm, TableDescription } from '../../src/connector/table.ts';
import { installedVersions } from '../../src/demo/binaries.ts';
import { type Cluster, createCluster } from './harness/cluster.ts';
import { fieldsOf, frameFields } from '../../src/row/stream.ts';
import { CollectingSink } from '../contract/collecting-sink.ts';
import { readRange } from '../contract/reading.ts';
import { forever } from './harness/server-set.ts';

const ZONE = 'Asia/Seoul';

function int64(value: bigint): string {
  return BigInt.asUintN(64, value).toString(16).padStart(16, '0');
}

function ascii(text: string): string {
  return Buffer.from(text).toString('hex');
}

function micros(iso: string): bigint {
  return BigInt(Date.parse(iso) - Date.UTC(2000, 0, 1)) * 1000n;
}

interface Case {
  readonly type: string;
  readonly value: string;
  readonly form: PortableForm;
  readonly bytes: string;
  readonly zone?: string;
}

/** The documented bytes of every form (src/row/portable.ts), by the type that they come from. */
const CASES: readonly Case[] = [
  { type: 'boolean', value: 'true', form: 'boolean', bytes: '01' },
  { type: 'boolean', value: 'false', form: 'boolean', bytes: '00' },
  { type: 'smallint', value: '-2', form: 'integer', bytes: int64(-2n) },
  { type: 'integer', value: '2147483647', form: 'integer', bytes: int64(2_147_483_647n) },
  { type: 'bigint', value: '-9223372036854775808', form: 'integer', bytes: int64(-(2n ** 63n)) },
  { type: 'smallint', value: '-2', form: 'decimal', bytes: ascii('-2') },
  { type: 'bigint', value: '9223372036854775807', form: 'decimal', bytes: ascii('9223372036854775807') },
  { type: 'numeric', value: "'0.00'", form: 'decimal', bytes: ascii('0') },
  { type: 'numeric(12,4)', value: '-12.5000', form: 'decimal', bytes: ascii('-12.5') },
  { type: 'numeric', value: '.05', form: 'decimal', bytes: ascii('0.05') },
  { type: 'numeric', value: '1e30', form: 'decimal', bytes: ascii(`1${'0'.repeat(30)}`) },
  { type: 'numeric', value: '-1e-20', form: 'decimal', bytes: ascii(`-0.${'0'.repeat(19)}1`) },
  { type: 'numeric', value: "'NaN'", form: 'decimal', bytes: ascii('NaN') },
  { type: 'real', value: '0.1', form: 'float4', bytes: '3dcccccd' },
  { type: 'real', value: "'NaN'", form: 'float4', bytes: '7fc00000' },
  { type: 'double precision', value: '0.1', form: 'float8', bytes: '3fb999999999999a' },
  { type: 'double precision', value: "'-0'", form: 'float8', bytes: '8000000000000000' },
  { type: 'double precision', value: "'inf'::float8 - 'inf'", form: 'float8', bytes: '7ff8000000000000' },
  { type: 'text', value: "' é '", form: 'text', bytes: Buffer.from(' é ').toString('hex') },
  { type: 'text', value: "''", form: 'text', bytes: '' },
  { type: 'varchar(9)', value: "'a '", form: 'text', bytes: ascii('a ') },
  { type: 'character(5)', value: "'a'", form: 'text', bytes: ascii('a') },
  { type: 'name', value: "'n'", form: 'text', bytes: ascii('n') },
  { type: 'mood', value: "'sad'", form: 'text', bytes: ascii('sad') },
  { type: 'label', value: "'d'", form: 'text', bytes: ascii('d') },
  { type: 'json', value: `'{"a" :1}'`, form: 'text', bytes: ascii('{"a" :1}') },
  { type: 'bytea', value: String.raw`'\x00ff'`, form: 'bytes', bytes: '00ff' },
  { type: 'date', value: "'2000-02-29'", form: 'date', bytes: '0000003b' },
  { type: 'date', value: "'1999-12-31'", form: 'date', bytes: 'ffffffff' },
  { type: 'date', value: "'infinity'", form: 'date', bytes: '7fffffff' },
  { type: 'time', value: "'24:00'", form: 'time', bytes: int64(86_400_000_000n) },
  { type: 'time(6)', value: "'00:00:00.000001'", form: 'time', bytes: int64(1n) },
  { type: 'timestamp', value: "'1999-12-31 23:59:59.999999'", form: 'datetime', bytes: int64(-1n) },
  {
    type: 'timestamptz',
    value: "'2024-07-01 09:00+09'",
    form: 'instant',
    bytes: int64(micros('2024-07-01T00:00Z')),
  },
  {
    type: 'timestamp',
    value: "'2024-07-01 09:00'",
    form: 'instant',
    zone: ZONE,
    bytes: int64(micros('2024-07-01T00:00Z')),
  },
  {
    type: 'timestamptz',
    value: "'2024-07-01 00:00Z'",
    form: 'datetime',
    zone: ZONE,
    bytes: int64(micros('2024-07-01T09:00Z')),
  },
  {
    type: 'uuid',
    value: "'00112233-4455-6677-8899-AABBCCDDEEFF'",
    form: 'uuid',
    bytes: '00112233445566778899aabbccddeeff',
  },
];

const nameOf = (index: number): string => `c${index}`;

function readOf({ form, zone }: Case, index: number): ColumnRead {
  return { name: nameOf(index), encoding: 'portable', form, ...(zone === undefined ? {} : { zone }) };
}

function shapeOf(of: TableDescription, columns: readonly ColumnRead[], keyFields: number): RowShape {
  return { table: of, identity: keyFields > 0 ? 'key' : 'value', columns, keyFields, pair: 'cross-engine' };
}

let cluster: Cluster;
let site: PostgresConnector;
let tables: ReadonlyMap<string, TableDescription>;

function table(name: string): TableDescription {
  const found = tables.get(`public.${name}`);
  if (found === undefined) throw new Error(`no table ${name}`);
  return found;
}

beforeAll(async () => {
  cluster = await createCluster({ version: installedVersions()[0] ?? 14 });
  await cluster.sql(
    `CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE DOMAIN label AS varchar(5);
     CREATE TABLE forms (${CASES.map(({ type }, index) => `${nameOf(index)} ${type}`).join(', ')});
     INSERT INTO forms VALUES (${CASES.map(({ value, type }) => `(${value})::${type}`).join(', ')});
     INSERT INTO forms DEFAULT VALUES;`,
  );
  for (const [index, { type, value }] of CASES.entries()) {
    if (type === 'json') continue;
    await cluster.sql(
      `CREATE TABLE k${index} (id ${type} PRIMARY KEY, v int); INSERT INTO k${index} VALUES ((${value})::${type}, 1);`,
    );
  }
  await cluster.sql(
    `CREATE TABLE others (i int, j jsonb, a int[], r int4range, t time with time zone, n interval, o oid);
     CREATE MATERIALIZED VIEW seen AS SELECT 1 AS id;
     CREATE TABLE pairs (a int, b text, c numeric, d mood, v int, PRIMARY KEY (a, b, c, d));
     INSERT INTO pairs VALUES (1, 'x', 1.50, 'sad', 7), (1, 'y', 1.5, 'glad', 8);`,
  );
  const { address } = parseUrl(cluster.url('postgres', 'postgres'), 'secret');
  site = await connectPostgres(address, { jobs: 2, statementTimeoutMs: 0 }, forever());
  const all = await site.describeTables({ include: ['*'], exclude: [] }, forever());
  tables = new Map(all.map((one) => [one.name, one]));
}, 60_000);

afterAll(async () => {
  await site.close();
  await cluster.destroy();
});

describe('PostgreSQL in portable forms', () => {
  it('offers each type’s forms, and none where there is no rule', () => {
    for (const [index, { form, zone, type }] of CASES.entries()) {
      const forms = table('forms').columns[index]?.portable;
      const offered =
        zone !== undefined ? forms?.inZone : type === 'json' ? forms?.onRequest : forms?.natural;
      expect([type, ...(offered ?? [])]).toContain(form);
    }
    const others = table('others').columns.map(({ portable, encodings }) => [
      portable?.natural.join() ?? null,
      encodings['cross-engine'],
    ]);
    const none = [null, null];
    expect(others).toEqual([['integer,decimal', 'portable'], none, none, none, none, none, none]);
    expect(table('seen').columns[0]?.portable).toBeUndefined();
  });

  it('gives the documented bytes, and NULL as NULL', async () => {
    const shape = shapeOf(table('forms'), CASES.map(readOf), 0);
    const options = { kind: 'slice', rowsMax: 100, bytesMax: 1 << 20 } as const;
    const rows: Uint8Array[] = [];
    for (const range of await site.planRanges(shape, options, forever()))
      rows.push(...(await readRange(site, shape, range)));
    const [values, nulls] = rows.map((row) => fieldsOf(row));
    const got = values?.map((field, index) => [
      CASES[index]?.type,
      CASES[index]?.form,
      field === null ? null : Buffer.from(field).toString('hex'),
    ]);
    expect(got).toEqual(CASES.map(({ type, form, bytes }) => [type, form, bytes]));
    expect(nulls).toEqual(CASES.map(() => null));
  });

  it.each([...CASES.entries()].filter(([, { type }]) => type !== 'json'))(
    'finds a row by its key, case %i',
    async (index, { form, zone, bytes }) => {
      const id: ColumnRead = {
        name: 'id',
        encoding: 'portable',
        form,
        ...(zone === undefined ? {} : { zone }),
      };
      const shape = shapeOf(
        table(`k${index}`),
        [id, { name: 'v', encoding: 'portable', form: 'integer' }],
        1,
      );
      const key = frameFields([Buffer.from(bytes, 'hex')]);
      for (const access of ['index', 'heap'] as const) {
        const found = await site.readRows(shape, [key], access, forever());
        expect(found.map((row) => Buffer.from(row.key).toString('hex'))).toEqual([
          Buffer.from(key).toString('hex'),
        ]);
      }
      // What no column of this type can hold is not there, and no error either.
      const strange = frameFields([Buffer.from('ff00fe0102030405060708', 'hex')]);
      expect(await site.readRows(shape, [strange, key], 'index', forever())).toHaveLength(1);
      expect(await site.describeKeys(shape, [strange, key], forever())).toHaveLength(2);
    },
  );

  it('trims and rounds where it is told to', async () => {
    const columns = [
      { name: 'b', encoding: 'portable', form: 'text', trim: true },
      { name: 'c', encoding: 'portable', form: 'decimal', scale: 0 },
    ] as const;
    const shape = shapeOf(table('pairs'), columns, 0);
    const [range] = await site.planRanges(shape, { kind: 'slice', rowsMax: 9, bytesMax: 1 << 20 }, forever());
    const rows = range === undefined ? [] : await readRange(site, shape, range);
    const texts = rows.map((row) => fieldsOf(row).map((field) => Buffer.from(field ?? []).toString()));
    expect(texts).toEqual([
      ['x', '2'],
      ['y', '2'],
    ]);
  });

  it('finds rows by composite keys, whatever the other engine asks for beside them', async () => {
    const columns = [
      { name: 'a', encoding: 'portable', form: 'decimal' },
      { name: 'b', encoding: 'portable', form: 'text' },
      { name: 'c', encoding: 'portable', form: 'decimal' },
      { name: 'd', encoding: 'portable', form: 'text' },
      { name: 'v', encoding: 'portable', form: 'integer' },
    ] as const;
    const shape = shapeOf(table('pairs'), columns, 4);
    const key = (...parts: string[]): Uint8Array => frameFields(parts.map((part) => Buffer.from(part)));
    const keys = [
      key('1', 'x', '1.5', 'sad'),
      key('1', 'y', '1.5', 'glad'),
      key('1', 'x', '1.5', 'furious'),
      key('18446744073709551615', 'x', '1.5', 'sad'),
      key('1', 'a\0b', '1.5', 'sad'),
      key('1', 'X', '1.5', 'sad'),
    ];
    const found = await site.readRows(shape, keys, 'index', forever());
    expect(found.map((row) => Buffer.from(row.key).toString('hex')).toSorted()).toEqual(
      keys
        .slice(0, 2)
        .map((each) => Buffer.from(each).toString('hex'))
        .toSorted(),
    );
    expect(await site.describeKeys(shape, keys.slice(0, 1), forever())).toEqual([
      { a: '1', b: 'x', c: '1.5', d: 'sad' },
    ]);
  });

  it('writes since a mark come with their keys in portable form', async () => {
    const shape = shapeOf(table('pairs'), [{ name: 'a', encoding: 'portable', form: 'integer' }], 1);
    const mark = await site.markNow(forever());
    await cluster.sql(`UPDATE pairs SET v = 9 WHERE b = 'x'`);
    const sink = new CollectingSink();
    await site.readWrittenSince(shape, mark, sink, forever());
    expect(sink.rows.map((row) => Buffer.from(row).toString('hex'))).toEqual([`000100000008${int64(1n)}`]);
  });
});
