import type { MysqlFlavor } from './mysql-installation.ts';

/** A type, values of it as SQL, the first of them replaced by the last, which differs as little as it can. */
export type TypeCase = readonly [type: string, values: readonly string[], changed: string];

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

/** The types that a flavor has. */
export function typeCases(flavor: MysqlFlavor): readonly TypeCase[] {
  return [...NUMBERS, ...TIMES, ...TEXTS, ...OTHERS[flavor]];
}
