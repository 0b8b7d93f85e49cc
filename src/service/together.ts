/**
 * How long tasks that were told to end, and connections that are closed, are waited for: behind a link that is cut
 * neither may ever answer.
 */
const GRACE_MS = 3000;

/**
 * Runs tasks at once until the first of them ends or fails; then the others are aborted and waited for, within bounds.
 * Throws the first failure.
 */
export async function untilFirstEnds(
  signal: AbortSignal,
  tasks: readonly ((signal: AbortSignal) => Promise<void>)[],
  graceMs = GRACE_MS,
): Promise<void> {
  const stop = new AbortController();
  const own = AbortSignal.any([signal, stop.signal]);
  const ended = tasks.map((task) => task(own).finally(() => stop.abort()));
  try {
    await Promise.race(ended);
  } finally {
    await within(Promise.allSettled(ended), graceMs);
  }
}

/** Ends with the promise, however it ends, or when the time is over. */
export async function within(promise: Promise<unknown>, ms = GRACE_MS): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise.catch(() => undefined), over]);
  clearTimeout(timer);
}
