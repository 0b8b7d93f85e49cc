import { promotionOrder } from '../config/fleet-order.ts';
import type { ConsistencyGroup } from '../config/fleet.ts';
import type { ConfigContent } from '../config/merge.ts';
import type { SystemConfig } from '../config/schema.ts';
import type { VerdictWord } from '../verdict/verdict.ts';
import type { ReadState } from './file.ts';
import { type Dependencies, groupStanding, type GroupStanding } from './groups.ts';
import { isPromotable } from './lapse.ts';
import { standingOf, type SystemStanding } from './standing.ts';

export type FleetConfig = Pick<ConfigContent, 'systems' | 'fleet'>;

export interface Blocker {
  readonly name: string;
  readonly verdict: VerdictWord;
}

export interface FleetSystem {
  readonly config: SystemConfig;
  readonly standing: SystemStanding;
  /** Its place in the order of promotion, from 1. */
  readonly place: number;
  /** Systems that it depends on, however far, and that are not safe to promote, by themselves or with their group. */
  readonly blockers: readonly Blocker[];
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
  /** Of each system those that it depends on. */
  readonly dependencies: Dependencies;
  /** The same, however far, the nearest first. */
  readonly needs: Dependencies;
  readonly groups: readonly { readonly group: ConsistencyGroup; readonly members: readonly SystemConfig[] }[];
}

/** Pure. */
export function fleetPlan({ systems, fleet }: FleetConfig): FleetPlan {
  const byName = new Map(systems.map((system) => [system.name, system]));
  return {
    name: fleet.name,
    systems: promotionOrder(systems, fleet.tiers),
    dependencies: new Map(systems.map(({ name, fleet: facts }) => [name, facts.dependsOn])),
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
      members.flatMap(({ name }) => {
        const standing = standings.get(name);
        return standing === undefined ? [] : [{ name, standing }];
      }),
      plan.dependencies,
    ),
  );
  const shared = new Map(
    groups.filter(({ members }) => members.length > 1).map((group) => [group.name, group]),
  );
  const groupOf = new Map(
    plan.systems.map(({ name, fleet }) => [
      name,
      fleet.group === null ? null : (shared.get(fleet.group) ?? null),
    ]),
  );
  const systems = plan.systems.flatMap((config, index): FleetSystem[] => {
    const standing = standings.get(config.name);
    if (standing === undefined) return [];
    const group = groupOf.get(config.name) ?? null;
    const blockers = (plan.needs.get(config.name) ?? []).flatMap((name): Blocker[] => {
      const verdict = verdictInGroup(standings.get(name), groupOf.get(name) ?? null, group);
      return isPromotable(verdict) ? [] : [{ name, verdict }];
    });
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

/** Of a system that another one of `group` needs: its own, or where it has a group of its own, that group's if that is worse. */
function verdictInGroup(
  standing: SystemStanding | undefined,
  own: GroupStanding | null,
  group: GroupStanding | null,
): VerdictWord {
  const verdict = standing?.verdict ?? 'UNKNOWN';
  return own === null || own === group || !isPromotable(verdict) ? verdict : own.verdict;
}
