import { lagJson, type LagSample } from '../report/lag-text.ts';
import type { CandidateState, SystemState } from '../state/schema.ts';

export const RPO_SCHEMA = 'twinproof.rpo/v1';

/** A message before it is numbered; what it says is documented in docs/kafka-messages.md. */
export interface PublishedMessage {
  /** `system/candidate` */
  readonly key: string;
  readonly body: object;
}

/** What `lag` found of one candidate. */
export function lagMessage(system: string, sample: LagSample): PublishedMessage {
  return {
    key: `${system}/${sample.candidate}`,
    body: { ...lagJson(sample), schema: RPO_SCHEMA, system },
  };
}

/**
 * What is new in the state of a system since `before`: a sample of each candidate whose lag was looked at again, and
 * verdicts that were reached since. Pure.
 */
export function stateMessages(
  state: SystemState,
  before: SystemState | null,
  objectiveMs: number | null,
): readonly PublishedMessage[] {
  return state.candidates.flatMap((candidate) => {
    const old = before?.candidates.find(({ name }) => name === candidate.name) ?? null;
    const key = `${state.system}/${candidate.name}`;
    const about = { system: state.system, candidate: candidate.name };
    const messages: PublishedMessage[] = [];
    if (candidate.lag !== null && candidate.lag.at !== old?.lag?.at) {
      messages.push({
        key,
        body: { schema: RPO_SCHEMA, ...about, ...sampleOf(state, candidate, objectiveMs) },
      });
    }
    const { verdict } = candidate;
    if (verdict !== null && verdict.decidedAt !== old?.verdict?.decidedAt) {
      messages.push({ key, body: { ...verdict, ...about } });
    }
    return messages;
  });
}

function sampleOf(state: SystemState, { lag }: CandidateState, objectiveMs: number | null): object {
  const { witnessedUntil } = state.primary;
  return { ...lag, objectiveMs, witnessedUntil };
}
