import type { VerifyResult } from '../compare/result.ts';
import type { Decider, IntegrityEvidence } from './evidence.ts';

/**
 * What a run of `verify` proves, as evidence. `decidedBy` says who left an excluded table out; the oldest proof is
 * dated by when the run (or the one it took ranges over from) began, before any row was read.
 */
export function integrityOf(result: VerifyResult, decidedBy: (table: string) => Decider): IntegrityEvidence {
  return {
    outcome: result.outcome,
    coverage: {
      tables: result.coverage.tables,
      compared: result.coverage.compared,
      excluded: result.coverage.excluded.map(({ table, reason }) => ({
        table,
        reason,
        decidedBy: decidedBy(table),
      })),
    },
    tables: result.tables.map(({ table, outcome, differences, reasons }) => ({
      table,
      outcome,
      differences,
      reasons,
    })),
    reasons: result.reasons,
    provenAt:
      result.resumed === null ? result.startedAt : earlier(result.resumed.provenSince, result.startedAt),
    resumedSince: result.resumed?.provenSince ?? null,
  };
}

function earlier(a: Date, b: Date): Date {
  return a.getTime() <= b.getTime() ? a : b;
}
