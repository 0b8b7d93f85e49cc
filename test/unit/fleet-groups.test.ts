import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { groupStanding } from '../../src/state/groups.ts';
import { standingOf } from '../../src/state/standing.ts';
import { ago, candidateOf, NOW, read, stateOf } from './board-fixture.ts';
import { times } from './property-runs.ts';

const member = fc.record({
  verdict: fc.constantFrom(
    'SAFE' as const,
    'SAFE_WITH_LOSS' as const,
    'NOT_SAFE' as const,
    'UNKNOWN' as const,
  ),
  secondsAgo: fc.option(fc.integer({ min: 0, max: 20 }), { freq: 5 }),
  watched: fc.boolean(),
  needs: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 2 }),
});

it('a group is promotable only if every member is, every recovery point is known, and none is too far from another', () => {
  fc.assert(
    fc.property(
      fc.array(member, { minLength: 1, maxLength: 5 }),
      fc.option(fc.integer({ min: 0, max: 15_000 })),
      (members, maxSkew) => {
        const built = members.map(({ verdict, secondsAgo, watched, needs }, index) => {
          const point = { recoveryPointAt: secondsAgo === null ? null : ago(secondsAgo) };
          const more = watched ? {} : { writtenAt: ago(9_000) };
          const name = `m${index}`;
          const state = stateOf(name, [candidateOf('gasan', verdict, point)], more);
          const dependsOn = needs.filter((one) => one !== index).map((one) => `m${one}`);
          return { name, dependsOn, standing: standingOf(name, read(state), NOW) };
        });
        const dependencies = new Map(built.map(({ name, dependsOn }) => [name, dependsOn]));
        const found = groupStanding({ name: 'money', maxSkew }, built, dependencies);
        const points = members.map(({ secondsAgo, watched }) => (watched ? secondsAgo : null));
        const known = points.flatMap((point) => (point === null ? [] : [point]));
        const complete = known.length === points.length;
        const skew = complete ? (Math.max(...known) - Math.min(...known)) * 1000 : null;
        expect(found.skewMs).toBe(skew);
        // All were seen at one moment.
        expect(found.skewAtLeastMs).toBe(skew);
        expect(found.commonPointAt?.toISOString() ?? null).toBe(complete ? ago(Math.max(...known)) : null);
        const promotable = found.verdict === 'SAFE' || found.verdict === 'SAFE_WITH_LOSS';
        const allowed =
          members.every(
            ({ watched, verdict }) => watched && (verdict === 'SAFE' || verdict === found.verdict),
          ) &&
          skew !== null &&
          skew <= (maxSkew ?? 0);
        expect(!promotable || allowed).toBe(true);
        for (const { consumer, producer, ms } of found.ahead) {
          const [own, theirs] = [consumer, producer].map((name) => points[Number(name.slice(1))] ?? NaN);
          expect(ms).toBe(((theirs ?? NaN) - (own ?? NaN)) * 1000);
          expect(ms).toBeGreaterThan(0);
        }
      },
    ),
    { numRuns: times(60) },
  );
});
