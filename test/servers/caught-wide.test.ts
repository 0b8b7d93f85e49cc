import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { relationPath, replaceInRelation } from './harness/heap.ts';
import { ServerPair } from './harness/server-pair.ts';
import { differing, type Found, SAME } from './harness/verify.ts';

const HOSTILE = '"we""ird; drop table x"';

/** Rows larger than a read off the socket, than the kernel's input, and than a whole range is meant to be. */
const WIDE = `CREATE TABLE wide (id int PRIMARY KEY, big text, n int); ALTER TABLE wide ALTER big SET STORAGE EXTERNAL;
  CREATE TABLE wide_bag (big text, n int); ALTER TABLE wide_bag ALTER big SET STORAGE EXTERNAL;
  CREATE TABLE wide_key (k text PRIMARY KEY, n int); CREATE TABLE many (id int PRIMARY KEY, n int);`;

const WIDE_ROWS = `INSERT INTO wide SELECT g, repeat(md5(g::text), 32768), g FROM generate_series(1, 4) g;
  INSERT INTO wide VALUES (9, repeat('0123456789abcdef', 1966080), 9);
  INSERT INTO wide_bag SELECT big, n FROM wide WHERE id < 9;
  INSERT INTO wide_key SELECT (SELECT string_agg(md5((g * 1000 + i)::text), '') FROM generate_series(1, 60) i), g
    FROM generate_series(1, 3000) g;
  INSERT INTO many SELECT g, g FROM generate_series(1, 100000) g;`;

const LAYOUTS = `CREATE TABLE ${HOSTILE} ("t" int, "we""ird" text, "select" int, "ctid " int, "xmin1" int,
    PRIMARY KEY ("select", "we""ird"));
  INSERT INTO ${HOSTILE} SELECT g, 'y"''' || g, g, g, g FROM generate_series(1, 9) g;
  CREATE SCHEMA "은행"; CREATE TABLE "은행"."계좌" ("번호" text PRIMARY KEY, "잔액 🙂" numeric);
  INSERT INTO "은행"."계좌" VALUES ('하나', 1.0), ('둘', NULL);
  CREATE TABLE parent (id int PRIMARY KEY, v text); CREATE TABLE child (x int) INHERITS (parent);
  INSERT INTO parent VALUES (1, 'parent'); INSERT INTO child VALUES (1, 'child', 7), (1, 'child', 7);
  CREATE TABLE gaps (a int, v text, b int); INSERT INTO gaps SELECT g, 'x', g FROM generate_series(1, 99) g;
  ALTER TABLE gaps DROP COLUMN v; ALTER TABLE gaps ADD COLUMN late text DEFAULT 'late'; DELETE FROM gaps WHERE a % 3 = 0;
  CREATE TABLE parted (id int, v text) PARTITION BY LIST (id); CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN (1);
  CREATE TABLE parted_b PARTITION OF parted DEFAULT; INSERT INTO parted SELECT g, 'x' FROM generate_series(1, 9) g;
  CREATE TABLE generated (id int PRIMARY KEY GENERATED ALWAYS AS IDENTITY, a int, twice int GENERATED ALWAYS AS (a * 2) STORED);
  INSERT INTO generated (a) VALUES (1), (2); CREATE TABLE nothing (id int PRIMARY KEY); CREATE TABLE hollow ();
  CREATE TABLE rootless (id int PRIMARY KEY) PARTITION BY RANGE (id);`;

const LAYOUT_NAMES = [
  'we"ird; drop table x',
  '은행.계좌',
  'parent',
  'child',
  'gaps',
  'parted',
  'generated',
  'nothing',
  'hollow',
  'rootless',
];

describe('on a logical pair', () => {
  let pair: ServerPair;
  beforeAll(async () => {
    pair = await ServerPair.logical({ schema: WIDE });
    await pair.write(WIDE_ROWS);
  });
  afterAll(() => pair?.end());

  test('rows of a megabyte and of thirty are the same, and one byte in them is found', async () => {
    for (const [table, found] of await pair.verifier.findTwice(['*']))
      expect([table, found]).toEqual([table, SAME]);
    await pair.tamper(`UPDATE wide SET big = overlay(big placing '#' from 31000000) WHERE id = 9;
      UPDATE wide_bag SET big = overlay(big placing '#' from 1000000) WHERE n = 2;
      UPDATE wide_key SET n = 0 WHERE n = 2999; DELETE FROM many WHERE id = 77777`);
    const found = await pair.verifier.findTwice(['*']);
    expect(found.get('wide')).toEqual(differing({ changed: 1 }, ['changed id=9: big']));
    expect(found.get('wide_bag')).toEqual(differing({ missing: 1, extra: 1 }, ['missing *', 'extra *']));
    expect(found.get('wide_key')).toMatchObject({ outcome: 'different', missing: 0, extra: 0, changed: 1 });
    expect(found.get('many')).toEqual(differing({ missing: 1 }, ['missing id=77777']));
  });
});

describe('on a physical pair', () => {
  let pair: ServerPair;
  let before: ReadonlyMap<string, Found>;
  let after: ReadonlyMap<string, Found>;
  beforeAll(async () => {
    pair = await ServerPair.physical({ schema: WIDE + WIDE_ROWS + LAYOUTS });
    before = await pair.verifier.findTwice(['*']);
    const toast = `SELECT pg_relation_filepath(reltoastrelid) AS path FROM pg_class WHERE relname = 'wide'`;
    const [row] = await pair.primary.sql(toast);
    const hostile = await relationPath(pair.primary, 'postgres', HOSTILE);
    const child = await relationPath(pair.primary, 'postgres', 'child');
    const parted = await relationPath(pair.primary, 'postgres', 'parted_b');
    await pair.edit(async (target) => {
      const piece = Buffer.from('0123456789abcdef0123');
      const other = Buffer.from('0123456789abcdef#123');
      await replaceInRelation(target, String(row?.['path']), piece, other, { every: 900_000, count: 1 });
      await replaceInRelation(target, hostile, Buffer.from(`y"'3`), Buffer.from(`y"'0`));
      await replaceInRelation(target, child, Buffer.from('child'), Buffer.from('child'.toUpperCase()), {
        count: 1,
      });
      await replaceInRelation(
        target,
        parted,
        Buffer.from([5, 0, 0, 0, 5, 0x78]),
        Buffer.from([5, 0, 0, 0, 5, 0x79]),
      );
    });
    after = await pair.verifier.findTwice(['*']);
  });
  afterAll(() => pair?.end());

  test.each([...LAYOUT_NAMES, 'wide', 'wide_bag', 'wide_key', 'many'])(
    'the table %s is the same',
    (table) => {
      expect(before.get(table)).toEqual(SAME);
    },
  );

  test('what rots out of line, under a hostile name, in a child or in a partition is found', () => {
    expect(after.get('wide')).toEqual(differing({ changed: 1 }, ['changed id=9: big']));
    expect(after.get('we"ird; drop table x')).toEqual(
      differing({ missing: 1, extra: 1 }, [`missing select=3, we"ird=y"'3`, `extra select=3, we"ird=y"'0`]),
    );
    expect(after.get('child')).toEqual(differing({ changed: 1 }, ['changed (ctid)=(0,2): v']));
    expect(after.get('parted')).toEqual(differing({ changed: 1 }, ['changed (ctid)=(0,4): v']));
    expect(after.get('parent')).toEqual(SAME);
  });
});
