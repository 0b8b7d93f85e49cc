import type { Ledger } from '../ledger/ledger.ts';
import { lossBetween } from '../ledger/loss.ts';
import { boundaryOf } from '../ledger/state.ts';
import type { CandidateFindings } from './certify-candidate.ts';

/**
 * How many of the transactions that a candidate has not applied lie where it can still get them without the primary.
 * Null: not known, or told in bytes.
 */
export function recoverableTransactions(ledger: Ledger, { site, place }: CandidateFindings): bigint | null {
  const { view = null, pending = null } = place ?? {};
  if (site === null || view === null || pending?.received == null || pending.bytes !== null) return null;
  const { core } = ledger;
  const answer = boundaryOf(core, pending.received, (a, b) => site.comparePositions(a, b));
  if (answer.kind !== 'found' && answer.kind !== 'ahead') return null;
  const until = answer.kind === 'found' ? answer.boundary : ledger.head();
  const { transactions, gaps } = lossBetween(core, view.low, until, view.contains);
  return gaps.length > 0 ? null : BigInt(transactions);
}
