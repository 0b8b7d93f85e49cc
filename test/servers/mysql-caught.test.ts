import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MysqlFlavor } from './harness/mysql-installation.ts';
import { describeLongMysql } from './harness/mysql-suite.ts';
import { MysqlSites } from './harness/verify-mysql.ts';
import { differing, type Found, foundIn, SAME } from './harness/verify.ts';

/** What the replica's administrator did behind replication's back, and what has to be found. */
interface Case {
  readonly name: string;
  readonly only?: MysqlFlavor;
  readonly table: string;
  readonly tamper: string;
  readonly found: Partial<Found>;
}

const SCHEMA = `
  CREATE TABLE account (id int PRIMARY KEY, owner varchar(40), note text, amount decimal(12,2), ratio double);
  CREATE TABLE swapped LIKE account; CREATE TABLE emptied LIKE account; CREATE TABLE keyed LIKE account;
  CREATE TABLE nulled LIKE account; CREATE TABLE blank LIKE account; CREATE TABLE cased LIKE account;
  CREATE TABLE lost LIKE account; CREATE TABLE extra LIKE account; CREATE TABLE zero LIKE account; CREATE TABLE ratio LIKE account;
  CREATE TABLE folded (k varchar(20) PRIMARY KEY, n int);
  CREATE TABLE twice (a int, b varchar(10));
  CREATE TABLE shifted (a varchar(10), b varchar(10), id int PRIMARY KEY);
  CREATE TABLE computed (id int PRIMARY KEY, n int, v int AS (n + 1) VIRTUAL, s int AS (n * 2) STORED);
  CREATE TABLE hidden (id int PRIMARY KEY, n int INVISIBLE);
  CREATE TABLE parted (id int PRIMARY KEY, n int) PARTITION BY HASH (id) PARTITIONS 3;
  CREATE TABLE gone (id int PRIMARY KEY); CREATE TABLE narrower (id int PRIMARY KEY, a int, b int);
  CREATE TABLE retyped (id int PRIMARY KEY, a int); CREATE TABLE otherwise (id int PRIMARY KEY, a varchar(20));
  CREATE TABLE recoded (id int PRIMARY KEY, a varchar(20) CHARACTER SET latin1);
  CREATE TABLE recollated (k varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY, n int);
  CREATE TABLE unique_key (a int NOT NULL, b varchar(10) NOT NULL, c int, UNIQUE KEY (b, a));
  CREATE TABLE nullable_key (a int, c int, UNIQUE KEY (a));
  CREATE TABLE \`odd \`\` "name"\` (\`key\` int PRIMARY KEY, \`select\` int);
  CREATE VIEW looked AS SELECT * FROM account;
  CREATE TABLE plain (id int PRIMARY KEY) ENGINE = MyISAM;`;

const LIKE_ACCOUNT = [
  'swapped',
  'emptied',
  'keyed',
  'nulled',
  'blank',
  'cased',
  'lost',
  'extra',
  'zero',
  'ratio',
];

const ROWS = `SET sql_mode = '';
  INSERT INTO account VALUES (1, 'Kim', '', 10.00, 0.1e0), (2, 'Lee', NULL, 20.00, -0e0), (3, 'Park', 'x ', 30, 1);
  ${LIKE_ACCOUNT.map((table) => `INSERT INTO ${table} SELECT * FROM account;`).join('\n')}
  INSERT INTO folded VALUES ('Alice', 1), ('bob', 2), ('Carol', 3);
  INSERT INTO twice VALUES (1, 'a'), (1, 'a'), (1, 'a'), (2, NULL);
  INSERT INTO shifted VALUES ('a', 'bc', 1), ('', 'x', 2);
  INSERT INTO computed (id, n) VALUES (1, 1), (2, 2);
  INSERT INTO hidden (id, n) VALUES (1, 1), (2, 2);
  INSERT INTO parted VALUES (1, 1), (2, 2), (3, 3), (4, 4);
  INSERT INTO gone VALUES (1); INSERT INTO narrower VALUES (1, 1, 1); INSERT INTO retyped VALUES (1, 1);
  INSERT INTO otherwise VALUES (1, 'x'); INSERT INTO recoded VALUES (1, 'x');
  INSERT INTO recollated VALUES ('a', 1), ('B', 2), ('c', 3);
  INSERT INTO unique_key VALUES (1, 'a', 1), (2, 'a', 2), (1, 'b', 3);
  INSERT INTO nullable_key VALUES (NULL, 1), (NULL, 1), (5, 2);
  INSERT INTO \`odd \`\` "name"\` VALUES (1, 1), (2, 2);`;

