import type { ArchivedLoss, Fence, Loss, TableLossEvidence, Tail, VerdictMode } from './evidence.ts';
import { UNKNOWN_LOSS } from './loss.ts';

/** What the journal holds between the candidate and its own end: what the candidate lacks. */
export interface CountedLoss {
  readonly transactions: bigint;
  readonly changes: bigint;
  readonly keys: bigint;
  readonly tables: readonly TableLossEvidence[];
  readonly firstCommitAt: Date | null;
  readonly lastCommitAt: Date | null;
}

/** That a candidate has something that the ledger has not seen. */
export interface Ahead {
  readonly bytes: bigint | null;
  /** It lacks something too: then what it has applied last need not be the newest that it has. */
  readonly unordered: boolean;
}

/** Times are on the primary's clock. Null is unknown. */
export interface LossFacts {
  readonly mode: VerdictMode;
  /** Null: it cannot be counted, as where the candidate's position cannot be placed in the journal. */
  readonly counted: CountedLoss | null;
  /** The journal itself lacks something in between, so that the counts are too small. */
  readonly gaps: boolean;
  /** Null: it stands at or behind the ledger's end. */
  readonly ahead: Ahead | null;
  /** Commit time of the newest transaction of the journal, and of the newest one that the candidate has applied. */
  readonly newestCommitAt: Date | null;
  readonly appliedCommitAt: Date | null;
  /** Everything that the primary had committed by then is in the journal. */
  readonly witnessedUntil: Date | null;
  readonly recoverableBytes: bigint | null;
  /** Where no bytes are told; absent: not known. */
  readonly recoverableTransactions?: bigint | null;
  readonly archived?: ArchivedLoss | null;
  readonly fence: Fence | null;
  /** As downSince says. */
  readonly shutDownAt: Date | null;
  /** The primary lives, its head stood still, and ledger and candidate were at it. */
  readonly atHead: boolean;
}

/** What promoting the candidate loses, as far as the ledger and the fence say. */
export function lossByLedger(facts: LossFacts): Loss {
  const { counted, mode, witnessedUntil, newestCommitAt, recoverableBytes, shutDownAt } = facts;
  const known: Loss = {
    ...UNKNOWN_LOSS,
    witnessedUntil: later(witnessedUntil, newestCommitAt),
    tail: tailOf(facts),
    recoverableBytes,
    recoverableTransactions: facts.recoverableTransactions ?? null,
    archived: facts.archived ?? null,
    shutDownAt,
  };
  if (counted === null) return known;
  if (mode === 'switchover') return ofLivingPrimary(facts, counted, known);
  const { firstCommitAt, lastCommitAt } = counted;
  const loss: Loss = {
    ...known,
    ...counted,
    atLeastMs: firstCommitAt === null || lastCommitAt === null ? 0 : msBetween(firstCommitAt, lastCommitAt),
  };
  if (facts.gaps) return { ...loss, kind: 'unknown' };
  if (isNothing(facts, counted)) return { ...loss, kind: 'none', basis: 'clean-shutdown', boundMs: 0 };
  const boundMs = boundOf(facts, counted);
  return boundMs === null
    ? { ...loss, kind: 'unbounded', basis: 'ledger' }
    : { ...loss, kind: 'bounded', basis: 'ledger', boundMs };
}

/** Nothing is lost while the primary lives; what a promotion now would leave behind is nothing only at the head. */
function ofLivingPrimary({ atHead, gaps }: LossFacts, counted: CountedLoss, known: Loss): Loss {
  if (!atHead || gaps || counted.transactions !== 0n || counted.changes !== 0n) return known;
  const { transactions, changes, keys, tables } = counted;
  return {
    ...known,
    kind: 'none',
    basis: 'ledger',
    transactions,
    changes,
    keys,
    tables,
    boundMs: 0,
    atLeastMs: 0,
  };
}

/** The primary committed nothing behind its shutdown, all before which the candidate has; whoever fenced it says so. */
function isNothing({ shutDownAt, fence }: LossFacts, { transactions, changes, keys }: CountedLoss): boolean {
  if (shutDownAt === null || fence === null || fence.at.getTime() > shutDownAt.getTime()) return false;
  return transactions === 0n && changes === 0n && keys === 0n;
}

/**
 * At most how long a time of commits is lost: from the first lost one until the fence; where none is counted, from when
 * everything committed is known to be on the candidate. Null: no fence, or nothing is known to be there.
 */
function boundOf(
  { fence, ahead, appliedCommitAt, witnessedUntil, shutDownAt }: LossFacts,
  { transactions, firstCommitAt }: CountedLoss,
): number | null {
  if (fence === null) return null;
  const applied = ahead === null || ahead.unordered ? null : appliedCommitAt;
  const seen = later(witnessedUntil, applied);
  const covered = later(seen, shutDownAt);
  const from = transactions > 0n ? firstCommitAt : covered;
  return from === null ? null : msBetween(from, fence.at);
}

/** Commits that the candidate has and the ledger has not: from when the ledger's knowledge ends to the candidate's. */
function tailOf({ ahead, appliedCommitAt, newestCommitAt, witnessedUntil, atHead }: LossFacts): Tail | null {
  if (ahead === null) return { bytes: 0n, ms: 0 };
  // Log without commits: the head did not move, and the ledger has seen all before it.
  if (atHead) return { bytes: ahead.bytes, ms: 0 };
  if (ahead.unordered) return { bytes: ahead.bytes, ms: null };
  const end = later(newestCommitAt, witnessedUntil);
  const ms = appliedCommitAt === null || end === null ? null : Math.max(0, msBetween(end, appliedCommitAt));
  return { bytes: ahead.bytes, ms };
}

function msBetween(from: Date, to: Date): number {
  return to.getTime() - from.getTime();
}

function later(a: Date | null, b: Date | null): Date | null {
  if (a === null || b === null) return a ?? b;
  return a.getTime() >= b.getTime() ? a : b;
}
