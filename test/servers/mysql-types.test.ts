import { afterAll, beforeAll, expect, test } from 'vitest';
import { typeCases } from './harness/mysql-column-cases.ts';
import { describeLongMysql } from './harness/mysql-suite.ts';
import { MysqlSites } from './harness/verify-mysql.ts';
import { differing, type Found, foundIn, SAME } from './harness/verify.ts';

await describeLongMysql('on %s rows are the same in a column of type', (flavor) => {
  const cases = typeCases(flavor).map(([type, values, changed], n) => ({
    type,
    values,
    changed,
    table: `one${n}`,
  }));
  let sites: MysqlSites;
  let same: ReadonlyMap<string, Found>;
  let changed: ReadonlyMap<string, Found>;
  let nulled: ReadonlyMap<string, Found>;
  beforeAll(async () => {
    const schema = cases.map(({ table, type }) => `CREATE TABLE ${table} (id int PRIMARY KEY, v ${type});`);
    const rows = cases.flatMap(({ table, values }) => [
      ...values.map((value, id) => `INSERT INTO ${table} VALUES (${id}, ${value});`),
      `INSERT INTO ${table} VALUES (99, NULL);`,
    ]);
    sites = await MysqlSites.open({ flavor, schema: schema.join('\n') });
    await sites.write(`SET sql_mode = ''; ${rows.join('\n')}`);
    same = await sites.verifier.findTwice(['*']);
    await sites.tamper(
      `SET sql_mode = ''; ${cases.map((each) => `UPDATE ${each.table} SET v = ${each.changed} WHERE id = 0;`).join('\n')}`,
    );
    changed = await sites.verifier.findTwice(['*']);
    await sites.tamper(cases.map(({ table }) => `UPDATE ${table} SET v = NULL WHERE id = 0;`).join('\n'));
    nulled = foundIn(await sites.verifier.run(['*']));
  });
  afterAll(() => sites?.end());

  test.each(cases)('$type, until one value is another, or lost', ({ table }) => {
    expect(same.get(table)).toEqual(SAME);
    expect(changed.get(table)).toEqual(differing({ changed: 1 }, ['changed id=0: v']));
    expect(nulled.get(table)).toEqual(differing({ changed: 1 }, ['changed id=0: v']));
  });
});

/** A type that rows can be told apart by, four of its values as SQL. */
const KEYS: readonly (readonly [type: string, values: readonly string[]])[] = [
  ['bigint', ['-9223372036854775808', '-1', '9007199254740993', '9223372036854775807']],
  ['bigint unsigned', ['0', '9007199254740993', '9223372036854775808', '18446744073709551615']],
  ['tinyint', ['-128', '-1', '0', '127']],
  ['decimal(65,30)', ['0', '-0.5', '1e-30', '99999999999999999999999999999999999']],
  ['float', ['0.1', '-0.1', '16777216', '1.17549435e-38']],
  ['double', ['0.1', '5e-324', '-1.5', '1.7976931348623157e308']],
  ['bit(64)', [`b'${'1'.repeat(64)}'`, `b'1'`, `b'0'`, `b'10'`]],
  ['year', ['1901', '0', '2155', '2026']],
  ['date', [`'0000-00-00'`, `'2024-02-00'`, `'9999-12-31'`, `'2026-01-01'`]],
  ['time(6)', [`'-838:59:59'`, `'-00:00:00.000001'`, `'00:00:00'`, `'838:59:59'`]],
  ['datetime(6)', [`'0000-00-00'`, `'2024-02-00'`, `'9999-12-31 23:59:59.999999'`, `'2026-01-01'`]],
  ['timestamp(6)', [`'1970-01-01 00:00:01'`, `'2026-01-01'`, `'2026-01-01 00:00:00.000001'`, `'2038-01-19'`]],
  ['varchar(20)', [`''`, `'a'`, `'b '`, `'\u{1f525}'`]],
  ['varchar(20) COLLATE utf8mb4_bin', [`''`, `'a'`, `'A'`, `'서울'`]],
  ['varchar(20) CHARACTER SET latin1', [`''`, `'é'`, `'o''k'`, `'\\\\'`]],
  ['varchar(20) CHARACTER SET utf8mb3', [`''`, `'é'`, `'a'`, `'서울'`]],
  ['varchar(20) CHARACTER SET sjis', [`'a'`, `'き'`, `'ー'`, `'表'`]],
  ['varchar(20) CHARACTER SET utf16', [`'a'`, `'き'`, `'\u{1f525}'`, `''`]],
  ['char(5)', [`'a'`, `'b'`, `'ccccc'`, `''`]],
  ['binary(3)', [`x'00'`, `x'ff'`, `x'5c27'`, `x'000001'`]],
  ['varbinary(20)', [`x''`, `x'00'`, `x'5c27'`, `x'ff'`]],
  [`enum('x','y','Zü')`, [`'x'`, `'y'`, `'Zü'`, `''`]],
  [`set('x','y')`, [`'x'`, `'x,y'`, `''`, `'y'`]],
];

await describeLongMysql('on %s rows are told apart by a key of type', (flavor) => {
  const cases = KEYS.map(([type, values], n) => ({ type, values, table: `key${n}` }));
  let sites: MysqlSites;
  let same: ReadonlyMap<string, Found>;
  let found: ReadonlyMap<string, Found>;
  beforeAll(async () => {
    const schema = cases.map(
      ({ table, type }) =>
        `CREATE TABLE ${table} (n int, k ${type} NOT NULL, PRIMARY KEY (k)); CREATE TABLE two${table} (n int, k ${type} NOT NULL, PRIMARY KEY (n, k));`,
    );
    const rows = cases.flatMap(({ table, values }) =>
      values.map(
        (value, n) =>
          `INSERT INTO ${table} VALUES (${n}, ${value}); INSERT INTO two${table} VALUES (7, ${value});`,
      ),
    );
    sites = await MysqlSites.open({ flavor, schema: schema.join('\n') });
    await sites.write(`SET sql_mode = ''; ${rows.join('\n')}`);
    same = await sites.verifier.findTwice(['*']);
    await sites.tamper(
      `SET sql_mode = ''; ${cases
        .map(
          ({ table }) =>
            `UPDATE ${table} SET n = 77 WHERE n = 1; DELETE FROM ${table} WHERE n = 2; DELETE FROM two${table} ORDER BY k LIMIT 1;`,
        )
        .join('\n')}`,
    );
    found = await sites.verifier.findTwice(['*']);
  });
  afterAll(() => sites?.end());

  test.each(cases)('$type', ({ table }) => {
    expect(same.get(table)).toEqual(SAME);
    expect(same.get(`two${table}`)).toEqual(SAME);
    expect(found.get(table)).toMatchObject({
      outcome: 'different',
      missing: 1,
      changed: 1,
      extra: 0,
      reasons: [],
    });
    expect(found.get(`two${table}`)).toMatchObject({
      outcome: 'different',
      missing: 1,
      changed: 0,
      extra: 0,
      reasons: [],
    });
  });
});
