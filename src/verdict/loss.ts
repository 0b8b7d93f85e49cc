import type { Evidence, HeadEvidence, LedgerEvidence, Loss } from './evidence.ts';
import { replicationNotes } from './replication.ts';
import { acceptedLoss, notSafe, note, unproven, type VerdictReason } from './reason.ts';

export interface JudgedLoss {
  /** The evidence's loss, or `unknown` in its place where the evidence does not carry it. */
  readonly loss: Loss;
  readonly reasons: readonly VerdictReason[];
}

export const UNKNOWN_LOSS: Loss = {
  kind: 'unknown',
  basis: null,
  transactions: null,
  changes: null,
  keys: null,
  firstCommitAt: null,
  lastCommitAt: null,
  witnessedUntil: null,
  tail: null,
  boundMs: null,
  atLeastMs: null,
  tables: null,
  recoverableBytes: null,
  shutDownAt: null,
};

const NO_LOSS: Loss = {
  ...UNKNOWN_LOSS,
  kind: 'none',
  basis: 'head',
  tables: [],
  transactions: 0n,
  changes: 0n,
  keys: 0n,
  boundMs: 0,
  atLeastMs: 0,
};

/** What a promotion would lose. Without a ledger it can only be nothing, or unknown. */
export function judgeLoss(evidence: Evidence): JudgedLoss {
  const { ledger, mode, head } = evidence;
  if (ledger !== null) {
    const judged = judgeLedgerLoss(evidence, ledger.loss);
    // The ledger says what was committed; that nothing more comes, only the primary can say.
    const atHead = mode === 'switchover' ? headReasons(head) : [];
    const reasons = [...judged.reasons, ...shutDownReasons(evidence, judged.loss), ...atHead];
    const notes = replicationNotes(mode, ledger);
    return { loss: judged.loss, reasons: [...reasons, ...ledgerReasons(evidence, ledger), ...notes] };
  }
  if (mode === 'failover') {
    const reason = unproven({
      code: 'TP-V-NO-LEDGER',
      subject: 'loss',
      message: 'the primary is gone and no ledger saw its commits: what would be lost cannot be known',
      hint: 'run `twinproof watch` away from the primary site, before the next time',
    });
    return { loss: UNKNOWN_LOSS, reasons: [reason] };
  }
  const reasons = [...quiescedReasons(head), ...headReasons(head)];
  return { loss: reasons.length === 0 ? NO_LOSS : UNKNOWN_LOSS, reasons };
}

/** Without a ledger somebody must say that nothing writes: what is committed between two readings is not seen. */
function quiescedReasons({ quiesced }: HeadEvidence): readonly VerdictReason[] {
  if (quiesced) return [];
  return [
    unproven({
      code: 'TP-V-NOT-QUIESCED',
      subject: 'primary',
      message: 'the primary may be taking writes, so what would be lost changes all the time',
      hint: 'stop the writers and run again with --quiesced',
    }),
  ];
}

/** On moving sites nothing is lost only as of a moment that is over. */
function headReasons(head: HeadEvidence): readonly VerdictReason[] {
  const reasons: VerdictReason[] = [];
  const add = (code: string, message: string, hint: string): void => {
    reasons.push(unproven({ code, subject: 'primary', message, hint }));
  };
  if (head.moved !== false) {
    add(
      'TP-V-HEAD-MOVED',
      head.moved === null
        ? 'whether the primary wrote anything while the rows were read is not known'
        : 'transactions were committed on the primary while the rows were read',
      'stop every writer, scheduled jobs too, and run again',
    );
  }
  if (head.quiet !== true) {
    add(
      'TP-V-NOT-QUIET',
      head.quiet === null
        ? 'whether transactions are still open on the primary is not known'
        : 'a transaction that has written is still open on the primary, and may commit at any time',
      'end open and prepared transactions; the role needs pg_monitor (PROCESS on MySQL and MariaDB) to see them',
    );
  }
  if (head.applied !== true) {
    add(
      'TP-V-NOT-APPLIED',
      head.applied === null
        ? 'how far the candidate has applied the primary’s log is not known'
        : 'the candidate has not applied all of the primary’s log',
      'wait until it has caught up and run again',
    );
  }
  return reasons;
}

function judgeLedgerLoss(evidence: Evidence, loss: Loss): JudgedLoss {
  const { rpoMs } = evidence.policy;
  // What is lost for certain counts, whatever is not known beside it.
  if (rpoMs !== null && loss.atLeastMs !== null && loss.atLeastMs > rpoMs) {
    return { loss, reasons: [beyondRpo(loss.atLeastMs, rpoMs)] };
  }
  switch (loss.kind) {
    case 'none':
      return judgeNone(evidence, loss);
    case 'bounded':
      return judgeBounded(evidence, loss);
    case 'unbounded':
    case 'unknown':
      break;
  }
  // The reasons are those of the head, which come beside.
  if (evidence.mode === 'switchover' && !isStill(evidence.head)) return { loss, reasons: [] };
  const unbounded = loss.kind === 'unbounded';
  const reason = unproven({
    code: unbounded ? 'TP-V-LOSS-UNBOUNDED' : 'TP-V-LOSS-UNKNOWN',
    subject: 'loss',
    message: unbounded
      ? 'the primary may have committed more after it was last seen, and nothing says for how long'
      : 'what would be lost is not known',
    hint: 'say since when the primary cannot commit, and who answers for it: --fenced-at and --fenced-by',
  });
  return { loss, reasons: [reason] };
}

