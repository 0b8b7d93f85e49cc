import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Transcoder } from '../../connectors/mysql/transcoder.ts';
import { transcodePlan } from '../../connectors/mysql/wire-plan.ts';
import type { WireOperation } from '../../connectors/mysql/wire-row.ts';
import { KernelSink } from '../../src/digest/kernel-sink.ts';
import { BodySink } from '../../src/row/body-sink.ts';
import { fieldsOf, frameMessage, frameRow } from '../../src/row/stream.ts';
import type { RowSink } from '../../src/connector/contract.ts';
import { counted, END, lengthPrefix, packetsOf, rowPayload, type TestValue } from './mysql-packets.ts';
import { micros2000, tables, type TestColumn, type TestTable } from './mysql-wire-rows.ts';
import { times } from './property-runs.ts';

// Thousands of rows and hundreds of megabytes, on a machine that may have other things to do.
vi.setConfig({ testTimeout: 60_000 });

const transcoder = new Transcoder();

/** Feeds a result to the transcoder, cut where `cuts` says, and its rows to a sink. Whether the end was reached. */
function transcode(
  columns: readonly TestColumn[],
  stream: Uint8Array,
  sink: RowSink,
  pieceBytes: (at: number) => number,
  first = 0,
): boolean {
  transcoder.beginAnswer(first);
  transcoder.beginRows(
    transcodePlan(
      columns,
      columns.map(({ operation }) => operation),
    ),
  );
  const give = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length;) {
      const space = sink.space();
      const size = Math.min(space.length, bytes.length - at);
      space.set(bytes.subarray(at, at + size));
      if (sink.take(size) !== null) throw new Error('the sink gave a message back');
      at += size;
    }
  };
  let ended = false;
  for (let at = 0; at < stream.length;) {
    const space = transcoder.space();
    const size = Math.min(space.length, Math.max(1, pieceBytes(at)), stream.length - at);
    space.set(stream.subarray(at, at + size));
    transcoder.received(size);
    at += size;
    ended = transcoder.transcode(give);
  }
  return ended;
}

/** As text: two long strings are compared a hundred times as fast as two lists of bytes. */
function bodiesOf(table: TestTable, pieceBytes: (at: number) => number, first = 0): string[] {
  return collected(table, pieceBytes, first).map((body) => Buffer.from(body).toString('hex'));
}

function collected(table: TestTable, pieceBytes: (at: number) => number, first = 0): readonly Uint8Array[] {
  const sink = new BodySink(Infinity);
  const stream = packetsOf([...table.rows.map(rowPayload), END], first);
  expect(transcode(table.columns, stream, sink, pieceBytes, first)).toBe(true);
  expect(transcoder.nextPacket()?.payload).toEqual(new Uint8Array(END));
  expect(transcoder.hasRest).toBe(false);
  return sink.bodies;
}

/** As with expectedBodies, field by field: nothing of thirty megabytes is copied once more. */
function expectLong(table: TestTable, bodies: readonly Uint8Array[]): void {
  expect(bodies).toHaveLength(table.rows.length);
  for (const [index, row] of table.rows.entries()) {
    const body = bodies[index] ?? Buffer.alloc(0);
    const expected = row.map((value) => value?.expected ?? null);
    const found = fieldsOf(body);
    expect(found.map((field) => field?.length)).toEqual(expected.map((field) => field?.length));
    expect(body).toHaveLength(expected.reduce((sum, field) => sum + 4 + (field?.length ?? 0), 2));
    for (const [at, field] of found.entries()) {
      expect(Buffer.compare(field ?? NOTHING, expected[at] ?? NOTHING)).toBe(0);
    }
  }
}

const NOTHING = Buffer.alloc(0);

const framedRows = (table: TestTable): Uint8Array[] =>
  table.rows.map((row) => frameRow(row.map((value) => value?.expected ?? null)));

const expectedBodies = (table: TestTable): string[] =>
  framedRows(table).map((body) => Buffer.from(body).toString('hex'));

const text = (operation: WireOperation = 'copy'): TestColumn => ({ type: 252, unsigned: false, operation });
const bigint: TestColumn = { type: 8, unsigned: false, operation: 'copy' };
const same = (sent: Uint8Array, expected: Uint8Array = sent): TestValue => ({ sent, expected });
const blob = (content: Uint8Array): TestValue => ({ sent: counted(content), expected: content });
const number = (value: bigint): TestValue => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return same(bytes);
};

