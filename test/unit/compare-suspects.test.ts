import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { suspectsOf } from '../../src/compare/suspects.ts';
import type { Records } from '../../src/digest/records.ts';
import { frameFields } from '../../src/row/stream.ts';
import { times } from './property-runs.ts';

interface Row {
  readonly key: number;
  readonly value: number;
}

/** Digests need only be equal for equal rows here. */
function recordsOf(rows: readonly Row[]): Records {
  const digests = new Uint8Array(rows.length * 16);
  const view = new DataView(digests.buffer);
  const keyEnds = new Uint32Array(rows.length);
  const keys = rows.map(({ key }) => keyOf(key));
  let end = 0;
  for (const [index, { key, value }] of rows.entries()) {
    view.setBigUint64(index * 16, BigInt(key) * 1_000_003n + BigInt(value));
    view.setUint32(index * 16 + 12, value);
    end += keys[index]?.length ?? 0;
    keyEnds[index] = end;
  }
  return { count: rows.length, digests, keyEnds, keys: new Uint8Array(Buffer.concat(keys)) };
}

/** Keys of different lengths. */
function keyOf(key: number): Uint8Array {
  return frameFields([Buffer.from(String(key))]);
}

/** What a map says: key to kind, as sorted text. */
function expectedOf(primary: readonly Row[], candidate: readonly Row[]): string[] {
  const theirs = new Map(candidate.map(({ key, value }) => [key, value]));
  const found: string[] = [];
  for (const { key, value } of primary) {
    const other = theirs.get(key);
    theirs.delete(key);
    if (other === undefined) found.push(`missing ${key}`);
    else if (other !== value) found.push(`changed ${key}`);
  }
  for (const key of theirs.keys()) found.push(`extra ${key}`);
  return found.toSorted();
}

function suspectsAsText(primary: readonly Row[], candidate: readonly Row[]): string[] {
  return suspectsOf(recordsOf(primary), recordsOf(candidate))
    .map(({ kind, key }) => `${kind} ${Buffer.from(key.subarray(4)).toString()}`)
    .toSorted();
}

function rowsFrom(count: number, step = 1): Row[] {
  return Array.from({ length: count }, (_, index) => ({ key: index * step, value: 0 }));
}

type Edit =
  | { readonly kind: 'change' | 'remove' | 'insert'; readonly at: number; readonly count: number }
  | { readonly kind: 'move'; readonly at: number; readonly to: number };

/** Stretches around the sizes at which the comparison changes its ways: 32 rows ahead, 64 at a stride. */
const stretch = fc.oneof(
  { arbitrary: fc.integer({ min: 1, max: 3 }), weight: 6 },
  { arbitrary: fc.integer({ min: 29, max: 36 }), weight: 2 },
  { arbitrary: fc.integer({ min: 60, max: 130 }), weight: 1 },
);
const at = fc.nat({ max: 1000 });
const edit: fc.Arbitrary<Edit> = fc.oneof(
  {
    arbitrary: fc.record({ kind: fc.constantFrom('change', 'remove', 'insert'), at, count: stretch }),
    weight: 3,
  },
  { arbitrary: fc.record({ kind: fc.constant('move'), at, to: at }), weight: 1 },
);

function applyEdits(rows: readonly Row[], edits: readonly Edit[]): Row[] {
  const edited = [...rows];
  let fresh = 100_000;
  for (const each of edits) {
    const from = each.at % (edited.length + 1);
    if (each.kind === 'move') {
      const moved = edited.splice(from, 1);
      edited.splice(each.to % (edited.length + 1), 0, ...moved);
    } else if (each.kind === 'insert') {
      const inserted = Array.from({ length: each.count }, () => ({ key: fresh++, value: 0 }));
      edited.splice(from, 0, ...inserted);
    } else if (each.kind === 'remove') {
      edited.splice(from, each.count);
    } else {
      for (const [index, row] of edited.slice(from, from + each.count).entries()) {
        edited[from + index] = { ...row, value: row.value + 1 };
      }
    }
  }
  return edited;
}

