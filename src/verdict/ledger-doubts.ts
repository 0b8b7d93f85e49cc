import type { UnknownWhy } from '../ledger/candidate-check.ts';
import type { Doubt, VerdictMode } from './evidence.ts';

/** How long the definitions on the primary may have gone unseen before its last sign of life. */
const DEFINITIONS_UNSEEN_MS_MAX = 60_000;

const NAMED_MAX = 5;

/** What must be so for a ledger to speak of a candidate. Times are on the primary's clock. */
export interface LedgerStanding {
  readonly mode: VerdictMode;
  /** Why the candidate could not be asked at all, in words; null: it was. */
  readonly unreachable: string | null;
  /** Why it does not follow the ledger's primary, in words; null: it does. */
  readonly stranger: string | null;
  /** `unbound`: the ledger has never seen it. `other`: what was proven was proven of another incarnation. */
  readonly incarnation: 'same' | 'other' | 'unbound';
  /** It can be written to, and its own log was not followed up to now for writes of others. */
  readonly unguarded: boolean;
  /** Something was proven of it as of a later commit than it has. */
  readonly wentBack: boolean;
  /** It stands in the ledger's history, and what it has received and not applied yet does not. */
  readonly strays: boolean;
  /** Why its position cannot be placed in the ledger; null: it can. */
  readonly unplaced: UnknownWhy | null;
  /** What the ledger's stream came from; null: not known. */
  readonly feed: {
    readonly role: 'primary' | 'standby' | 'subscriber';
    /** Standbys that must have received what the ledger is sent; empty: it waits for nobody. */
    readonly heldBackBy: string;
  } | null;
  /** Up to when it is known that no table was redefined without a word in the log; null: not known. */
  readonly definitionsKnownUntil: Date | null;
  /** The primary's last sign of life. */
  readonly seenUntil: Date | null;
  /** While the primary lives: tables that it has otherwise than the ledger knows them. */
  readonly redefined: readonly string[];
  /** After its loss: it was said or shown to be gone, or it still answers in some way, in words. */
  readonly primaryAnswers: string | null;
  /** The primary lives, and the ledger has not seen all of its log yet. */
  readonly behindHead: boolean;
}

/** Each keeps the verdict from SAFE. Pure. */
export function ledgerDoubts(standing: LedgerStanding): readonly Doubt[] {
  return [
    ...candidateDoubts(standing),
    ...behindDoubts(standing),
    ...feedDoubts(standing),
    ...definitionDoubts(standing),
    ...lossOfPrimaryDoubts(standing),
  ];
}

function candidateDoubts({
  unreachable,
  stranger,
  incarnation,
  wentBack,
  unguarded,
  strays,
  unplaced,
}: LedgerStanding): readonly Doubt[] {
  const subject = 'candidate';
  if (unreachable !== null) {
    const hint = 'nothing is known of it as it is now: bring it up, or take another candidate';
    return [{ code: 'TP-V-UNREACHABLE', subject, message: `it does not answer: ${unreachable}`, hint }];
  }
  if (stranger !== null) {
    const hint = 'what the ledger holds says nothing about it: see whether it was promoted or replaced';
    return [{ code: 'TP-V-LINEAGE', subject, message: stranger, hint }];
  }
  const doubts: Doubt[] = [];
  if (incarnation === 'unbound') {
    doubts.push({
      code: 'TP-V-UNBOUND',
      subject,
      message: 'the ledger has never seen this candidate: nothing was proven of it',
      hint: 'run `twinproof watch` with it: it compares the candidate with the ledger, without the primary too',
    });
  }
  if (incarnation === 'other') {
    doubts.push({
      code: 'TP-V-INCARNATION',
      subject,
      message:
        'it is not the candidate that was proven: it was restarted, replaced, redefined or promoted since',
      hint: 'let `twinproof watch` compare it anew: it can do so without the primary too',
    });
  }
  if (unguarded) {
    doubts.push({
      code: 'TP-V-LOCAL-WRITES',
      subject,
      message:
        'others than replication may have written to it since it was proven: its own log was not followed',
      hint: 'see that `twinproof watch` runs and can follow it: `twinproof preflight --sql` prints what it needs on the candidate',
    });
  }
  if (wentBack) {
    doubts.push({
      code: 'TP-V-WENT-BACK',
      subject,
      message: 'it stands before what was proven of it: it was replaced by an older copy of itself',
      hint: 'find out which server this is; let `twinproof watch` compare it anew',
    });
  }
  if (strays) {
    doubts.push({
      code: 'TP-V-LINEAGE',
      subject,
      message:
        'it has received log of another history, which it would apply when it is promoted: of that of a primary that was replaced',
      hint: 'let it follow the new primary, or rebuild it: what the ledger holds says nothing of it as it would be then',
    });
  }
  if (unplaced !== null) doubts.push({ ...UNPLACED[unplaced], subject });
  return doubts;
}

