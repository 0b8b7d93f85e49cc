import type { Outcome, Reason } from '../compare/result.ts';
import type { Evidence, IntegrityEvidence, TableEvidence } from './evidence.ts';
import { note, notSafe, unproven, type VerdictReason } from './reason.ts';

export interface JudgedIntegrity {
  readonly outcome: Outcome;
  readonly reasons: readonly VerdictReason[];
}

/** Is every row in scope proven equal, and recently enough? The outcome handed in is never believed against its parts. */
export function judgeIntegrity(evidence: Evidence): JudgedIntegrity {
  const { integrity } = evidence;
  const found = foundReasons(integrity);
  const different = integrity.outcome === 'different' || integrity.tables.some(differs);
  const gaps = scopeReasons(integrity);
  const same =
    gaps.length === 0 &&
    integrity.outcome === 'same' &&
    integrity.tables.every(({ outcome }) => outcome === 'same') &&
    found.every(({ effect }) => effect === 'none');
  let outcome: Outcome = same ? 'same' : 'unproven';
  if (different) outcome = 'different';
  return {
    outcome,
    reasons: [
      ...outcomeReasons(integrity, found),
      ...found,
      ...gaps,
      ...coverageReasons(evidence),
      ...ageReasons(evidence, outcome),
    ],
  };
}

/** An outcome is a reason by itself wherever the comparison gave none for it. */
function outcomeReasons(
  { outcome, tables }: IntegrityEvidence,
  found: readonly VerdictReason[],
): readonly VerdictReason[] {
  const reasons = tables.flatMap((table) => tableReasons(table));
  const effects = [...found, ...reasons].map(({ effect }) => effect);
  if (outcome === 'different' && !effects.includes('not-safe')) {
    return [...reasons, differentReason('integrity', 'the comparison found the sites different')];
  }
  if (outcome === 'unproven' && effects.every((effect) => effect === 'none')) {
    return [...reasons, unprovenReason('integrity', 'the comparison did not prove the sites equal')];
  }
  return reasons;
}

function tableReasons(evidence: TableEvidence): readonly VerdictReason[] {
  const { table, outcome, differences, reasons } = evidence;
  if (differs(evidence)) {
    if (reasons.some(({ severity }) => severity === 'block')) return [];
    const { missing, extra, changed } = differences;
    return [differentReason(table, `rows differ: ${missing} missing, ${extra} extra, ${changed} changed`)];
  }
  if (outcome === 'same' || reasons.some(({ severity }) => severity !== 'info')) return [];
  return [unprovenReason(table, 'not all rows are proven equal')];
}

function differentReason(subject: string, message: string): VerdictReason {
  return notSafe({
    code: 'TP-V-DIFFERENT',
    subject,
    message,
    hint: 'do not promote; `twinproof verify` lists the keys. Mend or rebuild the candidate',
  });
}

function unprovenReason(subject: string, message: string): VerdictReason {
  return unproven({
    code: 'TP-V-UNPROVEN',
    subject,
    message,
    hint: 'see the other reasons and run again',
  });
}

function differs({ outcome, differences }: TableEvidence): boolean {
  return (
    outcome === 'different' ||
    differences.missing !== 0n ||
    differences.extra !== 0n ||
    differences.changed !== 0n
  );
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
  // A table that is not same has its own reason, and may not count as compared.
  const allSame = tables.every(({ outcome }) => outcome === 'same');
  if (tables.length !== coverage.tables || (allSame && coverage.compared !== coverage.tables)) {
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

/** What is not proven has no time, and a reason of its own already. */
function ageReasons(
  { integrity, ledger, now, policy }: Evidence,
  outcome: Outcome,
): readonly VerdictReason[] {
  const reasons: VerdictReason[] = [];
  const isTimeless = integrity.provenAt === null && outcome !== 'same';
  if (!isTimeless && !isFresh(integrity.provenAt, now, policy.maxProofAgeMs)) {
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

/** What the comparison says of the run as a whole, and of each table. */
function foundReasons({ reasons, tables }: IntegrityEvidence): readonly VerdictReason[] {
  return [
    ...reasons.map((reason) => weigh(reason, false)),
    ...tables.flatMap((table) => table.reasons.map((reason) => weigh(reason, table.outcome === 'same'))),
  ];
}

/** A blocking finding is about the site. A warning says why something is not proven, unless all of it was. */
function weigh({ code, severity, subject, message, hint }: Reason, proven: boolean): VerdictReason {
  const text = { code, subject, message, hint };
  if (severity === 'block') return notSafe(text);
  return severity === 'warn' && !proven ? unproven(text) : note(text, severity);
}
