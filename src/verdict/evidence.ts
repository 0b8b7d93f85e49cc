import type { Outcome, Reason } from '../compare/result.ts';
import type { Identity } from '../connector/identity.ts';
import type { Synchrony } from '../connector/ledger-sites.ts';
import type { PairKind } from '../connector/table.ts';
import type { ReadinessResult } from '../readiness/judge.ts';
import type { NotChecked } from '../readiness/not-checked.ts';

/** Planned, with the primary alive, or after its loss. */
export type VerdictMode = 'switchover' | 'failover';

/** Who left a table out. Only a person's decision is respected: what the tool leaves out is unproven. */
export type Decider = 'command line' | 'configuration' | 'twinproof';

export interface ExcludedTable {
  readonly table: string;
  readonly reason: string;
  readonly decidedBy: Decider;
}

export interface Coverage {
  /** Tables in scope, those excluded not counted. */
  readonly tables: number;
  readonly compared: number;
  readonly excluded: readonly ExcludedTable[];
}

export interface TableEvidence {
  readonly table: string;
  readonly outcome: Outcome;
  readonly differences: { readonly missing: bigint; readonly extra: bigint; readonly changed: bigint };
  readonly reasons: readonly Reason[];
}

/** What comparing the rows has shown. */
export interface IntegrityEvidence {
  readonly outcome: Outcome;
  readonly coverage: Coverage;
  readonly tables: readonly TableEvidence[];
  readonly reasons: readonly Reason[];
  /** When the oldest of the proofs was begun; null: unknown. */
  readonly provenAt: Date | null;
  /** Ranges were taken over from an earlier run, the oldest proven then; null: all were read in this run. */
  readonly resumedSince: Date | null;
}

/** The primary's log around the reading of the rows: proof, without a ledger, that there was nothing more to copy. */
export interface HeadEvidence {
  /** The operator says that nothing writes (`--quiesced`). Believed only together with the facts below. */
  readonly quiesced: boolean;
  /** Did the head differ between before the first read and after the last? Null: unknown, or not comparable. */
  readonly moved: boolean | null;
  /** At the second reading, was no transaction still open that had written (HeadReading.quiet)? Null: unknown. */
  readonly quiet: boolean | null;
  /** Has the candidate applied everything up to the head? Null: unknown. */
  readonly applied: boolean | null;
}

export type LossKind = 'none' | 'bounded' | 'unbounded' | 'unknown';

/**
 * By what a loss is known. `head`: the primary stood still. `ledger`: counted in the journal. `clean-shutdown`: the
 * primary was shut down in order, the candidate has applied its shutdown record, and the fence lies no later. Synchronous
 * commit is none: any session may turn it off for itself, and one that is cancelled while it waits has committed.
 */
export type LossBasis = 'head' | 'ledger' | 'clean-shutdown';

/** Commits that the candidate has and the ledger has not seen. */
export interface Tail {
  readonly bytes: bigint | null;
  readonly ms: number | null;
}

/** Commits in (R, P] that the candidate lacks. Null is unknown, never zero. Times are on the primary's clock. */
export interface Loss {
  readonly kind: LossKind;
  readonly basis: LossBasis | null;
  readonly transactions: bigint | null;
  readonly changes: bigint | null;
  readonly keys: bigint | null;
  readonly firstCommitAt: Date | null;
  readonly lastCommitAt: Date | null;
  /** Up to when the primary is known to have been seen. */
  readonly witnessedUntil: Date | null;
  readonly tail: Tail | null;
  /** At most this many milliseconds of commits are lost. */
  readonly boundMs: number | null;
  /** At least this many are. */
  readonly atLeastMs: number | null;
  /** Of `changes` and `keys`, table by table. */
  readonly tables: readonly TableLossEvidence[] | null;
  /** Log that the candidate has received and not applied yet: not lost, if it is applied before the promotion. */
  readonly recoverableBytes: bigint | null;
  /** The same in transactions, where no bytes are told; null or absent: not known. */
  readonly recoverableTransactions?: bigint | null;
  /** Log behind that in an archive: not lost, if it is restored before the promotion. Null or absent: none is known. */
  readonly archived?: ArchivedLoss | null;
  /** Until then the candidate has everything, and there is nothing later unless the primary was started again; null: not shown. */
  readonly shutDownAt: Date | null;
}

export interface ArchivedLoss {
  readonly folder: string;
  /** Behind what the candidate has received; null: see `problem`. */
  readonly bytes: bigint | null;
  /** Of the lost transactions: those that the candidate has in full once all of it is applied. Null: not known. */
  readonly transactions: bigint | null;
  /** Why it cannot be read. */
  readonly problem: string | null;
}

export interface TableLossEvidence {
  readonly table: string;
  readonly inserts: bigint;
  readonly updates: bigint;
  readonly deletes: bigint;
  readonly truncates: bigint;
  /** Different rows. */
  readonly keys: bigint;
}

export interface Doubt {
  readonly code: string;
  readonly subject: string;
  readonly message: string;
  readonly hint: string;
}

/** Whether the primary's commits waited for another server, when it was asked last. */
export interface KnownSynchrony extends Synchrony {
  /** On the watcher's clock. */
  readonly askedAt: Date;
}

/** What the off-site ledger knows. */
export interface LedgerEvidence {
  readonly loss: Loss;
  /** Null or absent: not known, or the engine has nothing of the kind. */
  readonly synchrony?: KnownSynchrony | null;
  /** Transactions that the candidate has although it lacks an earlier one; absent: none. */
  readonly there?: bigint;
  /** Commit time of the newest transaction that the candidate has applied, on the primary's clock; null: not known. */
  readonly appliedCommitAt: Date | null;
  /** Stretches of the primary's log that the ledger never saw, in words. */
  readonly gaps: readonly string[];
  /** Whatever else keeps the ledger from being held against this candidate; each alone makes the verdict UNKNOWN. */
  readonly doubts: readonly Doubt[];
}

/** Since when the lost primary provably takes no more commits, and who answers for that. */
export interface Fence {
  readonly at: Date;
  readonly by: string;
}

/** Durations in milliseconds. */
export interface Policy {
  /** Null: no objective was set, so that no loss can be accepted. */
  readonly rpoMs: number | null;
  /** Longest unwitnessed tail; null: none is accepted. */
  readonly maxTailMs: number | null;
  readonly maxProofAgeMs: number;
  readonly certificateValidForMs: number;
  /** The least share, 0 to 1, of all tables (the excluded ones counted) that must be compared; null: any. */
  readonly coverageMin: number | null;
}

/** All that a verdict rests on. Whoever adds a kind of evidence adds a field here and its rule beside the others. */
export interface Evidence {
  readonly mode: VerdictMode;
  readonly pair: PairKind;
  readonly now: Date;
  readonly integrity: IntegrityEvidence;
  readonly head: HeadEvidence;
  /** Null: there is no ledger. */
  readonly ledger: LedgerEvidence | null;
  readonly fence: Fence | null;
  readonly primary: Identity | null;
  readonly candidate: Identity | null;
  /** Null: readiness was not checked. */
  readonly readiness: readonly ReadinessResult[] | null;
  readonly notChecked: readonly NotChecked[];
  readonly policy: Policy;
}