const ANY_PLACE = {
  code: 'TP-V-POSITION',
  message: 'where it stands in the primary’s log cannot be told',
  hint: 'see whether replication is set up and the role may see it (`twinproof preflight`)',
};
const UNPLACED: Readonly<Record<UnknownWhy, Omit<Doubt, 'subject'>>> = {
  'no position': ANY_PLACE,
  'not known': ANY_PLACE,
  beyond: ANY_PLACE,
  tail: ANY_PLACE,
  'another history': {
    code: 'TP-V-LINEAGE',
    message:
      'it stands in another history than the ledger: one of the two was promoted, or is another server',
    hint: 'find the fork; what the ledger holds says nothing about this candidate',
  },
  'before the window': {
    code: 'TP-V-WINDOW',
    message: 'it is further behind than the ledger’s journal reaches back',
    hint: 'what it lacks is more than the retention that was configured (ledger.retention)',
  },
};

function behindDoubts({ behindHead }: LedgerStanding): readonly Doubt[] {
  if (!behindHead) return [];
  const message = 'it has not seen all of the primary’s log yet';
  const hint = 'see that `twinproof watch` runs, wait until it has caught up, and run again';
  return [{ code: 'TP-V-LEDGER-BEHIND', subject: 'ledger', message, hint }];
}

/** What comes by way of a standby lacks what the standby lacked: of a loss it says nothing. */
function feedDoubts({ feed }: LedgerStanding): readonly Doubt[] {
  if (feed?.role === 'primary' && feed.heldBackBy === '') return [];
  return [
    {
      code: 'TP-V-FED-BY-CANDIDATE',
      subject: 'ledger',
      message:
        feed === null
          ? 'what the ledger was fed from is not known'
          : feed.role === 'primary'
            ? `the ledger was sent only what standbys had received already (${feed.heldBackBy}): of a loss it says nothing`
            : 'the ledger was fed from a standby, which may have lacked what was lost',
      hint: 'let `twinproof watch` stream from the primary itself, by a slot that waits for no standby',
    },
  ];
}

function definitionDoubts({ definitionsKnownUntil, seenUntil, redefined }: LedgerStanding): readonly Doubt[] {
  if (redefined.length > 0) return [redefinedDoubt(redefined)];
  const unseenMs =
    definitionsKnownUntil === null || seenUntil === null
      ? Number.NaN
      : seenUntil.getTime() - definitionsKnownUntil.getTime();
  if (unseenMs <= DEFINITIONS_UNSEEN_MS_MAX) return [];
  return [
    {
      code: 'TP-V-DEFINITIONS',
      subject: 'ledger',
      message:
        definitionsKnownUntil === null
          ? 'the definitions of the primary’s tables were never read to the end'
          : `the definitions of the primary’s tables were last seen at ${definitionsKnownUntil.toISOString()}, long before its end`,
      hint: 'some redefinitions leave no trace in the log: see why `twinproof watch` could not read the catalog (of topics it is as old as the newest change: write a row)',
    },
  ];
}

function redefinedDoubt(redefined: readonly string[]): Doubt {
  const more = redefined.length > NAMED_MAX ? ` and ${redefined.length - NAMED_MAX} more` : '';
  return {
    code: 'TP-V-DEFINITIONS',
    subject: 'ledger',
    message: `tables of the primary are not what the ledger knows them as: ${redefined.slice(0, NAMED_MAX).join(', ')}${more}`,
    hint: 'they were made, redefined or dropped just now: see that `twinproof watch` runs, and run again',
  };
}

function lossOfPrimaryDoubts({ mode, primaryAnswers }: LedgerStanding): readonly Doubt[] {
  if (mode === 'switchover' || primaryAnswers === null) return [];
  return [
    {
      code: 'TP-V-PRIMARY-ANSWERS',
      subject: 'primary',
      message: primaryAnswers,
      hint: 'fence it first: two sites that take writes cannot be put together again',
    },
  ];
}
