import { TwinproofError } from '../errors.ts';
import { durationText } from '../report/quantity.ts';

export interface Patience {
  readonly ms: number;
  /** Of the caller: the work is told, and ends by itself. */
  readonly signal: AbortSignal;
  /** Aborted when the work is to be given up before its time is over; the reason is thrown. */
  readonly giveUp?: AbortSignal;
}

/**
 * What `work` comes to. Throws TP-TIMEOUT when that takes too long, at once and whether or not the work ends then: a
 * server that hangs ends nothing.
 */
export async function inTime<T>(
  { ms, signal, giveUp }: Patience,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const onAbort = (): void => stop.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const ending = new AbortController();
  const givenUp = new Promise<never>((_resolve, reject) => {
    const end = (error: TwinproofError): void => {
      stop.abort(error);
      reject(error);
    };
    const timer = setTimeout(() => end(silenceOf(ms)), ms);
    const told = (): void => end(reasonOf(giveUp, ms));
    giveUp?.addEventListener('abort', told, { once: true });
    ending.signal.addEventListener('abort', () => {
      clearTimeout(timer);
      giveUp?.removeEventListener('abort', told);
    });
    if (giveUp?.aborted === true) told();
  });
  try {
    return await Promise.race([work(stop.signal), givenUp]);
  } finally {
    ending.abort();
    signal.removeEventListener('abort', onAbort);
  }
}

function silenceOf(ms: number): TwinproofError {
  return new TwinproofError('TP-TIMEOUT', {
    message: `no answer within ${durationText(ms)}`,
    hint: 'see whether the server hangs, or what it waits for; a larger state.every gives it more time',
    retryable: true,
  });
}

function reasonOf(giveUp: AbortSignal | undefined, ms: number): TwinproofError {
  const reason: unknown = giveUp?.reason;
  return reason instanceof TwinproofError ? reason : silenceOf(ms);
}
