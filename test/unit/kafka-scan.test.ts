import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { crc32c } from '../../connectors/kafka/crc32c.ts';
import { DebeziumDecoder } from '../../connectors/kafka/debezium.ts';
import { JsonError } from '../../connectors/kafka/json-error.ts';
import type { RecordBytes } from '../../connectors/kafka/record-bytes.ts';
import { RecordScan } from '../../connectors/kafka/record-scan.ts';
import { recordBytesOf, recordOf, type StatedChange } from '../servers/harness/kafka-changes.ts';
import { times } from './property-runs.ts';

const COLUMNS = [
  { name: 'id', type: 'integer' },
  { name: 'text', type: 'text' },
];
const OTHERS = [
  { name: 'text', type: 'text' },
  { name: 'id', type: 'integer' },
];
const PAIRS = [
  { name: 'id', type: 'integer' },
  { name: 'a', type: 'text' },
  { name: 'b', type: 'text' },
];

function newDecoder(): DebeziumDecoder {
  return new DebeziumDecoder({
    settings: { decimals: 'precise', times: 'adaptive', binary: 'bytes' },
    declared: new Map([
      ['public.letters', COLUMNS],
      ['public.notes', OTHERS],
      ['public.pairs', PAIRS],
    ]),
    beforeImages: true,
  });
}

/** Two that see the same records: the walk in WebAssembly takes none that begins with a blank. */
const fast = newDecoder();
const slow = newDecoder();

function outcomeOf(decoder: DebeziumDecoder, record: RecordBytes): unknown {
  try {
    return decoder.decode(record);
  } catch (error) {
    if (error instanceof JsonError) return 'refused';
    throw error;
  }
}

interface Written {
  readonly key: string | null;
  readonly value: string;
}

function expectAlike({ key, value }: Written): void {
  const keyBytes = key === null ? null : Buffer.from(key);
  const found = outcomeOf(fast, recordBytesOf(keyBytes, Buffer.from(value)));
  expect(found).toEqual(outcomeOf(slow, recordBytesOf(keyBytes, Buffer.from(` ${value}`))));
}

const change = fc.record({
  op: fc.constantFrom('c', 'u', 'd', 'r', 't'),
  id: fc.integer({ min: -3, max: 2 ** 31 - 1 }),
  text: fc.string({ unit: fc.constantFrom('a', '"', '\\', '\n', 'é', '😀', 'x'.repeat(50)), maxLength: 9 }),
  tx: fc.integer({ min: 1, max: 3 }),
  lsn: fc.nat(),
  table: fc.constantFrom('letters', 'notes'),
}) satisfies fc.Arbitrary<StatedChange>;

/** A record as it may come, and some in which one place is another. */
const record: fc.Arbitrary<Written> = fc.tuple(change, fc.boolean()).map(([stated, hasBefore]) => {
  const { key, value } = recordOf(stated);
  const { id, text } = stated;
  return hasBefore
    ? { key, value: value.replace('null', () => JSON.stringify({ id, text })) }
    : { key, value };
});
/** What is put where something else stood. */
const PIECES = [
  ['', '"', '\\', '{', '}', '[', ']', ',', ':', ' ', '1', '-', 'e', 'null', 'true', 'fals', '\u0001'],
  ['{}', '"op":"c",', '"txId":9,', '"source":{},', '"id":5,', '"schema":', '"payload":', '"before":1,'],
].flat();
const damaged: fc.Arbitrary<Written> = fc
  .tuple(
    record,
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.nat({ max: 4 }),
    fc.constantFrom(...PIECES),
    fc.boolean(),
  )
  .map(([{ key, value }, where, without, put, inKey]) => {
    const text = inKey && key !== null ? key : value;
    const at = Math.floor(where * text.length);
    const made = text.slice(0, at) + put + text.slice(at + without);
    return inKey && key !== null ? { key: made, value } : { key, value: made };
  });

const PAIR = '"a":"1","b":"2"';
/** With columns of one type the other way round. */
const swapped = (value: string): string => value.replace(PAIR, '"b":"2","a":"1"');

