import type { Outcome } from '../compare/result.ts';
import type { Severity } from '../connector/identity.ts';
import type { Decider, Loss, LossBasis, LossKind, TableLossEvidence, VerdictMode } from './evidence.ts';
import type { Effect } from './reason.ts';
import type { Verdict, VerdictWord } from './verdict.ts';

export const VERDICT_SCHEMA = 'twinproof.verdict/v1';

/** A verdict as `certify --format json` prints it and as the certificate carries it. Null is unknown. */
export interface VerdictJson {
  readonly schema: typeof VERDICT_SCHEMA;
  readonly verdict: VerdictWord;
  readonly mode: VerdictMode;
  readonly integrity: Outcome;
  readonly loss: LossJson;
  readonly rpo: {
    readonly objectiveMs: number | null;
    readonly boundMs: number | null;
    readonly atLeastMs: number | null;
  };
  readonly coverage: {
    readonly tables: number;
    readonly compared: number;
    readonly excluded: readonly {
      readonly table: string;
      readonly reason: string;
      readonly decidedBy: Decider;
    }[];
  };
  readonly notProven: readonly {
    readonly code: string;
    readonly subject: string;
    readonly message: string;
    readonly decidedBy: Decider | null;
  }[];
  readonly reasons: readonly {
    readonly code: string;
    readonly severity: Severity;
    readonly effect: Effect;
    readonly subject: string;
    readonly message: string;
    readonly hint: string;
  }[];
  readonly decidedAt: string;
  readonly expiresAt: string;
}

/** Counts are strings: they may pass 2^53. */
export interface LossJson {
  readonly kind: LossKind;
  readonly basis: LossBasis | null;
  readonly transactions: string | null;
  readonly changes: string | null;
  readonly keys: string | null;
  readonly firstCommitAt: string | null;
  readonly lastCommitAt: string | null;
  readonly witnessedUntil: string | null;
  readonly tail: { readonly bytes: string | null; readonly ms: number | null } | null;
  /** Absent in certificates of before. */
  readonly tables?: readonly TableLossJson[] | null | undefined;
  readonly recoverableBytes?: string | null | undefined;
  readonly recoverableTransactions?: string | null | undefined;
  readonly archived?: ArchivedJson | undefined;
  readonly shutDownAt?: string | null | undefined;
}

/** Log behind what the candidate has received, in an archive. */
export interface ArchivedJson {
  readonly folder: string;
  readonly bytes: string | null;
  readonly transactions: string | null;
  readonly problem: string | null;
}

export interface TableLossJson {
  readonly table: string;
  readonly inserts: string;
  readonly updates: string;
  readonly deletes: string;
  readonly truncates: string;
  readonly keys: string;
}

export function verdictJson(verdict: Verdict): VerdictJson {
  const { loss, coverage } = verdict;
  return {
    schema: VERDICT_SCHEMA,
    verdict: verdict.verdict,
    mode: verdict.mode,
    integrity: verdict.integrity,
    loss: lossJson(loss),
    rpo: { objectiveMs: verdict.rpoMs, boundMs: loss.boundMs, atLeastMs: loss.atLeastMs },
    coverage: {
      tables: coverage.tables,
      compared: coverage.compared,
      excluded: coverage.excluded.map(({ table, reason, decidedBy }) => ({ table, reason, decidedBy })),
    },
    notProven: verdict.notProven.map(({ code, subject, message, decidedBy }) => ({
      code,
      subject,
      message,
      decidedBy,
    })),
    reasons: verdict.reasons.map(({ code, severity, effect, subject, message, hint }) => ({
      code,
      severity,
      effect,
      subject,
      message,
      hint,
    })),
    decidedAt: verdict.decidedAt.toISOString(),
    expiresAt: verdict.expiresAt.toISOString(),
  };
}

function lossJson(loss: Loss): LossJson {
  const { tail } = loss;
  return {
    kind: loss.kind,
    basis: loss.basis,
    transactions: countJson(loss.transactions),
    changes: countJson(loss.changes),
    keys: countJson(loss.keys),
    firstCommitAt: dateJson(loss.firstCommitAt),
    lastCommitAt: dateJson(loss.lastCommitAt),
    witnessedUntil: dateJson(loss.witnessedUntil),
    tail: tail === null ? null : { bytes: countJson(tail.bytes), ms: tail.ms },
    tables: loss.tables === null ? null : loss.tables.map(tableJson),
    recoverableBytes: countJson(loss.recoverableBytes),
    ...(loss.recoverableTransactions == null
      ? {}
      : { recoverableTransactions: countJson(loss.recoverableTransactions) }),
    ...(loss.archived == null
      ? {}
      : {
          archived: {
            ...loss.archived,
            bytes: countJson(loss.archived.bytes),
            transactions: countJson(loss.archived.transactions),
          },
        }),
    shutDownAt: dateJson(loss.shutDownAt),
  };
}

function tableJson({ table, inserts, updates, deletes, truncates, keys }: TableLossEvidence): TableLossJson {
  return {
    table,
    inserts: inserts.toString(),
    updates: updates.toString(),
    deletes: deletes.toString(),
    truncates: truncates.toString(),
    keys: keys.toString(),
  };
}

function countJson(count: bigint | null): string | null {
  return count === null ? null : count.toString();
}

function dateJson(date: Date | null): string | null {
  return date === null ? null : date.toISOString();
}
