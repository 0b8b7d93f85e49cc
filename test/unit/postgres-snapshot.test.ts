import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { visibleIn } from '../../connectors/postgres/snapshot.ts';

describe('what a snapshot sees', () => {
  it.each([
    ['738:741:739', '737', true],
    ['738:741:739', '738', true],
    ['738:741:739', '739', false],
    ['738:741:739', '740', true],
    ['738:741:739', '741', false],
    ['738:738:', '738', false],
    ['738:738:', '737', true],
  ])('in %s transaction %s: %s', (snapshot, transaction, seen) => {
    expect(visibleIn(snapshot)(transaction)).toBe(seen);
  });

  it('is the same whatever the round of ids, of which the log has 32 bits only', () => {
    const round = 2n ** 32n;
    const near = fc.bigInt({ min: -(2n ** 31n) + 1n, max: 2n ** 31n - 1n });
    const base = fc.bigInt({ min: 2n ** 31n, max: round * 5n });
    fc.assert(
      fc.property(
        base,
        fc.array(fc.bigInt({ min: 1n, max: 1000n }), { maxLength: 5 }),
        near,
        (next, ages, offset) => {
          const open = ages.map((age) => next - age).filter((id) => id > 2n);
          const lowest = open.reduce((a, b) => (a < b ? a : b), next);
          const visible = visibleIn(`${lowest}:${next}:${open.join()}`);
          const id = next + offset;
          expect(visible(String(BigInt.asUintN(32, id)))).toBe(id < next && !open.includes(id));
        },
      ),
    );
  });

  it('is refused for a text that is none', () => {
    expect(() => visibleIn('')).toThrow('no snapshot');
  });
});
