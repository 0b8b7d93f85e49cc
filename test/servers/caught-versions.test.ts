import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installedVersions, type PostgresVersion } from '../../src/demo/binaries.ts';
import { EVERY_TYPE, TYPE_ROWS, TYPE_SCHEMA, TYPE_TABLES } from './harness/every-type.ts';
import { eraseTuple, relationPath, replaceInRelation } from './harness/heap.ts';
import { ServerPair } from './harness/server-pair.ts';
import { differing, type Found, SAME } from './harness/verify.ts';

/** The oldest; the newest is what every other test runs on. */
const VERSIONS: readonly PostgresVersion[] = [14];

const TABLES = `CREATE TABLE keyed (id int PRIMARY KEY, v text);
  CREATE TABLE locale (k text COLLATE "en-x-icu" PRIMARY KEY, v text);
  CREATE TABLE bag (a int, v text); ALTER TABLE bag REPLICA IDENTITY FULL;
  CREATE TABLE parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
  CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (6);
  CREATE TABLE parted_high PARTITION OF parted DEFAULT;`;
const ROWS = `INSERT INTO keyed SELECT g, 'row ' || g FROM generate_series(1, 9) g;
  INSERT INTO locale SELECT 'key ' || g, 'row ' || g FROM generate_series(1, 9) g;
  INSERT INTO bag SELECT g / 2, 'x' FROM generate_series(1, 9) g;
  INSERT INTO parted SELECT g, 'row ' || g FROM generate_series(1, 9) g;`;
const TABLE_COUNT = EVERY_TYPE.length + 7;

describe.each(VERSIONS)('PostgreSQL %i', (version) => {
  const missing = !installedVersions().includes(version) && process.env['CI'] === undefined;

  describe.skipIf(missing)('as a logical pair', () => {
    let pair: ServerPair;
    let before: ReadonlyMap<string, Found>;
    let after: ReadonlyMap<string, Found>;
    beforeAll(async () => {
      const schema = TYPE_SCHEMA + TYPE_TABLES + TABLES;
      pair = await ServerPair.logical({
        version,
        schema,
        publicationOptions: 'publish_via_partition_root = true',
      });
      await pair.write(TYPE_ROWS + ROWS);
      before = await pair.verifier.findTwice(['*']);
      const tables = ['keyed', 'parted'].map(
        (table) =>
          `UPDATE ${table} SET v = 'x' WHERE id = 3; DELETE FROM ${table} WHERE id = 7; INSERT INTO ${table} VALUES (99);`,
      );
      await pair.tamper(`${tables.join('\n')} UPDATE bag SET v = 'y' WHERE a = 2;
        UPDATE locale SET v = NULL WHERE k = 'key 3'; UPDATE locale SET k = 'KEY 4' WHERE k = 'key 4'`);
      after = await pair.verifier.findTwice(['keyed', 'parted', 'bag', 'locale']);
    });
    afterAll(() => pair?.end());

    test('finds every type the same, and every kind of table', () => {
      expect(before.size).toBe(TABLE_COUNT);
      for (const [table, found] of before) expect([table, found]).toEqual([table, SAME]);
    });

    test('finds rows that are missing, extra and changed', () => {
      const found = differing({ missing: 1, extra: 1, changed: 1 }, [
        'changed id=3: v',
        'extra id=99',
        'missing id=7',
      ]);
      expect(Object.fromEntries(after)).toEqual({
        keyed: found,
        parted: found,
        bag: differing({ missing: 2, extra: 2 }, ['missing *, (rows)=2', 'extra *, (rows)=2']),
        locale: differing({ missing: 1, extra: 1, changed: 1 }, [
          'changed k=key 3: v',
          'extra k=KEY 4',
          'missing k=key 4',
        ]),
      });
    });
  });

  describe.skipIf(missing)('as a physical pair', () => {
    let pair: ServerPair;
    let before: ReadonlyMap<string, Found>;
    let after: ReadonlyMap<string, Found>;
    beforeAll(async () => {
      pair = await ServerPair.physical({
        version,
        schema: TYPE_SCHEMA + TYPE_TABLES + TYPE_ROWS + TABLES + ROWS,
      });
      before = await pair.verifier.findTwice(['*']);
      const paths: string[] = [];
      for (const table of ['keyed', 'locale', 'parted_high']) {
        paths.push(await relationPath(pair.primary, 'postgres', table));
      }
      const bag = await relationPath(pair.primary, 'postgres', 'bag');
      await pair.edit(async (target) => {
        for (const path of paths) {
          await replaceInRelation(target, path, Buffer.from('row 7'), Buffer.from('row_7'));
          await eraseTuple(target, path, '(0,1)');
        }
        await eraseTuple(target, bag, '(0,9)');
      });
      after = await pair.verifier.findTwice(['keyed', 'parted', 'bag', 'locale']);
    });
    afterAll(() => pair?.end());

    test('finds every type the same, and every kind of table', () => {
      expect(before.size).toBe(TABLE_COUNT);
      for (const [table, found] of before) expect([table, found]).toEqual([table, SAME]);
    });

    test('finds rows that are missing and changed', () => {
      expect(Object.fromEntries(after)).toEqual({
        keyed: differing({ missing: 1, changed: 1 }, ['changed id=7: v', 'missing id=1']),
        parted: differing({ missing: 1, changed: 1 }, ['changed id=7: v', 'missing id=6']),
        bag: differing({ missing: 1 }, ['missing (ctid)=(0,9)']),
        locale: differing({ missing: 1, changed: 1 }, ['changed k=key 7: v', 'missing k=key 1']),
      });
    });
  });
});
