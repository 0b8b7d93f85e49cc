import type { ErrorCode } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';

/** No attempt would fare better: a person has to look. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'TP-BUG',
  'TP-INSTALL',
  'TP-CONFIG',
  'TP-USAGE',
  'TP-SECRET',
  'TP-URL',
  'TP-INTERRUPTED',
  'TP-TIMEOUT',
  'TP-LEDGER',
  'TP-LEDGER-LOCKED',
  'TP-LEDGER-FULL',
  'TP-LEDGER-WRITE',
  'TP-LEDGER-SYSTEM',
  'TP-LEDGER-VERSION',
  'TP-LEDGER-CORRUPT',
]);
/** Of one table alone: the others may be read meanwhile. */
const OF_TABLE: ReadonlySet<ErrorCode> = new Set([
  'TP-DEFINITION-CHANGED',
  'TP-PERMISSION',
  'TP-QUERY',
  'TP-CORRUPT',
  'TP-RANGE-TOO-LARGE',
]);

/** Whether an error ends the watch of its system. What is no error of ours is a bug, and goes the same way. */
export function isFinal(error: unknown): boolean {
  return !(error instanceof TwinproofError) || FINAL.has(error.code);
}

/** Whether an error says something of one table and nothing of its site. */
export function isOfTable(error: unknown): error is TwinproofError {
  return error instanceof TwinproofError && OF_TABLE.has(error.code);
}
