import { TwinproofError } from '../errors.ts';
import type { FleetSystem } from '../state/fleet-view.ts';
import { proposalSchema, shownOf, type Proposal } from './decision-record.ts';
import type { DecisionFile } from './decisions.ts';
import type { Live } from './live.ts';

const inputSchema = proposalSchema.omit({ system: true });

/** What an approver has filled in for a system, or the names of what is wrong with it. Pure. */
export function proposalFrom(
  body: unknown,
  { name, candidates }: FleetSystem['config'],
): { readonly proposal: Proposal; readonly wrong: null } | { readonly wrong: readonly string[] } {
  const parsed = inputSchema.safeParse(body);
  if (!parsed.success) return { wrong: parsed.error.issues.map((issue) => issue.path.join('.')) };
  const { candidate, decision } = parsed.data;
  // To wait takes no candidate.
  const isNobody = candidate === '' && decision !== 'promote';
  if (!isNobody && candidates.every((one) => one.name !== candidate)) return { wrong: ['candidate'] };
  return { proposal: { ...parsed.data, system: name }, wrong: null };
}

/** Signs as the second person, with what is shown now. Throws TP-USAGE unless it waits for this very person; TP-OUTPUT. */
export async function approveDecision(
  { live }: { readonly live: Pick<Live, 'view'> },
  decisions: DecisionFile,
  id: string,
  by: string,
): Promise<void> {
  await decisions.refresh();
  const decision = decisions.list().find((one) => one.id === id);
  const system = live.view.systems.find(({ config }) => config.name === decision?.system);
  if (decision === undefined || system === undefined) {
    throw new TwinproofError('TP-USAGE', { message: 'there is no such decision' });
  }
  await decisions.approve(id, by, shownOf(system, decision.candidate));
}
