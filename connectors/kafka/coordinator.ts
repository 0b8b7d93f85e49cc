import { setTimeout as sleep } from 'node:timers/promises';
import { isPassing } from './failure.ts';

const RETRIES_MAX = 50;
const PAUSE_MS = 200;

/**
 * Asks brokers for consumer groups, and again for up to ten seconds while one of them still reads what it knows of them
 * or is just being chosen: kafkajs gives up at once when it lists groups. Throws what `ask` throws, and the signal's
 * reason.
 */
export async function ofCoordinators<T>(
  ask: () => Promise<T>,
  signal: AbortSignal,
  pause: (signal: AbortSignal) => Promise<void> = pauseOf,
): Promise<T> {
  for (let retries = 0; ; retries += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error) || retries >= RETRIES_MAX) throw error;
      await pause(signal);
    }
  }
}

async function pauseOf(signal: AbortSignal): Promise<void> {
  await sleep(PAUSE_MS, undefined, { signal });
}
