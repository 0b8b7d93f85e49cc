import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestName, type RowDigest, rowDigest } from '../../src/digest/digest.ts';
import { Joiner } from '../../src/digest/joiner.ts';
import type { Records } from '../../src/digest/records.ts';
import { frameFields, frameRow } from '../../src/row/stream.ts';
import { times } from './property-runs.ts';

/** The least memory that a joiner takes: 16,384 slots, of which three quarters may be filled. */
const BYTES = 2_400_000;
const ROWS_MAX = 12_288;

interface Row {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
}

function row(key: number | Uint8Array, value = 0): Row {
  const bytes = typeof key === 'number' ? Buffer.from(key.toString(16).padStart(8, '0')) : key;
  return { key: bytes, value: Uint8Array.of(value) };
}

function long(fill: number): Row {
  return row(new Uint8Array(200_000).fill(fill));
}

/** Each row is hashed once, however often it comes. */
const known = new WeakMap<Row, RowDigest>();

function digestOf(of: Row): RowDigest {
  const digest = known.get(of) ?? rowDigest(frameRow([of.key, of.value]));
  known.set(of, digest);
  return digest;
}

function recordsOf(rows: readonly Row[]): Records {
  const digests = new Uint8Array(rows.length * 16);
  const view = new DataView(digests.buffer);
  const keyEnds = new Uint32Array(rows.length);
  const keys = rows.map(({ key }) => frameFields([key]));
  let end = 0;
  for (const [index, each] of rows.entries()) {
    const digest = digestOf(each);
    view.setBigUint64(index * 16, digest.first, true);
    view.setBigUint64(index * 16 + 8, digest.second, true);
    end += keys[index]?.length ?? 0;
    keyEnds[index] = end;
  }
  return { count: rows.length, digests, keyEnds, keys: Buffer.concat(keys) };
}

/** What is left by a map: the row's digest and key to its count, without zeros. */
function expectedLeftovers(adds: readonly { rows: readonly Row[]; sign: 1 | -1 }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { rows, sign } of adds) {
    for (const each of rows) {
      const name = `${digestName(digestOf(each))} ${Buffer.from(frameFields([each.key])).toString('hex')}`;
      counts.set(name, (counts.get(name) ?? 0) + sign);
    }
  }
  return new Map([...counts].filter(([, count]) => count !== 0));
}

function leftoversOf(joiner: Joiner): Map<string, number> {
  return new Map(
    [...joiner.leftovers()].map(({ count, first, second, key }) => [
      `${digestName({ first, second })} ${Buffer.from(key).toString('hex')}`,
      count,
    ]),
  );
}

const anyRow: fc.Arbitrary<Row> = fc
  .tuple(
    fc.oneof(
      { arbitrary: fc.nat({ max: 30 }), weight: 8 },
      { arbitrary: fc.uint8Array({ maxLength: 70 }), weight: 2 },
    ),
    fc.nat({ max: 3 }),
  )
  .map(([key, value]) => row(key, value));
const anyAdds = fc.array(
  fc.record({
    rows: fc.array(anyRow, { maxLength: 60, size: 'max' }),
    sign: fc.constantFrom<(1 | -1)[]>(1, -1),
  }),
  { maxLength: 6 },
);

// One for all: a reset joiner is as good as a new one.
const joiner = new Joiner(BYTES);

