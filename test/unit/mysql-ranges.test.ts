import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { typeOf } from '../../connectors/mysql/columns.ts';
import { nativeLiteral, portableLiterals } from '../../connectors/mysql/literals.ts';
import { estimatesOf } from '../../connectors/mysql/probe.ts';
import {
  type Interval,
  type KeyProbe,
  type KeyValues,
  type Neighbours,
  planCuts,
} from '../../connectors/mysql/quantiles.ts';
import { type BoundColumn, fromCondition, toCondition } from '../../connectors/mysql/ranges.ts';
import {
  dateOfDays,
  datetimeOfMicroseconds,
  datetimeText,
  daysOfDate,
  microsecondsOfDatetime,
  microsecondsOfTime,
  timeOfMicroseconds,
  timeText,
} from '../../connectors/mysql/temporal.ts';
import { isWrite } from '../../connectors/mysql/written.ts';
import { keyFieldsOf } from '../../src/row/stream.ts';
import { anyText } from './any-text.ts';

function column(name: string, columnType: string, collation: string | null = null): BoundColumn {
  const dataType = /^\w+/.exec(columnType)?.[0] ?? '';
  const characterSet = collation?.split('_')[0] ?? null;
  const type = typeOf({ dataType, columnType, characterSet, collation });
  if (type === null) throw new Error(columnType);
  return { column: { name, quotedName: `\`${name}\``, type, columnType }, type };
}

