import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MysqlFlavor } from './harness/mysql-installation.ts';
import { describeMysql } from './harness/mysql-suite.ts';
import { MysqlSites } from './harness/verify-mysql.ts';
import { differing, type Found, foundIn, SAME } from './harness/verify.ts';

/** A type, values of it as SQL, the first of them replaced by the last, which differs as little as it can. */
type TypeCase = readonly [type: string, values: readonly string[], changed: string];

const NUMBERS: readonly TypeCase[] = [
  ['tinyint', ['-128', '127', '0'], '-127'],
  ['tinyint unsigned', ['255', '128'], '254'],
  ['smallint', ['-32768', '32767'], '-32767'],
  ['mediumint', ['-8388608', '8388607'], '-8388607'],
  ['mediumint unsigned', ['16777215', '8388608'], '16777214'],
  ['int', ['-2147483648', '2147483647'], '-2147483647'],
  ['int(10) unsigned zerofill', ['4294967295', '7'], '4294967294'],
  ['bigint', ['-9223372036854775808', '9007199254740993'], '-9223372036854775807'],
  ['bigint unsigned', ['18446744073709551615', '9223372036854775808'], '18446744073709551614'],
  ['decimal(65,30)', [`'99999999999999999999999999999999999.${'9'.repeat(30)}'`, '-0.5'], '1e-30'],
  ['decimal(10,0)', ['1', '-1'], '2'],
  ['float', ['16777217', '-0e0', '1.17549435e-38'], '16777218'],
  ['double', ['0.1e0', '-0e0', '5e-324', '1.7976931348623157e308'], '0.30000000000000004 - 0.2'],
  ['bit(1)', [`b'1'`, `b'0'`], `b'0'`],
  ['bit(64)', [`b'${'1'.repeat(64)}'`, `b'1'`], `b'${'1'.repeat(63)}0'`],
];

const TIMES: readonly TypeCase[] = [
  ['year', ['1901', '0000', '2155'], '1902'],
  ['date', [`'2026-02-28'`, `'0000-00-00'`, `'2024-02-00'`, `'9999-12-31'`], `'2026-03-01'`],
  ['time', [`'838:59:59'`, `'-838:59:59'`, `'00:00:00'`], `'838:59:58'`],
  ['time(6)', [`'-25:00:00.000001'`, `'23:59:59.999999'`, `'-00:00:00.000001'`], `'-25:00:00.000002'`],
  ['datetime', [`'2026-01-02 03:04:05'`, `'0000-00-00 00:00:00'`], `'2026-01-02 03:04:06'`],
  [
    'datetime(6)',
    [`'2026-01-02 03:04:05.000001'`, `'2024-02-00 00:00:00.5'`],
    `'2026-01-02 03:04:05.000002'`,
  ],
  ['timestamp(6) NULL', [`'2026-01-02 03:04:05.000001'`, `'1970-01-01 00:00:01'`], `'2026-01-02 03:04:05'`],
];

const CHARACTER_SETS = (
  'armscii8 ascii big5 cp1250 cp1251 cp1256 cp1257 cp850 cp852 cp866 cp932 dec8 eucjpms euckr gb2312 gbk ' +
  'geostd8 greek hebrew hp8 keybcs2 koi8r koi8u latin1 latin2 latin5 latin7 macce macroman sjis swe7 tis620 ' +
  'ucs2 ujis utf16 utf16le utf32 utf8mb3 utf8mb4'
).split(' ');

const TEXTS: readonly TypeCase[] = [
  ['char(10)', [`'a'`, `''`, `'서울'`], `'A'`],
  ['varchar(30)', [`'trailing'`, `''`, `'\u{1f525}'`], `'trailing '`],
  ['varchar(30) COLLATE utf8mb4_general_ci', [`'é'`], `'e'`],
  ['longtext', [`repeat('long ', 50000)`, `''`], `concat(repeat('long ', 49999), 'lonG ')`],
  [`enum('one','two','Zürich')`, [`'one'`, `'Zürich'`], `'two'`],
  [`set('a','b','c')`, [`'a,c'`, `''`], `'a,b'`],
  ['binary(4)', [`x'00ff'`, `''`], `x'00fe'`],
  ['varbinary(20)', [`x'00ff275c0a'`, `''`], `x'00ff275c0a00'`],
  ['longblob', [`repeat(x'00ff', 100000)`, `x''`], `concat(repeat(x'00ff', 99999), x'00fe')`],
  ...CHARACTER_SETS.map((name): TypeCase => [`varchar(20) CHARACTER SET ${name}`, [`'abc'`, `''`], `'abd'`]),
];

const OTHERS: Readonly<Record<MysqlFlavor, readonly TypeCase[]>> = {
  mysql: [
    ['json', [`'{"b": 1.0, "a": [9007199254740993, null, "\\\\u00e9"]}'`, `'null'`], `'{"b": 1, "a": []}'`],
    ['point', ['ST_GeomFromText("POINT(1 2)", 4326)'], 'ST_GeomFromText("POINT(1 2)", 0)'],
    ['geometry', ['ST_GeomFromText("LINESTRING(0 0,1 1)")'], 'ST_GeomFromText("LINESTRING(0 0,1 2)")'],
    ['vector(3)', ['STRING_TO_VECTOR("[1,2,3]")'], 'STRING_TO_VECTOR("[1,2,3.0000002]")'],
  ],
  mariadb: [
    [
      'json',
      [`'{"b": 1.0, "a": [9007199254740993, null]}'`, `'null'`],
      `'{"b":1.0, "a": [9007199254740993, null]}'`,
    ],
    ['point', ['ST_GeomFromText("POINT(1 2)", 4326)'], 'ST_GeomFromText("POINT(1 2)", 0)'],
    ['geometry', ['ST_GeomFromText("LINESTRING(0 0,1 1)")'], 'ST_GeomFromText("LINESTRING(0 0,1 2)")'],
    ['uuid', [`'0190163d-8694-739b-aea5-966c26f8ad91'`], `'0190163d-8694-739b-aea5-966c26f8ad92'`],
    ['inet4', [`'10.0.0.1'`], `'10.0.0.2'`],
    ['inet6', [`'::ffff:1.2.3.4'`, `'::'`], `'::1.2.3.4'`],
  ],
};

await describeMysql('on %s rows are the same in a column of type', (flavor) => {
  const cases = [...NUMBERS, ...TIMES, ...TEXTS, ...OTHERS[flavor]].map(([type, values, changed], n) => ({
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

await describeMysql('on %s rows are told apart by a key of type', (flavor) => {
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
