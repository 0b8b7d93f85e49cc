import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CrossPair, mappingOf } from './harness/cross-pair.ts';
import { describeLongMysql } from './harness/mysql-suite.ts';
import { differing, SAME } from './harness/verify.ts';

/** A column of both engines, two values that both write alike, and what the configuration must say. */
interface Column {
  readonly name: string;
  readonly postgres: string;
  readonly mysql: string;
  readonly values: readonly [string, string];
  /** The same as `values`, where MySQL writes them otherwise. */
  readonly mysqlValues?: readonly [string, string];
  readonly as?: 'boolean' | 'uuid';
  readonly zone?: string;
}

const UUIDS = ["'00112233-4455-6677-8899-aabbccddeeff'", "'10112233-4455-6677-8899-aabbccddeeff'"] as const;

/** At least one for every portable form. */
const COLUMNS: readonly Column[] = [
  { name: 'flag', postgres: 'boolean', mysql: 'tinyint(1)', values: ['true', 'false'], as: 'boolean' },
  {
    name: 'bit1',
    postgres: 'boolean',
    mysql: 'bit(1)',
    values: ['true', 'false'],
    mysqlValues: ["b'1'", "b'0'"],
    as: 'boolean',
  },
  { name: 'tiny', postgres: 'smallint', mysql: 'tinyint', values: ['-128', '127'] },
  { name: 'whole', postgres: 'integer', mysql: 'mediumint unsigned', values: ['16777215', '0'] },
  {
    name: 'big',
    postgres: 'bigint',
    mysql: 'bigint',
    values: ['-9223372036854775808', '9223372036854775807'],
  },
  { name: 'huge', postgres: 'numeric(20)', mysql: 'bigint unsigned', values: ['18446744073709551615', '0'] },
  { name: 'money', postgres: 'numeric(12,2)', mysql: 'decimal(14,4)', values: ['-1234567.50', '0.05'] },
  { name: 'single', postgres: 'real', mysql: 'float', values: ['0.1', '1e-30'] },
  { name: 'dbl', postgres: 'double precision', mysql: 'double', values: ['0.1', '-1.7976931348623157e308'] },
  { name: 'note', postgres: 'text', mysql: 'longtext', values: ["'käse 🧀 '", "'Käse 🧀 '"] },
  {
    name: 'latin',
    postgres: 'varchar(20)',
    mysql: 'varchar(20) character set latin1',
    values: ["'é '", "'e'"],
  },
  { name: 'padded', postgres: 'character(5)', mysql: 'char(5)', values: ["'ab'", "'abc'"] },
  { name: 'mood', postgres: 'mood', mysql: "enum('sad','glad')", values: ["'sad'", "'glad'"] },
  {
    name: 'raw',
    postgres: 'bytea',
    mysql: 'varbinary(20)',
    values: [String.raw`'\x00ff'`, String.raw`'\x00'`],
    mysqlValues: ["x'00ff'", "x'00'"],
  },
  { name: 'born', postgres: 'date', mysql: 'date', values: ["'1000-01-01'", "'9999-12-31'"] },
  {
    name: 'at_time',
    postgres: 'time(6)',
    mysql: 'time(6)',
    values: ["'23:59:59.999999'", "'23:59:59.999998'"],
  },
  {
    name: 'happened',
    postgres: 'timestamp(6)',
    mysql: 'datetime(6)',
    values: ["'2024-02-29 12:00:00.000001'", "'2024-02-29 12:00:00.000002'"],
  },
  {
    name: 'instant_at',
    postgres: 'timestamptz',
    mysql: 'timestamp(6)',
    values: ["'2024-02-29 12:00:00.000001+00'", "'2024-02-29 12:00:01+00'"],
    mysqlValues: ["'2024-02-29 12:00:00.000001'", "'2024-02-29 12:00:01'"],
  },
  {
    name: 'seoul_at',
    postgres: 'timestamp',
    mysql: 'timestamp(6)',
    values: ["'2024-02-29 21:00:00'", "'2024-02-29 21:00:01'"],
    mysqlValues: ["'2024-02-29 12:00:00'", "'2024-02-29 12:00:01'"],
    zone: 'Asia/Seoul',
  },
  {
    name: 'seoul_local',
    postgres: 'timestamptz',
    mysql: 'datetime',
    values: ["'2024-02-29 12:00:00+00'", "'2024-02-29 12:00:01+00'"],
    mysqlValues: ["'2024-02-29 21:00:00'", "'2024-02-29 21:00:01'"],
    zone: 'Asia/Seoul',
  },
  { name: 'ref', postgres: 'uuid', mysql: 'char(36)', values: UUIDS, as: 'uuid' },
  {
    name: 'packed',
    postgres: 'uuid',
    mysql: 'binary(16)',
    values: UUIDS,
    mysqlValues: ["x'00112233445566778899aabbccddeeff'", "x'10112233445566778899aabbccddeeff'"],
    as: 'uuid',
  },
];