function bigint(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

type Order = bigint | string;

interface Stored {
  readonly bytes: Uint8Array;
  readonly order: Order;
}

/** A table of one key column, in memory: what the server would answer, with exact estimates. */
class SortedKeys implements KeyProbe {
  questions = 0;
  stepped = 0;
  estimates: ((interval: Interval) => number) | null = null;
  readonly #keys: readonly Stored[];
  readonly #order: (bytes: Uint8Array) => Order;
  readonly #read: (literal: string) => Uint8Array;

  constructor(
    keys: readonly Uint8Array[],
    order: (bytes: Uint8Array) => Order,
    read: (literal: string) => Uint8Array,
  ) {
    const stored = keys.map((bytes) => ({ bytes, order: order(bytes) }));
    this.#keys = stored.toSorted((a, b) => Number(a.order > b.order) - Number(a.order < b.order));
    this.#order = order;
    this.#read = read;
  }

  /** How many keys lie before a value. */
  #place(value: Uint8Array): number {
    const wanted = this.#order(value);
    let [low, high] = [0, this.#keys.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#keys[middle]?.order ?? '') < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #span({ from, to }: Interval): readonly [start: number, end: number] {
    return [
      from === null ? 0 : this.#place(one(from)),
      to === null ? this.#keys.length : this.#place(one(to)),
    ];
  }

  #around(interval: Interval, at: number): Neighbours | null {
    const [start, end] = this.#span(interval);
    const [below, above] = [this.#keys[at - 1], this.#keys[at]];
    if (at <= start || at >= end || below === undefined || above === undefined) return null;
    return { below: [below.bytes], above: [above.bytes] };
  }

  ends(): ReturnType<KeyProbe['ends']> {
    const [first, last] = [this.#keys[0], this.#keys.at(-1)];
    if (first === undefined || last === undefined) return Promise.resolve(null);
    return Promise.resolve({ first: [first.bytes], last: [last.bytes] });
  }

  estimate(intervals: readonly Interval[]): Promise<number[]> {
    this.questions += intervals.length;
    const counted = (interval: Interval): number => {
      const [start, end] = this.#span(interval);
      return end - start;
    };
    return Promise.resolve(intervals.map(this.estimates ?? counted));
  }

  neighbours(asked: Parameters<KeyProbe['neighbours']>[0]): ReturnType<KeyProbe['neighbours']> {
    this.questions += asked.length;
    return Promise.resolve(
      asked.map(({ interval, at }) => this.#around(interval, this.#place(this.#read(at[0] ?? '')))),
    );
  }

  step(interval: Interval, rows: number): ReturnType<KeyProbe['step']> {
    this.stepped++;
    return Promise.resolve(this.#around(interval, this.#span(interval)[0] + rows));
  }

  /** Rows of each part that the cuts leave. */
  sizes(cuts: readonly string[]): number[] {
    const places = cuts.map((cut) => this.#place(keyFieldsOf(Buffer.from(cut, 'hex'))[0] ?? bigint(0n)));
    const bounds = [0, ...places, this.#keys.length];
    return bounds.slice(1).map((end, at) => end - (bounds[at] ?? 0));
  }
}

function one(key: KeyValues): Uint8Array {
  const [value] = key;
  if (value === undefined) throw new Error('a key of no columns');
  return value;
}

function integers(keys: readonly bigint[]): SortedKeys {
  return new SortedKeys(
    keys.map(bigint),
    (bytes) => Buffer.from(bytes).readBigInt64LE(),
    (literal) => bigint(BigInt(literal)),
  );
}

/** Under a collation that ignores case, or one that compares bytes. */
function texts(keys: readonly string[], folded: boolean): SortedKeys {
  return new SortedKeys(
    keys.map((key) => Buffer.from(key)),
    (bytes) => {
      const text = Buffer.from(bytes).toString();
      return Buffer.from(folded ? text.toUpperCase() : text).toString('latin1');
    },
    (literal) => Buffer.from(/X'([0-9a-f]*)'/.exec(literal)?.[1] ?? '', 'hex'),
  );
}

/** The numbers below `count`. */
function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at);
}

describe('a plan of key ranges', () => {
  const id = [column('id', 'bigint')];
  const name = [column('name', 'varchar(60)', 'utf8mb4_bin')];
  const nameFolded = [column('name', 'varchar(60)', 'utf8mb4_general_ci')];

  test('cuts dense keys into parts of the size allowed, with a few questions for each', async () => {
    const table = integers(Array.from({ length: 20_000 }, (_, at) => BigInt(at)));
    const { cuts, rows } = await planCuts(table, id, 20_000, 500);
    expect(Math.max(...table.sizes(cuts))).toBeLessThanOrEqual(500);
    expect(rows).toEqual(table.sizes(cuts));
    expect(cuts.length).toBeLessThan(90);
    expect(table.questions).toBeLessThan(400);
    expect(table.stepped).toBe(0);
  });

  test.each([
    [
      'all in one corner, and one far away',
      numbers(3000)
        .map(BigInt)
        .concat(2n ** 63n - 1n),
    ],
    [
      'at both ends of 64 bits',
      numbers(1500).flatMap((at) => [BigInt(at) - 2n ** 63n, 2n ** 62n + BigInt(at)]),
    ],
    ['each twice as far as the last', numbers(60).map((at) => 2n ** BigInt(at))],
  ])('cuts keys that lie %s', async (_, keys) => {
    const table = integers(keys);
    const { cuts } = await planCuts(table, id, keys.length, 25);
    expect(Math.max(...table.sizes(cuts))).toBeLessThanOrEqual(25);
    expect(table.stepped).toBe(0);
    expect(table.questions).toBeLessThan(1500);
  });

  test('cuts any integers', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), { maxLength: 200 }),
        fc.integer({ min: 1, max: 20 }),
        async (keys, rowsMax) => {
          const table = integers(keys);
          const { cuts, rows } = await planCuts(table, id, keys.length, rowsMax);
          expect(Math.max(...table.sizes(cuts))).toBeLessThanOrEqual(rowsMax);
          expect(rows).toHaveLength(cuts.length + 1);
          expect(table.sizes(cuts).reduce((sum, size) => sum + size, 0)).toBe(keys.length);
        },
      ),
    );
  });

  test.each([
    ['numbered', numbers(3000).map((at) => `key ${at}`)],
    ['of one long beginning', numbers(500).map((at) => `${'x'.repeat(40)}${at.toString(36)}`)],
    ['random', numbers(900).map((at) => (at * 2_654_435_761).toString(36))],
    ['Korean', numbers(900).map((at) => `고객 ${String.fromCodePoint(0xac00 + at)}`)],
    ['of either case', numbers(900).map((at) => (at % 2 ? 'Ab' : 'aB') + at.toString(36))],
  ])('cuts texts that are %s, nearly always without walking', async (_, keys) => {
    for (const folded of [false, true]) {
      const table = texts(keys, folded);
      const { cuts } = await planCuts(table, folded ? nameFolded : name, keys.length, 40);
      expect(Math.max(...table.sizes(cuts))).toBeLessThanOrEqual(40);
      expect(table.stepped).toBeLessThan(4);
    }
  });

  test('cuts any texts, by walking where no middle is found', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(anyText({ maxLength: 6 }), { maxLength: 80 }),
        fc.integer({ min: 1, max: 10 }),
        async (keys, rowsMax) => {
          const table = texts(keys, false);
          const { cuts } = await planCuts(table, name, keys.length, rowsMax);
          expect(Math.max(...table.sizes(cuts))).toBeLessThanOrEqual(rowsMax);
        },
      ),
    );
  });

  test('an empty table and one that is small enough are one range', async () => {
    expect(await planCuts(integers([]), id, 0, 10)).toEqual({ cuts: [], rows: [0] });
    expect(await planCuts(integers([1n, 2n]), id, 2, 10)).toEqual({ cuts: [], rows: [2] });
  });

  test('ends when the estimates are nonsense', async () => {
    const table = integers([...Array(50_000).keys()].map(BigInt));
    table.estimates = () => 1e6;
    const { cuts } = await planCuts(table, id, 1e6, 1e5);
    expect(cuts.length).toBeLessThan(500);
  });
});

