import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServerPair } from './harness/server-pair.ts';
import { differing, type Found, SAME } from './harness/verify.ts';

/** Rows of one table that a subscriber lacks, has too many of, or has otherwise. */
interface Loss {
  readonly name: string;
  /** What follows CREATE TABLE and its name. */
  readonly table: string;
  /** More statements on both sites; $t is the table's name. */
  readonly also?: string;
  /** What follows INSERT INTO and the table's name. */
  readonly rows: string;
  /** Statements on the subscriber. */
  readonly tamper: string;
  readonly found: Found;
}

const NOCASE = `CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);`;
const KEYED = '(id int PRIMARY KEY, v text)';
const KEYLESS = '(a int, v text)';
const FULL = 'ALTER TABLE $t REPLICA IDENTITY FULL';
const TEN = `SELECT g, 'row ' || g FROM generate_series(1, 10) g`;
const THOUSANDS = `SELECT g, 'row ' || g FROM generate_series(1, 5000) g`;

const LOSSES: readonly Loss[] = [
  {
    name: 'a row that is missing',
    table: KEYED,
    rows: TEN,
    tamper: 'DELETE FROM $t WHERE id = 10',
    found: differing({ missing: 1 }, ['missing id=10']),
  },
  {
    name: 'a row that nobody sent',
    table: KEYED,
    rows: TEN,
    tamper: `INSERT INTO $t VALUES (0, 'row 0')`,
    found: differing({ extra: 1 }, ['extra id=0']),
  },
  {
    name: 'a row that took the place of another',
    table: KEYED,
    rows: TEN,
    tamper: 'UPDATE $t SET id = 11 WHERE id = 5',
    found: differing({ missing: 1, extra: 1 }, ['extra id=11', 'missing id=5']),
  },
  {
    name: 'a row replaced by its neighbour',
    table: KEYED,
    rows: TEN,
    tamper: `UPDATE $t SET v = 'row 6' WHERE id = 5`,
    found: differing({ changed: 1 }, ['changed id=5: v']),
  },
  {
    name: 'keys swapped between two rows',
    table: '(id int PRIMARY KEY DEFERRABLE, v text, UNIQUE (v))',
    also: 'ALTER TABLE $t REPLICA IDENTITY FULL',
    rows: TEN,
    tamper: 'UPDATE $t SET id = 11 - id WHERE id IN (1, 10)',
    found: differing({ changed: 2 }, ['changed id=1: v', 'changed id=10: v']),
  },
  {
    name: 'every row of a table that was emptied',
    table: KEYED,
    rows: `SELECT g, 'x' FROM generate_series(1, 3) g`,
    tamper: 'TRUNCATE $t',
    found: differing({ missing: 3 }, ['missing id=1', 'missing id=2', 'missing id=3']),
  },
  {
    name: 'one row of each kind, among thousands in another order',
    table: KEYED,
    rows: THOUSANDS,
    tamper: `CREATE TABLE copy AS SELECT * FROM $t; TRUNCATE $t; INSERT INTO $t SELECT * FROM copy ORDER BY -id;
      DROP TABLE copy; DELETE FROM $t WHERE id = 1; UPDATE $t SET v = 'x' WHERE id = 2500; INSERT INTO $t VALUES (7000)`,
    found: differing({ missing: 1, extra: 1, changed: 1 }, [
      'changed id=2500: v',
      'extra id=7000',
      'missing id=1',
    ]),
  },
  {
    name: 'a row of a composite key',
    table: '(a int, b text, v int, PRIMARY KEY (b, a))',
    rows: `VALUES (1, 'x', 1), (1, 'y', 1), (2, 'x', 1)`,
    tamper: `UPDATE $t SET b = 'z' WHERE a = 2; UPDATE $t SET v = 2 WHERE a = 1 AND b = 'x'`,
    found: differing({ missing: 1, extra: 1, changed: 1 }, [
      'changed b=x, a=1: v',
      'extra b=z, a=2',
      'missing b=x, a=2',
    ]),
  },
  {
    name: 'a key in other letters, which the collation takes for the same',
    table: '(k text COLLATE nocase PRIMARY KEY, v int)',
    rows: `VALUES ('Kim', 1), ('Lee', 2)`,
    tamper: `UPDATE $t SET k = 'kim' WHERE v = 1`,
    found: differing({ missing: 1, extra: 1 }, ['missing k=Kim', 'extra k=kim']),
  },
  {
    name: 'a key of another scale, which is the same number',
    table: '(k numeric PRIMARY KEY, v int)',
    rows: 'VALUES (1.0, 1), (2.0, 2)',
    tamper: 'UPDATE $t SET k = 1.00 WHERE v = 1',
    found: differing({ missing: 1, extra: 1 }, ['missing k=1.0', 'extra k=1.00']),
  },
  {
    name: 'a key of minus zero against zero',
    table: '(k float8 PRIMARY KEY, v int)',
    rows: 'VALUES (0, 1), (2, 2)',
    tamper: `UPDATE $t SET k = '-0' WHERE v = 1`,
    found: differing({ missing: 1, extra: 1 }, ['missing k=0', 'extra k=-0']),
  },
  {
    name: 'a unique key that is not the primary one',
    table: '(v text, code text NOT NULL UNIQUE)',
    also: 'ALTER TABLE $t REPLICA IDENTITY FULL',
    rows: `VALUES ('x', 'one'), ('y', 'two'), (NULL, 'three')`,
    tamper: `UPDATE $t SET v = '' WHERE code = 'three'`,
    found: differing({ changed: 1 }, ['changed code=three: v']),
  },
  {
    name: 'four equal rows against two, without a key',
    table: KEYLESS,
    also: FULL,
    rows: `VALUES (1, 'x'), (1, 'x'), (2, 'y')`,
    tamper: `INSERT INTO $t VALUES (1, 'x'), (1, 'x')`,
    found: differing({ extra: 2 }, ['extra *, (rows)=2']),
  },
  {
    name: 'two equal rows against four, without a key',
    table: KEYLESS,
    also: FULL,
    rows: `VALUES (1, 'x'), (1, 'x'), (1, 'x'), (1, 'x'), (2, 'y')`,
    tamper: 'DELETE FROM $t WHERE ctid IN (SELECT ctid FROM $t WHERE a = 1 LIMIT 2)',
    found: differing({ missing: 2 }, ['missing *, (rows)=2']),
  },
  {
    name: 'two equal rows against two others, without a key',
    table: KEYLESS,
    also: FULL,
    rows: `VALUES (1, 'x'), (1, 'x'), (2, 'y')`,
    tamper: `UPDATE $t SET v = 'z' WHERE a = 1`,
    found: differing({ missing: 2, extra: 2 }, ['extra *, (rows)=2', 'missing *, (rows)=2']),
  },
  {
    name: 'rows that trade a pair with each other, without a key',
    table: KEYLESS,
    rows: `VALUES (1, 'x'), (1, 'x'), (2, 'y')`,
    tamper: `DELETE FROM $t; INSERT INTO $t VALUES (1, 'x'), (2, 'y'), (2, 'y')`,
    found: differing({ missing: 1, extra: 1 }, ['extra *', 'missing *']),
  },
  {
    name: 'a row replaced by its neighbour, without a key',
    table: KEYLESS,
    rows: TEN,
    tamper: `UPDATE $t SET a = 6, v = 'row 6' WHERE a = 5`,
    found: differing({ missing: 1, extra: 1 }, ['extra *', 'missing *']),
  },
  {
    name: 'values swapped between two rows, without a key',
    table: KEYLESS,
    rows: TEN,
    tamper: 'UPDATE $t SET a = 3 - a WHERE a < 3',
    found: differing({ missing: 2, extra: 2 }, ['extra *', 'extra *', 'missing *', 'missing *']),
  },
  {
    name: 'a row of NULLs against one of empty strings, without a key',
    table: '(a text, b text)',
    rows: `VALUES (NULL, ''), ('', NULL), (NULL, NULL)`,
    tamper: `UPDATE $t SET a = '', b = '' WHERE a IS NULL AND b IS NULL`,
    found: differing({ missing: 1, extra: 1 }, ['extra *', 'missing *']),
  },
  {
    name: 'a unique key with NULLs, by which no row is known',
    table: '(a int UNIQUE, v text)',
    also: FULL,
    rows: `VALUES (1, 'x'), (NULL, 'y'), (NULL, 'y')`,
    tamper: 'DELETE FROM $t WHERE ctid = (SELECT max(ctid) FROM $t WHERE a IS NULL)',
    found: differing({ missing: 1 }, ['missing *']),
  },
  {
    name: 'rows of a table without columns, which can only be counted',
    table: '()',
    rows: 'SELECT FROM generate_series(1, 5)',
    tamper: 'DELETE FROM $t WHERE ctid IN (SELECT ctid FROM $t LIMIT 2)',
    found: differing({ missing: 2 }, ['missing *, (rows)=2']),
  },
  {
    name: 'rows of partitions that were dropped',
    table: '(id int, v text, PRIMARY KEY (id)) PARTITION BY RANGE (id)',
    also: `CREATE TABLE $t_low PARTITION OF $t FOR VALUES FROM (0) TO (8); CREATE TABLE $t_high PARTITION OF $t DEFAULT`,
    rows: TEN,
    tamper: 'DROP TABLE $t_high',
    found: differing({ missing: 3 }, ['missing id=10', 'missing id=8', 'missing id=9']),
  },
  {
    name: 'rows of a partition, without a key',
    table: '(id int, v text) PARTITION BY LIST (id)',
    also: `CREATE TABLE $t_one PARTITION OF $t FOR VALUES IN (1); CREATE TABLE $t_rest PARTITION OF $t DEFAULT`,
    rows: TEN,
    tamper: 'TRUNCATE $t_one',
    found: differing({ missing: 1 }, ['missing *']),
  },
  {
    name: 'rows of an inheritance child apart from those of its parent',
    table: KEYED,
    also: 'CREATE TABLE $t_child (PRIMARY KEY (id)) INHERITS ($t)',
    rows: `SELECT g, 'parent' FROM generate_series(1, 2) g; INSERT INTO $t_child VALUES (3, 'child')`,
    tamper: `UPDATE ONLY $t SET v = 'x' WHERE id = 1; DELETE FROM $t_child`,
    found: differing({ changed: 1 }, ['changed id=1: v']),
  },
];

