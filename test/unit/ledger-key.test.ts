import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { KeyOrder } from '../../src/connector/ledger-sites.ts';
import { identityOf, RELATION_BYTES, storedKey } from '../../src/ledger/key.ts';
import { frameFields } from '../../src/row/stream.ts';
import { times } from './property-runs.ts';

const RUNS = { numRuns: times(100) };

function little(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(value);
  return bytes;
}

function fieldsOf(order: readonly KeyOrder[], ...fields: Buffer[]): Buffer {
  return storedKey(7, frameFields(fields), order).stored.subarray(RELATION_BYTES);
}

test('integers whose least byte comes first stand in the order of their numbers', () => {
  const signed = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
  fc.assert(
    fc.property(signed, signed, (a, b) => {
      const order = Buffer.compare(
        fieldsOf(['little signed', 'little signed'], little(1n), little(a)),
        fieldsOf(['little signed', 'little signed'], little(1n), little(b)),
      );
      expect(order).toBe(a < b ? -1 : a > b ? 1 : 0);
      const [left, right] = [BigInt.asUintN(64, a), BigInt.asUintN(64, b)];
      const unsigned = Buffer.compare(fieldsOf(['little'], little(a)), fieldsOf(['little'], little(b)));
      expect(unsigned).toBe(left < right ? -1 : left > right ? 1 : 0);
    }),
    RUNS,
  );
});

test('a key is found again in its stored form, whatever puts it in order', () => {
  const order: fc.Arbitrary<KeyOrder> = fc.constantFrom<KeyOrder>(false, true, 'little', 'little signed');
  const field = fc.tuple(fc.uint8Array({ maxLength: 12 }), order);
  fc.assert(
    fc.property(fc.array(field, { minLength: 1, maxLength: 4 }), (fields) => {
      const identity = frameFields(fields.map(([bytes]) => bytes));
      const orders = fields.map(([, one]) => one);
      const { stored } = storedKey(7, identity, orders);
      expect(Buffer.from(identityOf(stored.subarray(RELATION_BYTES), orders))).toEqual(Buffer.from(identity));
    }),
    RUNS,
  );
});
