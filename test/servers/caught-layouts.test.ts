import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServerPair } from './harness/server-pair.ts';
import { differing, type Found, SAME } from './harness/verify.ts';

/** A table that looks different on the two sites of a logical pair and holds the same rows. */
interface Layout {
  readonly name: string;
  /** As the catalog has it, for selection; `t` with a number unless told. */
  readonly table?: string;
  /** Statements on the publisher, $t is the table. */
  readonly here: string;
  /** On the subscriber, where it is otherwise. */
  readonly there?: string;
  /** Statements on the publisher, after replication has begun. */
  readonly rows: string;
  /** Statements on the subscriber afterwards. */
  readonly after?: string;
}

const ROWS = `INSERT INTO $t (id, v) SELECT g, 'row ' || g FROM generate_series(1, 60) g`;
const PARTED = 'CREATE TABLE $t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)';
const HALVES = `${PARTED}; CREATE TABLE $t_a PARTITION OF $t FOR VALUES FROM (0) TO (30);
  CREATE TABLE $t_b PARTITION OF $t DEFAULT`;
const HASHED = `CREATE TABLE $t (v text, id int PRIMARY KEY) PARTITION BY HASH (id);
  CREATE TABLE $t_x PARTITION OF $t FOR VALUES WITH (MODULUS 2, REMAINDER 0) PARTITION BY RANGE (id);
  CREATE TABLE $t_y PARTITION OF $t FOR VALUES WITH (MODULUS 2, REMAINDER 1);
  CREATE TABLE $t_z PARTITION OF $t_x DEFAULT`;
const PLAIN = 'CREATE TABLE $t (id int PRIMARY KEY, v text)';
const WEIRD = '"we""ird; drop table x"';

const LAYOUTS: readonly Layout[] = [
  {
    name: 'columns in another order',
    here: PLAIN,
    there: 'CREATE TABLE $t (v text, id int PRIMARY KEY)',
    rows: ROWS,
  },
  {
    name: 'columns dropped on one site, with their values',
    here: 'CREATE TABLE $t (a text DEFAULT 1, id int PRIMARY KEY, b int DEFAULT 2, v text)',
    there: 'CREATE TABLE $t (id int PRIMARY KEY, x xml, v text); ALTER TABLE $t DROP COLUMN x',
    rows: `ALTER TABLE $t DROP COLUMN a; ALTER TABLE $t DROP COLUMN b; ${ROWS}`,
  },
  { name: 'a partitioned table as a plain one', here: HALVES, there: PLAIN, rows: ROWS },
  { name: 'a plain table as a partitioned one', here: PLAIN, there: HALVES, rows: ROWS },
  { name: 'other partitions, at several levels', here: HALVES, there: HASHED, rows: ROWS },
  {
    name: 'other partitions without a key',
    here: `CREATE TABLE $t (id int, v text) PARTITION BY LIST (id); CREATE TABLE $t_a PARTITION OF $t DEFAULT`,
    there: `CREATE TABLE $t (id int, v text) PARTITION BY RANGE (id); CREATE TABLE $t_a PARTITION OF $t DEFAULT;
      CREATE TABLE $t_b PARTITION OF $t FOR VALUES FROM (20) TO (40)`,
    rows: `${ROWS}; ${ROWS}`,
  },
  {
    name: 'a partition whose columns stand otherwise than its root’s',
    here: `${PARTED}; CREATE TABLE $t_a (x int, v text, id int NOT NULL); ALTER TABLE $t_a DROP COLUMN x;
      ALTER TABLE $t ATTACH PARTITION $t_a DEFAULT`,
    there: HALVES,
    rows: ROWS,
  },
  { name: 'a partitioned table without partitions', here: PARTED, there: HASHED, rows: 'SELECT 1' },
  {
    name: 'another physical order, with dead rows and holes',
    here: PLAIN,
    rows: `INSERT INTO $t SELECT g, 'old' FROM generate_series(60, 1, -1) g; UPDATE $t SET v = 'new';
      DELETE FROM $t WHERE id % 7 = 0`,
    after: 'CLUSTER $t USING $t_pkey; VACUUM FULL $t',
  },
  {
    name: 'bloat on the subscriber only',
    here: PLAIN,
    rows: ROWS,
    after: `UPDATE $t SET v = v || 'x'; UPDATE $t SET v = rtrim(v, 'x'); UPDATE $t SET v = v`,
  },
  {
    name: 'values compressed and stored in other ways',
    here: `CREATE TABLE $t (id int PRIMARY KEY, v text, w bytea); ALTER TABLE $t ALTER v SET STORAGE EXTERNAL`,
    there: `CREATE TABLE $t (id int PRIMARY KEY, v text, w bytea); ALTER TABLE $t ALTER w SET STORAGE EXTERNAL`,
    rows: `INSERT INTO $t SELECT g, repeat('가나다', g * 300), decode(repeat('00ff', g * 900), 'hex')
      FROM generate_series(1, 20) g`,
  },
  {
    name: 'generated and identity columns',
    here: `CREATE TABLE $t (id int PRIMARY KEY, v text, n bigint GENERATED ALWAYS AS IDENTITY,
      twice int GENERATED ALWAYS AS (id * 2) STORED)`,
    rows: ROWS,
  },
  { name: 'rows of an empty table', here: PLAIN, rows: 'SELECT 1' },
  { name: 'rows of an empty table without a key', here: 'CREATE TABLE $t (v text)', rows: 'SELECT 1' },
  {
    name: 'rows without columns',
    here: 'CREATE TABLE $t ()',
    rows: 'INSERT INTO $t SELECT FROM generate_series(1, 5)',
  },
  {
    name: 'inheritance children, each by itself',
    here: `${PLAIN}; CREATE TABLE $t_child (extra int, PRIMARY KEY (id)) INHERITS ($t)`,
    rows: `${ROWS}; INSERT INTO $t_child VALUES (1, 'child', 7)`,
  },
  {
    name: 'hostile names of table and columns',
    table: `public.${WEIRD}`,
    here: `CREATE TABLE ${WEIRD} ("t" int, "k0" text, "we""ird" text, "select" int, "ctid " int, "wanted" int, "n" int,
      "$1" int, "a.b" int, "%s" int, "'; --" int, PRIMARY KEY ("select", "we""ird", "ctid "))`,
    rows: `INSERT INTO ${WEIRD} SELECT g, 'x', 'y"''' || g, g, g, g, g, g, g, g, g FROM generate_series(1, 9) g`,
  },
  {
    name: 'names in another script',
    table: '"은행"."계좌"',
    here: 'CREATE SCHEMA "은행"; CREATE TABLE "은행"."계좌" ("번호" text PRIMARY KEY, "잔액 🙂" numeric)',
    rows: `INSERT INTO "은행"."계좌" VALUES ('하나', 1.0), ('둘', NULL)`,
  },
  {
    name: 'a name in capitals with a dot and a star',
    table: '"public"."My.Table*"',
    here: 'CREATE TABLE "My.Table*" ("ID" int PRIMARY KEY)',
    rows: 'INSERT INTO "My.Table*" VALUES (1)',
  },
];

