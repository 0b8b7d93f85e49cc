/** A column of every built-in type, and of what users and extensions make of them, with the values that are hard. */

/** Types that version 14 has too; extension `cube` has no send function. */
export const TYPE_SCHEMA = `
  CREATE EXTENSION citext; CREATE EXTENSION ltree; CREATE EXTENSION hstore; CREATE EXTENSION cube;
  CREATE TYPE mood AS ENUM ('glad', 'so, so', 'it''s'); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
  CREATE DOMAIN label AS char(5); CREATE DOMAIN numbers AS int[];
  CREATE TYPE pair AS (n numeric, t text, m mood); CREATE TYPE nest AS (p pair, a mood[], d positive);
  CREATE TYPE floatrange AS RANGE (subtype = float8); CREATE TYPE textrange AS RANGE (subtype = text, collation = "C");`;

/** Type, then values as SQL. */
export const EVERY_TYPE: readonly (readonly [type: string, ...values: string[]])[] = [
  ['smallint', '-32768', '32767'],
  ['int', '-2147483648', '2147483647'],
  ['bigint', '-9223372036854775808', '9223372036854775807', '9007199254740993'],
  ['numeric', `'NaN'`, `'Infinity'`, `'-Infinity'`, '1.00', '-0.000', `'1e1000'`, `'1e-1000'`],
  ['numeric(12,2)', '-0.01', '9999999999.99'],
  ['float4', `'NaN'`, `'-0'`, `'Infinity'`, `'-Infinity'`, `'1e-45'`, `'3.4028235e38'`, '0.1'],
  [
    'float8',
    `'NaN'`,
    `'-0'`,
    `'Infinity'`,
    `'-Infinity'`,
    `'5e-324'`,
    `'1.7976931348623157e308'`,
    '0.1::float8 + 0.2',
  ],
  ['money', `'-92233720368547758.08'`, `'92233720368547758.07'`],
  ['text', `''`, `'NULL'`, `E'\\t\\n\\r\\\\'`, `'한국어 🙂 é'`, `'a  '`],
  ['varchar(5)', `''`, `'a  '`],
  ['char(5)', `''`, `'a'`, `'가나'`],
  ['char', `'x'`],
  ['"char"', `'x'`, `''`],
  ['name', `'x'`],
  ['bytea', `''`, `'\\x00ff00'`],
  ['boolean', 'true', 'false'],
  ['date', `'infinity'`, `'-infinity'`, `'4713-01-01 BC'`, `'5874897-12-31'`, `'0001-01-01'`],
  ['time', `'00:00'`, `'24:00'`, `'23:59:59.999999'`],
  ['timetz', `'00:00+15:59:59'`, `'24:00-15:59:59'`],
  ['timestamp', `'infinity'`, `'-infinity'`, `'4713-01-01 00:00:00 BC'`, `'294276-12-31 23:59:59.999999'`],
  [
    'timestamptz',
    `'infinity'`,
    `'-infinity'`,
    `'4713-01-01 00:00:00+00 BC'`,
    `'294276-12-31 23:59:59.999999+00'`,
  ],
  ['interval', `'178000000 years'`, `'-1 mon 1 day -00:00:00.000001'`, `'24 hours'`],
  ['uuid', `'00000000-0000-0000-0000-000000000000'`, `'ffffffff-ffff-ffff-ffff-ffffffffffff'`],
  ['json', `'{"b":1, "a":1,"a":2}'`, `'1.0'`, `'null'`, `'"\\u00e9"'`],
  ['jsonb', `'{"b":1, "a":1,"a":2}'`, `'1.00'`, `'null'`, `'[]'`, `'"\\u00e9"'`],
  ['jsonpath', `'$.a[*] ? (@ > 1.0)'`],
  ['xml', `'<a b="1"/>'`, `'text &amp; more'`],
  ['inet', `'10.0.0.1/8'`, `'::ffff:1.2.3.4'`],
  ['cidr', `'10.0.0.0/8'`, `'::/0'`],
  ['macaddr', `'08:00:2b:01:02:03'`],
  ['macaddr8', `'08:00:2b:01:02:03:04:05'`],
  ['bit(3)', `B'101'`],
  ['varbit', `B''`, `B'1010101010'`],
  ['tsvector', `'fat:2A cat:1 ''it''''s'':3,4B'`, `''`],
  ['tsquery', `'fat & (rat | !cat) <-> dog:*A'`, `'a & b & c'`, `'a & (b & c)'`],
  ['point', `'(NaN,-0)'`, `'(0.1,Infinity)'`],
  ['line', `'{1,-1,0.1}'`],
  ['lseg', `'[(0,0),(0.1,1e300)]'`],
  ['box', `'(1,1),(0,-0)'`],
  ['path', `'[(0,0),(1,1)]'`, `'((0,0),(1,1))'`],
  ['polygon', `'((0,0),(1,1),(2,0))'`],
  ['circle', `'<(0,0),0.1>'`],
  ['int4range', `'empty'`, `'(,)'`, `'[1,5]'`],
  ['int8range', `'[1,9223372036854775807)'`],
  ['numrange', `'[1.0,2.00]'`, `'(,NaN]'`],
  ['tsrange', `'[2026-02-03,infinity]'`],
  ['tstzrange', `'(-infinity,2026-02-03 00:00:00.000001+09)'`],
  ['daterange', `'[2026-02-03,]'`],
  ['floatrange', `'[-0,0.1)'`, `'[0,NaN]'`],
  ['textrange', `'["a,b","c""d"]'`],
  ['nummultirange', `'{}'`, `'{[1.0,2.00],(3,4)}'`],
  ['int4multirange', `'{[1,2),[2,3)}'`],
  ['int[]', `'{}'`, `'{NULL}'`, `'{{1,2},{3,4}}'`, `'[-1:0]={1,2}'`],
  ['text[]', `'{"",NULL,"NULL","a,b","{x}","\\""}'`],
  ['float8[]', `'{NaN,-0,0.1}'`],
  ['numeric[]', `'{1.0,1.00,NaN}'`],
  ['bytea[]', `'{"\\\\x00",NULL}'`],
  ['char(3)[]', `'{a,"b "}'`],
  ['timestamptz[]', `'{infinity,"0044-03-15 00:00:00+00 BC"}'`],
  ['mood', `'so, so'`, `'it''s'`],
  ['mood[]', `'{glad,NULL,"so, so"}'`],
  ['positive', '7'],
  ['label', `'a'`],
  ['numbers', `'{1,NULL}'`],
  ['pair', `'(1.00,"a,b",glad)'`, `'(,,)'`],
  ['pair[]', `'{"(1.00,\\"a,b\\",glad)",NULL}'`],
  ['nest', `'("(1,a,glad)","{glad,\\"so, so\\"}",1)'`],
  ['oid', '0', '4294967295'],
  ['xid', `'4294967295'`],
  ['xid8', `'18446744073709551615'`],
  ['cid', `'1'`],
  ['tid', `'(4294967295,65535)'`],
  ['regclass', `'pg_class'`, `'own_table'`],
  ['regtype', `'mood'`, `'int[]'`],
  ['regproc', `'pg_backend_pid'`],
  ['regnamespace', `'public'`],
  ['regrole', `'postgres'`],
  ['pg_lsn', `'FFFFFFFF/FFFFFFFF'`],
  ['pg_snapshot', `'10:20:10,14,15'`],
  ['int2vector', `'1 2 3'`],
  ['oidvector', `'1 2 4294967295'`],
  ['aclitem', `'=r/postgres'`],
  ['refcursor', `'x'`],
  ['citext', `'Kim'`],
  ['ltree', `'a.b_c.D'`],
  ['lquery', `'*.a{1,2}.!b'`],
  ['hstore', `'"b"=>NULL, "a"=>"1", c=>""'`],
  ['cube', `'(1,-0.1)'`, `'(0,0),(1,1e300)'`],
  ['cube[]', `'{"(1,2)",NULL}'`],
];

