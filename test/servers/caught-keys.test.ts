import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Cluster } from '../../src/demo/cluster.ts';
import { eraseTuple, relationPath, replaceInRelation } from './harness/heap.ts';
import { ServerPair } from './harness/server-pair.ts';
import { differing, type Found, SAME } from './harness/verify.ts';

/** A type that rows can be told apart by, and four of its values as SQL, or as many as it has. */
type KeyType = readonly [type: string, values: readonly string[]];

const KEY_TYPES: readonly KeyType[] = [
  ['bigint', ['-9223372036854775808', '-1', '4294967296', '9223372036854775807']],
  ['smallint', ['-1', '0', '1', '2']],
  ['oid', ['0', '1', '4294967295', '2147483648']],
  ['numeric', ['-0.10', '3', `'NaN'`, `'Infinity'`]],
  ['numeric(12,4)', ['-0.10', '3', '4', '5']],
  ['money', ['-0.10', '3', '4', '5']],
  ['float8', ['0.1', `'NaN'`, `'-Infinity'`, '1e-300']],
  ['float4', ['0.1', `'NaN'`, `'-Infinity'`, '1e-30']],
  ['boolean', ['true', 'false']],
  ['uuid', [1, 2, 3, 4].map((n) => `'0000000${n}-0000-4000-8000-000000000000'`)],
  ['text', [`''`, `'a,"b\\'`, `'{NULL}'`, `'NULL'`]],
  ['text COLLATE "en-x-icu"', [`'a b'`, `'ab'`, `'Ab'`, `'é'`]],
  ['text COLLATE nocase', [`'Kim'`, `'Lee'`, `'Park'`, `'Choi'`]],
  ['varchar(9)', [`'서울'`, `'부산'`, `'대전'`, `'광주'`]],
  ['char(5)', [`'a'`, `'b'`, `'ccccc'`, `''`]],
  ['"char"', [`'a'`, `'b'`, `'c'`, `'d'`]],
  ['name', [`'a'`, `'b'`, `'c'`, `'d'`]],
  ['bytea', [`'\\x'`, `'\\x00'`, `'\\xff'`, `'\\x0000'`]],
  ['bit(4)', [`B'0001'`, `B'0010'`, `B'1111'`, `B'0000'`]],
  ['varbit', [`B'1'`, `B'10'`, `B'100'`, `B''`]],
  ['date', [`'0044-03-15 BC'`, `'infinity'`, `'2026-02-03'`, `'-infinity'`]],
  ['time', [`'00:00'`, `'24:00'`, `'12:00:00.000001'`, `'12:00'`]],
  ['timetz', [`'00:00+09'`, `'24:00-03'`, `'12:00:00.000001+00'`, `'12:00+00'`]],
  ['timestamp', [`'0044-03-15 BC'`, `'infinity'`, `'2026-02-03 00:00:00.000001'`, `'-infinity'`]],
  ['timestamptz', [`'0044-03-15 BC'`, `'infinity'`, `'2026-02-03 00:00:00.000001+00'`, `'-infinity'`]],
  ['interval', [`'1 mon'`, `'1 day'`, `'-1 sec'`, `'1 year'`]],
  ['inet', [`'10.0.0.1'`, `'10.0.0.1/8'`, `'::1'`, `'10.0.0.2'`]],
  ['cidr', [`'10.0.0.0/8'`, `'10.0.0.0/9'`, `'::/0'`, `'10.0.0.0/10'`]],
  ['macaddr', [`'08:00:2b:01:02:03'`, `'08:00:2b:01:02:04'`, `'08:00:2b:01:02:05'`, `'08:00:2b:01:02:06'`]],
  ['pg_lsn', [`'0/1'`, `'1/0'`, `'F/F'`, `'0/0'`]],
  ['xid8', [`'1'`, `'2'`, `'3'`, `'4'`]],
  ['jsonb', [`'{"a": 1}'`, `'[1, null]'`, `'null'`, `'"x"'`]],
  ['tsvector', [`'a'`, `'a b'`, `'c:1A'`, `'d'`]],
  ['int4range', [`'[1,2)'`, `'empty'`, `'(,)'`, `'[5,9)'`]],
  ['int4multirange', [`'{[1,2)}'`, `'{}'`, `'{(,)}'`, `'{[5,9)}'`]],
  ['int[]', [`'{1,2}'`, `'{}'`, `'{NULL}'`, `'{{1,2},{3,4}}'`]],
  ['text[]', [`'{a,"b,c"}'`, `'{}'`, `'{NULL}'`, `'{"NULL"}'`]],
  ['mood', [`'glad'`, `'sad'`, `'so, so'`, `'it''s'`]],
  ['mood[]', [`'{glad}'`, `'{sad,glad}'`, `'{"so, so"}'`, `'{}'`]],
  ['code', [`'A'`, `'B'`, `'C'`, `'D'`]],
  ['pair', [`'(1,a)'`, `'(1,)'`, `'(,"a,b")'`, `'(2,a)'`]],
  ['citext', [`'Kim'`, `'Lee'`, `'Park'`, `'Choi'`]],
  ['ltree', [`'a.b'`, `'a'`, `'b.c'`, `'d'`]],
  ['hstore', [`'a=>1'`, `''`, `'b=>NULL'`, `'c=>1'`]],
  ['cube', [`'(1,2)'`, `'(1,3)'`, `'(0.1)'`, `'(4)'`]],
];