const NUMBERED = LAYOUTS.map((layout, n) => ({ layout, table: `t${n}` }));

function statements(part: (layout: Layout) => string): string {
  return NUMBERED.map(({ layout, table }) => `${part(layout).replaceAll('$t', table)};`).join('\n');
}

/** The name under which a result stands. */
function plain(name: string): string {
  return name
    .replace(/"((?:[^"]|"")+)"/g, (_, inner: string) => inner.replaceAll('""', '"'))
    .replace(/^public\./, '');
}

describe('on a logical pair it is no difference to have', () => {
  let pair: ServerPair;
  let found: ReadonlyMap<string, Found>;
  beforeAll(async () => {
    pair = await ServerPair.logical({
      schema: statements(({ here }) => here),
      candidateSchema: statements(({ here, there = here }) => there),
      publicationOptions: 'publish_via_partition_root = true',
    });
    await pair.write(statements(({ rows }) => rows));
    for (const { layout, table } of NUMBERED) {
      for (const step of layout.after?.split(';') ?? []) await pair.tamper(step.replaceAll('$t', table));
    }
    found = await pair.verifier.findTwice(['*']);
  });
  afterAll(() => pair?.end());

  test.each(NUMBERED.map(({ layout, table }) => [layout.name, layout.table ?? table] as const))(
    '%s',
    async (_, table) => {
      expect(found.get(plain(table))).toEqual(SAME);
      expect((await pair.verifier.run([table])).outcome).toBe('same');
    },
  );

  test('no more tables than there are, and no partition as a table', async () => {
    const children = NUMBERED.filter(({ layout }) => layout.here.includes('INHERITS')).map(
      ({ table }) => `${table}_child`,
    );
    const names = [...NUMBERED.map(({ layout, table }) => plain(layout.table ?? table)), ...children];
    expect(new Set(found.keys())).toEqual(new Set(names));
  });

  test('rows with hostile names are named by them when they differ', async () => {
    await pair.tamper(
      `UPDATE ${WEIRD} SET "'; --" = 0, "$1" = 0, "t" = 0 WHERE "select" = 3; DELETE FROM ${WEIRD} WHERE "select" = 4`,
    );
    const name = `public.${WEIRD}`;
    const key = (n: number): string => `select=${n}, we"ird=y"'${n}, ctid =${n}`;
    const samples = [`changed ${key(3)}: t, $1, '; --`, `missing ${key(4)}`];
    const [only] = (await pair.verifier.findTwice([name])).values();
    expect(only).toEqual(differing({ changed: 1, missing: 1 }, samples));
  });
});
