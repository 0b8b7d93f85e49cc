import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeMessage } from '../../connectors/postgres/pgoutput-decode.ts';
import type { Tuple } from '../../connectors/postgres/pgoutput-messages.ts';
import { type RowLayout, rowBody, rowKey } from '../../connectors/postgres/pgoutput-row.ts';
import { MessageSplitter } from '../../connectors/postgres/replication-wire.ts';
import { UNCHANGED_LENGTH, UNREAD_LENGTH } from '../../src/connector/changes.ts';
import { RowArena } from '../../src/row/row-arena.ts';
import { encode, type PlainRow, type PlainValue } from './pgoutput-encoder.ts';

const value: fc.Arbitrary<PlainValue> = fc.oneof(
  fc.record({ form: fc.constantFrom('t' as const, 'b' as const), bytes: fc.uint8Array({ maxLength: 40 }) }),
  fc.record({ form: fc.constantFrom('n' as const, 'u' as const) }),
);
const row: fc.Arbitrary<PlainRow> = fc.array(value, { maxLength: 6 });

describe('rows for the row stream', () => {
  const binary = 0x62;

  function tupleOf(values: PlainRow): Tuple {
    const message = decodeMessage(encode({ kind: 'insert', xid: null, relation: 1, after: values }), false);
    if (message.kind !== 'insert') throw new Error('no insert');
    return message.after;
  }

  function layoutOf(width: number, keyFields: number | null, order = [...Array(width).keys()]): RowLayout {
    return {
      width,
      keyFields,
      columns: order.map((source) => ({ source, form: binary, floatBytes: 0 as const })),
    };
  }

  /** As src/row/stream.ts frames a row, with the two marks of the change stream. */
  function framed(values: PlainRow, counted: boolean): Uint8Array {
    const parts = values.map((item) => {
      const length = Buffer.alloc(4);
      const mark = { n: -1, u: UNCHANGED_LENGTH, t: UNREAD_LENGTH, b: 0 }[item.form];
      length.writeInt32BE('bytes' in item && item.form === 'b' ? item.bytes.length : mark);
      return 'bytes' in item && item.form === 'b' ? Buffer.concat([length, item.bytes]) : length;
    });
    const count = Buffer.alloc(2);
    count.writeUInt16BE(values.length);
    return new Uint8Array(Buffer.concat(counted ? [count, ...parts] : parts));
  }

  test('hold the values in the order that is asked for, NULL, unchanged and unread marked apart', () => {
    fc.assert(
      fc.property(row, fc.infiniteStream(fc.nat()), (values, dice) => {
        const order = [...values.keys()]
          .map((source) => ({ source, by: dice.next().value ?? 0 }))
          .toSorted((a, b) => a.by - b.by)
          .map(({ source }) => source);
        const body = rowBody(tupleOf(values), layoutOf(values.length, null, order), null, new RowArena());
        const wanted = order.flatMap((source) => values[source] ?? []);
        expect(new Uint8Array(body)).toEqual(framed(wanted, true));
      }),
    );
  });

  test('take unchanged values from the old row where all of it is known', () => {
    const before = tupleOf([
      { form: 'b', bytes: new Uint8Array([1]) },
      { form: 'b', bytes: new Uint8Array([2, 3]) },
    ]);
    const after = tupleOf([{ form: 'b', bytes: new Uint8Array([9]) }, { form: 'u' }]);
    const body = rowBody(after, layoutOf(2, 1), before, new RowArena());
    expect([...body]).toEqual([0, 2, 0, 0, 0, 1, 9, 0, 0, 0, 2, 2, 3]);
  });

  test('have a key only when every field of it is there', () => {
    fc.assert(
      fc.property(row, fc.nat(6), (values, wanted) => {
        const keyFields = Math.min(wanted, values.length);
        const key = rowKey(tupleOf(values), layoutOf(values.length, keyFields), null, new RowArena());
        const fields = values.slice(0, keyFields);
        const whole = fields.every(({ form }) => form === 'b');
        expect(key === null ? null : new Uint8Array(key)).toEqual(whole ? framed(fields, false) : null);
      }),
    );
  });

  test('hold one NaN for all, and leave every other float alone', () => {
    const floats = (bytes: readonly number[], floatBytes: 4 | 8): readonly number[] => {
      const layout: RowLayout = {
        width: 1,
        keyFields: null,
        columns: [{ source: 0, form: binary, floatBytes }],
      };
      const tuple = tupleOf([{ form: 'b', bytes: new Uint8Array(bytes) }]);
      return [...rowBody(tuple, layout, null, new RowArena()).subarray(6)];
    };
    expect(floats([0xff, 0xf8, 0, 0, 0, 0, 0, 1], 8)).toEqual([0x7f, 0xf8, 0, 0, 0, 0, 0, 0]);
    expect(floats([0x7f, 0xf0, 0, 0, 0, 0, 0, 1], 8)).toEqual([0x7f, 0xf8, 0, 0, 0, 0, 0, 0]);
    expect(floats([0xff, 0x80, 0, 1], 4)).toEqual([0x7f, 0xc0, 0, 0]);
    for (const infinity of [
      [0x7f, 0xf0, 0, 0, 0, 0, 0, 0],
      [0xff, 0xf0, 0, 0, 0, 0, 0, 0],
    ]) {
      expect(floats(infinity, 8)).toEqual(infinity);
    }
    expect(floats([0x7f, 0x80, 0, 0], 4)).toEqual([0x7f, 0x80, 0, 0]);
    expect(floats([0x80, 0, 0, 0], 4)).toEqual([0x80, 0, 0, 0]);
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (number) => {
        const bytes = Buffer.alloc(8);
        bytes.writeDoubleBE(number);
        expect(floats([...bytes], 8)).toEqual([...bytes]);
      }),
    );
  });

  test('with another number of columns than their table are refused', () => {
    expect(() => rowBody(tupleOf([{ form: 'n' }]), layoutOf(2, null), null, new RowArena())).toThrow(
      'a row of 1 columns in a table of 2',
    );
  });
});

describe('messages of a connection', () => {
  test('come out whole, however the network cuts them', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(bodies, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (wanted, cuts) => {
        const wire = Buffer.concat(
          wanted.map((body) => {
            const head = Buffer.alloc(5);
            head[0] = 0x64;
            head.writeInt32BE(body.length + 4, 1);
            return Buffer.concat([head, body]);
          }),
        );
        const splitter = new MessageSplitter();
        const found: Uint8Array[] = [];
        for (let at = 0, turn = 0; at < wire.length; turn += 1) {
          const size = cuts[turn % cuts.length] ?? 1;
          splitter.push(wire.subarray(at, at + size), found);
          at += size;
        }
        expect(found.map((message) => Buffer.from(message.subarray(5)))).toEqual(
          wanted.map((body) => Buffer.from(body)),
        );
      }),
    );
  });

  test('of an impossible length are refused', () => {
    expect(() => new MessageSplitter().push(new Uint8Array([0x64, 0, 0, 0, 3]), [])).toThrow('3 bytes');
    expect(() => new MessageSplitter().push(new Uint8Array([0x64, 0xff, 0, 0, 0]), [])).toThrow(
      'a message of',
    );
  });
});