describe('joining the rows of two sites', () => {
  it('leaves what a map would leave, for any rows on either side, repeated and in any order', () => {
    fc.assert(
      fc.property(anyAdds, (adds) => {
        joiner.reset();
        for (const { rows, sign } of adds) expect(joiner.add(recordsOf(rows), sign)).toBe(true);
        expect(leftoversOf(joiner)).toEqual(expectedLeftovers(adds));
      }),
      { numRuns: times(30) },
    );
  });

  it('cancels twelve thousand rows in another order, but for those that differ', () => {
    const ours = Array.from({ length: 12_000 }, (_, index) => row(index));
    const theirs = ours.toReversed().map((each, index) => (index % 3000 === 7 ? row(each.key, 1) : each));
    joiner.reset();
    expect(joiner.add(recordsOf(theirs), 1)).toBe(true);
    expect(joiner.add(recordsOf(ours), -1)).toBe(true);
    const left = leftoversOf(joiner);
    expect(left).toEqual(
      expectedLeftovers([
        { rows: theirs, sign: 1 },
        { rows: ours, sign: -1 },
      ]),
    );
    expect(left.size).toBe(8);
  });

  it('says when there is no room for more rows, and has room again after a reset', () => {
    const rows = Array.from({ length: ROWS_MAX + 1 }, (_, index) => row(index));
    joiner.reset();
    expect(joiner.add(recordsOf(rows.slice(0, ROWS_MAX)), 1)).toBe(true);
    // Rows that are there already need none.
    expect(joiner.add(recordsOf(rows.slice(0, ROWS_MAX)), 1)).toBe(true);
    expect(joiner.add(recordsOf(rows.slice(ROWS_MAX)), 1)).toBe(false);
    joiner.reset();
    expect(joiner.add(recordsOf(rows.slice(ROWS_MAX)), 1)).toBe(true);
    expect(leftoversOf(joiner).size).toBe(1);
  });

  it('gives the room of rows that cancelled to others, and keeps those between them findable', () => {
    const keys = (round: number): Row[] =>
      Array.from({ length: 700 }, (_, index) =>
        row(
          new Uint8Array(4 + ((index * 7 + round) % 90)).fill(index & 0xff, 2).fill(round, 0, 1),
          index >> 8,
        ),
      );
    const everyFifth = (rows: readonly Row[]): Row[] => rows.filter((_, index) => index % 5 === 0);
    joiner.reset(1000);
    const adds: { rows: readonly Row[]; sign: 1 | -1 }[] = [];
    for (let round = 0; round < 16; round++) {
      const rows = keys(round);
      const twins = round % 4 === 0 ? rows.toReversed().slice(9) : rows.toReversed();
      const late = everyFifth(rows);
      adds.push(
        { rows, sign: 1 },
        { rows: late, sign: 1 },
        { rows: twins, sign: -1 },
        { rows: late, sign: -1 },
      );
    }
    for (const { rows, sign } of adds) expect(joiner.add(recordsOf(rows), sign)).toBe(true);
    const left = leftoversOf(joiner);
    expect(left).toEqual(expectedLeftovers(adds));
    expect(left.size).toBeGreaterThan(20);
  });

  it('has fewer slots where fewer rows are expected', () => {
    const rows = Array.from({ length: 2000 }, (_, index) => row(index));
    joiner.reset(1000);
    expect(joiner.add(recordsOf(rows), 1)).toBe(false);
    joiner.reset();
    expect(joiner.add(recordsOf(rows), 1)).toBe(true);
  });

  it('says when there is no room for the identities', () => {
    joiner.reset();
    expect(joiner.add(recordsOf([long(1)]), 1)).toBe(true);
    expect(joiner.add(recordsOf([long(2), long(3), long(4), long(5), long(6), long(7)]), 1)).toBe(false);
  });

  it('takes a read whose identities are longer together than its staging area', () => {
    const rows = Array.from({ length: 30 }, (_, index) => row(new Uint8Array(100_000).fill(index)));
    const large = new Joiner(8_000_000);
    expect(large.add(recordsOf(rows), 1)).toBe(true);
    expect(large.add(recordsOf(rows.slice(0, 29)), -1)).toBe(true);
    expect([...large.leftovers()].map(({ count, key }) => [count, key[4]])).toEqual([[1, 29]]);
  });

  it('refuses one identity that is longer than its staging area', () => {
    joiner.reset();
    expect(() => joiner.add(recordsOf([row(new Uint8Array(1_100_000))]), 1)).toThrow(RangeError);
  });

  it('promises no more room than it has', () => {
    for (const bytes of [2_400_000, 3_000_000]) {
      const rows = Array.from({ length: Joiner.capacity(bytes) }, (_, index) => row(index));
      expect(new Joiner(bytes).add(recordsOf(rows), 1)).toBe(true);
    }
  });
});
