import { codeOf, isBug, isTlsCode, isUnreachable } from '../../src/connector/network-failure.ts';
import type { ErrorCode } from '../../src/error-codes.ts';
import { TwinproofError, messageOf } from '../../src/errors.ts';

/** What was being done when it failed: the same error means other things at login. */
export type Stage = 'connect' | 'query';

interface Kind {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly hint?: string;
}

const AUTH: Kind = {
  code: 'TP-AUTH',
  retryable: false,
  hint: 'check user and password (MYSQL_PWD, ~/.my.cnf) and from which hosts this account may log in',
};
const PERMISSION: Kind = { code: 'TP-PERMISSION', retryable: false };
/** ER_DBACCESS_DENIED_ERROR is met at login, where preflight comes no further either. */
const NO_DATABASE: Kind = {
  code: 'TP-PERMISSION',
  retryable: false,
  hint: 'check the database name at the end of the URL; if it is right: GRANT SELECT, SHOW VIEW ON that database TO this account',
};
const CHANGED: Kind = { code: 'TP-DEFINITION-CHANGED', retryable: true };
const AGAIN: Kind = { code: 'TP-QUERY', retryable: true };
const LOST: Kind = { code: 'TP-CONNECTION-LOST', retryable: true };
const CORRUPT: Kind = { code: 'TP-CORRUPT', retryable: false };
const PACKET: Kind = {
  code: 'TP-QUERY',
  retryable: false,
  hint: 'raise max_allowed_packet on this server above the longest row (at most 1G) and run again',
};

/**
 * Errors by number (MySQL manual, "Server Error Message Reference"; MariaDB knowledge base, "MariaDB Error Codes"; the
 * numbers from 1900 to 2000 and from 4000 are MariaDB's own, those from 3000 to 4000 MySQL's). Nothing is told apart by
 * its text, which is localised.
 */
const NUMBERS: ReadonlyMap<number, Kind> = new Map([
  [1044, NO_DATABASE],
  [1045, AUTH],
  // ER_ACCESS_DENIED_NO_PASSWORD_ERROR, ER_MUST_CHANGE_PASSWORD(_LOGIN), ER_ACCOUNT_HAS_BEEN_LOCKED (two numbers).
  [1698, AUTH],
  [1820, AUTH],
  [1862, AUTH],
  [3118, AUTH],
  [4151, AUTH],
  // ER_NOT_SUPPORTED_AUTH_MODE, ER_HOST_IS_BLOCKED, ER_HOST_NOT_PRIVILEGED.
  [1251, AUTH],
  [1129, AUTH],
  [1130, AUTH],
  // ER_SECURE_TRANSPORT_REQUIRED.
  [3159, { code: 'TP-TLS', retryable: false, hint: 'this server accepts only TLS: add sslmode=verify-full' }],
  [1049, { code: 'TP-DATABASE', retryable: false }],
  // Table, column, routine, any "specific access".
  [1142, PERMISSION],
  [1143, PERMISSION],
  [1227, PERMISSION],
  [1370, PERMISSION],
  // No such field, no such table, unknown table, no such index, table definition changed, prepared statement too.
  [1054, CHANGED],
  [1146, CHANGED],
  [1051, CHANGED],
  [1176, CHANGED],
  [1412, CHANGED],
  [1615, CHANGED],
  // ER_PARTITION_DOES_NOT_EXIST (named partitions are gone).
  [1735, CHANGED],
  // Interrupted: KILL QUERY, a time limit of the server's (MySQL, MariaDB).
  [1317, AGAIN],
  [3024, AGAIN],
  [1969, AGAIN],
  [1028, AGAIN],
  // A lock not available in time, deadlock, deadlock of locks in the server.
  [1205, AGAIN],
  [1213, AGAIN],
  [1614, AGAIN],
  // Out of memory, sort memory, disk full, too many connections of all or of this user.
  [1037, AGAIN],
  [1038, AGAIN],
  [1021, AGAIN],
  [1040, AGAIN],
  [1203, AGAIN],
  [1226, AGAIN],
  [1135, AGAIN],
  // ER_SERVER_SHUTDOWN, ER_FORCING_CLOSE, ER_NEW_ABORTING_CONNECTION, ER_ABORTING_CONNECTION.
  [1053, LOST],
  [1080, LOST],
  [1184, LOST],
  [1152, LOST],
  // ER_CONNECTION_KILLED of MariaDB, ER_SESSION_WAS_KILLED and ER_CLIENT_INTERACTION_TIMEOUT of MySQL.
  [1927, LOST],
  [3169, LOST],
  [4031, LOST],
  // Trouble with the packets of a read or a write.
  [1158, LOST],
  [1159, LOST],
  [1160, LOST],
  [1161, LOST],
  [1153, PACKET],
  [1162, PACKET],
  [1301, PACKET],
  // The key file is damaged, an old key file, the table is damaged, it crashed, an index is damaged, not in the engine.
  [1034, CORRUPT],
  [1035, CORRUPT],
  [1194, CORRUPT],
  [1195, CORRUPT],
  [1712, CORRUPT],
  [1877, CORRUPT],
  [1932, CORRUPT],
  // An error of reading from the disk; the tablespace is missing or discarded.
  [1024, CORRUPT],
  [1812, CORRUPT],
  [1814, CORRUPT],
]);

