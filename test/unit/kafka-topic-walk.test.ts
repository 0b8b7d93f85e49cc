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
  begins = 0,
): WalkResult {
  const walk = new TopicWalk({ candidateEnd: BigInt(candidate.length) });
  walk.begins(BigInt(begins));
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
    ['a replica that is behind', range(0, 100), range(0, 90), [90, 0, 0, 0, 0, 0, 10]],
    ['a replica that has more at its end', range(0, 90), range(0, 100), [90, 0, 10, 0, 0, 0, 0]],
    ['an empty replica', range(0, 5), [], [0, 0, 0, 0, 0, 0, 5]],
    ['a primary that never had a record', [], range(0, 5), [0, 0, 5, 0, 0, 0, 0]],
    [
      'records before the first one that the primary ever had',
      range(2, 9),
      range(0, 9),
      [7, 0, 2, 0, 0, 0, 0],
    ],
    ['its first record changed', range(0, 5), ['0x', 1, 2, 3, 4], [4, 0, 1, 0, 1, 0, 0]],
  ] as const)('%s', (_, primary, candidate, expected) => {
    for (const pieces of [1, 7, 1000]) expect(counts(walked(primary, candidate, pieces))).toEqual(expected);
  });

  it.each([
    ['a primary that keeps less', range(300, 1000), range(0, 1000), [700, 0, 0, 0, 0, 300, 0]],
    ['a primary that keeps nothing any more', [], range(0, 5), [0, 0, 0, 0, 0, 5, 0]],
  ] as const)('%s', (_, primary, candidate, expected) => {
    expect(counts(walked(primary, candidate, 7, 300))).toEqual(expected);
  });

  /** As MirrorMaker 2 does after a kill: from where it last noted its place. */
  const again: (string | number)[] = [...range(0, 50_000), ...range(5000, 50_000), ...range(40_000, 60_000)];

  it('any number of records that were sent again after the replication was stopped are no difference', () => {
    expect(counts(walked(range(0, 60_000), again, 500))).toEqual([60_000, 0, 0, 55_000, 0, 0, 0]);
  });

  it('a record that was lost or changed where others were sent again shows all the same', () => {
    const [lost, changed] = [again.toSpliced(50_100, 1), again.with(70_000, '25000x')];
    expect(counts(walked(range(0, 60_000), lost, 500))).toEqual([60_000, 0, 0, 54_999, 0, 0, 0]);
    expect(counts(walked(range(0, 60_000), changed, 500))).toEqual([60_000, 0, 1, 54_999, 0, 0, 0]);
    const never = again.filter((name) => name !== 45_000);
    expect(counts(walked(range(0, 60_000), never, 500)).slice(0, 3)).toEqual([59_999, 1, 0]);
  });

  it('what was sent again longer ago than is remembered is called neither a difference nor equal', () => {
    const walk = new TopicWalk({ candidateEnd: 100_000n, remembered: 20_000 });
    const sent = [...range(0, 50_000), ...range(1000, 1500), ...range(49_000, 60_000), 'never seen there'];
    walk.feed('primary', log(range(0, 60_000)));
    walk.feed('candidate', log(sent));
    walk.end('primary');
    walk.end('candidate');
    const { matched, missing, extra, repeated, unclear } = walk.result();
    expect([matched, missing.count, unclear.count, repeated.count]).toEqual([60_000n, 0n, 500n, 1000n]);
    expect(extra.offsets).toEqual([61_500n]);
  });

  it('records of transactions that were taken back are told apart where the replica has them', () => {
    const walk = new TopicWalk({ candidateEnd: 6n });
    const takenBack = log(['2', '3'], 2).map((record) => Object.assign(record, { takenBack: true as const }));
    walk.feed('primary', [...log([0, 1]), ...takenBack, ...log([4, 5], 4)]);
    walk.feed('candidate', log([0, 1, 2, 3, 4, 5]));
    walk.end('primary');
    walk.end('candidate');
    const { matched, extra, takenBack: told } = walk.result();
    expect([matched, extra.count, told.offsets]).toEqual([4n, 0n, [2n, 3n]]);
  });

  it('records behind a transaction that is still open are no surplus, and those before it are', () => {
    const walk = new TopicWalk({ candidateEnd: 6n });
    walk.feed('primary', log([0, 1, 2]));
    walk.feed('candidate', log([0, '1x', 1, 2, 3, 4]));
    walk.end('primary', true);
    walk.end('candidate');
    const { matched, extra, open } = walk.result();
    expect([matched, extra.offsets, open]).toEqual([3n, [1n], 2n]);
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
    const walk = new TopicWalk({ candidateEnd: 4n, wanted: [0n, 2n, 3n, 9n] });
    walk.feed('primary', log([0, 1, 2, 3, 4]));
    walk.feed('candidate', log([0, 1, 3, 4], 100));
    walk.end('primary');
    walk.end('candidate');
    expect([0n, 2n, 3n, 9n].map((offset) => walk.translated(offset))).toEqual([100n, 102n, 102n, null]);
  });

  it.each([
    ['the last copy, where all that had come came again', [0, 1, 2, 3, 4, 1, 2, 3, 4, 5], [0n, 6n, 9n]],
    [
      'the last copy, where the log ends with what came again',
      [0, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5],
      [0n, 7n, 10n],
    ],
    ['the first one, where a record came again alone', [0, 1, 2, 3, 4, 2, 5], [0n, 2n, 6n]],
    ['the first one, where not all came again yet', [0, 1, 2, 3, 4, 5, 1, 2, 3], [0n, 2n, 5n]],
    ['the last copy of several', [0, 1, 2, 3, 1, 2, 3, 4, 2, 3, 4, 5], [0n, 8n, 11n]],
  ] as const)('a place becomes %s', (_, candidate, expected) => {
    const walk = new TopicWalk({ candidateEnd: 99n, wanted: [0n, 2n, 5n] });
    walk.feed('primary', log(range(0, 6)));
    walk.feed('candidate', log(candidate));
    walk.end('primary');
    walk.end('candidate');
    expect([0n, 2n, 5n].map((offset) => walk.translated(offset))).toEqual(expected);
  });
});