describe('the walk over records in WebAssembly', () => {
  it('understands what Debezium writes without schemas, and leaves the rest alone', () => {
    const scan = new RecordScan(false);
    const { key, value } = recordOf({ op: 'u', id: 1, text: 'a'.repeat(1000), tx: 1, lsn: 2 });
    const scanned = (text: string): boolean =>
      scan.scan(recordBytesOf(Buffer.from(key ?? ''), Buffer.from(text)));
    expect([scanned(value), scanned(value)]).toEqual([true, true]);
    const others = [` ${value}`, `${value} `, value.slice(0, -1), `{"schema":{},"payload":${value}}`];
    expect(others.map(scanned)).toEqual([false, false, false, false]);
    expect(scanned(value)).toBe(true);
  });

  it('gives what is given without it, whatever came before', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(record, record, damaged), { minLength: 1, maxLength: 8 }), (records) => {
        for (const one of records) expectAlike(one);
      }),
      { numRuns: times(15) },
    );
  });

  it.each([
    ['columns in another order, first in a record that is none', ['"op":"x"', swapped, swapped]],
    ['columns in another order, first where a table is truncated', ['"op":"t"', swapped, swapped]],
    ['a member of the source twice', ['"op":"c"', (text: string) => text, (text: string) => text]],
  ] as const)('gives what is given without it for %s', (_, [op, first, second]) => {
    const { key, value: written } = recordOf({ op: 'c', id: 5, text: '6', tx: 7, lsn: 8, table: 'pairs' });
    const value = written.replace('"text":"6"', PAIR);
    expectAlike({ key, value });
    const twice = (own: number): string => value.replace('"txId":7', `"txId":${own},"txId":7`);
    expectAlike({ key, value: first(twice(1)).replace('"op":"c"', op) });
    expectAlike({ key, value: second(value).replace('"op":"c"', op) });
    expectAlike({ key, value: second(value) });
    expectAlike({ key, value: twice(1) });
    expectAlike({ key, value: twice(2) });
    expectAlike({ key, value: second(value) });
  });

  it('finds each record of a batch, also where a batch is longer than what is looked at once', () => {
    const all = Array.from({ length: 400 }, (_, id) =>
      recordOf({ op: 'c', id, text: `${id}`.repeat(id % 7 === 0 ? 900 : 3), tx: id, lsn: id }),
    );
    const places: RecordBytes[] = [];
    const bytes = Buffer.concat(
      all.flatMap(({ key, value }) => [Buffer.from(key ?? ''), Buffer.from(value)]),
    );
    let at = 0;
    for (const { key, value } of all) {
      const keyTo = at + (key ?? '').length;
      places.push({ bytes, keyFrom: at, keyTo, valueFrom: keyTo, valueTo: keyTo + value.length });
      at = keyTo + value.length;
    }
    expect(bytes.length).toBeGreaterThan(262_144);
    const differing = all.filter(({ key, value }, index) => {
      const alone = recordBytesOf(Buffer.from(key ?? ''), Buffer.from(` ${value}`));
      const [found, wanted] = [rowOf(fast, places[index] ?? alone), rowOf(slow, alone)];
      return found.length === 0 || Buffer.compare(found, wanted) !== 0;
    });
    expect(differing).toEqual([]);
  });
});

function rowOf(decoder: DebeziumDecoder, at: RecordBytes): Uint8Array {
  const told = decoder.decode(at);
  return (told.kind === 'change' ? told.after : null) ?? new Uint8Array(0);
}

describe('the check sum of record batches', () => {
  it('is that of the bits one by one, however long the batch', () => {
    const bytes = Buffer.alloc(65_536 * 2 + 77, 'Twinproof');
    for (const [from, to] of [
      [0, 0],
      [3, 4],
      [5, 36],
      [21, 65_557],
      [0, 65_536],
      [9, bytes.length],
    ] as const) {
      expect(crc32c(bytes.subarray(0, to), from)).toBe(bitByBit(bytes.subarray(from, to)));
    }
  });
});

/** RFC 3720, appendix B.4. */
function bitByBit(bytes: Uint8Array): number {
  let sum = -1;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum & 1) === 0 ? sum >>> 1 : (sum >>> 1) ^ 0x82f63b78;
  }
  return ~sum >>> 0;
}
