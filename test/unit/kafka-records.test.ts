import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DebeziumRecord } from '../../connectors/kafka/change-record.ts';
import { DebeziumDecoder } from '../../connectors/kafka/debezium.ts';
import { JsonError } from '../../connectors/kafka/json-error.ts';
import { recordBytesOf } from '../servers/harness/kafka-changes.ts';
import { anyText } from './any-text.ts';
import { times } from './property-runs.ts';

const COLUMNS = [
  { name: 'id', type: 'bigint' },
  { name: 'text', type: 'text' },
  { name: 'size', type: 'integer' },
];

function newDecoder(beforeImages = false): DebeziumDecoder {
  return new DebeziumDecoder({
    settings: { decimals: 'precise', times: 'adaptive', binary: 'bytes' },
    declared: new Map([
      ['public.letters', COLUMNS],
      ['public.notes', COLUMNS],
      ['shop.letters', COLUMNS],
    ]),
    beforeImages,
  });
}

type Members = readonly (readonly [string, string])[];

/** An object of members whose values are written already. */
const object = (members: Members, space = ''): string =>
  `{${space}${members.map(([name, value]) => `${JSON.stringify(name)}${space}:${space}${value}`).join(`,${space}`)}${space}}`;

const SOURCE: Members = [
  ['version', '"3.3.1.Final"'],
  ['connector', '"postgresql"'],
  ['name', '"p"'],
  ['ts_ms', '1700000000001'],
  ['snapshot', '"false"'],
  ['db', '"bank"'],
  ['sequence', String.raw`"[\"100\",\"210\"]"`],
  ['ts_us', '1700000000001007'],
  ['schema', '"public"'],
  ['table', '"letters"'],
  ['txId', '7'],
  ['lsn', '210'],
  ['xmin', 'null'],
];

function valueOf(row: Members, { source = SOURCE, op = '"c"', space = '' } = {}): Buffer {
  const members: Members = [
    ['before', 'null'],
    ['after', object(row, space)],
    ['source', object(source, space)],
    ['transaction', 'null'],
    ['op', op],
    ['ts_ms', '1'],
  ];
  return Buffer.from(object(members, space));
}

const rowOf = (id: string, text: string, size = '1'): Members => [
  ['id', id],
  ['text', JSON.stringify(text)],
  ['size', size],
];

/** The values of a row in hexadecimal; null: NULL. */
function fieldsOf(row: Uint8Array | null | undefined): (string | null)[] {
  const bytes = Buffer.from(row ?? []);
  const fields: (string | null)[] = [];
  for (let at = 2; at < bytes.length;) {
    const length = bytes.readInt32BE(at);
    at += 4 + Math.max(length, 0);
    fields.push(length < 0 ? null : bytes.subarray(at - length, at).toString('hex'));
  }
  return fields;
}

function changeOf(record: DebeziumRecord) {
  if (record.kind !== 'change') throw new Error('no change came');
  return record;
}

const textOf = (record: DebeziumRecord): string =>
  Buffer.from(fieldsOf(changeOf(record).after)[1] ?? '', 'hex').toString();

const key = Buffer.from('{"id":1}');

/** What differs from record to record, in whichever order and with whatever beside it. */
const source = fc
  .record({
    snapshot: fc.constantFrom('"false"', '"first"', '"last"', '"true"'),
    ts_ms: fc.nat(),
    ts_us: fc.oneof(fc.nat(), fc.constant(null)),
    txId: fc.oneof(fc.nat({ max: 3 }), fc.constant(null)),
    lsn: fc.oneof(fc.nat(), fc.constant(null)),
    sequence: fc.oneof(
      fc.tuple(fc.nat(), fc.bigInt(0n, 2n ** 64n - 1n)).map(([a, b]) => `[\\"${a}\\",\\"${b}\\"]`),
      fc.nat().map((own) => String.raw`[ null , \"${own}\" ]`),
    ),
    table: fc.constantFrom('letters', 'notes'),
    beside: fc.option(fc.string({ maxLength: 5 })),
    shuffled: fc.boolean(),
  })
  .chain(({ snapshot, ts_ms, ts_us, txId, lsn, sequence, table, beside, shuffled }) => {
    const members: Members = [
      ['connector', '"postgresql"'],
      ['ts_ms', String(ts_ms)],
      ['snapshot', snapshot],
      ['sequence', `"${sequence}"`],
      ...(ts_us === null ? [] : [['ts_us', String(ts_us)] as const]),
      ['schema', '"public"'],
      ['table', `"${table}"`],
      ['txId', String(txId)],
      ['lsn', String(lsn)],
      ...(beside === null ? [] : [['beside', JSON.stringify(beside)] as const]),
    ];
    return shuffled ? fc.shuffledSubarray([...members], { minLength: members.length }) : fc.constant(members);
  });

