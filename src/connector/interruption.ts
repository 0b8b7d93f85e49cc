import { TwinproofError } from '../errors.ts';

/** The reason that the aborting side gave, when it is an error of ours; else the general one. */
export function interruption(signal: AbortSignal): TwinproofError {
  const reason: unknown = signal.reason;
  return reason instanceof TwinproofError ? reason : new TwinproofError('TP-INTERRUPTED', { cause: reason });
}

/** Throws the interruption of an aborted signal. */
export function throwIfInterrupted(signal: AbortSignal): void {
  if (signal.aborted) throw interruption(signal);
}
