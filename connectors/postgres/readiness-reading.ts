import type { Reading } from '../../src/connector/reading.ts';
import { TwinproofError } from '../../src/errors.ts';

/**
 * A fact by itself: what the role may not see, or the server refuses, is unknown with the reason and the `grant` that
 * would help; the others stand. Throws only when the site is lost or the run aborted.
 */
export async function reading<T>(
  signal: AbortSignal,
  read: () => Promise<T>,
  grant?: string,
): Promise<Reading<T>> {
  try {
    return { known: true, value: await read() };
  } catch (error) {
    if (signal.aborted || !(error instanceof TwinproofError) || isFatal(error)) throw error;
    return {
      known: false,
      reason: error.message,
      ...(grant !== undefined && error.code === 'TP-PERMISSION' ? { sql: grant } : {}),
    };
  }
}

/** Something that can be had only with a privilege that the role lacks. */
export function withheld(what: string, privilege: string, role: string): Reading<never> {
  return {
    known: false,
    reason: `${what} is shown only to members of ${privilege}`,
    sql: `GRANT ${privilege} TO ${role};`,
  };
}

export function isFatal(error: TwinproofError): boolean {
  return error.code === 'TP-CONNECTION-LOST' || error.code === 'TP-INTERRUPTED' || error.code === 'TP-BUG';
}
