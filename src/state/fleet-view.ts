import { promotionOrder } from '../config/fleet-order.ts';
import type { ConsistencyGroup } from '../config/fleet.ts';
import type { ConfigContent } from '../config/merge.ts';
import type { SystemConfig } from '../config/schema.ts';
import type { VerdictWord } from '../verdict/verdict.ts';
import type { ReadState } from './file.ts';
import { groupStanding, type GroupStanding } from './groups.ts';
import { isPromotable } from './lapse.ts';
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

/** What of a fleet is the same at every moment: it is worked out once. */
export interface FleetPlan {
  readonly name: string | null;
  /** In the order of promotion. */
  readonly systems: readonly SystemConfig[];
  /** Of each system those that it depends on, however far, the nearest first. */
  readonly needs: ReadonlyMap<string, readonly string[]>;
  readonly groups: readonly { readonly group: ConsistencyGroup; readonly members: readonly SystemConfig[] }[];
}

/** Pure. */
export function fleetPlan({ systems, fleet }: FleetConfig): FleetPlan {
  const byName = new Map(systems.map((system) => [system.name, system]));
  return {
    name: fleet.name,
    systems: promotionOrder(systems, fleet.tiers),
    needs: new Map(systems.map((system) => [system.name, needsOf(system, byName)])),
    groups: groupsOf(fleet.groups, systems).map((group) => ({
      group,
      members: systems.filter((system) => system.fleet.group === group.name),
    })),
  };
}

/** Pure. A system of the configuration that nobody watches is in it, as UNKNOWN. */
export function fleetView(plan: FleetPlan, states: ReadonlyMap<string, ReadState>, now: Date): FleetView {
  const standings = new Map(
    plan.systems.map(({ name }) => [name, standingOf(name, states.get(name) ?? null, now)] as const),
  );
  const groups = plan.groups.map(({ group, members }) =>
    groupStanding(
      group,
      members.flatMap(({ name, fleet }) => {
        const standing = standings.get(name);
        return standing === undefined ? [] : [{ name, fleet, standing }];
      }),
    ),
  );
  const shared = new Map(
    groups.filter(({ members }) => members.length > 1).map((group) => [group.name, group]),
  );
  const systems = plan.systems.flatMap((config, index): FleetSystem[] => {
    const standing = standings.get(config.name);
    if (standing === undefined) return [];
    const group = config.fleet.group === null ? null : (shared.get(config.fleet.group) ?? null);
    const blockers = blockersOf(plan.needs.get(config.name) ?? [], standings);
    return [{ config, standing, place: index + 1, blockers, group }];
  });
  const strangers = [...states.keys()].filter((name) => !plan.needs.has(name)).sort();
  return { at: now, name: plan.name, systems, groups, strangers };
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

function needsOf(
  { name, fleet }: SystemConfig,
  byName: ReadonlyMap<string, SystemConfig>,
): readonly string[] {
  const seen = new Set([name]);
  const waiting = [...fleet.dependsOn];
  const needs: string[] = [];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    if (seen.has(next)) continue;
    seen.add(next);
    needs.push(next);
    waiting.push(...(byName.get(next)?.fleet.dependsOn ?? []));
  }
  return needs;
}

function blockersOf(
  needs: readonly string[],
  standings: ReadonlyMap<string, SystemStanding>,
): FleetSystem['blockers'] {
  return needs.flatMap((name) => {
    const verdict = standings.get(name)?.verdict ?? 'UNKNOWN';
    return isPromotable(verdict) ? [] : [{ name, verdict }];
  });
}
