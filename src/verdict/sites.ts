import { blockingRules, type ReadinessResult } from '../readiness/judge.ts';
import type { Evidence, Fence, VerdictMode } from './evidence.ts';
import { note, notSafe, unproven, type VerdictReason } from './reason.ts';

/** Are these the two sites that they should be, can the primary still write, and did every check pass? */
export function judgeSites(evidence: Evidence): readonly VerdictReason[] {
  return [...identityReasons(evidence), ...fenceReasons(evidence), ...readinessReasons(evidence)];
}

function identityReasons({ primary, candidate, pair }: Evidence): readonly VerdictReason[] {
  const reasons: VerdictReason[] = [];
  for (const [site, identity] of Object.entries({ primary, candidate })) {
    if (identity !== null) continue;
    reasons.push(
      unproven({
        code: 'TP-V-IDENTITY',
        subject: site,
        message: `who the ${site} is could not be established`,
        hint: 'evidence about a server without a name is about no server: see why it did not answer',
      }),
    );
  }
  if (primary !== null && primary.instance === candidate?.instance) {
    reasons.push(
      unproven({
        code: 'TP-V-SAME-SERVER',
        subject: 'candidate',
        message: 'it is the same running server as the primary: it was compared with itself',
        hint: 'give the address of the other site; a virtual IP or DNS name may have moved',
      }),
    );
  }
  // Judged here too, whatever the checks say: a standby that takes writes is never safe.
  if (pair === 'physical' && candidate?.writable === true) {
    reasons.push(
      notSafe({
        code: 'TP-V-TWO-WRITERS',
        subject: 'candidate',
        message: 'it takes writes although it is the standby of a primary: two sites are writable',
        hint: 'fence one of the two before anything else',
      }),
    );
  }
  return reasons;
}

/** After a loss the primary may come back and take writes: only a fence rules that out, not a lease or a DNS change. */
function fenceReasons({ mode, fence, now, ledger }: Evidence): readonly VerdictReason[] {
  if (mode === 'switchover') return [];
  if (fence === null || fence.by.trim() === '') {
    return [
      unproven({
        code: 'TP-V-NO-FENCE',
        subject: 'primary',
        message: 'nothing says that the lost primary can no longer take writes',
        hint: 'cut it off (power, storage, network), then give --fenced-at and --fenced-by',
      }),
    ];
  }
  const { loss, appliedCommitAt } = ledger ?? { loss: null, appliedCommitAt: null };
  const seen = [loss?.witnessedUntil ?? null, loss?.lastCommitAt ?? null, appliedCommitAt];
  const problem = fenceProblem(fence, now, seen);
  if (problem === null) return [];
  return [
    unproven({
      code: 'TP-V-FENCE-TIME',
      subject: 'primary',
      message: problem,
      hint: 'give --fenced-at in UTC, by the primary’s clock',
    }),
  ];
}

/** Written so that a date that is none fails. */
function fenceProblem({ at }: Fence, now: Date, seenAt: readonly (Date | null)[]): string | null {
  if (!(at.getTime() <= now.getTime())) return 'the time of the fence is not in the past';
  if (seenAt.some((seen) => seen !== null && !(seen.getTime() <= at.getTime()))) {
    return 'the primary was seen at work after the time of the fence';
  }
  return null;
}

function readinessReasons({ readiness, pair, mode, primary, candidate }: Evidence): readonly VerdictReason[] {
  const results = readiness ?? [];
  const ran = new Set(results.map((result) => result.code));
  const engine = candidate?.engine ?? (pair === 'cross-engine' ? null : (primary?.engine ?? null));
  const missing = blockingRules(pair, engine, mode)
    .filter((rule) => !ran.has(rule.code))
    .map((rule) =>
      unproven({
        code: 'TP-V-NOT-CHECKED',
        subject: rule.code,
        message: 'this check was not run',
        hint: 'run `twinproof preflight` on both sites to see why',
      }),
    );
  return [...results.flatMap((result) => weighReadiness(result, mode)), ...missing];
}

function weighReadiness(result: ReadinessResult, mode: VerdictMode): readonly VerdictReason[] {
  const { code, state, subject, message, hint, waiver } = result;
  const text = { code, subject, message, hint };
  const severity = result.severity[mode];
  if (state === 'pass') return [];
  if (severity !== 'block') return [note(text, state === 'fail' ? severity : 'info')];
  if (waiver !== null) return [note(text, 'warn')];
  return [state === 'fail' ? notSafe(text) : unproven(text)];
}
