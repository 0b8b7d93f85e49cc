import type { ErrorCode } from '../error-codes.ts';
import { TwinproofError } from '../errors.ts';
import type { SitePair } from './site-pair.ts';

/** The site does not answer, or not to us: no other read would fare better. */
const SITE_LOST: ReadonlySet<ErrorCode> = new Set(['TP-UNREACHABLE', 'TP-AUTH', 'TP-TLS', 'TP-DATABASE']);
/** Every other read of the table would meet the same. */
const TABLE_LOST: ReadonlySet<ErrorCode> = new Set([
  'TP-CONNECTION-LOST',
  'TP-DEFINITION-CHANGED',
  'TP-PERMISSION',
]);

export function isSiteLost(error: unknown): error is TwinproofError {
  return error instanceof TwinproofError && SITE_LOST.has(error.code);
}

/** Whether an error that outlasted its retries ends the comparison of its table: the bound on a run that gets nowhere. */
export function isTableLost(error: unknown): boolean {
  return isSiteLost(error) || (error instanceof TwinproofError && TABLE_LOST.has(error.code));
}

/** What to do after a failed attempt. Pure, so that the bound is a test. */
export function retryDecision(error: unknown, attempt: number, attemptsMax: number): 'retry' | 'give-up' {
  if (!(error instanceof TwinproofError) || !error.retryable) return 'give-up';
  // It passes, but not for a read that was planned before it: the table has to be planned again.
  if (error.code === 'TP-DEFINITION-CHANGED') return 'give-up';
  return attempt < attemptsMax ? 'retry' : 'give-up';
}

/** Whether a read failed only because too much was asked for at once. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof TwinproofError && error.code === 'TP-RANGE-TOO-LARGE';
}

/** Pause before attempt `attempt + 1`: doubling, so that a restarting server has time. */
export function retryPauseMs(attempt: number, firstMs: number): number {
  return Math.min(firstMs * 2 ** (attempt - 1), 5000);
}

/** Runs an operation again while it fails in a way that may pass, within bounds. The last error is thrown. */
export async function withRetry<T>(
  pair: Pick<SitePair, 'limits' | 'timing'>,
  signal: AbortSignal,
  operation: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await operation();
    } catch (error) {
      signal.throwIfAborted();
      if (retryDecision(error, attempt, pair.limits.attemptsMax) === 'give-up') throw error;
      await pair.timing.sleep(retryPauseMs(attempt, pair.limits.retryPauseMs), signal);
    }
  }
}
