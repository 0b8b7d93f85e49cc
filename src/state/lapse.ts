import type { VerdictJson } from '../verdict/json.ts';
import type { VerdictWord } from '../verdict/verdict.ts';

type Decided = Pick<VerdictJson, 'verdict' | 'decidedAt' | 'expiresAt'>;

/** Somebody may promote by it. */
export function isPromotable(verdict: VerdictWord): boolean {
  return verdict === 'SAFE' || verdict === 'SAFE_WITH_LOSS';
}

/**
 * A verdict by which somebody may promote, as one that lapses unless it is confirmed within `ms` of when it was reached:
 * whoever wrote it may be waiting for a site that answers no more. The others keep their time. Pure.
 */
export function lapsing<T extends Decided>(verdict: T, ms: number): T {
  const until = new Date(Date.parse(verdict.decidedAt) + ms).toISOString();
  return isPromotable(verdict.verdict) && until < verdict.expiresAt
    ? { ...verdict, expiresAt: until }
    : verdict;
}
