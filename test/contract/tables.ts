import type { ContractTable, ContractValue } from './pair.ts';

const SCHEMA = 'public';

/** Values that framing or text handling gets wrong first: NULL, empty, quotes, zero bytes, letters beyond ASCII. */
const AWKWARD: readonly (readonly [ContractValue, ContractValue])[] = [
  [null, null],
  ['', Uint8Array.of()],
  ['', null],
  [null, Uint8Array.of(0)],
  ['a\tb\nc\\N', Uint8Array.of(0, 255, 0x44, 0, 0, 0, 4)],
  ['판교 데이터센터', Uint8Array.of(0xc3, 0x28)],
  ['e\u0301 ≠ \u00e9', Uint8Array.from({ length: 300 }, (_, index) => index % 256)],
  [`"quoted" 'text' \u{1f525}`, Uint8Array.of(13, 10)],
];

function payload(index: number): readonly [ContractValue, ContractValue] {
  return AWKWARD[index % AWKWARD.length] ?? [null, null];
}

/** One bigint key, with negative and wide values. */
export function keyedTable(table: string, rowCount: number): ContractTable {
  return {
    schema: SCHEMA,
    table,
    columns: [
      { name: 'note', type: 'text' },
      { name: 'id', type: 'int8' },
      { name: 'raw', type: 'bytea' },
    ],
    key: ['id'],
    rows: Array.from({ length: rowCount }, (_, index) => {
      const [note, raw] = payload(index);
      return [note, keyOfRow(index), raw];
    }),
  };
}

/** The key of the row with this index, up to ten thousand: far apart, on both sides of zero and beyond 2^53. */
export function keyOfRow(index: number): bigint {
  return BigInt(index - 50) * 900_719_925_474_099n;
}

/** A key of two columns, the second first, with text that locales sort differently. Odd names. */
export function compositeTable(table: string, rowCount: number): ContractTable {
  const words = ['a', 'B', 'ä', '', 'Z z', '가', `o'k`, '\u{1f525}'];
  return {
    schema: SCHEMA,
    table,
    columns: [
      { name: 'Größe "x"', type: 'int8' },
      { name: 'part', type: 'int8' },
      { name: '이름', type: 'text' },
    ],
    key: ['이름', 'part'],
    rows: Array.from({ length: rowCount }, (_, index) => [
      index % 3 === 0 ? null : BigInt(index),
      BigInt(Math.floor(index / words.length)),
      words[index % words.length] ?? '',
    ]),
  };
}

/** No key, and every row several times. */
export function keylessTable(table: string, rowCount: number): ContractTable {
  return {
    schema: SCHEMA,
    table,
    columns: [
      { name: 'note', type: 'text' },
      { name: 'raw', type: 'bytea' },
    ],
    key: null,
    rows: Array.from({ length: rowCount }, (_, index) => payload(index)),
  };
}
