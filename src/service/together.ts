/**
 * Runs tasks at once until the first of them ends or fails; then the others are aborted and waited for. Throws the first
 * failure.
 */
export async function untilFirstEnds(
  signal: AbortSignal,
  tasks: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const stop = new AbortController();
  const own = AbortSignal.any([signal, stop.signal]);
  const ended = tasks.map((task) => task(own).finally(() => stop.abort()));
  try {
    await Promise.race(ended);
  } finally {
    await Promise.allSettled(ended);
  }
}
