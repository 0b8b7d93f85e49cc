import type { FleetFacts } from './fleet.ts';

/** What the order of promotion goes by. */
export interface Ordered {
  readonly name: string;
  readonly fleet: Pick<FleetFacts, 'tier' | 'dependsOn' | 'group'>;
}

/**
 * The place of each tier, the gravest 0: as listed, or where nothing is listed by name, numbers as numbers. What has no
 * tier comes last. Pure.
 */
export function tierRanks(
  systems: readonly Ordered[],
  tiers: readonly string[],
): ReadonlyMap<string | null, number> {
  const used = [...new Set(systems.flatMap(({ fleet }) => (fleet.tier === null ? [] : [fleet.tier])))];
  const listed = tiers.length > 0 ? tiers : used.sort(new Intl.Collator('en', { numeric: true }).compare);
  const ranks = new Map<string | null, number>(listed.map((tier, index) => [tier, index]));
  ranks.set(null, listed.length);
  return ranks;
}

/**
 * The order in which systems are promoted: each behind all that it depends on, among those that could be next the one on
 * which the gravest tier depends, and the members of a group one after the other unless a dependency leads out of the
 * group and into it again. Pure.
 */
export function promotionOrder<T extends Ordered>(
  systems: readonly T[],
  tiers: readonly string[],
): readonly T[] {
  const ranks = tierRanks(systems, tiers);
  const order = dependencyOrder(systems, ranks);
  const units = unitsOf(order, ranks);
  if (dependencyCycle(units) !== null) return order;
  return dependencyOrder(units, ranks).flatMap(({ members }) => members);
}

interface Unit<T> extends Ordered {
  readonly members: readonly T[];
}

/** A group is one thing that depends on whatever its members do, of the tier of its gravest. */
function unitsOf<T extends Ordered>(
  order: readonly T[],
  ranks: ReadonlyMap<string | null, number>,
): readonly Unit<T>[] {
  const homes = new Map<string, string>();
  const members = new Map<string, T[]>();
  const units = new Map<string, string>();
  for (const system of order) {
    const { name, fleet } = system;
    // A group goes by the name of its first member.
    const unit = fleet.group === null ? name : (units.get(fleet.group) ?? name);
    if (fleet.group !== null) units.set(fleet.group, unit);
    homes.set(name, unit);
    members.set(unit, [...(members.get(unit) ?? []), system]);
  }
  return [...members].map(([name, systems]) => {
    const [gravest] = [...systems].sort((a, b) => rankOf(a, ranks) - rankOf(b, ranks));
    const needs = systems.flatMap(({ fleet }) => fleet.dependsOn.flatMap((one) => homes.get(one) ?? []));
    const dependsOn = [...new Set(needs)].filter((one) => one !== name);
    return { name, members: systems, fleet: { tier: gravest?.fleet.tier ?? null, dependsOn, group: null } };
  });
}

/** Each behind all that it depends on. What lies on a cycle comes last, by tier. */
function dependencyOrder<T extends Ordered>(
  systems: readonly T[],
  ranks: ReadonlyMap<string | null, number>,
): readonly T[] {
  const byName = new Map(systems.map((system) => [system.name, system]));
  const urgency = urgencies(systems, byName, ranks);
  const before = (a: T, b: T): number =>
    (urgency.get(a.name) ?? 0) - (urgency.get(b.name) ?? 0) ||
    rankOf(a, ranks) - rankOf(b, ranks) ||
    (a.name < b.name ? -1 : 1);
  const waiting = [...systems].sort(before);
  const placed = new Set<string>();
  const order: T[] = [];
  while (waiting.length > 0) {
    const next = waiting.findIndex(({ fleet }) =>
      fleet.dependsOn.every((name) => placed.has(name) || !byName.has(name)),
    );
    const [system] = waiting.splice(Math.max(0, next), 1);
    if (system === undefined) break;
    placed.add(system.name);
    order.push(system);
  }
  return order;
}

/** Of each system the gravest rank of itself and of whatever depends on it, however far. */
function urgencies<T extends Ordered>(
  systems: readonly T[],
  byName: ReadonlyMap<string, T>,
  ranks: ReadonlyMap<string | null, number>,
): ReadonlyMap<string, number> {
  const urgency = new Map<string, number>();
  const raise = (first: T, rank: number): void => {
    const stack = [first];
    for (let system = stack.pop(); system !== undefined; system = stack.pop()) {
      const known = urgency.get(system.name);
      if (known !== undefined && known <= rank) continue;
      urgency.set(system.name, rank);
      for (const name of system.fleet.dependsOn) {
        const needed = byName.get(name);
        if (needed !== undefined) stack.push(needed);
      }
    }
  };
  for (const system of [...systems].sort((a, b) => rankOf(a, ranks) - rankOf(b, ranks))) {
    raise(system, rankOf(system, ranks));
  }
  return urgency;
}

function rankOf({ fleet }: Ordered, ranks: ReadonlyMap<string | null, number>): number {
  return ranks.get(fleet.tier) ?? ranks.size;
}

/** Names along one cycle of dependencies, the first repeated at the end; null: there is none. Pure. */
export function dependencyCycle(systems: readonly Ordered[]): readonly string[] | null {
  const needs = new Map(systems.map(({ name, fleet }) => [name, fleet.dependsOn]));
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (name: string): readonly string[] | null => {
    const at = trail.indexOf(name);
    if (at >= 0) return [...trail.slice(at), name];
    if (done.has(name)) return null;
    trail.push(name);
    for (const needed of needs.get(name) ?? []) {
      const cycle = visit(needed);
      if (cycle !== null) return cycle;
    }
    trail.pop();
    done.add(name);
    return null;
  };
  for (const { name } of systems) {
    const cycle = visit(name);
    if (cycle !== null) return cycle;
  }
  return null;
}