/** Every type twice: a table of one column each, so that nothing hides anything, and all of them in one wide table. */
export const TYPE_TABLES = `CREATE TABLE own_table (id int PRIMARY KEY);
  CREATE TABLE wide (id int PRIMARY KEY, ${EVERY_TYPE.map(([type], n) => `c${n} ${type}`).join(', ')});
  CREATE TABLE wide_keyless (${EVERY_TYPE.map(([type], n) => `c${n} ${type}`).join(', ')});
  ALTER TABLE wide_keyless REPLICA IDENTITY FULL;
  ${EVERY_TYPE.map(([type], n) => `CREATE TABLE one${n} (id int PRIMARY KEY, v ${type});`).join('\n')}`;

/** Rows with the values of every type, the n-th of each in row n, and a row of NULLs. */
export const TYPE_ROWS = [
  ...EVERY_TYPE.map(([, ...values], n) => {
    const rows = [...values, 'NULL'].map((value, id) => `(${id}, ${value})`);
    return rows.map((row) => `INSERT INTO one${n} VALUES ${row};`).join('\n');
  }),
  ...[0, 1, 2, 3, 4, 5, 6].map((row) => {
    const values = EVERY_TYPE.map(([, ...all]) => all[row] ?? 'NULL').join(', ');
    return `INSERT INTO wide VALUES (${row}, ${values}); INSERT INTO wide_keyless VALUES (${values});`;
  }),
].join('\n');
