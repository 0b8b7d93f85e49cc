import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { UNCHANGED_LENGTH, UNREAD_LENGTH } from '../../src/connector/changes.ts';
import { RowDigester, xxh64Digest } from '../../src/ledger/row-digest.ts';
import { frameRow } from '../../src/row/stream.ts';
import { times } from './property-runs.ts';

const atOnce = new RowDigester(xxh64Digest);
const byValue = new RowDigester(xxh64Digest, false);

/** Short ones, those about the length from which a value is digested by itself, and some that make a row wide. */
const value = fc.oneof(
  fc.constant(null),
  fc.uint8Array({ maxLength: 20 }),
  fc.uint8Array({ minLength: 15, maxLength: 100 }),
  fc.uint8Array({ minLength: 400, maxLength: 1500 }),
);

/** A value of the row, put into the log as left out. */
function leftOut(body: Uint8Array, column: number, mark: number): Uint8Array {
  const view = new DataView(body.buffer, body.byteOffset, body.length);
  let at = 2;
  for (let before = 0; before < column; before++) at += 4 + Math.max(0, view.getInt32(at));
  const end = at + 4 + Math.max(0, view.getInt32(at));
  const head = Buffer.from(body.subarray(0, at + 4));
  head.writeInt32BE(mark, at);
  return Buffer.concat([head, body.subarray(end)]);
}

describe('the digest of a row', () => {
  test('is the same at once and value by value', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 12 }), (values) => {
        const body = frameRow(values);
        expect(atOnce.row(body, null)).toEqual(byValue.row(body, null));
      }),
      { numRuns: times(100) },
    );
  });

  test('is the same for rows of any length', () => {
    for (const length of [1023, 65_526, 65_530, 65_531, 300_000]) {
      const body = frameRow([Buffer.alloc(length, 7)]);
      expect(atOnce.row(body, null)).toEqual(byValue.row(body, null));
      expect(atOnce.row(body, null).digest).not.toBeNull();
    }
    const wide = frameRow(
      Array.from({ length: 1600 }, (_, column) => Buffer.alloc(17 + (column % 20), column)),
    );
    expect(atOnce.row(wide, null)).toEqual(byValue.row(wide, null));
    expect(atOnce.row(wide, null).columns).toHaveLength(1600 * 22);
  });

  test('is that of the whole row where the log leaves a value out that was known', () => {
    const body = frameRow([Buffer.alloc(8), Buffer.alloc(2000, 3), Buffer.from('new')]);
    const known = atOnce.row(frameRow([Buffer.alloc(8), Buffer.alloc(2000, 3), Buffer.from('old')]), null);
    for (const digester of [atOnce, byValue]) {
      const whole = digester.row(body, null);
      expect(digester.row(leftOut(body, 1, UNCHANGED_LENGTH), known.columns)).toEqual(whole);
      expect(digester.row(leftOut(body, 1, UNCHANGED_LENGTH), null).digest).toBeNull();
      expect(digester.row(leftOut(body, 2, UNREAD_LENGTH), known.columns).digest).toBeNull();
      // What was digested in between leaves nothing behind.
      expect(digester.row(body, null)).toEqual(whole);
    }
  });

  test('is refused for a body that is cut off or has bytes to spare', () => {
    const body = frameRow([Buffer.alloc(8, 1), null, Buffer.alloc(40, 2)]);
    for (let length = 2; length < body.length; length++) {
      const cut = body.subarray(0, length);
      expect(() => atOnce.row(cut, null)).toThrow(RangeError);
    }
    expect(() => atOnce.row(Buffer.concat([body, Buffer.of(0)]), null)).toThrow(RangeError);
  });
});
