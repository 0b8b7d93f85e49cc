import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeySet } from '../../src/compare/key-set.ts';

test('a set of keys knows exactly the keys it was given', () => {
  const keys = fc.array(fc.uint8Array({ maxLength: 3 }), { maxLength: 3000 });
  fc.assert(
    fc.property(keys, (list) => {
      const set = new KeySet();
      const plain = new Set<string>();
      for (const key of list) {
        const name = Buffer.from(key).toString('hex');
        expect(set.add(key)).toBe(!plain.has(name));
        plain.add(name);
      }
    }),
    { numRuns: 40 },
  );
});

test('a hundred thousand keys are remembered while the set grows', () => {
  const set = new KeySet();
  const keyOf = (index: number): Uint8Array => Buffer.from(`key ${index}`);
  const added = (): number =>
    Array.from({ length: 100_000 }, (_, index) => set.add(keyOf(index))).filter(Boolean).length;
  expect([added(), added()]).toEqual([100_000, 0]);
});
