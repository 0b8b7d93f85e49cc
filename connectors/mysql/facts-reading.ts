import type { Reading } from '../../src/connector/reading.ts';
import { TwinproofError } from '../../src/errors.ts';
import { roleSql } from './preflight-role.ts';
import type { Session } from './session.ts';

/** What lets a role read a fact: `SHOW_ROUTINE` on `*.*`. */
export interface Need {
  readonly privileges: string;
  readonly on: string;
}

/** Of MySQL; MariaDB lets everybody see. */
export const PREPARED_NEED: Need = { privileges: 'XA_RECOVER_ADMIN', on: '*.*' };

/**
 * A fact, or why it could not be read, with the GRANT that would help where `need` is what is missing. Throws only when
 * the site is lost or the run aborted.
 */
export async function readingOf<T>(
  session: Session,
  need: Need | null,
  query: () => Promise<T>,
  signal: AbortSignal,
): Promise<Reading<T>> {
  try {
    return { known: true, value: await query() };
  } catch (error) {
    if (signal.aborted || !(error instanceof TwinproofError) || isFatal(error)) throw error;
    if (error.code !== 'TP-PERMISSION' || need === null) return { known: false, reason: error.message };
    return {
      known: false,
      reason: `this account lacks ${need.privileges} on ${need.on}`,
      sql: await roleSql(session, need.privileges, signal, need.on),
    };
  }
}

/** Nothing else can be read after it. */
export function isFatal(error: TwinproofError): boolean {
  return error.code === 'TP-CONNECTION-LOST' || error.code === 'TP-INTERRUPTED' || error.code === 'TP-BUG';
}

/** For what the server hides instead of refusing it. */
export function refused(): TwinproofError {
  return new TwinproofError('TP-PERMISSION');
}