describe('the transcoder', () => {
  it('makes of every kind of value what a plain reference makes of it', () => {
    fc.assert(
      fc.property(tables, (table) => {
        expect(bodiesOf(table, () => Infinity)).toEqual(expectedBodies(table));
      }),
      { numRuns: times(60) },
    );
  });

  it('does not care where the stream is cut, nor where the numbering of packets starts', () => {
    fc.assert(
      fc.property(
        tables,
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 0, max: 255 }),
        (table, sizes, first) => {
          let turn = 0;
          const cut = (): number => sizes[turn++ % sizes.length] ?? 1;
          expect(bodiesOf(table, cut, first)).toEqual(expectedBodies(table));
        },
      ),
      { numRuns: times(40) },
    );
  });

  it('takes a result byte by byte', () => {
    const table = fc.sample(tables, { seed: 7, numRuns: 20 });
    for (const one of table) expect(bodiesOf(one, () => 1)).toEqual(expectedBodies(one));
  });

  it('takes rows whose NULLs, all of them or none, fill the bitmap at any number of columns', () => {
    for (const count of [1, 5, 6, 7, 13, 14, 15, 22, 4_096]) {
      const columns = Array.from({ length: count }, () => text());
      const full = columns.map((_, index) => blob(Buffer.from([index & 0xff])));
      const table = { columns, rows: [columns.map(() => null), full, columns.map(() => null)] };
      expect(bodiesOf(table, () => 50_000)).toEqual(expectedBodies(table));
    }
  });

  it('passes many rows through an output that they fill again and again', () => {
    const columns = Array.from({ length: 40 }, () => ({ ...bigint, type: 1, operation: 'decimal' as const }));
    const value: TestValue = { sent: Buffer.from([0x80]), expected: Buffer.from('-128') };
    const table = { columns, rows: Array.from({ length: 6_000 }, () => columns.map(() => value)) };
    const bodies = bodiesOf(table, () => Infinity);
    expect(bodies).toHaveLength(6_000);
    expect(bodies.at(-1)).toEqual(expectedBodies(table).at(-1));
  });
});

describe('dates', () => {
  it('follow the Gregorian calendar, leap years and all, and are raw where it has no such day', () => {
    const column: TestColumn = { type: 10, unsigned: false, operation: 'date' };
    const rows: TestValue[][] = [];
    for (const year of [1, 4, 100, 400, 1582, 1899, 1900, 1996, 1999, 2000, 2001, 2024, 2100, 9999]) {
      for (let month = 1; month <= 12; month++) {
        for (const day of [1, 28, 29, 30, 31]) {
          const structure = Buffer.from([year & 0xff, year >> 8, month, day]);
          const micros = micros2000([year, month, day]);
          const bytes = Buffer.alloc(4);
          if (micros !== null) bytes.writeInt32BE(Number(micros / 86_400_000_000n));
          const expected = micros === null ? Buffer.concat([Buffer.alloc(2), structure]) : bytes;
          rows.push([{ sent: counted(structure), expected }]);
        }
      }
    }
    const table = { columns: [column], rows };
    expect(bodiesOf(table, () => Infinity)).toEqual(expectedBodies(table));
  });
});

