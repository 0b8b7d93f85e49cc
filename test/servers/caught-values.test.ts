import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServerPair } from './harness/server-pair.ts';
import { differing, type Found, SAME } from './harness/verify.ts';

/** One way in which a row of a subscriber can be wrong. */
interface Slip {
  readonly name: string;
  /** Columns behind `id bigint PRIMARY KEY`. */
  readonly columns: string;
  /** A VALUES list. */
  readonly rows: string;
  /** What happens to the subscriber's rows: the rest of an UPDATE. */
  readonly set: string;
  /** Rows that are found changed, by id and names of columns. */
  readonly found: readonly string[];
}

/** The first row gets another value; what the column was before stands in the rows. */
function slip(name: string, type: string, before: string, after: string): Slip {
  const rows = `(1, ${before}), (2, ${before})`;
  return { name, columns: `v ${type}`, rows, set: `v = ${after} WHERE id = 1`, found: ['changed id=1: v'] };
}

const SLIPS: readonly Slip[] = [
  {
    name: 'values of equal length swapped between two rows',
    columns: 'v text',
    rows: `(1, 'alpha'), (2, 'bravo'), (3, 'delta')`,
    set: `v = CASE id WHEN 1 THEN 'bravo' ELSE 'alpha' END WHERE id < 3`,
    found: ['changed id=1: v', 'changed id=2: v'],
  },
  {
    name: 'numbers swapped between two rows',
    columns: 'v int',
    rows: '(1, 100), (2, 200), (3, 300)',
    set: 'v = 300 - v WHERE id < 3',
    found: ['changed id=1: v', 'changed id=2: v'],
  },
  {
    name: 'values swapped between two columns of one row',
    columns: 'a text, b text',
    rows: `(1, 'alpha', 'bravo'), (2, 'alpha', 'bravo')`,
    set: 'a = b, b = a WHERE id = 1',
    found: ['changed id=1: a, b'],
  },
  {
    name: 'the same swapped between two columns in two rows',
    columns: 'a int, b int',
    rows: '(1, 1, 2), (2, 2, 1), (3, 5, 5)',
    set: 'a = b, b = a WHERE id < 3',
    found: ['changed id=1: a, b', 'changed id=2: a, b'],
  },
  {
    name: 'a separator that moved from one column to the next',
    columns: 'a text, b text',
    rows: `(1, 'a|b', 'c'), (2, 'x', 'y')`,
    set: `a = 'a', b = 'b|c' WHERE id = 1`,
    found: ['changed id=1: a, b'],
  },
  {
    name: 'a character that moved from one column to the next',
    columns: 'a text, b text',
    rows: `(1, 'ab', 'c'), (2, 'x', 'y')`,
    set: `a = 'a', b = 'bc' WHERE id = 1`,
    found: ['changed id=1: a, b'],
  },
  {
    name: 'a NULL that moved from one column to the next',
    columns: 'a text, b text',
    rows: `(1, NULL, ''), (2, '', NULL)`,
    set: `a = '', b = NULL WHERE id = 1`,
    found: ['changed id=1: a, b'],
  },
  slip('minus one as an unsigned number', 'bigint', '-1', '4294967295'),
  slip('a number that lost its upper half', 'bigint', '4294967297', '1'),
  slip('one against two to the 32nd', 'bigint', '1', '4294967296'),
  slip('numbers that are one as doubles', 'bigint', '9007199254740993', '9007199254740992'),
  slip('NULL against an empty string', 'text', 'NULL', `''`),
  slip('an empty string against NULL', 'text', `''`, 'NULL'),
  slip('NULL against zero', 'int', 'NULL', '0'),
  slip('NULL against the word', 'text', 'NULL', `'NULL'`),
  slip('trailing blanks', 'text', `'a'`, `'a '`),
  slip('a trailing line end', 'text', `'a'`, `E'a\\n'`),
  slip('case only', 'text', `'Kim'`, `'kim'`),
  slip('case only, in a column that ignores it', 'text COLLATE nocase', `'Kim'`, `'kim'`),
  slip('a composed letter against a decomposed one', 'text', `U&'\\00e9'`, `U&'e\\0301'`),
  slip('another scale of the same number', 'numeric', '1.0', '1.00'),
  slip('the last digit of a long number', 'numeric', '12345678901234567890.1', '12345678901234567890.2'),
  slip('a sum of floats against its round value', 'float8', '0.1::float8 + 0.2::float8', '0.3'),
  slip('the last bit of a short float', 'float4', '0.1::float4', '0.10000001::float4'),
  slip('zero against minus zero', 'float8', '0', `'-0'`),
  slip('a float that is no number against none', 'float8', `'NaN'`, 'NULL'),
  slip(
    'one microsecond',
    'timestamptz',
    `'2026-02-03 04:05:06.123456+00'`,
    `'2026-02-03 04:05:06.123457+00'`,
  ),
  slip('one microsecond of a time', 'time', `'04:05:06.123456'`, `'04:05:06.123457'`),
  slip('one time in another zone', 'timetz', `'04:05:06+00'`, `'05:05:06+01'`),
  slip('infinity of the other sign', 'timestamp', `'infinity'`, `'-infinity'`),
  slip('infinity against the last day', 'date', `'infinity'`, `'5874897-12-31'`),
  slip('a year before Christ', 'date', `'0044-03-15 BC'`, `'0044-03-15'`),
  slip('a day against its hours', 'interval', `'1 day'`, `'24 hours'`),
  slip('one byte', 'bytea', `'\\x00ff'`, `'\\x00fe'`),
  slip('a trailing zero byte', 'bytea', `'\\x01'`, `'\\x0100'`),
  slip('one bit more', 'varbit', `B'1'`, `B'10'`),
  slip('the order of keys', 'json', `'{"a":1,"b":2}'`, `'{"b":2,"a":1}'`),
  slip('a number within a document', 'jsonb', `'{"a": 1.0}'`, `'{"a": 1.00}'`),
  slip('the length of a network', 'inet', `'10.0.0.1/8'`, `'10.0.0.1/9'`),
  slip('a bound that is open', 'int4range', `'[1,5)'`, `'[1,5]'`),
  slip('NULL within an array', 'text[]', `'{a,NULL}'`, `'{a,"NULL"}'`),
  slip('the lower bound of an array', 'int[]', `'[0:1]={1,2}'`, `'{1,2}'`),
  slip('another label', 'mood', `'glad'`, `'sad'`),
  slip('a label within an array', 'mood[]', `'{glad,sad}'`, `'{sad,glad}'`),
  slip('a part of a composite', 'pair', `'(1,a)'`, `'(1,)'`),
  slip('a value of a domain', 'code', `'AB'`, `'AC'`),
];

const TYPES = `CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE TYPE pair AS (n int, t text); CREATE DOMAIN code AS text;`;

describe('a subscriber is told from its publisher by', () => {
  let pair: ServerPair;
  let before: ReadonlyMap<string, Found>;
  let after: ReadonlyMap<string, Found>;
  beforeAll(async () => {
    const tables = SLIPS.map(({ columns }, n) => `CREATE TABLE t${n} (id bigint PRIMARY KEY, ${columns});`);
    pair = await ServerPair.logical({ schema: TYPES + tables.join('\n') });
    await pair.write(SLIPS.map(({ rows }, n) => `INSERT INTO t${n} VALUES ${rows};`).join('\n'));
    before = await pair.verifier.findTwice(['*']);
    await pair.tamper(SLIPS.map(({ set }, n) => `UPDATE t${n} SET ${set};`).join('\n'));
    after = await pair.verifier.findTwice(['*']);
  });
  afterAll(() => pair?.end());

  test.each(SLIPS.map((one, n) => [one.name, `t${n}`, one.found] as const))('%s', (_, table, found) => {
    expect(before.get(table)).toEqual(SAME);
    expect(after.get(table)).toEqual(differing({ changed: found.length }, [...found]));
  });
});
