import type { ErrorCode } from '../../src/error-codes.ts';
import { codeOf, isBug, isTlsCode, isUnreachable } from '../../src/connector/network-failure.ts';
import { TwinproofError, messageOf } from '../../src/errors.ts';

/** What was being done when it failed: the same SQLSTATE means other things at login. */
export type Stage = 'connect' | 'query';

interface Kind {
  readonly code: ErrorCode;
  readonly retryable: boolean;
}

const CONNECT_HINT =
  'let the owner of the database run GRANT CONNECT ON DATABASE … TO this role, on the primary of a standby';

/** Single states (manual, appendix "PostgreSQL Error Codes"). Nothing is told apart by its text, which is localised. */
const STATES: ReadonlyMap<string, Kind> = new Map([
  ['28P01', { code: 'TP-AUTH', retryable: false }],
  ['28000', { code: 'TP-AUTH', retryable: false }],
  ['3D000', { code: 'TP-DATABASE', retryable: false }],
  ['42501', { code: 'TP-PERMISSION', retryable: false }],
  // data_corrupted, index_corrupted: checksums, toast chunks, tuple headers.
  ['XX001', { code: 'TP-CORRUPT', retryable: false }],
  ['XX002', { code: 'TP-CORRUPT', retryable: false }],
  // io_error and undefined_file: a segment of a table is unreadable or gone.
  ['58030', { code: 'TP-CORRUPT', retryable: false }],
  ['58P01', { code: 'TP-CORRUPT', retryable: false }],
  // The table, a column, a type, a function or the schema has gone since the catalog was read.
  ['42P01', { code: 'TP-DEFINITION-CHANGED', retryable: true }],
  ['42703', { code: 'TP-DEFINITION-CHANGED', retryable: true }],
  ['42704', { code: 'TP-DEFINITION-CHANGED', retryable: true }],
  ['42809', { code: 'TP-DEFINITION-CHANGED', retryable: true }],
  ['3F000', { code: 'TP-DEFINITION-CHANGED', retryable: true }],
  // Cancelled by a time limit or by recovery, deadlock, a lock not available in time.
  ['57014', { code: 'TP-QUERY', retryable: true }],
  ['55P03', { code: 'TP-QUERY', retryable: true }],
  ['57P01', { code: 'TP-CONNECTION-LOST', retryable: true }],
  ['57P02', { code: 'TP-CONNECTION-LOST', retryable: true }],
  ['57P03', { code: 'TP-CONNECTION-LOST', retryable: true }],
  ['57P05', { code: 'TP-CONNECTION-LOST', retryable: true }],
  ['25P03', { code: 'TP-CONNECTION-LOST', retryable: true }],
]);

/** Classes of states, by their first two characters: connection, transaction rollback, out of something. */
const CLASSES: ReadonlyMap<string, Kind> = new Map([
  ['08', { code: 'TP-CONNECTION-LOST', retryable: true }],
  ['40', { code: 'TP-QUERY', retryable: true }],
  ['53', { code: 'TP-QUERY', retryable: true }],
]);

/** Turns whatever `pg`, the socket or TLS threw into an error of ours. `where` is `host:port`, never a URL. */
export function failureOf(error: unknown, stage: Stage, where: string): TwinproofError {
  if (error instanceof TwinproofError) return error;
  const code = codeOf(error);
  if (code !== null && isSqlState(code)) return serverFailure(error, code, stage, where);
  if (code !== null && isTlsCode(code)) {
    const message = `no trusted TLS connection to ${where}: ${messageOf(error)}`;
    return new TwinproofError('TP-TLS', { message, cause: error });
  }
  if (isBug(error) && stage === 'query') {
    return new TwinproofError('TP-BUG', { message: messageOf(error), cause: error });
  }
  if (stage === 'connect') {
    const reason = code !== null && isUnreachable(code) ? code : messageOf(error);
    const message = `cannot connect to ${where}: ${reason}`;
    return new TwinproofError('TP-UNREACHABLE', { message, retryable: true, cause: error });
  }
  // Whatever else comes from the driver while a query runs (with an errno or without) means that the socket is dead.
  const message = `the connection to ${where} was lost: ${messageOf(error)}`;
  return new TwinproofError('TP-CONNECTION-LOST', { message, retryable: true, cause: error });
}

function serverFailure(error: unknown, state: string, stage: Stage, where: string): TwinproofError {
  const kind = kindOfState(state, stage);
  // Only the primary message: detail and context may quote rows.
  const message = `${where}: ${messageOf(error)} (SQLSTATE ${state})`;
  // At login preflight, which the usual hint names, comes no further either.
  const hint = stage === 'connect' && kind.code === 'TP-PERMISSION' ? { hint: CONNECT_HINT } : {};
  return new TwinproofError(kind.code, { message, ...hint, retryable: kind.retryable, cause: error });
}

/** The kind of failure that an SQLSTATE stands for. */
export function kindOfState(state: string, stage: Stage): Kind {
  const kind = STATES.get(state) ?? CLASSES.get(state.slice(0, 2)) ?? { code: 'TP-QUERY', retryable: false };
  // At login, "starting up", "shutting down" and "too many clients" all mean: not now.
  if (stage === 'connect' && kind.retryable) return { code: 'TP-UNREACHABLE', retryable: true };
  return kind;
}

/** Five characters; the names of errno, some of which are as long, all start with E, and no SQLSTATE does. */
function isSqlState(code: string): boolean {
  return /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code);
}