describe('bounds in SQL', () => {
  const columns = [column('a', 'int'), column('b', 'int')];

  test('are written out so that an index range is seen', () => {
    expect(fromCondition(columns, ['1', '2'])).toEqual(['(`a` > 1 or (`a` = 1 and `b` >= 2))']);
    expect(toCondition(columns, ['1', '2'])).toEqual(['(`a` < 1 or (`a` = 1 and `b` < 2))']);
    expect(fromCondition(columns, ['7'])).toEqual(['`a` >= 7']);
    expect(fromCondition(columns, null)).toEqual([]);
  });

  test('estimates are taken from each SELECT of a plan by its number', () => {
    const plan = [
      { id: '1', rows: '12' },
      { id: '3', rows: '7' },
      { id: '2', rows: null },
      { id: null, rows: null },
    ];
    expect(estimatesOf(plan, 3)).toEqual([12, 0, 7]);
  });
});

describe('key values as literals', () => {
  const literal = (columnType: string, value: Uint8Array, collation: string | null = null): string =>
    nativeLiteral(column('k', columnType, collation).type, value);

  test('are exact', () => {
    expect(literal('bigint unsigned', bigint(-1n))).toBe('18446744073709551615');
    expect(literal('bigint', bigint(-(2n ** 63n)))).toBe('-9223372036854775808');
    expect(literal('tinyint', Uint8Array.of(0xff))).toBe('-1');
    expect(literal('year', Uint8Array.of(0xea, 0x07))).toBe('2026');
    expect(literal('decimal(65,30)', Buffer.from('-0.000000000000000000000000000001'))).toBe(
      '-0.000000000000000000000000000001',
    );
    expect(literal('bit(20)', Uint8Array.of(0x0f, 0xff, 0xff))).toBe('1048575');
    expect(literal('binary(2)', Uint8Array.of(0x27, 0x5c))).toBe(`X'275c'`);
    expect(literal('varchar(9)', Buffer.from(`o'k`), 'latin1_bin')).toBe(
      `convert(X'6f276b' using latin1) collate latin1_bin`,
    );
    expect(literal('date', Uint8Array.of())).toBe(`'0000-00-00'`);
    expect(literal('datetime', Uint8Array.of(0xe8, 7, 2, 0, 1, 2, 3, 1, 0, 0, 0))).toBe(
      `'2024-02-00 01:02:03.000001'`,
    );
    expect(literal('time', Uint8Array.of(1, 34, 0, 0, 0, 22, 59, 59))).toBe(`'-838:59:59'`);
    expect(literal('float', Uint8Array.of(0, 0, 0x80, 0x3f))).toBe('1e+0');
  });

  test('never hold what is not of their kind', () => {
    expect(() => literal('decimal(5,2)', Buffer.from(`1' or '1`))).toThrow('no number');
    expect(() => literal('uuid', Buffer.from(`1' or '1`))).toThrow('odd');
    expect(() => literal('datetime', Uint8Array.of(1))).toThrow('date of 1 bytes');
  });

  test('of a portable form that no row can have are none', () => {
    const { type } = column('k', 'bigint');
    expect(portableLiterals(type, 'integer', Uint8Array.of(1))).toBeNull();
    expect(portableLiterals(type, 'decimal', Buffer.from('NaN'))).toBeNull();
    expect(portableLiterals(type, 'float8', Buffer.from('7ff8000000000000', 'hex'))).toBeNull();
    expect(portableLiterals(type, 'integer', Buffer.from('ffffffffffffffff', 'hex'))).toEqual(['-1']);
  });
});

