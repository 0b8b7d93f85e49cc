import type { FleetSystem, FleetView } from '../state/fleet-view.ts';

/** A system as the API gives it; `whole`: with all that was published of it. */
export function systemJson({ config, standing, place, blockers }: FleetSystem, whole: boolean): object {
  const { title, tier, owner, group, dependsOn, rto } = config.fleet;
  const { verdict, doubt, fresh, best, candidates, state, problem } = standing;
  return {
    system: config.name,
    title,
    tier,
    owner,
    group,
    dependsOn,
    objectives: { rpoMs: config.policy.rpo, rtoMs: rto },
    place,
    verdict,
    doubt,
    problem,
    fresh,
    best: best?.name ?? null,
    blockers,
    candidates: candidates.map((one) => ({
      name: one.name,
      verdict: one.verdict,
      doubt: one.doubt,
      loss: one.doubt === null ? (one.candidate.verdict?.loss ?? null) : null,
      recoveryPointAt: fresh ? one.candidate.recoveryPointAt : null,
    })),
    ...(whole ? { state } : {}),
  };
}

export function fleetJson(view: FleetView): object {
  return {
    at: view.at.toISOString(),
    name: view.name,
    systems: view.systems.map((system) => systemJson(system, false)),
    groups: view.groups,
    strangers: view.strangers,
  };
}
