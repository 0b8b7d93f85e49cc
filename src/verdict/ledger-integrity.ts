import type { Outcome, Reason } from '../compare/result.ts';
import type { ProofProblem } from '../ledger/candidate-check-proofs.ts';
import type { UnknownWhy } from '../ledger/candidate-check.ts';
import type { ExcludedTable, IntegrityEvidence, TableEvidence } from './evidence.ts';

/** What a ledger and a look at the candidate's dirty rows say of one table. */
export interface LedgerTable {
  readonly table: string;
  /** What its proofs lack. */
  readonly problems: readonly ProofProblem[];
  /** Why its changes do not come with the log, in words; null: they do. Whatever else it lacks comes of that. */
  readonly unfollowed: string | null;
  /** Why its rows cannot be read in the ledger's form, in words; null: they can. */
  readonly obstacle: string | null;
  readonly oldestProofAt: Date | null;
  /** Dirty rows that were read, and how many of them differ, or could not be judged and why. */
  readonly read: bigint;
  readonly differences: { readonly missing: bigint; readonly extra: bigint; readonly changed: bigint };
  readonly unknown: Readonly<Partial<Record<UnknownWhy, bigint>>>;
  /** Keys of some rows that differ, as a person reads them. */
  readonly samples: readonly string[];
}

export interface LedgerIntegrity {
  readonly tables: readonly LedgerTable[];
  readonly excluded: readonly ExcludedTable[];
  /** False: what was proven is not of this candidate as it is now, so none of it counts. */
  readonly proofsHold: boolean;
}

/** Integrity as of the candidate's position: what was proven before, but for the dirty rows, which were read now. */
export function integrityByLedger({ tables, excluded, proofsHold }: LedgerIntegrity): IntegrityEvidence {
  const judged = tables.map((table) => judgeTable(table, proofsHold));
  const dates = tables.map(({ oldestProofAt }) => oldestProofAt);
  const known = dates.flatMap((date) => (date === null ? [] : [date.getTime()]));
  const whole = proofsHold && known.length > 0 && known.length === dates.length;
  return {
    outcome: overall(judged.map(({ outcome }) => outcome)),
    coverage: {
      tables: tables.length,
      compared: judged.filter(({ outcome }) => outcome !== 'unproven').length,
      excluded,
    },
    tables: judged,
    reasons: [],
    provenAt: whole ? new Date(Math.min(...known)) : null,
    resumedSince: null,
  };
}

function overall(outcomes: readonly Outcome[]): Outcome {
  if (outcomes.includes('different')) return 'different';
  return outcomes.length === 0 || outcomes.includes('unproven') ? 'unproven' : 'same';
}

function judgeTable(table: LedgerTable, proofsHold: boolean): TableEvidence {
  const { differences, unfollowed } = table;
  const lacking =
    unfollowed === null
      ? [...problemReasons(table), ...unknownReasons(table)]
      : [cannotCompare(table.table, unfollowed)];
  const reasons = [...differenceReasons(table), ...lacking];
  const differs = differences.missing + differences.extra + differences.changed > 0n;
  const unproven = !proofsHold || reasons.some(({ severity }) => severity === 'warn');
  let outcome: Outcome = unproven ? 'unproven' : 'same';
  if (differs) outcome = 'different';
  return { table: table.table, outcome, differences, reasons };
}

function differenceReasons({ table, differences, samples }: LedgerTable): readonly Reason[] {
  const { missing, extra, changed } = differences;
  if (missing + extra + changed === 0n) return [];
  const shown = samples.length === 0 ? '' : `, such as ${samples.join('; ')}`;
  return [
    {
      code: 'TP-V-DIFFERENT',
      severity: 'block',
      subject: table,
      message: `rows are not those of the primary: ${missing} missing, ${extra} extra, ${changed} changed${shown}`,
      hint: 'do not promote; find out who wrote there, then mend or rebuild the candidate',
    },
  ];
}

const PROBLEMS: Readonly<
  Record<ProofProblem, { readonly code: string; readonly message: string; readonly hint: string }>
> = {
  'no table': {
    code: 'TP-V-NOT-IN-LEDGER',
    message: 'the ledger has no such table as of the candidate’s position',
    hint: '`twinproof ledger show` says why; mend that while the primary is there (on PostgreSQL `preflight --sql` prints what the publication lacks), or exclude the table in the configuration',
  },
  'no key': {
    code: 'TP-V-NO-KEY',
    message: 'the log does not say which of its rows changed',
    hint: 'give the table a primary key or another replica identity on the primary',
  },
  gap: {
    code: 'TP-V-GAP',
    message: 'the log had a gap, and the rows were not all read on the primary since',
    hint: 'a new baseline closes it, while the primary is there',
  },
  'not read': {
    code: 'TP-V-NO-BASELINE',
    message: 'its rows had not all been read on the primary at the candidate’s position',
    hint: 'let `twinproof watch` finish its baseline, while the primary is there',
  },
  'never compared': {
    code: 'TP-V-NOT-COMPARED-YET',
    message: 'some of its rows were never compared with this candidate since its last baseline or truncation',
    hint: 'let `twinproof watch` finish its pass over the candidate: it can do so without the primary too',
  },
  redefined: {
    code: 'TP-V-REDEFINED',
    message: 'it was emptied or redefined just where the candidate stands',
    hint: 'run again when the candidate has got past it',
  },
};

function problemReasons({ table, problems, obstacle }: LedgerTable): readonly Reason[] {
  // What cannot be read was not compared either.
  const told = obstacle === null ? problems : problems.filter((problem) => problem !== 'never compared');
  const reasons = told.map((problem): Reason => {
    const { code, message, hint } = PROBLEMS[problem];
    return { code, severity: 'warn', subject: table, message, hint };
  });
  return obstacle === null ? reasons : [...reasons, cannotCompare(table, obstacle)];
}

function cannotCompare(table: string, why: string): Reason {
  return {
    code: 'TP-V-CANNOT-COMPARE',
    severity: 'warn',
    subject: table,
    message: why,
    hint: 'mend the cause, or exclude the table in the configuration: the certificate then says that you did',
  };
}

const UNKNOWN_WORDS: Readonly<Record<UnknownWhy, string>> = {
  'no position': 'the candidate did not say where it stood when they were read',
  'another history': 'the candidate stood in another history when they were read',
  'before the window': 'the candidate stood before the journal’s window when they were read',
  'not known': 'the ledger does not know what they should be',
  beyond:
    'they are not as the ledger has them, and may have been written after its end or before what it knows',
  tail: 'they were written after the ledger’s end; the limit for such a tail is policy.maxTail',
};

function unknownReasons({ table, unknown, obstacle }: LedgerTable): readonly Reason[] {
  const reasons: Reason[] = [];
  for (const why of UNKNOWN_KINDS) {
    const count = unknown[why] ?? 0n;
    // Rows that could not be read at all have the obstacle as their reason.
    if (count === 0n || (why === 'not known' && obstacle !== null)) continue;
    reasons.push({
      code: why === 'tail' ? 'TP-V-TAIL-ROWS' : 'TP-V-ROWS-UNKNOWN',
      // The tail is judged as a whole, by its length.
      severity: why === 'tail' ? 'info' : 'warn',
      subject: table,
      message: `${count} changed rows could not be judged: ${UNKNOWN_WORDS[why]}`,
      hint: why === 'tail' ? '' : 'run again; `twinproof watch` reads them too',
    });
  }
  return reasons;
}

const UNKNOWN_KINDS: readonly UnknownWhy[] = [
  'no position',
  'another history',
  'before the window',
  'not known',
  'beyond',
  'tail',
];