function isStill(head: HeadEvidence): boolean {
  return headReasons(head).length === 0;
}

/** "Nothing is lost" is the strongest claim there is: it needs a basis, and no count that speaks against it. */
function judgeNone({ mode, fence }: Evidence, loss: Loss): JudgedLoss {
  const counts = [loss.transactions, loss.changes, loss.keys];
  const clean = counts.every((count) => count === 0n) && (loss.atLeastMs ?? 0) === 0;
  const { basis, shutDownAt } = loss;
  const over = fence !== null && shutDownAt !== null && fence.at.getTime() <= shutDownAt.getTime();
  const based = mode === 'failover' ? basis === 'clean-shutdown' && over : basis === 'ledger';
  if (clean && based) return { loss, reasons: [] };
  const reason = unproven({
    code: 'TP-V-LOSS-UNKNOWN',
    subject: 'loss',
    message: clean
      ? 'that nothing is lost is not proven: the fence does not begin where the primary was shut down in order'
      : 'that nothing is lost is claimed, but the counts of lost commits do not say so',
    hint: 'treat the loss as unknown',
  });
  return { loss: { ...loss, kind: 'unknown', basis: null }, reasons: [reason] };
}

/** What a shutdown in order would prove if somebody answered for the rest. */
function shutDownReasons({ mode }: Evidence, { kind, shutDownAt }: Loss): readonly VerdictReason[] {
  if (mode === 'switchover' || shutDownAt === null) return [];
  if (kind !== 'bounded' && kind !== 'unbounded') return [];
  const text = {
    code: 'TP-V-SHUT-DOWN',
    subject: 'primary',
    message:
      'it was shut down in order, and the candidate has applied its log to the end: nothing is lost unless it was started again',
    hint: `whoever can answer that it was not says so: --fenced-at ${shutDownAt.toISOString()} --fenced-by …`,
  };
  return [note(text, 'info')];
}

function judgeBounded({ pair, policy: { rpoMs } }: Evidence, loss: Loss): JudgedLoss {
  const { boundMs, transactions, shutDownAt } = loss;
  if (boundMs === null || !(boundMs >= 0)) {
    const reason = unproven({
      code: 'TP-V-LOSS-UNKNOWN',
      subject: 'loss',
      message: 'the loss is said to be bounded, but not by how much',
      hint: 'treat the loss as unknown',
    });
    return { loss: { ...loss, kind: 'unknown', basis: null }, reasons: [reason] };
  }
  if (rpoMs === null) {
    const reason = unproven({
      code: 'TP-V-NO-RPO',
      subject: 'policy',
      message: `up to ${seconds(boundMs)} of commits would be lost, and no policy says how much may be`,
      hint: 'set policy.rpo',
    });
    return { loss, reasons: [reason] };
  }
  if (!(boundMs <= rpoMs)) return { loss, reasons: [beyondRpo(boundMs, rpoMs)] };
  const mayHaveAll = pair === 'physical' && transactions === 0n && shutDownAt === null;
  const reason = acceptedLoss({
    code: 'TP-V-LOSS-WITHIN-RPO',
    subject: 'loss',
    message: `up to ${seconds(boundMs)} of commits would be lost; the policy allows ${seconds(rpoMs)}`,
    hint: mayHaveAll
      ? 'someone must answer for this loss before the promotion; was the primary shut down in order, run CHECKPOINT on the candidate, which then shows it, and ask again'
      : 'someone must answer for this loss before the promotion',
  });
  return { loss, reasons: [reason] };
}

function beyondRpo(ms: number, rpoMs: number): VerdictReason {
  return notSafe({
    code: 'TP-V-LOSS-BEYOND-RPO',
    subject: 'loss',
    message: `${seconds(ms)} of commits would be lost; the policy allows ${seconds(rpoMs)}`,
    hint: 'see whether log that was received or archived can still be applied before giving these up',
  });
}

function ledgerReasons({ policy }: Evidence, ledger: LedgerEvidence): readonly VerdictReason[] {
  const reasons = ledger.gaps.map((gap) =>
    unproven({
      code: 'TP-V-GAP',
      subject: 'ledger',
      message: `the ledger did not see all of the primary’s log: ${gap}`,
      hint: 'a new baseline closes it; until then nothing is claimed across it',
    }),
  );
  reasons.push(...ledger.doubts.map((doubt) => unproven(doubt)));
  const tailMs = ledger.loss.tail?.ms ?? null;
  const allowedMs = policy.maxTailMs ?? 0;
  if (tailMs !== null && tailMs >= 0 && tailMs <= allowedMs) return reasons;
  return [
    ...reasons,
    unproven({
      code: 'TP-V-TAIL',
      subject: 'ledger',
      message:
        tailMs === null
          ? 'how much the candidate has that the ledger never saw is not known'
          : `the candidate has ${seconds(tailMs)} of commits that the ledger never saw; the policy allows ${seconds(allowedMs)}`,
      hint: 'see why the ledger fell behind; policy.maxTail sets the limit',
    }),
  ];
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