describe('long rows', () => {
  const pattern = (length: number, seed: number): Buffer => {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; at += 4_093) bytes[at] = (seed + at / 4_093) & 0xff;
    return bytes;
  };
  const columns = [
    bigint,
    text(),
    { type: 246, unsigned: false, operation: 'decimal' as const },
    text('uuid'),
    text(),
    { type: 12, unsigned: false, operation: 'datetime' as const },
    { type: 3, unsigned: false, operation: 'integer' as const },
  ];
  const tail: (TestValue | null)[] = [
    null,
    same(counted(Buffer.from('-00.10')), Buffer.from('-0.1')),
    same(counted(Buffer.alloc(5_000, 1)), Buffer.concat([Buffer.alloc(17), Buffer.alloc(5_000, 1)])),
    blob(Buffer.alloc(0)),
    same(Buffer.from([0]), Buffer.from([0, 0])),
    same(Buffer.from('ffffffff', 'hex'), Buffer.from('ffffffffffffffff', 'hex')),
  ];
  const rowOf = (key: bigint, size: number): (TestValue | null)[] => [
    number(key),
    blob(pattern(size, Number(key))),
    ...tail.slice(1),
  ];

  it('pass in pieces, whatever their length: around the input area, around a packet, three packets', () => {
    const fixed = rowPayload(rowOf(1n, 0)).length - 1;
    const packet = 0xff_ff_ff;
    for (const payload of [262_139, 262_140, 262_141, packet - 1, packet, packet + 1, 2 * packet]) {
      const content = payload - fixed - lengthPrefix(payload - fixed - 9).length;
      const rows = [rowOf(1n, 10), rowOf(2n, content), rowOf(3n, 20)];
      const table = { columns, rows };
      expectLong(
        table,
        collected(table, () => 262_144),
      );
    }
  });

  it('may be cut at every byte around the boundary between two packets', () => {
    const packet = 0xff_ff_ff;
    const content = pattern(packet, 1);
    // Where a number of eight bytes begins, as seen from the boundary; the four bytes of a length stand behind it.
    for (const begins of [-12, -11, -10, -9, -8, -7, -4, -1, 0]) {
      // In front of it: a zero byte, the bitmap, a number, and a length of four bytes.
      const first = content.subarray(0, packet + begins - (1 + 1 + 8 + 4));
      const rows = [[number(1n), blob(first), number(9n), blob(pattern(70_000, 2))]];
      const table = { columns: [bigint, text(), bigint, text()], rows };
      const boundary = 4 + packet;
      const cut = (at: number): number =>
        at < boundary - 40 ? Math.min(200_000, boundary - 40 - at) : at < boundary + 40 ? 1 : 262_144;
      expectLong(table, collected(table, cut));
    }
  });

  it('have the digest and the identity that they would have whole', () => {
    const rows = [rowOf(1n, 10), rowOf(2n, 400_000), rowOf(3n, 17_000_000), rowOf(4n, 262_000)];
    const table = { columns, rows };
    const pieced = new KernelSink(0);
    pieced.begin('records', 1);
    transcode(columns, packetsOf([...rows.map(rowPayload), END]), pieced, () => 100_000);
    const whole = new KernelSink(0);
    whole.begin('records', 1);
    const stream = Buffer.concat(framedRows(table).map(frameMessage));
    for (let at = 0; at < stream.length;) {
      const space = whole.space();
      const size = Math.min(space.length, stream.length - at);
      space.set(stream.subarray(at, at + size));
      whole.take(size);
      at += size;
    }
    expect(pieced.digest()).toEqual(whole.digest());
    expect(pieced.records().count).toBe(4);
    expect(Buffer.from(pieced.records().keys)).toEqual(Buffer.from(whole.records().keys));
    expect(Buffer.from(pieced.records().digests)).toEqual(Buffer.from(whole.records().digests));
  });

  it('that are cut off make a range that proves nothing', () => {
    const stream = packetsOf([rowPayload(rowOf(1n, 400_000))]);
    const sink = new KernelSink(0);
    sink.begin('sums', 1);
    expect(transcode(columns, stream.subarray(0, 399_000), sink, () => 100_000)).toBe(false);
    expect(() => sink.digest()).toThrow(expect.objectContaining({ code: 'TP-CONNECTION-LOST' }));
  });
});

describe('what is no row of its columns', () => {
  const good = rowPayload([number(1n), blob(Buffer.from('abc'))]);
  const table = [bigint, text()];
  const expectRefused = (payload: Uint8Array, first = 0, at = 0): void => {
    const run = (): boolean =>
      transcode(table, packetsOf([payload, END], first), new BodySink(Infinity), () => Infinity, at);
    expect(run).toThrow(expect.objectContaining({ code: 'TP-CONNECTION-LOST', retryable: true }));
  };

  it('ends the read: bytes left over, bytes missing, lengths beyond the packet, packets out of order', () => {
    expectRefused(Buffer.concat([good, Buffer.from([1])]));
    for (let length = 1; length < good.length; length++) expectRefused(good.subarray(0, length));
    const start = good.subarray(0, 2 + 8);
    for (const length of ['fb', 'ff', 'fcffff', 'feffffffffffffffff', 'fe0000000001000000']) {
      expectRefused(Buffer.concat([start, Buffer.from(length, 'hex'), Buffer.alloc(3)]));
    }
    expectRefused(good, 1, 0);
    expectRefused(Buffer.alloc(0));
  });

  it('ends the read of a long row too', () => {
    const long = rowPayload([number(1n), blob(Buffer.alloc(300_000))]);
    expectRefused(Buffer.concat([long, Buffer.from([1])]));
    expectRefused(long.subarray(0, long.length - 1));
  });

  it('is refused before a row is read, when the columns have no such forms', () => {
    const plan = (type: number, operation: WireOperation) => () =>
      transcodePlan([{ type, unsigned: false }], [operation]);
    for (const [type, operation] of [
      [3, 'date'],
      [246, 'integer'],
      [12, 'date'],
      [10, 'datetime'],
      [5, 'float4'],
      [4, 'float8'],
      [253, 'decimal'],
      [11, 'datetime'],
    ] as const) {
      expect(plan(type, operation)).toThrow(expect.objectContaining({ code: 'TP-DEFINITION-CHANGED' }));
    }
    expect(() => transcodePlan([], ['copy'])).toThrow(expect.objectContaining({ retryable: true }));
    expect(plan(6, 'date')()).toHaveLength(1);
  });
});
