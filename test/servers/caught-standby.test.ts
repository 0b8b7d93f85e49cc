import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eraseTuple, relationPath, replaceInRelation } from './harness/heap.ts';
import { ServerPair } from './harness/server-pair.ts';
import { differing, type Found, SAME } from './harness/verify.ts';

/** Bytes of a standby's heap that are exchanged for others of the same length. */
interface Rot {
  readonly name: string;
  /** What follows CREATE TABLE and its name. */
  readonly table: string;
  readonly rows: string;
  /** Pairs of bytes before and after. */
  readonly swap?: readonly (readonly [from: Buffer, to: Buffer])[];
  /** Addresses of rows that vanish. */
  readonly erase?: readonly string[];
  readonly found: Found;
}

const KEYED = '(id bigint PRIMARY KEY, v text)';
const KEYLESS = '(a bigint, v text)';
const FIVE = `SELECT g, 'row ' || g FROM generate_series(1, 5) g`;

function int8(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

/** The Ides of March of an astronomical year, as a timestamp. */
function ides(year: number): Buffer {
  const milliseconds = new Date(0).setUTCFullYear(year, 2, 15) - Date.UTC(2000, 0, 1);
  return int8(BigInt(milliseconds) * 1000n);
}

function float8(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

/** A short text as the heap has it. */
function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([((bytes.length + 1) << 1) | 1]), bytes]);
}

/** The second column of the row with this id. */
function behind(id: bigint, ...values: readonly Buffer[]): Buffer {
  return Buffer.concat([int8(id), ...values]);
}

function one(name: string, type: string, before: string, from: Buffer, to: Buffer): Rot {
  const rows = `VALUES (1, ${before}), (2, ${before})`;
  const found = differing({ changed: 1 }, ['changed id=1: v']);
  return {
    name,
    table: `(id bigint PRIMARY KEY, v ${type})`,
    rows,
    swap: [[behind(1n, from), behind(1n, to)]],
    found,
  };
}

const ROTS: readonly Rot[] = [
  {
    name: 'values swapped between two rows',
    table: KEYED,
    rows: `VALUES (1, 'alpha'), (2, 'bravo'), (3, 'delta')`,
    swap: [
      [behind(1n, text('alpha')), behind(1n, text('bravo'))],
      [behind(2n, text('bravo')), behind(2n, text('alpha'))],
    ],
    found: differing({ changed: 2 }, ['changed id=1: v', 'changed id=2: v']),
  },
  {
    name: 'values swapped between two columns of one row',
    table: '(id bigint PRIMARY KEY, v text, w text)',
    rows: `VALUES (1, 'alpha', 'bravo'), (2, 'alpha', 'bravo')`,
    swap: [[behind(1n, text('alpha'), text('bravo')), behind(1n, text('bravo'), text('alpha'))]],
    found: differing({ changed: 1 }, ['changed id=1: v, w']),
  },
  {
    name: 'a separator that moved from one column to the next',
    table: '(id bigint PRIMARY KEY, v text, w text)',
    rows: `VALUES (1, 'a|b', 'c'), (2, 'x', 'y')`,
    swap: [[behind(1n, text('a|b'), text('c')), behind(1n, text('a'), text('b|c'))]],
    found: differing({ changed: 1 }, ['changed id=1: v, w']),
  },
  {
    name: 'an empty text against NULL',
    table: '(id bigint PRIMARY KEY, a int, v text)',
    rows: `VALUES (1, NULL, ''), (2, NULL, '')`,
    // Length of the row's header, the bitmap of columns that are not NULL, and the first column.
    swap: [
      [
        Buffer.concat([Buffer.from([24, 0b101]), int8(1n)]),
        Buffer.concat([Buffer.from([24, 0b001]), int8(1n)]),
      ],
    ],
    found: differing({ changed: 1 }, ['changed id=1: v']),
  },
  one('minus one as an unsigned number', 'bigint', '-1', int8(-1n), int8(4294967295n)),
  one('one against two to the 32nd', 'bigint', '1', int8(1n), int8(4294967296n)),
  one('trailing blanks', 'text', `'ab  '`, text('ab  '), Buffer.concat([text('ab'), Buffer.from('  ')])),
  one('case only', 'text', `'Kim'`, text('Kim'), text('kim')),
  one('case only, in a column that ignores it', 'text COLLATE nocase', `'Kim'`, text('Kim'), text('kim')),
  one(
    'another scale',
    'numeric',
    '1.0',
    Buffer.from([11, 0x80, 0x80, 1, 0]),
    Buffer.from([11, 0, 0x81, 1, 0]),
  ),
  one(
    'a sum of floats against its round value',
    'float8',
    '0.1::float8 + 0.2',
    float8(0.1 + 0.2),
    float8(0.3),
  ),
  one('minus zero', 'float8', '0', float8(0), float8(-0)),
  one('one microsecond', 'timestamptz', `'2000-01-01 00:00:01+00'`, int8(1_000_000n), int8(1_000_001n)),
  one('infinity', 'timestamp', `'infinity'`, int8(2n ** 63n - 1n), int8(-(2n ** 63n))),
  one('a year before Christ', 'timestamp', `'0044-03-15 BC'`, ides(-43), ides(44)),
  {
    name: 'a row replaced by its neighbour',
    table: KEYED,
    rows: FIVE,
    swap: [[behind(3n, text('row 3')), behind(4n, text('row 4'))]],
    found: differing({ missing: 1, extra: 1 }, ['missing id=3', 'extra id=4']),
  },
  {
    name: 'a key that became another',
    table: KEYED,
    rows: FIVE,
    swap: [[behind(3n, text('row 3')), behind(33n, text('row 3'))]],
    found: differing({ missing: 1, extra: 1 }, ['missing id=3', 'extra id=33']),
  },
  {
    name: 'a row that is missing',
    table: KEYED,
    rows: FIVE,
    erase: ['(0,5)'],
    found: differing({ missing: 1 }, ['missing id=5']),
  },
  {
    name: 'a row that is missing, without a key',
    table: KEYLESS,
    rows: `VALUES (1, 'x'), (1, 'x'), (1, 'x'), (1, 'x')`,
    erase: ['(0,2)', '(0,4)'],
    found: differing({ missing: 2 }, ['missing (ctid)=(0,2)', 'missing (ctid)=(0,4)']),
  },
  {
    name: 'a row replaced by its neighbour, without a key',
    table: KEYLESS,
    rows: FIVE,
    swap: [[behind(3n, text('row 3')), behind(4n, text('row 4'))]],
    found: differing({ changed: 1 }, ['changed (ctid)=(0,3): a, v']),
  },
  {
    name: 'pairs of equal rows that became pairs of others, without a key',
    table: KEYLESS,
    rows: `VALUES (1, 'x'), (1, 'x'), (2, 'y')`,
    swap: [[behind(1n, text('x')), behind(1n, text('z'))]],
    found: differing({ changed: 2 }, ['changed (ctid)=(0,1): v', 'changed (ctid)=(0,2): v']),
  },
  {
    name: 'every row of a table without columns but one',
    table: '()',
    rows: 'SELECT FROM generate_series(1, 3)',
    erase: ['(0,1)', '(0,3)'],
    found: differing({ missing: 2 }, ['missing (ctid)=(0,1)', 'missing (ctid)=(0,3)']),
  },
  {
    name: 'a row that was deleted on the primary and came back',
    table: KEYED,
    rows: FIVE,
    found: differing({ extra: 1 }, ['extra id=2']),
  },
  {
    name: 'a row that was deleted on the primary and came back, without a key',
    table: KEYLESS,
    rows: FIVE,
    found: differing({ extra: 1 }, ['extra (ctid)=(0,2)']),
  },
  {
    name: 'nothing, in a table beside them',
    table: KEYED,
    rows: FIVE,
    found: SAME,
  },
];