const TYPES = `CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION hstore; CREATE EXTENSION cube;
  CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  CREATE TYPE mood AS ENUM ('glad', 'sad', 'so, so', 'it''s'); CREATE TYPE pair AS (n int, t text);
  CREATE DOMAIN code AS text NOT NULL;`;

const TABLES = KEY_TYPES.map(([type, values], n) => ({ type, values, table: `t${n}` }));
const SCHEMA =
  TYPES +
  TABLES.map(({ type, table }) => `CREATE TABLE ${table} (n int, v text, k ${type} PRIMARY KEY);`).join('\n');
const ROWS = TABLES.map(({ table, values }) => {
  const rows = values.slice(0, 3).map((value, n) => `(${n + 1}, 'alpha${n + 1}', ${value})`);
  return `INSERT INTO ${table} VALUES ${rows.join(', ')};`;
}).join('\n');

/** The text of each key on one server, by table and number of its row. */
async function keyTexts(cluster: Cluster): Promise<ReadonlyMap<string, string>> {
  const parts = TABLES.map(({ table }) => `SELECT '${table} ' || n AS row, k::text AS key FROM ${table}`);
  const rows = await cluster.sql(parts.join(' UNION ALL '));
  return new Map(rows.map(({ row, key }) => [String(row), String(key)]));
}

describe('rows of a subscriber are told apart by a key of type', () => {
  let pair: ServerPair;
  let texts: ReadonlyMap<string, string>;
  let before: ReadonlyMap<string, Found>;
  let after: ReadonlyMap<string, Found>;
  beforeAll(async () => {
    pair = await ServerPair.logical({ schema: SCHEMA });
    await pair.write(ROWS);
    before = await pair.verifier.findTwice(['*']);
    const tampering = TABLES.map(({ table, values }) => {
      const insert =
        values[3] === undefined ? '' : `INSERT INTO ${table} VALUES (4, 'alpha4', ${values[3]});`;
      return `UPDATE ${table} SET v = 'bravo1' WHERE n = 1; DELETE FROM ${table} WHERE n = 2; ${insert}`;
    });
    await pair.tamper(tampering.join('\n'));
    texts = new Map([...(await keyTexts(pair.primary)), ...(await keyTexts(pair.candidate))]);
    after = await pair.verifier.findTwice(['*']);
  });
  afterAll(() => pair?.end());

  test.each(TABLES)('$type', ({ table, values }) => {
    const [changed, missing, extra] = [1, 2, 4].map((n) => `k=${texts.get(`${table} ${n}`)}`);
    const samples = [`changed ${changed}: v`, `missing ${missing}`];
    const expected =
      values[3] === undefined
        ? differing({ changed: 1, missing: 1 }, samples)
        : differing({ changed: 1, missing: 1, extra: 1 }, [...samples, `extra ${extra}`]);
    expect(before.get(table)).toEqual(SAME);
    expect(after.get(table)).toEqual(expected);
  });
});

describe('rows of a standby are told apart by a key of type', () => {
  let pair: ServerPair;
  let texts: ReadonlyMap<string, string>;
  let before: ReadonlyMap<string, Found>;
  let after: ReadonlyMap<string, Found>;
  beforeAll(async () => {
    pair = await ServerPair.physical({ schema: SCHEMA + ROWS });
    before = await pair.verifier.findTwice(['*']);
    texts = await keyTexts(pair.primary);
    const paths = new Map<string, string>();
    for (const { table } of TABLES) paths.set(table, await relationPath(pair.primary, 'postgres', table));
    await pair.edit(async (target) => {
      for (const path of paths.values()) {
        await replaceInRelation(target, path, Buffer.from('alpha1'), Buffer.from('bravo1'));
        await eraseTuple(target, path, '(0,2)');
      }
    });
    after = await pair.verifier.findTwice(['*']);
  });
  afterAll(() => pair?.end());

  test.each(TABLES)('$type', ({ table }) => {
    const [changed, missing] = [1, 2].map((n) => `k=${texts.get(`${table} ${n}`)}`);
    expect(before.get(table)).toEqual(SAME);
    expect(after.get(table)).toEqual(
      differing({ changed: 1, missing: 1 }, [`changed ${changed}: v`, `missing ${missing}`]),
    );
  });
});
