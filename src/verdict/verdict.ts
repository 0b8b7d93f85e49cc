import type { Outcome } from '../compare/result.ts';
import type { Waiver } from '../config/waiver.ts';
import type { ReadinessResult } from '../readiness/judge.ts';
import type { NotChecked } from '../readiness/not-checked.ts';
import type { Coverage, Decider, Evidence, Loss, LossKind, VerdictMode } from './evidence.ts';
import { isFresh, judgeIntegrity } from './integrity.ts';
import { judgeLoss } from './loss.ts';
import type { Effect, VerdictReason } from './reason.ts';
import { judgeSites } from './sites.ts';

export type VerdictWord = 'SAFE' | 'SAFE_WITH_LOSS' | 'NOT_SAFE' | 'UNKNOWN';

export interface NotProven extends NotChecked {
  /** Who decided to leave it out; null: nobody, it is beyond the method. */
  readonly decidedBy: Decider | null;
}

export interface Verdict {
  readonly verdict: VerdictWord;
  readonly mode: VerdictMode;
  readonly integrity: Outcome;
  readonly loss: Loss;
  /** The recovery point objective in force; null: none. */
  readonly rpoMs: number | null;
  readonly coverage: Coverage;
  readonly notProven: readonly NotProven[];
  /** Every one, the weightiest first. */
  readonly reasons: readonly VerdictReason[];
  readonly decidedAt: Date;
  readonly expiresAt: Date;
}

const EFFECT_ORDER: readonly Effect[] = ['not-safe', 'unknown', 'loss', 'none'];

/** Evidence in, verdict out: pure, and never rounding up. */
export function judge(evidence: Evidence): Verdict {
  const { mode, policy, now } = evidence;
  const integrity = judgeIntegrity(evidence);
  const loss = judgeLoss(evidence);
  const reasons = [...integrity.reasons, ...loss.reasons, ...judgeSites(evidence)].sort(
    (a, b) => EFFECT_ORDER.indexOf(a.effect) - EFFECT_ORDER.indexOf(b.effect),
  );
  return {
    verdict: decide(
      integrity.outcome,
      loss.loss.kind,
      reasons.map((reason) => reason.effect),
    ),
    mode,
    integrity: integrity.outcome,
    loss: loss.loss,
    rpoMs: policy.rpoMs,
    coverage: evidence.integrity.coverage,
    notProven: notProvenOf(evidence),
    reasons,
    decidedAt: now,
    expiresAt: expiryOf(evidence),
  };
}

/**
 * The last word. SAFE takes all three: equal rows, no loss, and no reason against it. Part of that is implied by the
 * rules that gave the reasons, and asked again here so that a mistake in one of them ends in UNKNOWN.
 */
export function decide(integrity: Outcome, loss: LossKind, effects: readonly Effect[]): VerdictWord {
  if (integrity === 'different' || effects.includes('not-safe')) return 'NOT_SAFE';
  if (integrity !== 'same' || effects.includes('unknown')) return 'UNKNOWN';
  if (loss === 'none') return effects.includes('loss') ? 'UNKNOWN' : 'SAFE';
  return loss === 'bounded' && effects.includes('loss') ? 'SAFE_WITH_LOSS' : 'UNKNOWN';
}

/** A verdict lapses with the policy's period, and with the age of its oldest proof or a waiver if that comes first. */
function expiryOf({ now, policy, readiness, integrity: { provenAt } }: Evidence): Date {
  const waivers = waivedIn(readiness ?? []).map(({ waiver }) => waiver.until.getTime());
  const end = Math.min(now.getTime() + policy.certificateValidForMs, ...waivers);
  if (provenAt === null || !isFresh(provenAt, now, policy.maxProofAgeMs)) return new Date(end);
  return new Date(Math.min(end, provenAt.getTime() + policy.maxProofAgeMs));
}

/** Findings, and checks that could not be made, that somebody has accepted. */
function waivedIn(
  results: readonly ReadinessResult[],
): readonly { readonly result: ReadinessResult; readonly waiver: Waiver }[] {
  return results.flatMap((result) =>
    result.waiver === null || result.state === 'pass' ? [] : [{ result, waiver: result.waiver }],
  );
}

function notProvenOf({ notChecked, integrity, readiness }: Evidence): readonly NotProven[] {
  return [
    ...waivedIn(readiness ?? []).map(({ result, waiver }) => ({
      code: 'TP-N-WAIVED',
      subject: `${result.code} ${result.subject}`,
      message: `waived by ${waiver.by} until ${waiver.until.toISOString()}: ${waiver.reason}`,
      decidedBy: 'configuration' as const,
    })),
    ...integrity.coverage.excluded.map(({ table, reason, decidedBy }) => ({
      code: 'TP-N-EXCLUDED',
      subject: table,
      message: reason,
      decidedBy,
    })),
    ...notChecked.map((entry) => ({ ...entry, decidedBy: null })),
  ];
}