const MEANING = Object.fromEntries(
  COLUMNS.flatMap(({ name, as, zone }) =>
    as === undefined && zone === undefined ? [] : [[name, { as: as ?? null, zone: zone ?? null }]],
  ),
);

/** Row 0 is of NULLs; row n has the first value of every column. */
function rowsSql(values: (column: Column) => string): string {
  const nulls = COLUMNS.map(() => 'NULL').join();
  const all = COLUMNS.map(values).join();
  return [`(0,${nulls})`, ...COLUMNS.map((_, index) => `(${index + 1},${all})`)].join();
}

const FORMS = {
  postgres: `CREATE TYPE mood AS ENUM ('glad', 'sad');
    CREATE TABLE forms (id int PRIMARY KEY, ${COLUMNS.map(({ name, postgres }) => `${name} ${postgres}`).join()});
    INSERT INTO forms VALUES ${rowsSql(({ values }) => values[0])};`,
  mysql: `CREATE TABLE forms (id bigint PRIMARY KEY, ${COLUMNS.map(({ name, mysql }) => `${name} ${mysql} NULL`).join()});
    INSERT INTO forms VALUES ${rowsSql(({ values, mysqlValues }) => (mysqlValues ?? values)[0])};`,
};

await describeLongMysql('PostgreSQL and %s', (flavor) => {
  let pair: CrossPair;

  beforeAll(async () => {
    pair = await CrossPair.create(flavor);
    await pair.postgres.sql(FORMS.postgres);
    await pair.mysqlSql(FORMS.mysql);
  }, 60_000);

  afterAll(() => pair.end());

  it.each([false, true])('hold the same in every form (MySQL the primary: %s)', async (reversed) => {
    const table = reversed ? 'bank.forms' : 'public.forms';
    const result = await pair.run([table], { reversed, mapping: mappingOf({ [table]: MEANING }) });
    expect(result).toMatchObject({
      outcome: 'same',
      pair: 'cross-engine',
      tables: [{ table, encoding: 'portable', method: 'slice', reasons: [{ code: 'TP-MAPPED' }] }],
      reasons: [{ code: 'TP-BY-TIME', severity: 'info' }],
    });
    expect(result.tables[0]?.rows.primary).toBe(BigInt(COLUMNS.length + 1));
  });

  it('differ where one value of a form does, by its column', async () => {
    const mapping = mappingOf({ 'public.forms': MEANING });
    const change = (value: (column: Column) => string): string =>
      COLUMNS.map(
        (column, index) => `UPDATE forms SET ${column.name} = ${value(column)} WHERE id = ${index + 1};`,
      ).join(' ');
    await pair.mysqlSql(change(({ values, mysqlValues }) => (mysqlValues ?? values)[1]));
    const expected = COLUMNS.map(({ name }, index) => `changed id=${index + 1}: ${name}`);
    expect(await pair.find('public.forms', { mapping })).toEqual({
      ...differing({ changed: COLUMNS.length }, expected),
      reasons: ['TP-MAPPED'],
    });
    await pair.mysqlSql(change(({ values, mysqlValues }) => (mysqlValues ?? values)[0]));
    expect(await pair.find('public.forms', { mapping })).toEqual({ ...SAME, reasons: ['TP-MAPPED'] });
    await pair.mysqlSql(change(() => 'NULL'));
    expect((await pair.find('public.forms', { mapping })).changed).toBe(COLUMNS.length);
  });

  it('tell rows apart by the bytes of their keys, whatever a collation takes for equal', async () => {
    await pair.postgres.sql(
      `CREATE TABLE words (w text, n numeric(6,2), v int, PRIMARY KEY (w, n));
       INSERT INTO words SELECT 'word ' || g, g, g FROM generate_series(1, 500) g;
       INSERT INTO words VALUES ('a', 1.5, 1), ('b', 2, 2), ('c', 3, 3), ('d ', 4, 4);`,
    );
    await pair.mysqlSql(
      `CREATE TABLE words (w varchar(60), n decimal(8,3), v bigint, PRIMARY KEY (w, n));
       INSERT INTO words WITH RECURSIVE g (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < 500)
         SELECT CONCAT('word ', n), n, n FROM g;
       INSERT INTO words VALUES ('A', 1.5, 1), ('b', 2, 2), ('c', 3, 33), ('d', 4, 4), ('e', 5, 5);`,
    );
    expect(await pair.find('public.words')).toEqual(
      differing({ missing: 2, extra: 3, changed: 1 }, [
        'missing w=a, n=1.5',
        'extra w=A, n=1.5',
        'changed w=c, n=3: v',
        'missing w=d , n=4',
        'extra w=d, n=4',
        'extra w=e, n=5',
      ]),
    );
    expect(await pair.find('bank.words', { reversed: true })).toMatchObject({ missing: 3, extra: 2 });
  });

  it('find values that only one of them can hold', async () => {
    await pair.postgres.sql(
      `CREATE TABLE limits (id bigint PRIMARY KEY, n bigint, d date, b boolean);
       INSERT INTO limits VALUES (1, 1, '2024-01-01', true), (2, -1, '2024-01-01', true),
         (3, 1, 'infinity', true), (4, 1, '2024-01-01', true);`,
    );
    await pair.mysqlSql(
      `SET sql_mode = ''; CREATE TABLE limits (id bigint unsigned PRIMARY KEY, n bigint unsigned, d date, b tinyint(1));
       INSERT INTO limits VALUES (1, 1, '2024-01-01', 1), (2, 18446744073709551615, '2024-01-01', 1),
         (3, 1, '0000-00-00', 1), (4, 1, '2024-01-01', 2), (18446744073709551615, 1, '2024-01-01', 1);`,
    );
    const mapping = mappingOf({ 'public.limits': { b: { as: 'boolean' } } });
    expect(await pair.find('public.limits', { mapping })).toEqual({
      ...differing({ extra: 1, changed: 3 }, [
        'changed id=2: n',
        'changed id=3: d',
        'changed id=4: b',
        'extra id=18446744073709551615',
      ]),
      reasons: ['TP-MAPPED'],
    });
    const reverse = mappingOf({ 'bank.limits': { b: { as: 'boolean' } } });
    const found = await pair.find('bank.limits', { mapping: reverse, reversed: true });
    expect(found).toMatchObject({ outcome: 'different', missing: 1, changed: 3 });
  });

  it('without a key count equal rows, and tell NULL from nothing', async () => {
    await pair.postgres.sql(
      `CREATE TABLE log (at timestamptz, t text);
       INSERT INTO log VALUES ('2024-01-01Z', 'x'), ('2024-01-01Z', 'x'), ('2024-01-01Z', NULL), ('2024-01-01Z', 'z');`,
    );
    await pair.mysqlSql(
      `CREATE TABLE log (at timestamp NULL, t text);
       INSERT INTO log VALUES ('2024-01-01', 'x'), ('2024-01-01', ''), ('2024-01-01', 'z');`,
    );
    expect(await pair.find('public.log')).toMatchObject({ outcome: 'different', missing: 2, extra: 1 });
  });

  it('leave a table unproven, by its column, where no rule says what is equal', async () => {
    await pair.postgres.sql(
      `CREATE TABLE odd (id int PRIMARY KEY, a int[]); CREATE TABLE flags (id int PRIMARY KEY, f boolean);
       CREATE TABLE times (id int PRIMARY KEY, at timestamptz); CREATE TABLE docs (id int PRIMARY KEY, d jsonb);`,
    );
    await pair.mysqlSql(
      `CREATE TABLE odd (id int PRIMARY KEY, a json); CREATE TABLE flags (id int PRIMARY KEY, f tinyint(1));
       CREATE TABLE times (id int PRIMARY KEY, at datetime); CREATE TABLE docs (id int PRIMARY KEY, d json);`,
    );
    const result = await pair.run(['public.odd', 'public.flags', 'public.times', 'public.docs']);
    expect(result.outcome).toBe('unproven');
    const said = new Map(result.tables.map(({ table, outcome, reasons }) => [table, { outcome, reasons }]));
    for (const [table, message, hint] of [
      ['public.odd', 'column "a" is integer[] on the primary and', 'exclude the table'],
      ['public.flags', 'column "f" is boolean on the primary and tinyint(1)', '"f": { as: boolean }'],
      ['public.times', 'column "at" is timestamp with time zone', '"at": { zone: '],
      ['public.docs', 'column "d" is jsonb', 'exclude the table'],
    ] as const) {
      expect(said.get(table)).toMatchObject({ outcome: 'unproven', reasons: [{ code: 'TP-NO-ENCODING' }] });
      expect(said.get(table)?.reasons[0]?.message).toContain(message);
      expect(said.get(table)?.reasons[0]?.hint).toContain(hint);
    }
  });

  it('may call tables and columns by other names', async () => {
    await pair.postgres.sql(
      `CREATE SCHEMA audit; CREATE TABLE audit.events (id int PRIMARY KEY, note text);
       INSERT INTO audit.events VALUES (1, 'a'), (2, 'b');
       CREATE TABLE alone (id int PRIMARY KEY);`,
    );
    await pair.mysqlSql(
      `CREATE TABLE audit_events (remark text, event int PRIMARY KEY);
       INSERT INTO audit_events (event, remark) VALUES (1, 'a'), (2, 'x');
       CREATE TABLE stray (id int PRIMARY KEY);`,
    );
    const mapping = mappingOf(
      { 'audit.events': { id: { name: 'event' }, note: { name: 'remark' } } },
      { 'audit.events': 'bank.audit_events' },
    );
    const { tables } = await pair.run(['audit.*', 'public.alone', 'public.stray'], { mapping });
    expect(
      tables.map(({ table, samples, reasons }) => [table, samples[0] ?? null, reasons[0]?.code]),
    ).toEqual([
      [
        'audit.events',
        {
          table: 'audit.events',
          kind: 'changed',
          key: { id: '2' },
          columns: ['note'],
          values: { note: { primary: 'b', candidate: 'x' } },
        },
        'TP-DIFFERENT',
      ],
      ['public.alone', null, 'TP-TABLE-MISSING'],
      ['public.stray', null, 'TP-TABLE-EXTRA'],
    ]);
  });

  it('let blanks at the end and digits behind the scale count only where nothing else is said', async () => {
    await pair.postgres.sql(
      `CREATE TABLE loose (id int PRIMARY KEY, c char(5), n numeric, i int);
       INSERT INTO loose VALUES (1, 'ab', 1.005, 7), (2, 'ab', -1.005, 7), (3, 'ab', -0.001, 7), (4, 'ab', 1.004, 7);`,
    );
    await pair.mysqlSql(
      `CREATE TABLE loose (id int PRIMARY KEY, c varchar(9) character set latin1, n decimal(12,4), i decimal(6,2));
       INSERT INTO loose VALUES (1, 'ab   ', 1.01, 7.2), (2, 'ab', -1.01, 7), (3, 'ab ', 0, 6.5), (4, ' ab', 1.01, 7);`,
    );
    expect(await pair.find('public.loose')).toMatchObject({ outcome: 'different', changed: 4 });
    const mapping = mappingOf({
      'public.loose': { c: { trim: true }, n: { scale: 2 }, i: { scale: 0 } },
    });
    expect(await pair.find('public.loose', { mapping })).toEqual({
      ...differing({ changed: 1 }, ['changed id=4: c, n']),
      reasons: ['TP-MAPPED'],
    });
    const reverse = mappingOf({ 'bank.loose': { c: { trim: true }, n: { scale: 2 }, i: { scale: 0 } } });
    expect(await pair.find('bank.loose', { mapping: reverse, reversed: true })).toMatchObject({ changed: 1 });
    const key = mappingOf({ 'public.loose': { id: { scale: 0 } } });
    expect(await pair.find('public.loose', { mapping: key })).toMatchObject({
      outcome: 'unproven',
      reasons: ['TP-MAPPING'],
    });
  });

  it.each([false, true])(
    'are never different while changes are on their way, but where one is lost (MySQL the primary: %s)',
    async (reversed) => {
      const name = reversed ? 'bank.moving' : 'public.moving';
      const write = (sql: string): Promise<unknown> =>
        reversed ? pair.mysqlSql(sql) : pair.postgres.sql(sql);
      const create = `CREATE TABLE moving (id int PRIMARY KEY, v int)`;
      const drop = 'DROP TABLE IF EXISTS moving';
      await pair.postgres.sql(
        `${drop}; ${create}; INSERT INTO moving SELECT g, 0 FROM generate_series(1, 3000) g;`,
      );
      const values = Array.from({ length: 3000 }, (_, index) => `(${index + 1},0)`).join();
      await pair.mysqlSql(`${drop}; ${create}; INSERT INTO moving VALUES ${values}`);
      const stop = new AbortController();
      const carried = feed(pair, reversed, stop.signal);
      try {
        for (let run = 0; run < 2; run++) {
          const { outcome } = await pair.find(name, { reversed, applyWithinMs: 1500 });
          expect(outcome).not.toBe('different');
        }
        await write('UPDATE moving SET v = -1 WHERE id = 2999');
        expect(await pair.find(name, { reversed, applyWithinMs: 1500 })).toMatchObject({
          outcome: 'different',
          changed: 1,
          samples: ['changed id=2999: v'],
        });
      } finally {
        stop.abort();
        await carried;
      }
    },
  );
});

/** Writes to the primary and carries each write over a little later, as a change stream does, to rows below 2500. */
async function feed(pair: CrossPair, reversed: boolean, signal: AbortSignal): Promise<void> {
  const postgres = (sql: string): Promise<unknown> => pair.postgres.sql(sql);
  const mysql = (sql: string): Promise<unknown> => pair.mysqlSql(sql);
  const [primary, candidate] = reversed ? [mysql, postgres] : [postgres, mysql];
  for (let turn = 1; !signal.aborted; turn++) {
    const sql = `UPDATE moving SET v = ${turn} WHERE id IN (${(turn * 7) % 2500}, ${(turn * 13) % 2500})`;
    await primary(sql);
    await sleep(20);
    await candidate(sql);
  }
}
