import { codeOf } from '../../src/connector/network-failure.ts';
import { messageOf, TwinproofError } from '../../src/errors.ts';
import { failureOf } from './failure.ts';

/**
 * What went wrong while streaming, as an error of ours. The same SQLSTATE means other things here than in a query
 * (manual, appendix "PostgreSQL Error Codes"). `where` is `host:port`.
 */
export function streamFailure(error: unknown, where: string): TwinproofError {
  if (error instanceof TwinproofError) return error;
  const message = `${where}: ${messageOf(error)} (SQLSTATE ${codeOf(error)})`;
  switch (codeOf(error)) {
    // undefined_file: a segment of the log that the slot should have kept is gone.
    case '58P01':
      return new TwinproofError('TP-GAP', { message, cause: error });
    // object_in_use: the walsender of a connection that was lost lingers until it times out.
    case '55006':
      return new TwinproofError('TP-STREAM-SETUP', {
        message,
        hint: 'another process streams from the slot; if it is one of a lost connection, it goes away by itself',
        retryable: true,
        cause: error,
      });
    // undefined_object: slot or publication; object_not_in_prerequisite_state: invalidated, or wal_level too low.
    case '42704':
    case '55000':
    case '42501':
      return new TwinproofError('TP-STREAM-SETUP', { message, cause: error });
    // undefined_function: a type, or one within it, has no binary output.
    case '42883':
      return new TwinproofError('TP-STREAM-SETUP', {
        message,
        hint: 'a published table has a column that cannot be sent in binary: `twinproof preflight --sql` names it',
        cause: error,
      });
    default:
      return failureOf(error, 'query', where);
  }
}