const NUMBERED = ROTS.map((rot, n) => ({ rot, table: `t${n}` }));

describe('a standby is told from its primary by', () => {
  let pair: ServerPair;
  let before: ReadonlyMap<string, Found>;
  let after: ReadonlyMap<string, Found>;
  beforeAll(async () => {
    const tables = NUMBERED.map(
      ({ rot, table }) => `CREATE TABLE ${table} ${rot.table}; INSERT INTO ${table} ${rot.rows};`,
    );
    const collation = `CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);`;
    pair = await ServerPair.physical({ schema: collation + tables.join('\n') });
    const deletions = NUMBERED.filter(({ rot }) => rot.name.includes('came back')).map(({ table }) => table);
    const deleter = deletions.map((table) => `DELETE FROM ${table} WHERE v = 'row 2';`).join('\n');
    // Several statements in one message are one transaction.
    const [row] = await pair.primary.sql(`${deleter} SELECT pg_current_xact_id()::text AS xid`);
    before = await pair.verifier.findTwice(['*']);
    const paths = new Map<string, string>();
    for (const { table } of NUMBERED) paths.set(table, await relationPath(pair.primary, 'postgres', table));
    // The id of the transaction that deleted, and the command's number within it.
    const deleted = Buffer.alloc(8);
    deleted.writeUInt32LE(Number(row?.['xid']));
    await pair.edit(async (target) => {
      for (const { rot, table } of NUMBERED) {
        const path = paths.get(table) ?? '';
        for (const [from, to] of rot.swap ?? []) {
          if ((await replaceInRelation(target, path, from, to)) === 0)
            throw new Error(`${rot.name}: not there`);
        }
        for (const ctid of rot.erase ?? []) await eraseTuple(target, path, ctid);
      }
      for (const [n, table] of deletions.entries()) {
        deleted.writeUInt32LE(n, 4);
        const places = await replaceInRelation(target, paths.get(table) ?? '', deleted, Buffer.alloc(8));
        if (places !== 1) throw new Error(`${table}: the deleted row stands in ${places} places`);
      }
    });
    after = await pair.verifier.findTwice(['*']);
  });
  afterAll(() => pair?.end());

  test.each(NUMBERED.map(({ rot, table }) => [rot.name, table, rot.found] as const))(
    '%s',
    (_, table, found) => {
      expect(before.get(table)).toEqual(SAME);
      expect(after.get(table)).toEqual(found);
    },
  );
});
