import { setTimeout as sleep } from 'node:timers/promises';
import { TwinproofError } from '../errors.ts';

/** Asks every 15 ms until yes. @throws TwinproofError TP-DEMO with `late()` as message when the time is over. */
export async function waitUntil(
  done: () => Promise<boolean>,
  timeoutMs: number,
  late: () => string | Promise<string>,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await done())) {
    if (Date.now() > deadline) throw new TwinproofError('TP-DEMO', { message: await late() });
    await sleep(15);
  }
}
