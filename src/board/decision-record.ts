import { z } from 'zod';
import { sha256 } from '../certificate/statement.ts';
import type { FleetSystem } from '../state/fleet-view.ts';
import type { CandidateStanding, SystemStanding } from '../state/standing.ts';

export const DECISION_TYPE = 'application/vnd.twinproof.decision+json';
export const DECISION_SCHEMA = 'twinproof.decision/v1';

export const CHOICES = ['promote', 'wait', 'do-not-promote'] as const;

const text = z.string().trim();

/** What an approver fills in. */
export const proposalSchema = z.strictObject({
  system: text.min(1),
  candidate: text.max(200),
  decision: z.enum(CHOICES),
  lossAccepted: text.max(500),
  reason: text.min(1).max(4000),
  /** Since when the primary provably takes no more commits, and who answers for that. */
  fencedAt: z.iso.datetime({ offset: true }).nullable().default(null),
  fencedBy: text.max(200).nullable().default(null),
});
export type Proposal = z.infer<typeof proposalSchema>;

/** What the board showed to a person when they decided. */
export const shownSchema = z.object({
  /** Of the candidate that is named; where that is none of the system's, of the best. */
  verdict: z.string(),
  doubt: z.string().nullable(),
  /** When the verdict was reached; null: there was none. */
  decidedAt: z.string().nullable(),
  loss: z.string(),
  candidate: z.string().nullable(),
  /** sha256 of the published state as the board had it; null: it had none. */
  stateSha256: z.string().nullable(),
  /** The newest certificate that was handed out then, with the digest of its payload; null: there was none. */
  certificate: z.object({ file: z.string(), sha256: z.string() }).nullable().default(null),
  /** The consistency group that it is promoted with; null: none. */
  group: z.object({ name: z.string(), verdict: z.string() }).nullable().default(null),
  /** Systems that it depends on and that were not safe to promote. */
  blockers: z.array(z.string()).default([]),
});
export type Shown = z.infer<typeof shownSchema>;

const head = {
  schema: z.literal(DECISION_SCHEMA),
  at: z.iso.datetime(),
  by: z.string(),
  /** sha256 of the payload of the line before; null: this is the first. A line that was taken out shows. */
  previous: z.string().nullable(),
};
export const recordSchema = z.discriminatedUnion('kind', [
  z.object({
    ...head,
    kind: z.literal('proposed'),
    id: z.string(),
    proposal: proposalSchema,
    shown: shownSchema,
  }),
  z.object({
    ...head,
    kind: z.literal('approved'),
    id: z.string(),
    /** To the second person; null: by a version that did not keep it. */
    shown: shownSchema.nullable().default(null),
  }),
]);
export type DecisionRecord = z.infer<typeof recordSchema>;

/** A decision with whoever stands behind it. */
export interface Decision extends Proposal {
  readonly id: string;
  readonly at: string;
  readonly proposedBy: string;
  /** Null: a second person has not approved it yet. */
  readonly approvedBy: string | null;
  readonly approvedAt: string | null;
  readonly shown: Shown;
  /** What was shown to the second person; null: nobody has approved it, or that was not kept. */
  readonly shownToApprover: Shown | null;
}

/** The candidate that is named; where that is none of the system's, the best. Null: there is none. Pure. */
function chosenOf({ candidates, best }: SystemStanding, candidate: string): CandidateStanding | null {
  return candidates.find(({ name }) => name === candidate) ?? best;
}

/** The verdict of that candidate as it holds now. Pure. */
export function verdictOn({ standing }: FleetSystem, candidate: string): string {
  return chosenOf(standing, candidate)?.verdict ?? standing.verdict;
}

/** What the board shows of a system now to whoever decides about this candidate. Pure. */
export function shownOf({ standing, group, blockers }: FleetSystem, candidate: string): Shown {
  const { state } = standing;
  const chosen = chosenOf(standing, candidate);
  const held = chosen === null || chosen.doubt !== null ? null : chosen.candidate.verdict;
  const [newest] = state?.certificates ?? [];
  return {
    verdict: chosen?.verdict ?? standing.verdict,
    doubt: chosen === null ? standing.doubt : chosen.doubt,
    decidedAt: held?.decidedAt ?? null,
    loss: held === null ? 'unknown' : JSON.stringify(held.loss),
    candidate: chosen?.name ?? null,
    stateSha256: state === null ? null : sha256(JSON.stringify(state)),
    certificate: newest === undefined ? null : { file: newest.file, sha256: newest.sha256 },
    group: group === null ? null : { name: group.name, verdict: group.verdict },
    blockers: blockers.map(({ name }) => name),
  };
}

/** The newest first. Pure. */
export function decisionsOf(records: readonly DecisionRecord[]): readonly Decision[] {
  const approvals = new Map(
    records.flatMap((record) => (record.kind === 'approved' ? [[record.id, record] as const] : [])),
  );
  const found = records.flatMap((record): Decision[] => {
    if (record.kind !== 'proposed') return [];
    const { id, at, by, proposal, shown } = record;
    const approval = approvals.get(id);
    return [
      {
        ...proposal,
        id,
        at,
        proposedBy: by,
        approvedBy: approval?.by ?? null,
        approvedAt: approval?.at ?? null,
        shown,
        shownToApprover: approval?.shown ?? null,
      },
    ];
  });
  return found.toReversed();
}
