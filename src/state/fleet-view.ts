import { promotionOrder } from '../config/fleet-order.ts';
import type { ConsistencyGroup } from '../config/fleet.ts';
import type { ConfigContent } from '../config/merge.ts';
import type { SystemConfig } from '../config/schema.ts';
import type { VerdictWord } from '../verdict/verdict.ts';
import type { ReadState } from './file.ts';
import { groupStanding, type GroupStanding } from './groups.ts';
import { standingOf, type SystemStanding } from './standing.ts';

export type FleetConfig = Pick<ConfigContent, 'systems' | 'fleet'>;

export interface FleetSystem {
  readonly config: SystemConfig;
  readonly standing: SystemStanding;
  /** Its place in the order of promotion, from 1. */
  readonly place: number;
  /** Systems that it depends on, however far, and that are not safe to promote: they come first. */
  readonly blockers: readonly { readonly name: string; readonly verdict: VerdictWord }[];
  /** The consistency group that it belongs to, with others; null: none. */
  readonly group: GroupStanding | null;
}

/** A fleet as it stands at one moment. */
export interface FleetView {
  readonly at: Date;
  readonly name: string | null;
  /** In the order of promotion. */
  readonly systems: readonly FleetSystem[];
  readonly groups: readonly GroupStanding[];
  /** Systems that somebody watches and that the configuration does not have. */
  readonly strangers: readonly string[];
}

/** Pure. A system of the configuration that nobody watches is in it, as UNKNOWN. */
export function fleetView(
  { systems, fleet }: FleetConfig,
  states: ReadonlyMap<string, ReadState>,
  now: Date,
): FleetView {
  const standings = new Map(
    systems.map(({ name }) => [name, standingOf(name, states.get(name) ?? null, now)] as const),
  );
  const byName = new Map(systems.map((system) => [system.name, system]));
  const groups = groupsOf(fleet.groups, systems).map((group) =>
    groupStanding(
      group,
      systems.flatMap(({ name, fleet: facts }) => {
        const standing = facts.group === group.name ? standings.get(name) : undefined;
        return standing === undefined ? [] : [{ name, fleet: facts, standing }];
      }),
    ),
  );
  const members = promotionOrder(systems, fleet.tiers).flatMap((config, index): FleetSystem[] => {
    const standing = standings.get(config.name);
    if (standing === undefined) return [];
    const group = groups.find((one) => one.name === config.fleet.group && one.members.length > 1) ?? null;
    return [{ config, standing, place: index + 1, blockers: blockersOf(config, byName, standings), group }];
  });
  return {
    at: now,
    name: fleet.name,
    systems: members,
    groups,
    strangers: [...states.keys()].filter((name) => !byName.has(name)).sort(),
  };
}

/** Those that are described, then those that are only named; none without members. */
function groupsOf(
  described: readonly ConsistencyGroup[],
  systems: readonly SystemConfig[],
): readonly ConsistencyGroup[] {
  const named = new Set(systems.flatMap(({ fleet }) => (fleet.group === null ? [] : [fleet.group])));
  const rest = [...named].filter((name) => described.every((group) => group.name !== name)).sort();
  return [
    ...described.filter(({ name }) => named.has(name)),
    ...rest.map((name) => ({ name, maxSkew: null })),
  ];
}

function blockersOf(
  { name, fleet }: SystemConfig,
  byName: ReadonlyMap<string, SystemConfig>,
  standings: ReadonlyMap<string, SystemStanding>,
): FleetSystem['blockers'] {
  const seen = new Set([name]);
  const waiting = [...fleet.dependsOn];
  const blockers: { name: string; verdict: VerdictWord }[] = [];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (seen.has(next)) continue;
    seen.add(next);
    const verdict = standings.get(next)?.verdict ?? 'UNKNOWN';
    if (verdict !== 'SAFE' && verdict !== 'SAFE_WITH_LOSS') blockers.push({ name: next, verdict });
    waiting.push(...(byName.get(next)?.fleet.dependsOn ?? []));
  }
  return blockers;
}
