import type { Outcome, Reason } from '../compare/result.ts';
import { CODES } from '../error-codes.ts';
import type { Evidence, IntegrityEvidence, TableEvidence } from './evidence.ts';
import { note, notSafe, unproven, type VerdictReason } from './reason.ts';

export interface JudgedIntegrity {
  readonly outcome: Outcome;
  readonly reasons: readonly VerdictReason[];
}

/** Is every row in scope proven equal, and recently enough? The outcome handed in is never believed against its parts. */
export function judgeIntegrity(evidence: Evidence): JudgedIntegrity {
  const { integrity } = evidence;
  const differences = differenceReasons(integrity);
  const gaps = [...scopeReasons(integrity), ...unprovenReasons(integrity)];
  let outcome: Outcome = 'same';
  if (gaps.length > 0) outcome = 'unproven';
  if (differences.length > 0) outcome = 'different';
  const found = [...integrity.reasons, ...integrity.tables.flatMap((table) => table.reasons)];
  return {
    outcome,
    reasons: [
      ...differences,
      ...gaps,
      ...coverageReasons(evidence),
      ...ageReasons(evidence),
      ...found.map(weigh),
    ],
  };
}

function differenceReasons(integrity: IntegrityEvidence): readonly VerdictReason[] {
  const reasons = integrity.tables.filter(differs).map(({ table, differences }) =>
    notSafe({
      code: 'TP-V-DIFFERENT',
      subject: table,
      message: `the candidate’s rows differ: ${differences.missing} missing, ${differences.extra} extra, ${differences.changed} changed`,
      hint: 'do not promote; `twinproof verify` lists the keys. Mend or rebuild the table on the candidate',
    }),
  );
  if (reasons.length > 0 || integrity.outcome !== 'different') return reasons;
  return [
    notSafe({
      code: 'TP-V-DIFFERENT',
      subject: 'integrity',
      message: 'the comparison found the sites different',
      hint: 'do not promote; `twinproof verify` lists the keys',
    }),
  ];
}

function differs({ outcome, differences }: TableEvidence): boolean {
  return (
    outcome === 'different' ||
    differences.missing !== 0n ||
    differences.extra !== 0n ||
    differences.changed !== 0n
  );
}

function unprovenReasons(integrity: IntegrityEvidence): readonly VerdictReason[] {
  const reasons = integrity.tables
    .filter((table) => table.outcome === 'unproven')
    .map(({ table }) =>
      unproven({
        code: 'TP-V-UNPROVEN',
        subject: table,
        message: 'not all of its rows are proven equal',
        hint: 'see the reasons given for this table and run again',
      }),
    );
  if (reasons.length > 0 || integrity.outcome !== 'unproven') return reasons;
  return [
    unproven({
      code: 'TP-V-UNPROVEN',
      subject: 'integrity',
      message: 'the comparison did not prove the sites equal',
      hint: 'see the other reasons and run again',
    }),
  ];
}

/** Everything in scope must have been looked at, and the tool may not narrow the scope by itself. */
function scopeReasons(integrity: IntegrityEvidence): readonly VerdictReason[] {
  const { coverage, tables } = integrity;
  const reasons: VerdictReason[] = [];
  if (coverage.tables === 0) {
    reasons.push(
      unproven({
        code: 'TP-V-EMPTY-SCOPE',
        subject: 'coverage',
        message: 'no table was in scope: nothing is proven',
        hint: 'check --tables and --exclude, or the configuration’s include and exclude',
      }),
    );
  }
  if (coverage.compared !== coverage.tables || tables.length !== coverage.tables) {
    reasons.push(
      unproven({
        code: 'TP-V-NOT-COMPARED',
        subject: 'coverage',
        message: `${coverage.compared} of ${coverage.tables} tables in scope were compared, ${tables.length} have a result`,
        hint: 'see the reasons of the tables that are missing and run again',
      }),
    );
  }
  for (const { table, reason, decidedBy } of coverage.excluded) {
    if (decidedBy !== 'twinproof') continue;
    reasons.push(
      unproven({
        code: 'TP-V-CANNOT-COMPARE',
        subject: table,
        message: `it cannot be compared: ${reason}`,
        hint: 'mend the cause, or exclude it yourself: the certificate then says that you did',
      }),
    );
  }
  return reasons;
}

function coverageReasons({ integrity: { coverage }, policy }: Evidence): readonly VerdictReason[] {
  const all = coverage.tables + coverage.excluded.length;
  // Written so that NaN fails.
  if (policy.coverageMin === null || coverage.compared >= policy.coverageMin * all) return [];
  return [
    unproven({
      code: 'TP-V-COVERAGE',
      subject: 'coverage',
      message: `${coverage.compared} of ${all} tables were compared; policy asks for a share of ${policy.coverageMin}`,
      hint: 'exclude fewer tables',
    }),
  ];
}

function ageReasons({ integrity, ledger, now, policy }: Evidence): readonly VerdictReason[] {
  const reasons: VerdictReason[] = [];
  if (!isFresh(integrity.provenAt, now, policy.maxProofAgeMs)) {
    reasons.push(
      unproven({
        code: 'TP-V-STALE',
        subject: 'proof',
        message:
          integrity.provenAt === null
            ? 'when the rows were proven equal is not known'
            : `the oldest proof is from ${showDate(integrity.provenAt)}: too old for the policy, or in the future`,
        hint: 'compare again; if the time is in the future, check the clock of this machine',
      }),
    );
  }
  if (integrity.resumedSince !== null && ledger === null) {
    reasons.push(
      unproven({
        code: 'TP-V-RESUMED',
        subject: 'proof',
        message: `ranges were taken over from an earlier run (${showDate(integrity.resumedSince)}), and whether the primary stood still since then is not known`,
        hint: 'for a verdict run once without --state, on a primary that stands still',
      }),
    );
  }
  return reasons;
}

/** False also for a proof from the future and for a date that is none. */
export function isFresh(provenAt: Date | null, now: Date, maxAgeMs: number): boolean {
  if (provenAt === null) return false;
  const age = now.getTime() - provenAt.getTime();
  return age >= 0 && age <= maxAgeMs;
}

/** ISO 8601; a date that is none is said to be so, where toISOString would throw. */
function showDate(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'an unknown time' : date.toISOString();
}

/**
 * What the comparison found on its way. A code whose exit status in the manual is critical (storage that cannot be
 * read) is a finding about the site; any other blocking reason says that the evidence is unsound, which proves nothing.
 */
function weigh(reason: Reason): VerdictReason {
  const { code, severity, subject, message, hint } = reason;
  const text = { code, subject, message, hint };
  if (isCritical(code)) return notSafe(text);
  return severity === 'block' ? unproven(text) : note(text, severity);
}

function isCritical(code: string): boolean {
  return Object.entries(CODES).some(([name, entry]) => name === code && entry.exitCode === 2);
}
