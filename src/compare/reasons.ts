import type { Severity } from '../connector/identity.ts';
import { TwinproofError } from '../errors.ts';
import type { Reason } from './result.ts';

/** The reasons that a comparison gives. Codes are stable; `hint` says what a person can do. */
const REASONS = {
  'TP-DIFFERENT': ['block', 'do not promote this site before the rows are mended or the loss is accepted'],
  'TP-TABLE-MISSING': ['block', 'create the table on the candidate and load it, or exclude it by --exclude'],
  'TP-TABLE-EXTRA': ['block', 'if the table is the candidate’s own, exclude it by --exclude'],
  'TP-COLUMN-MISSING': ['block', 'add the column on the candidate and load it'],
  'TP-COLUMN-EXTRA': ['warn', 'the candidate’s own columns are not compared; check that they are meant'],
  'TP-COLUMN-TYPE': [
    'warn',
    'give the column the same type on both sites; values of different types are not compared',
  ],
  'TP-NO-ENCODING': ['warn', 'exclude the table; no canonical form of this column’s type is known'],
  'TP-KEY-DIFFERS': ['warn', 'give the table the same primary key on both sites'],
  'TP-INDEX-CORRUPT': [
    'block',
    'rows are in the table but not in its index: REINDEX on this site before promoting it',
  ],
  'TP-UNREADABLE': ['block', 'storage of this site is damaged: restore or rebuild it; do not promote it'],
  'TP-READ-FAILED': ['warn', 'mend what the message says and run again'],
  'TP-HOT-ROWS': ['warn', 'run again at a quieter time, or with a higher --timeout'],
  'TP-COMMITS-PENDING': [
    'warn',
    'a commit waits for a synchronous standby, or the role may not see whether one does',
  ],
  'TP-CATCH-UP': ['warn', 'see whether replay is paused or the link is down, then run again'],
  'TP-DEFINITION-CHANGED': ['warn', 'run again when the schema change is finished on both sites'],
  'TP-TIMEOUT': ['warn', 'raise --timeout; with --state the next run takes over what is proven'],
  'TP-INTERRUPTED': ['warn', 'run again; with --state the next run takes over what is proven'],
  'TP-EMPTY-SCOPE': ['warn', 'check --tables and --exclude; a run that compares nothing proves nothing'],
  'TP-PATTERN-UNMATCHED': [
    'warn',
    'mend or remove the pattern: a table that it was meant for was not compared',
  ],
  'TP-PRIMARY-LOST': ['warn', 'the primary stopped answering during the run; run again when it is back'],
  'TP-MAPPING': ['warn', 'mend the mapping in the configuration: what it names must exist and fit the pair'],
  'TP-MAPPED': ['info', 'equality rests on what the mapping says of these columns: check that it is so'],
  'TP-BY-TIME': [
    'info',
    'raise --apply-within if changes can take longer to reach the candidate than that, or true lag looks like a difference',
  ],
  'TP-BY-VALUE': ['info', 'row versions cannot be compared between these sites: rows are proven by value'],
} as const satisfies Record<string, readonly [Severity, string]>;

export type ReasonCode = keyof typeof REASONS;

export function reason(code: ReasonCode, subject: string, message: string, hint?: string): Reason {
  const [severity, usual] = REASONS[code];
  return { code, severity, subject, message, hint: hint ?? usual };
}

/** Why a read gave up, as a reason about `subject` (a table or a site). */
export function reasonOfError(error: unknown, subject: string): Reason {
  if (!(error instanceof TwinproofError)) throw error;
  switch (error.code) {
    case 'TP-CORRUPT':
      return { ...reason('TP-UNREADABLE', subject, error.message), hint: error.hint };
    case 'TP-TIMEOUT':
    case 'TP-INTERRUPTED':
    case 'TP-CATCH-UP':
    case 'TP-DEFINITION-CHANGED':
      return reason(error.code, subject, error.message, error.hint);
    default:
      return { code: error.code, severity: 'warn', subject, message: error.message, hint: error.hint };
  }
}