describe('records of change topics', () => {
  it('tell the same whatever was read before them', () => {
    const space = fc.constantFrom('', ' ', '\n\t');
    fc.assert(
      fc.property(fc.array(fc.tuple(source, space), { minLength: 2, maxLength: 12 }), (records) => {
        const decoder = newDecoder();
        const told = (own: DebeziumDecoder, [one, blank]: (typeof records)[number]): unknown[] => {
          const value = valueOf(rowOf('1', 'a'), { source: one, space: blank });
          const { source: of, table, key: identity, after } = changeOf(own.decode(recordBytesOf(key, value)));
          return [of, table.leaf, identity, after];
        };
        expect(records.map((one) => told(decoder, one))).toEqual(
          records.map((one) => told(newDecoder(), one)),
        );
      }),
      { numRuns: times(10) },
    );
  });

  it('tell place, transaction and time of a change', () => {
    const { source: told } = changeOf(newDecoder().decode(recordBytesOf(key, valueOf(rowOf('1', 'a')))));
    expect(told).toEqual({
      engine: 'postgres',
      origin: 'p, database bank',
      table: 'public.letters',
      snapshot: false,
      snapshotMark: null,
      transaction: '7',
      timeUs: 1_700_000_000_001_007n,
      place: [100n, 210n],
    });
    const mysql: Members = [
      ['connector', '"mysql"'],
      ['ts_ms', '1700000000001'],
      ['db', '"shop"'],
      ['table', '"letters"'],
      ['gtid', '"a:7"'],
      ['file', '"binlog.000004"'],
      ['pos', '5000000000'],
      ['row', '3'],
    ];
    const { source: other } = changeOf(
      newDecoder().decode(recordBytesOf(key, valueOf(rowOf('1', 'a'), { source: mysql }))),
    );
    expect([other.table, other.transaction, other.place, other.timeUs]).toEqual([
      'shop.letters',
      'a:7',
      [4n, (5_000_000_000n << 32n) | 3n],
      1_700_000_000_001_000n,
    ]);
  });

  it('keep every character of a text, however it is written', () => {
    const decoder = newDecoder();
    const unit = fc.constantFrom('"', '\\', '\u0000', '\n', 'é', '한', '😀', 'x'.repeat(60));
    fc.assert(
      fc.property(fc.oneof(anyText(), fc.string({ unit })), (text) => {
        const escaped = JSON.stringify(text).replaceAll(/[^ -~]/gu, escapesOf);
        for (const written of [JSON.stringify(text), escaped]) {
          const row: Members = [
            ['id', '1'],
            ['text', written],
            ['size', 'null'],
          ];
          expect(textOf(decoder.decode(recordBytesOf(key, valueOf(row))))).toBe(text);
        }
      }),
      { numRuns: times(20) },
    );
  });

  it('may be huge, and may hold much within one another beside the row', () => {
    const decoder = newDecoder();
    const text = `${'x'.repeat(1_200_000)}"${'é'.repeat(10)}`;
    expect(textOf(decoder.decode(recordBytesOf(key, valueOf(rowOf('1', text)))))).toBe(text);
    const nested = (depth: number): Members => [...SOURCE, ['deep', '['.repeat(depth) + ']'.repeat(depth)]];
    expect(textOf(decoder.decode(recordBytesOf(key, valueOf(rowOf('1', 'a'), { source: nested(30) }))))).toBe(
      'a',
    );
    expect(() =>
      decoder.decode(recordBytesOf(key, valueOf(rowOf('1', 'a'), { source: nested(3000) }))),
    ).toThrow(JsonError);
    // What was refused leaves nothing behind.
    expect(textOf(decoder.decode(recordBytesOf(key, valueOf(rowOf('1', 'b')))))).toBe('b');
  });

  it.each([
    ['a column that stands there twice', valueOf([...rowOf('1', 'a'), ['text', '"b"']])],
    ['a column that is missing', valueOf(rowOf('1', 'a').slice(1))],
    ['a column that nobody declared', valueOf([...rowOf('1', 'a'), ['more', '1']])],
    ['a whole number with an exponent', valueOf(rowOf('1', 'a', '1e3'))],
    ['a whole number with a fraction', valueOf(rowOf('1', 'a', '1.0'))],
    [
      'two rows after one change',
      Buffer.from(
        String(valueOf(rowOf('1', 'a'))).replace('"before":null', `"after":${object(rowOf('2', 'b'))}`),
      ),
    ],
    ['an operation of two letters', valueOf(rowOf('1', 'a'), { op: '"cc"' })],
    ['a second value behind the first', Buffer.concat([valueOf(rowOf('1', 'a')), Buffer.from('{}')])],
  ])('are refused for %s', (_, value) => {
    const decoder = newDecoder();
    expect(() => decoder.decode(recordBytesOf(key, value))).toThrow(JsonError);
    expect(textOf(decoder.decode(recordBytesOf(key, valueOf(rowOf('1', 'a')))))).toBe('a');
  });

  it('are refused for a null in the key, in whichever record it comes: it is of no row', () => {
    const decoder = newDecoder();
    const none = recordBytesOf(Buffer.from('{"id":null}'), valueOf(rowOf('1', 'a')));
    expect(() => decoder.decode(none)).toThrow(/a value of the key is null/);
    expect(textOf(decoder.decode(recordBytesOf(key, valueOf(rowOf('1', 'a')))))).toBe('a');
    expect(() => decoder.decode(none)).toThrow(/a value of the key is null/);
  });

  it.each([
    [
      'a schema registry describes',
      Buffer.from([0, 0, 0, 0, 7, 2, 4]),
      /no JSON, but what a schema registry/,
    ],
    ['was flattened', Buffer.from('{"id":1,"text":"a","size":1,"__op":"c"}'), /has flattened/],
  ])('are refused by what they are where it %s', (_, value, said) => {
    expect(() => newDecoder().decode(recordBytesOf(key, value))).toThrow(said);
  });

  it('have one definition as long as their columns do, whatever else their schemas say', () => {
    const decoder = newDecoder();
    const fingerprintOf = (inSource: readonly unknown[], column: string): string | null | undefined =>
      changeOf(decoder.decode(recordBytesOf(keyWithSchema(), withSchema(inSource, column)))).table
        .fingerprint;
    const fingerprint = fingerprintOf([], 'a');
    expect(fingerprintOf([{ type: 'int64', optional: true, field: 'ts_ns' }], 'a')).toBe(fingerprint);
    expect(fingerprintOf([], 'b')).not.toBe(fingerprint);
  });

  it('are refused for a key with something behind it', () => {
    expect(() =>
      newDecoder().decode(recordBytesOf(Buffer.from('{"id":1}x'), valueOf(rowOf('1', 'a')))),
    ).toThrow(JsonError);
  });

  it('give rows that stay as they were given', () => {
    const decoder = newDecoder();
    // More than a chunk of the memory that rows are given from.
    const texts = Array.from({ length: 200 }, (_, index) => `${index}`.repeat(1000));
    const records = texts.map((text) => decoder.decode(recordBytesOf(key, valueOf(rowOf('1', text)))));
    expect(records.map(textOf)).toEqual(texts);
    expect(fieldsOf(changeOf(records[0] ?? { kind: 'nothing' }).after)).toEqual([
      '0000000000000001',
      '30'.repeat(1000),
      '0000000000000001',
    ]);
  });
});

const KEY_FIELD = { type: 'int64', optional: false, field: 'id' };

function keyWithSchema(): Buffer {
  return Buffer.from(JSON.stringify({ schema: { type: 'struct', fields: [KEY_FIELD] }, payload: { id: 1 } }));
}

/** `inSource`: fields of the block `source`; `column`: the name of a column. */
function withSchema(inSource: unknown, column: string): Buffer {
  const struct = (field: string, fields: unknown) => ({ type: 'struct', field, optional: true, fields });
  const columns = [KEY_FIELD, { type: 'string', optional: true, field: column }];
  const schema = { type: 'struct', fields: [struct('after', columns), struct('source', inSource)] };
  const payload = String(valueOf([['id', '1'] as const, [column, '"x"'] as const]));
  return Buffer.from(`{"schema":${JSON.stringify(schema)},"payload":${payload}}`);
}

/** Each half of a character by its number. */
function escapesOf(character: string): string {
  return Array.from(
    { length: character.length },
    (_, index) => String.raw`\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
  ).join('');
}