/** What an ERR packet or the driver's own error of one carries (both have these two fields). */
export interface ServerErrorFields {
  readonly errno: number;
  readonly sqlState: string | null;
}

/** An ERR packet met by our own reading. */
export class ServerError extends Error implements ServerErrorFields {
  readonly errno: number;
  readonly sqlState: string | null;

  constructor(errno: number, sqlState: string | null, message: string) {
    super(message);
    this.name = 'ServerError';
    this.errno = errno;
    this.sqlState = sqlState;
  }
}

/** The server's error number behind an error of ours or of the driver; null: it is not from the server. */
export function serverErrno(error: unknown): number | null {
  if (error instanceof TwinproofError) return error.cause === undefined ? null : serverErrno(error.cause);
  return fieldsOf(error)?.errno ?? null;
}

/** Turns whatever the driver, the socket or TLS threw into an error of ours. `where` is `host:port`, never a URL. */
export function failureOf(error: unknown, stage: Stage, where: string): TwinproofError {
  if (error instanceof TwinproofError) return error;
  const fields = fieldsOf(error);
  if (fields !== null) return serverFailure(error, fields, stage, where);
  const refused = driverRefusal(error, where);
  if (refused !== null) return refused;
  const code = codeOf(error);
  if (isBug(error) && stage === 'query') {
    return new TwinproofError('TP-BUG', { message: messageOf(error), cause: error });
  }
  if (stage === 'connect') {
    const reason = code !== null && isUnreachable(code) ? code : messageOf(error);
    const message = `cannot connect to ${where}: ${reason}`;
    return new TwinproofError('TP-UNREACHABLE', { message, retryable: true, cause: error });
  }
  const message = `the connection to ${where} was lost: ${messageOf(error)}`;
  return new TwinproofError('TP-CONNECTION-LOST', { message, retryable: true, cause: error });
}

/** Login as far as the driver goes: its own codes (mysql2, lib/commands/client_handshake.js and auth_switch.js). */
function driverRefusal(error: unknown, where: string): TwinproofError | null {
  const code = codeOf(error);
  if (code === null) return null;
  if (code === 'HANDSHAKE_NO_SSL_SUPPORT') {
    return new TwinproofError('TP-TLS', { message: `${where} does not offer TLS`, cause: error });
  }
  if (code === 'HANDSHAKE_SSL_ERROR' || isTlsCode(code)) {
    const message = `no trusted TLS connection to ${where}: ${messageOf(error)}`;
    return new TwinproofError('TP-TLS', { message, cause: error });
  }
  if (code === 'AUTH_SWITCH_PLUGIN_ERROR' || code === 'MYSQL_CLEAR_PASSWORD_NOT_ENABLED') {
    const message = `${where} asks for a way to log in that is not supported: ${messageOf(error)}`;
    const hint = 'use an account with caching_sha2_password or mysql_native_password';
    return new TwinproofError('TP-AUTH', { message, hint, cause: error });
  }
  return null;
}

function serverFailure(
  error: unknown,
  fields: ServerErrorFields,
  stage: Stage,
  where: string,
): TwinproofError {
  const kind = kindOf(fields, stage);
  const state = fields.sqlState === null ? '' : `, SQLSTATE ${fields.sqlState}`;
  const message = `${where}: ${messageOf(error)} (error ${fields.errno}${state})`;
  const hint = kind.hint === undefined ? {} : { hint: kind.hint };
  return new TwinproofError(kind.code, { message, ...hint, retryable: kind.retryable, cause: error });
}

/** The kind of failure that an error of the server stands for. */
export function kindOf({ errno, sqlState }: ServerErrorFields, stage: Stage): Kind {
  const kind = NUMBERS.get(errno) ?? kindOfClass(sqlState);
  // At login, "shutting down", "too many connections" and the like all mean: not now.
  if (stage === 'connect' && kind.retryable) return { code: 'TP-UNREACHABLE', retryable: true };
  return kind;
}

/** By the first two characters of SQLSTATE: connection, transaction rollback. */
function kindOfClass(sqlState: string | null): Kind {
  if (sqlState?.startsWith('08') === true) return LOST;
  if (sqlState?.startsWith('40') === true) return AGAIN;
  return { code: 'TP-QUERY', retryable: false };
}

/** The driver's errors of its own have a code too, and no number; those of the network have a negative one. */
function fieldsOf(error: unknown): ServerErrorFields | null {
  if (!(error instanceof Error) || !('errno' in error) || typeof error.errno !== 'number') return null;
  if (error.errno <= 0) return null;
  const sqlState = 'sqlState' in error && typeof error.sqlState === 'string' ? error.sqlState : null;
  return { errno: error.errno, sqlState };
}