describe('suspects of two reads', () => {
  it('are what a map finds, whatever was changed, removed, inserted or moved, on either side', () => {
    const size = fc.oneof(fc.nat({ max: 8 }), fc.nat({ max: 400 }));
    fc.assert(
      fc.property(
        size,
        fc.array(edit, { maxLength: 7 }),
        fc.array(edit, { maxLength: 2 }),
        (count, theirs, ours) => {
          const primary = applyEdits(rowsFrom(count), ours);
          // New keys of one side are not those of the other.
          const candidate = applyEdits(rowsFrom(count), theirs).map(({ key, value }) => ({
            key: key >= 100_000 ? key + 500_000 : key,
            value,
          }));
          expect(suspectsAsText(primary, candidate)).toEqual(expectedOf(primary, candidate));
        },
      ),
      { numRuns: times(120) },
    );
  });

  it('are what a map finds in reads of any order', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.nat({ max: 300 }), { maxLength: 150, size: 'max' }),
        fc.uniqueArray(fc.nat({ max: 300 }), { maxLength: 150, size: 'max' }),
        fc.nat({ max: 6 }),
        (ours, theirs, changes) => {
          const primary = ours.map((key) => ({ key, value: 0 }));
          const candidate = theirs.map((key, index) => ({ key, value: index < changes ? 1 : 0 }));
          expect(suspectsAsText(primary, candidate)).toEqual(expectedOf(primary, candidate));
        },
      ),
      { numRuns: times(60) },
    );
  });

  it('name every key whose rows differ, also where keys repeat', () => {
    const rows = fc.array(fc.record({ key: fc.nat({ max: 12 }), value: fc.nat({ max: 1 }) }), {
      maxLength: 14,
      size: 'max',
    });
    fc.assert(
      fc.property(rows, rows, (primary, candidate) => {
        const valuesOf = (read: readonly Row[], key: number): string =>
          read
            .filter((row) => row.key === key)
            .map(({ value }) => String(value))
            .toSorted()
            .join();
        const keys = Array.from({ length: 13 }, (_, key) => key);
        const differing = keys.filter((key) => valuesOf(primary, key) !== valuesOf(candidate, key));
        const suspected = new Set(
          suspectsAsText(primary, candidate).map((text) => Number(text.split(' ')[1])),
        );
        expect(differing.filter((key) => !suspected.has(key))).toEqual([]);
      }),
      { numRuns: times(120) },
    );
  });

  it.each<[string, Row[], Row[]]>([
    ['nothing in two empty reads', [], []],
    ['every row of a read beside an empty one', rowsFrom(100), []],
    ['every row beside an empty primary', [], rowsFrom(100)],
    ['nothing in equal reads of any length', rowsFrom(1000), rowsFrom(1000)],
    ['nothing in a read turned round', rowsFrom(500), rowsFrom(500).toReversed()],
    ['a gap of the window', rowsFrom(200), [...rowsFrom(100), ...rowsFrom(200).slice(132)]],
    ['a gap wider than the window', rowsFrom(200), [...rowsFrom(100), ...rowsFrom(200).slice(133)]],
    ['wide gaps on both sides', [...rowsFrom(90), ...rowsFrom(300).slice(140)], rowsFrom(300).slice(40)],
    ['a changed last row of a stride', rowsFrom(64), rowsFrom(64).with(63, { key: 63, value: 9 })],
    ['every row changed', rowsFrom(200), rowsFrom(200).map(({ key }) => ({ key, value: 1 }))],
    ['no row in common', rowsFrom(200), rowsFrom(200).map(({ key }) => ({ key: key + 1000, value: 0 }))],
    [
      'a changed row that moved far',
      rowsFrom(200),
      [{ key: 150, value: 1 }, ...rowsFrom(200).filter(({ key }) => key !== 150)],
    ],
  ])('%s', (_, primary, candidate) => {
    expect(suspectsAsText(primary, candidate)).toEqual(expectedOf(primary, candidate));
  });

  it('own their keys: a sink may be used again', () => {
    const records = recordsOf(rowsFrom(3));
    const suspects = suspectsOf(records, recordsOf([]));
    records.keys.fill(0);
    expect(suspects.map(({ key }) => Buffer.from(key.subarray(4)).toString())).toEqual(['0', '1', '2']);
  });
});