const CASES: readonly Case[] = [
  {
    name: 'values of two rows swapped, equal in length',
    table: 'swapped',
    tamper: `UPDATE swapped SET owner = 'Lee' WHERE id = 1; UPDATE swapped SET owner = 'Kim' WHERE id = 2`,
    found: differing({ changed: 2 }, ['changed id=1: owner', 'changed id=2: owner']),
  },
  {
    name: 'a row under another key',
    table: 'keyed',
    tamper: 'UPDATE keyed SET id = 7 WHERE id = 2',
    found: differing({ missing: 1, extra: 1 }, ['missing id=2', 'extra id=7']),
  },
  {
    name: 'NULL instead of an empty text, and the other way round',
    table: 'nulled',
    tamper: `UPDATE nulled SET note = NULL WHERE id = 1; UPDATE nulled SET note = '' WHERE id = 2`,
    found: differing({ changed: 2 }, ['changed id=1: note', 'changed id=2: note']),
  },
  {
    name: 'a trailing blank',
    table: 'blank',
    tamper: `UPDATE blank SET note = 'x' WHERE id = 3`,
    found: differing({ changed: 1 }, ['changed id=3: note']),
  },
  {
    name: 'upper case, where the collation ignores it',
    table: 'cased',
    tamper: `UPDATE cased SET owner = 'KIM' WHERE id = 1`,
    found: differing({ changed: 1 }, ['changed id=1: owner']),
  },
  {
    name: 'a key in other letters that are equal to its collation',
    table: 'folded',
    tamper: `UPDATE folded SET k = 'BOB' WHERE k = 'bob'`,
    found: differing({ missing: 1, extra: 1 }, ['missing k=bob', 'extra k=BOB']),
  },
  {
    name: 'the last bit of a double',
    table: 'ratio',
    tamper: 'UPDATE ratio SET ratio = 0.1e0 + 1.4e-17 WHERE id = 1',
    found: differing({ changed: 1 }, ['changed id=1: ratio']),
  },
  {
    name: 'zero for minus zero, which MariaDB does not store',
    only: 'mysql',
    table: 'zero',
    tamper: 'UPDATE zero SET ratio = NULL WHERE id = 2; UPDATE zero SET ratio = 0e0 WHERE id = 2',
    found: differing({ changed: 1 }, ['changed id=2: ratio']),
  },
  {
    name: 'a lost row',
    table: 'lost',
    tamper: 'DELETE FROM lost WHERE id = 2',
    found: differing({ missing: 1 }, ['missing id=2']),
  },
  {
    name: 'a row of its own',
    table: 'extra',
    tamper: `INSERT INTO extra VALUES (9, '', '', 0, 0)`,
    found: differing({ extra: 1 }, ['extra id=9']),
  },
  {
    name: 'an emptied table',
    table: 'emptied',
    tamper: 'TRUNCATE emptied',
    found: differing({ missing: 3 }, ['missing id=1', 'missing id=2', 'missing id=3']),
  },
  {
    name: 'one copy less of a row without a key',
    table: 'twice',
    tamper: 'DELETE FROM twice WHERE a = 1 LIMIT 1',
    found: differing({ missing: 1 }, ['missing *']),
  },
  {
    name: 'letters that moved from one column into the next',
    table: 'shifted',
    tamper: `UPDATE shifted SET a = 'ab', b = 'c' WHERE id = 1`,
    found: differing({ changed: 1 }, ['changed id=1: a, b']),
  },
  {
    name: 'a value that generated columns are made of',
    table: 'computed',
    tamper: 'UPDATE computed SET n = 5 WHERE id = 1',
    found: differing({ changed: 1 }, ['changed id=1: n, v, s']),
  },
  {
    name: 'an invisible column',
    table: 'hidden',
    tamper: 'UPDATE hidden SET n = 5 WHERE id = 1',
    found: differing({ changed: 1 }, ['changed id=1: n']),
  },
  {
    name: 'a row of one partition',
    table: 'parted',
    tamper: 'DELETE FROM parted WHERE id = 3',
    found: differing({ missing: 1 }, ['missing id=3']),
  },
  {
    name: 'a row under a unique key in place of a primary one',
    table: 'unique_key',
    tamper: `UPDATE unique_key SET c = 9 WHERE a = 2`,
    found: differing({ changed: 1 }, ['changed b=a, a=2: c']),
  },
  {
    name: 'a row under a unique key that lets in NULLs, so is none',
    table: 'nullable_key',
    tamper: 'DELETE FROM nullable_key WHERE a IS NULL LIMIT 1',
    found: differing({ missing: 1 }, ['missing *']),
  },
  {
    name: 'a value in a table of an odd name',
    table: 'odd ` "name"',
    tamper: 'UPDATE `odd `` "name"` SET `select` = 9 WHERE `key` = 2',
    found: differing({ changed: 1 }, ['changed key=2: select']),
  },
  {
    name: 'a row of a table whose key has another collation',
    table: 'recollated',
    tamper: `ALTER TABLE recollated MODIFY k varchar(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
      DELETE FROM recollated WHERE k = 'B'`,
    found: differing({ missing: 1 }, ['missing k=B']),
  },
  {
    name: 'a missing table',
    table: 'gone',
    tamper: 'DROP TABLE gone',
    found: { outcome: 'different', reasons: ['TP-TABLE-MISSING'] },
  },
  {
    name: 'a missing column',
    table: 'narrower',
    tamper: 'ALTER TABLE narrower DROP COLUMN b',
    found: { outcome: 'different', reasons: ['TP-COLUMN-MISSING'] },
  },
  {
    name: 'another type',
    table: 'retyped',
    tamper: 'ALTER TABLE retyped MODIFY a bigint',
    found: { outcome: 'unproven', reasons: ['TP-COLUMN-TYPE'] },
  },
  {
    name: 'another character set',
    table: 'recoded',
    tamper: 'ALTER TABLE recoded MODIFY a varchar(20) CHARACTER SET utf8mb4',
    found: { outcome: 'unproven', reasons: ['TP-COLUMN-TYPE'] },
  },
  {
    name: 'a table without snapshots',
    table: 'plain',
    tamper: 'SELECT 1',
    found: { outcome: 'unproven', reasons: ['TP-T-ENGINE'] },
  },
];