describe('an event of the log', () => {
  const orders = { schema: 'shop', table: 'orders' };
  const event = (type: string, info = ''): boolean =>
    isWrite({ Log_name: 'binlog.1', Event_type: type, End_log_pos: '99', Info: info }, orders);

  test.each([
    ['Table_map', 'table_id: 93 (shop.orders)'],
    ['Query', 'use `shop`; DELETE FROM orders'],
    ['Query', 'use `shop`; ALTER TABLE other ADD x int'],
    ['Query', "XA COMMIT X'61',X'',1"],
    ['Transaction_payload', "compression='ZSTD'"],
    ['Incident', '#1 (LOST_EVENTS)'],
    ['Something_new', ''],
  ])('%s %s may be a write to the table', (type, info) => {
    expect(event(type, info)).toBe(true);
  });

  test.each([
    ['Table_map', 'table_id: 93 (shop.orders_old)'],
    ['Table_map', 'table_id: 93 (old_shop.orders)'],
    ['Write_rows', 'table_id: 93 flags: STMT_END_F'],
    ['Update_rows_compressed_v1', 'table_id: 93'],
    ['Query', 'BEGIN'],
    ['Query', "XA START X'61',X'',1"],
    ['Query', "XA ROLLBACK X'61',X'',1"],
    ['Xid', 'COMMIT /* xid=11 */'],
    ['Rotate', 'binlog.2;pos=4'],
  ])('%s %s is none', (type, info) => {
    expect(event(type, info)).toBe(false);
  });
});

describe('dates and times', () => {
  test('go to text and back', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -63_082_281_600_000_000n, max: 252_455_615_999_999_999n }), (moment) => {
        expect(microsecondsOfDatetime(datetimeOfMicroseconds(moment))).toBe(moment);
      }),
    );
    fc.assert(
      fc.property(fc.bigInt({ min: -3_020_399_999_999n, max: 3_020_399_999_999n }), (time) => {
        expect(microsecondsOfTime(timeOfMicroseconds(time))).toBe(time);
      }),
    );
  });

  test('count from the year 2000', () => {
    expect(dateOfDays(0n)).toBe('2000-01-01');
    expect(dateOfDays(-1n)).toBe('1999-12-31');
    expect(daysOfDate('2000-03-01')).toBe(60n);
    expect(datetimeOfMicroseconds(-1n)).toBe('1999-12-31 23:59:59.999999');
    expect(timeText(new Uint8Array(0))).toBe('00:00:00');
    expect(datetimeText(Uint8Array.of(0xd0, 7, 1, 1))).toBe('2000-01-01 00:00:00');
  });
});
