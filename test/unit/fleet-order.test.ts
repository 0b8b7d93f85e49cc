import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dependencyCycle, promotionOrder, type Ordered } from '../../src/config/fleet-order.ts';

const system = (
  name: string,
  tier: string | null,
  dependsOn: string[] = [],
  group: string | null = null,
): Ordered => ({
  name,
  fleet: { tier, dependsOn, group },
});
const names = (systems: readonly Ordered[], tiers: string[] = []): string =>
  promotionOrder(systems, tiers)
    .map(({ name }) => name)
    .join(' ');

describe('the order of promotion', () => {
  it('goes by tier, then by name, and what has no tier comes last', () => {
    expect(names([system('c', null), system('b', '2'), system('a', '10'), system('d', '2')])).toBe('b d a c');
  });

  it('takes tiers as they are listed', () => {
    expect(names([system('a', 'other'), system('b', 'core')], ['core', 'other'])).toBe('b a');
  });

  it('brings what the gravest systems need before lesser systems that need nothing', () => {
    const systems = [
      system('bank', '1', ['keys']),
      system('mail', '2'),
      system('keys', '3', ['disk']),
      system('disk', '3'),
    ];
    expect(names(systems)).toBe('disk keys bank mail');
  });

  it('keeps groups together', () => {
    const systems = [system('a', '1', [], 'g'), system('b', '1'), system('c', '2', ['a'], 'g')];
    expect(names(systems)).toBe('a c b');
  });

  it('takes a group apart where a dependency leads out of it and into it again', () => {
    const systems = [system('a', '1', [], 'g'), system('b', '1', ['a']), system('c', '1', ['b'], 'g')];
    expect(names(systems)).toBe('a b c');
  });

  it('never puts a system before one that it depends on', () => {
    const fleet = fc.array(
      fc.record({
        tier: fc.constantFrom('1', '2', null),
        needs: fc.array(fc.nat(30), { maxLength: 3 }),
        group: fc.constantFrom('g', 'h', null),
      }),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(fleet, (drawn) => {
        // A system depends only on earlier ones, so that there is no circle.
        const systems = drawn.map(({ tier, needs, group }, index) =>
          system(
            `s${index}`,
            tier,
            [...new Set(needs.filter((one) => one < index).map((one) => `s${one}`))],
            group,
          ),
        );
        const order = promotionOrder(systems, []).map(({ name }) => name);
        expect([...order].sort()).toEqual(systems.map(({ name }) => name).sort());
        for (const {
          name,
          fleet: { dependsOn },
        } of systems) {
          for (const needed of dependsOn) expect(order.indexOf(needed)).toBeLessThan(order.indexOf(name));
        }
      }),
      { numRuns: 60 },
    );
  });

  it('names a circle', () => {
    expect(
      dependencyCycle([system('a', null, ['b']), system('b', null, ['c']), system('c', null, ['b'])]),
    ).toEqual(['b', 'c', 'b']);
    expect(dependencyCycle([system('a', null, ['b']), system('b', null)])).toBeNull();
  });
});