/** Tables in which nothing is changed, or nothing that counts. */
const UNTOUCHED = ['account', 'otherwise'];

/** Found on sites at rest, and by settling every suspect. */
interface Runs {
  readonly still: ReadonlyMap<string, Found>;
  readonly settled: ReadonlyMap<string, Found>;
}

async function runTwice({ verifier }: MysqlSites): Promise<Runs> {
  return {
    still: foundIn(await verifier.run(['*'])),
    settled: foundIn(await verifier.run(['*'], { restless: true })),
  };
}

await describeLongMysql('on a %s source and replica', (flavor) => {
  const cases = CASES.filter(({ only }) => only === undefined || only === flavor);
  let sites: MysqlSites;
  let before: Runs;
  let after: Runs;
  beforeAll(async () => {
    sites = await MysqlSites.open({ flavor, schema: SCHEMA });
    await sites.write(ROWS);
    before = await runTwice(sites);
    await sites.tamper(cases.map(({ tamper }) => `${tamper};`).join('\n'));
    await sites.tamper(`ALTER TABLE otherwise MODIFY a varchar(30)`);
    after = await runTwice(sites);
  });
  afterAll(() => sites?.end());

  const comparable = cases.filter(({ found }) => !found.reasons?.includes('TP-T-ENGINE'));
  const keyless = new Set(['twice', 'nullable_key']);

  test.each(comparable)('the same before: $name', ({ table }) => {
    expect(before.still.get(table)).toEqual(SAME);
    expect(before.settled.get(table)).toEqual(SAME);
  });

  test.each(cases)('is found: $name', ({ table, found }) => {
    expect(after.still.get(table)).toMatchObject(found);
    expect(after.settled.get(table)).toMatchObject(keyless.has(table) ? { outcome: 'different' } : found);
  });

  test.each(UNTOUCHED)('%s is the same throughout', (table) => {
    expect([before.still.get(table), before.settled.get(table)]).toEqual([SAME, SAME]);
    expect([after.still.get(table), after.settled.get(table)]).toEqual([SAME, SAME]);
  });

  test('a view is no table', () => {
    expect(before.still.has('looked')).toBe(false);
  });
});

await describeLongMysql('on %s a row of sixty megabytes', (flavor) => {
  let sites: MysqlSites;
  beforeAll(async () => {
    const logSize = flavor === 'mysql' ? 'innodb_redo_log_capacity' : 'innodb_log_file_size';
    const settings = { max_allowed_packet: '128M', [logSize]: '768M' };
    const schema = 'CREATE TABLE huge (id int PRIMARY KEY, big longblob, n int)';
    sites = await MysqlSites.open({ flavor, schema, settings });
    await sites.write(`INSERT INTO huge VALUES (1, repeat('x', 62914560), 1), (2, 'small', 2)`);
  });
  afterAll(() => sites?.end());

  test('is compared, and one byte at its end is found', async () => {
    expect(await sites.verifier.find('huge')).toEqual(SAME);
    await sites.tamper(`UPDATE huge SET big = concat(repeat('x', 62914559), 'y') WHERE id = 1`);
    expect(await sites.verifier.find('huge')).toEqual(differing({ changed: 1 }, ['changed id=1: big']));
  });
});
