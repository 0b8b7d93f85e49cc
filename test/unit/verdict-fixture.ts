import { judgeReadiness, type ReadinessResult } from '../../src/readiness/judge.ts';
import { notCheckedOn } from '../../src/readiness/not-checked.ts';
import type {
  Evidence,
  HeadEvidence,
  IntegrityEvidence,
  LedgerEvidence,
  Loss,
  Policy,
  TableEvidence,
} from '../../src/verdict/evidence.ts';
import { UNKNOWN_LOSS } from '../../src/verdict/loss.ts';
import { judge, type VerdictWord } from '../../src/verdict/verdict.ts';
import { PRIMARY_IDENTITY, readinessInput, STANDBY_IDENTITY } from './readiness-fixture.ts';

export const NOW = new Date('2026-01-02T04:00:00.000Z');

export function before(ms: number): Date {
  return new Date(NOW.getTime() - ms);
}

export const NO_DIFFERENCES = { missing: 0n, extra: 0n, changed: 0n };

export const TABLE: TableEvidence = {
  table: 'public.orders',
  outcome: 'same',
  differences: NO_DIFFERENCES,
  reasons: [],
};

export const INTEGRITY: IntegrityEvidence = {
  outcome: 'same',
  coverage: { tables: 2, compared: 2, excluded: [] },
  tables: [TABLE, { ...TABLE, table: 'public.customers' }],
  reasons: [],
  provenAt: before(60_000),
  resumedSince: null,
};

export const STILL: HeadEvidence = { quiesced: true, moved: false, quiet: true, applied: true };

export const POLICY: Policy = {
  rpoMs: 30_000,
  maxTailMs: 60_000,
  maxProofAgeMs: 3_600_000,
  certificateValidForMs: 600_000,
  coverageMin: null,
};

export const READINESS: readonly ReadinessResult[] = judgeReadiness(readinessInput('physical'));

/** A planned switchover without a ledger, with nothing wrong: SAFE. */
export const SWITCHOVER: Evidence = {
  mode: 'switchover',
  pair: 'physical',
  now: NOW,
  integrity: INTEGRITY,
  head: STILL,
  ledger: null,
  fence: null,
  primary: PRIMARY_IDENTITY,
  candidate: STANDBY_IDENTITY,
  readiness: READINESS,
  notChecked: notCheckedOn('physical', 'sha256'),
  policy: POLICY,
};

export const NO_LOSS: Loss = {
  ...UNKNOWN_LOSS,
  kind: 'none',
  basis: 'clean-shutdown',
  transactions: 0n,
  changes: 0n,
  keys: 0n,
  witnessedUntil: before(120_000),
  tail: { bytes: 0n, ms: 0 },
  boundMs: 0,
  atLeastMs: 0,
  shutDownAt: before(100_000),
};

export const BOUNDED_LOSS: Loss = {
  ...NO_LOSS,
  kind: 'bounded',
  basis: 'ledger',
  transactions: 7n,
  changes: 9n,
  keys: 8n,
  firstCommitAt: before(130_000),
  lastCommitAt: before(121_000),
  boundMs: 12_000,
  atLeastMs: 9_000,
  shutDownAt: null,
};

export function ledger(
  loss: Partial<Loss> = {},
  gaps: readonly string[] = [],
  doubts: LedgerEvidence['doubts'] = [],
): LedgerEvidence {
  return { loss: { ...NO_LOSS, ...loss }, appliedCommitAt: before(121_000), gaps, doubts };
}

/** After the loss of the primary, shut down in order, fenced, and seen by a ledger to the end: SAFE. */
export const FAILOVER: Evidence = {
  ...SWITCHOVER,
  mode: 'failover',
  head: { quiesced: false, moved: null, quiet: null, applied: null },
  ledger: ledger(),
  fence: { at: before(100_000), by: 'power cut by the operator on duty' },
};

/** The same after a crash: SAFE_WITH_LOSS. */
export const CRASH: Evidence = { ...FAILOVER, ledger: ledger(BOUNDED_LOSS) };

export type Case = readonly [
  name: string,
  evidence: Evidence,
  verdict: VerdictWord,
  codes: readonly string[],
];

/** The verdict and the codes of its reasons, those of the verdict’s own rules without their prefix. */
export function outcomeOf(evidence: Evidence): readonly [VerdictWord, readonly string[]] {
  const judged = judge(evidence);
  return [judged.verdict, judged.reasons.map((reason) => reason.code.replace(/^TP-V-/, ''))];
}

export function withIntegrity(changed: Partial<IntegrityEvidence>): Evidence {
  return { ...SWITCHOVER, integrity: { ...INTEGRITY, ...changed } };
}

export function withCoverage(
  changed: Partial<IntegrityEvidence['coverage']>,
  policy: Partial<Policy> = {},
): Evidence {
  const evidence = withIntegrity({ coverage: { ...INTEGRITY.coverage, ...changed } });
  return { ...evidence, policy: { ...POLICY, ...policy } };
}

export function withLoss(
  base: Evidence,
  loss: Parameters<typeof ledger>[0],
  policy: Partial<Policy> = {},
): Evidence {
  return { ...base, ledger: ledger({ ...base.ledger?.loss, ...loss }), policy: { ...POLICY, ...policy } };
}

export function withReadiness(changed: Partial<ReadinessResult>): Evidence {
  const [first, ...rest] = READINESS;
  if (first === undefined) throw new Error('no readiness results');
  return { ...SWITCHOVER, readiness: [{ ...first, hint: 'do this', ...changed }, ...rest] };
}
