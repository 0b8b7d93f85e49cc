import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EVERY_TYPE, TYPE_ROWS, TYPE_SCHEMA, TYPE_TABLES } from './harness/every-type.ts';
import { replaceInRelation } from './harness/heap.ts';
import { ServerPair } from './harness/server-pair.ts';
import { differing, type Found, SAME } from './harness/verify.ts';

const TABLES = EVERY_TYPE.map(([type], n) => ({ type, table: `one${n}` }));
const HIDDEN = 'CREATE TABLE hidden_bytes (id int PRIMARY KEY, v int[], f float8, g float4, p point);';
const WIDE = ['wide', 'wide_keyless'];

describe('on a logical pair rows are the same in a column of type', () => {
  let pair: ServerPair;
  let same: ReadonlyMap<string, Found>;
  let nulled: ReadonlyMap<string, Found>;
  beforeAll(async () => {
    pair = await ServerPair.logical({ schema: TYPE_SCHEMA + TYPE_TABLES + HIDDEN });
    await pair.write(TYPE_ROWS);
    same = await pair.verifier.findTwice(['*']);
    await pair.tamper(TABLES.map(({ table }) => `UPDATE ${table} SET v = NULL WHERE id = 0;`).join('\n'));
    nulled = await pair.verifier.findTwice(['one*']);
  });
  afterAll(() => pair?.end());

  test.each(TABLES)('$type, until one value is lost', ({ table }) => {
    expect(same.get(table)).toEqual(SAME);
    expect(nulled.get(table)).toEqual(differing({ changed: 1 }, ['changed id=0: v']));
  });

  test.each(WIDE)('every kind at once (%s), until one of them is lost', async (table) => {
    expect(same.get(table)).toEqual(SAME);
    const rows = await pair.candidate.sql(`SELECT ctid::text AS at FROM ${table} ORDER BY ctid LIMIT 1`);
    await pair.tamper(`UPDATE ${table} SET c0 = 7, c10 = 'x' WHERE ctid = '${String(rows[0]?.['at'])}'`);
    expect(await pair.verifier.find(table)).toEqual(
      table === 'wide'
        ? differing({ changed: 1 }, ['changed id=0: c0, c10'])
        : differing({ missing: 1, extra: 1 }, ['missing *', 'extra *']),
    );
  });

  test('and equal values with other bytes inside are the same: null flags of arrays, payloads of NaN', async () => {
    await pair.write(`INSERT INTO hidden_bytes VALUES (1, '{1,5,3}', 'NaN', 'NaN', '(NaN,1)')`);
    await pair.tamper(`UPDATE hidden_bytes SET v = '{1,NULL,3}', f = -f, g = -g, p = point(-(p[0]), 1);
      UPDATE hidden_bytes SET v[2] = 5`);
    const bytes = `SELECT encode(array_send(v) || float8send(f) || float4send(g) || point_send(p), 'hex') AS v
      FROM hidden_bytes`;
    expect(await pair.candidate.sql(bytes)).not.toEqual(await pair.primary.sql(bytes));
    expect(await pair.verifier.find('hidden_bytes')).toEqual(SAME);
  });
});

describe('on a physical pair rows are the same in a column of type', () => {
  let pair: ServerPair;
  let same: ReadonlyMap<string, Found>;
  let edited: ReadonlyMap<string, Found>;
  beforeAll(async () => {
    pair = await ServerPair.physical({ schema: TYPE_SCHEMA + TYPE_TABLES + TYPE_ROWS });
    same = await pair.verifier.findTwice(['*']);
    const files = TABLES.map(({ table }) => `SELECT pg_relation_filepath('${table}') AS path`);
    const paths = (await pair.primary.sql(files.join(' UNION ALL '))).map(({ path }) => String(path));
    await pair.edit(async (target) => {
      // The end of a frozen row's header and the id behind it: 0 becomes 77.
      const head = (id: number): Buffer => Buffer.from([0x0b, 24, 0, id, 0, 0, 0]);
      for (const path of paths) await replaceInRelation(target, path, head(0), head(77));
    });
    edited = await pair.verifier.findTwice(['one*']);
  });
  afterAll(() => pair?.end());

  test.each(TABLES)('$type, until a row is lost', ({ table }) => {
    expect(same.get(table)).toEqual(SAME);
    expect(edited.get(table)).toEqual(differing({ missing: 1, extra: 1 }, ['missing id=0', 'extra id=77']));
  });

  test.each(WIDE)('every kind at once (%s)', (table) => {
    expect(same.get(table)).toEqual(SAME);
  });
});
