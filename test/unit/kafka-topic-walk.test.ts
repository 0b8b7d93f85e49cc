import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TopicWalk, type WalkResult } from '../../src/compare/topic-walk.ts';
import type { NamedRecord } from '../../src/connector/topic-site.ts';
import { times } from './property-runs.ts';

/** Records by name, with offsets from `from` on; a name of a number is its time. */
function log(names: readonly (string | number)[], from = 0): NamedRecord[] {
  return names.map((name, index) => ({
    offset: BigInt(from + index),
    name: String(name),
    timeMs: Number.parseInt(String(name), 10),
  }));
}

function walked(
  primary: readonly (string | number)[],
  candidate: readonly (string | number)[],
  pieces = 3,
): WalkResult {
  const walk = new TopicWalk(BigInt(candidate.length));
  const [ours, theirs] = [log(primary), log(candidate)];
  for (let at = 0; at < Math.max(ours.length, theirs.length); at += pieces) {
    walk.feed('primary', ours.slice(at, at + pieces));
    walk.feed('candidate', theirs.slice(at, at + pieces));
  }
  walk.end('primary');
  walk.end('candidate');
  return walk.result();
}

const counts = ({
  matched,
  missing,
  extra,
  repeated,
  olderOnPrimary,
  olderOnCandidate,
  behind,
}: WalkResult) =>
  [matched, missing.count, extra.count, repeated.count, olderOnPrimary, olderOnCandidate, behind].map(Number);

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, index) => from + index);

describe('a partition against its replica', () => {
  it.each([
    ['equal logs', range(0, 500), range(0, 500), [500, 0, 0, 0, 0, 0, 0]],
    ['a record lost in between', range(0, 9), [0, 1, 2, 4, 5, 6, 7, 8], [8, 1, 0, 0, 0, 0, 0]],
    ['a record too many', range(0, 5), [0, 1, '1x', 2, 3, 4], [5, 0, 1, 0, 0, 0, 0]],
    ['a record that is another', range(0, 5), [0, 1, '2x', 3, 4], [4, 1, 1, 0, 0, 0, 0]],
    ['records that came twice', range(0, 6), [0, 1, 2, 1, 2, 3, 4, 5], [6, 0, 0, 2, 0, 0, 0]],
    ['two that changed places', [0, 1, 2, 3], [0, 2, 1, 3], [3, 1, 1, 0, 0, 0, 0]],
    ['a replica that began later', range(0, 1000), range(300, 1000), [700, 0, 0, 0, 300, 0, 0]],
    ['a primary that keeps less', range(300, 1000), range(0, 1000), [700, 0, 0, 0, 0, 300, 0]],
    ['a replica that is behind', range(0, 100), range(0, 90), [90, 0, 0, 0, 0, 0, 10]],
    ['a replica that has more at its end', range(0, 90), range(0, 100), [90, 0, 10, 0, 0, 0, 0]],
    ['an empty replica', range(0, 5), [], [0, 0, 0, 0, 0, 0, 5]],
    ['an empty primary', [], range(0, 5), [0, 0, 5, 0, 0, 0, 0]],
    ['its first record changed', range(0, 5), ['0x', 1, 2, 3, 4], [4, 0, 1, 0, 1, 0, 0]],
  ] as const)('%s', (_, primary, candidate, expected) => {
    for (const pieces of [1, 7, 1000]) expect(counts(walked(primary, candidate, pieces))).toEqual(expected);
  });

  it('two logs that have nothing in common are not called equal', () => {
    const { unrelated, matched } = walked(range(0, 50), range(1000, 1050));
    expect([unrelated, matched]).toEqual([true, 0n]);
  });

  it('whatever is taken away, put in or changed in between shows', () => {
    const change = fc.record({
      at: fc.integer({ min: 1, max: 98 }),
      how: fc.constantFrom('remove', 'insert', 'change'),
    });
    fc.assert(
      fc.property(
        fc.uniqueArray(change, { minLength: 1, maxLength: 8, selector: ({ at }) => at }),
        (changes) => {
          const candidate = range(0, 100).flatMap((name): (string | number)[] => {
            const how = changes.find(({ at }) => at === name)?.how;
            if (how === undefined) return [name];
            return how === 'remove' ? [] : how === 'insert' ? [name, `${name}x`] : [`${name}x`];
          });
          const { missing, extra, matched } = walked(range(0, 100), candidate, 11);
          const wanted = changes.filter(({ how }) => how !== 'insert').length;
          expect(Number(missing.count)).toBe(wanted);
          expect(Number(extra.count)).toBe(changes.filter(({ how }) => how !== 'remove').length);
          expect(Number(matched)).toBe(100 - wanted);
        },
      ),
      { numRuns: times(50) },
    );
  });

  it('an offset of the primary becomes the candidate’s of the same record, or of the next one that it has', () => {
    const walk = new TopicWalk(4n, [0n, 2n, 3n, 9n]);
    walk.feed('primary', log([0, 1, 2, 3, 4]));
    walk.feed('candidate', log([0, 1, 3, 4], 100));
    walk.end('primary');
    walk.end('candidate');
    expect([0n, 2n, 3n, 9n].map((offset) => walk.translated(offset))).toEqual([100n, 102n, 102n, null]);
  });
});
