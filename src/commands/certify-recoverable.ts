import type { Position } from '../connector/position.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { lossBetween } from '../ledger/loss.ts';
import { boundaryOf } from '../ledger/state.ts';
import type { ArchivedLoss } from '../verdict/evidence.ts';
import type { CandidateFindings } from './certify-candidate.ts';

/** What an archive has behind that, and how many of the lost transactions could be had with it. */
export function archivedLoss(
  ledger: Ledger,
  { site, place, archive }: CandidateFindings,
): ArchivedLoss | null {
  if (archive === null) return null;
  const { folder, bytes, problem, until } = archive;
  return {
    folder,
    bytes,
    problem,
    transactions: until === null ? null : lostUntil(ledger, { site, place }, until),
  };
}

/**
 * How many of the transactions that a candidate has not applied lie where it can still get them without the primary.
 * Null: not known, or told in bytes.
 */
export function recoverableTransactions(ledger: Ledger, findings: CandidateFindings): bigint | null {
  const pending = findings.place?.pending ?? null;
  if (pending?.received == null || pending.bytes !== null) return null;
  return lostUntil(ledger, findings, pending.received);
}

function lostUntil(
  ledger: Ledger,
  { site, place }: Pick<CandidateFindings, 'site' | 'place'>,
  position: Position,
): bigint | null {
  const view = place?.view ?? null;
  if (site === null || view === null) return null;
  const { core } = ledger;
  const answer = boundaryOf(core, position, (a, b) => site.comparePositions(a, b));
  if (answer.kind !== 'found' && answer.kind !== 'ahead') return null;
  const until = answer.kind === 'found' ? answer.boundary : ledger.head();
  const { transactions, gaps } = lossBetween(core, view.low, until, view.contains);
  return gaps.length > 0 ? null : BigInt(transactions);
}