const NUMBERED = LOSSES.map((loss, n) => ({ loss, table: `t${n}` }));

function statements(part: (loss: Loss) => string): string {
  return NUMBERED.map(({ loss, table }) => `${part(loss).replaceAll('$t', table)};`).join('\n');
}

describe('what a subscriber has is told from what it should have by', () => {
  let pair: ServerPair;
  let before: ReadonlyMap<string, Found>;
  let after: ReadonlyMap<string, Found>;
  beforeAll(async () => {
    const schema = statements(({ table, also = '' }) => `CREATE TABLE $t ${table}; ${also}`);
    pair = await ServerPair.logical({
      schema: NOCASE + schema,
      publicationOptions: 'publish_via_partition_root = true',
    });
    await pair.write(statements(({ rows }) => `INSERT INTO $t ${rows}`));
    before = await pair.verifier.findTwice(['*']);
    await pair.tamper(statements(({ tamper }) => tamper));
    after = await pair.verifier.findTwice(['*']);
  });
  afterAll(() => pair?.end());

  test.each(NUMBERED.map(({ loss, table }) => [loss.name, table, loss.found] as const))(
    '%s',
    (_, table, found) => {
      expect(before.get(table)).toEqual(SAME);
      expect(after.get(table)).toEqual(found);
    },
  );

  test('rows that were compared, counted on each site', async () => {
    const { tables } = await pair.verifier.run(['t0', 't1', 't12']);
    expect(tables.map(({ table, rows }) => [table, rows])).toEqual([
      ['public.t0', { primary: 10n, candidate: 9n }],
      ['public.t1', { primary: 10n, candidate: 11n }],
      ['public.t12', { primary: 3n, candidate: 5n }],
    ]);
  });

  test('all differences one by one, where there are more than samples', async () => {
    await pair.write(`INSERT INTO t5 SELECT g, 'y' FROM generate_series(101, 3100) g`);
    await pair.tamper(`UPDATE t5 SET v = 'z' WHERE id BETWEEN 101 AND 2600; DELETE FROM t5 WHERE id > 3000`);
    for (const restless of [false, true]) {
      const listed: Record<string, number> = {};
      const found = await pair.verifier.find('t5', {
        restless,
        onDifference: async ({ kind, columns = [] }) => {
          const name = [kind, ...columns].join(' ');
          listed[name] = (listed[name] ?? 0) + 1;
        },
      });
      expect(found).toMatchObject({ missing: 103, extra: 0, changed: 2500 });
      expect(found.samples).toHaveLength(20);
      expect(listed).toEqual({ 'changed v': 2500, missing: 103 });
    }
  });
});
