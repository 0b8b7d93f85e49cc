import type { Live } from '../board/live.ts';
import { STATE_SUFFIX } from '../state/file.ts';
import { FolderWatch } from '../state/folder-watch.ts';
import { REAL_TIMING, steadyMs } from './timing.ts';

/** Between two looks at all states: at what was not heard of, and at what has become too old. */
const LOOK_EVERY_MS = 1_000;
/** What comes at the same time is shown at once: a thousand systems are published in a second. */
const GATHER_MS = 40;
/** Files of one look: the first of many are not to wait for the last. */
const FILES_PER_LOOK = 64;

/** Keeps what the board shows up to the folder of states, until aborted. `looking`: at each look. Throws nothing. */
export async function keepLooking(
  live: Pick<Live, 'look' | 'hear'>,
  folder: string,
  looking: () => void,
  signal: AbortSignal,
): Promise<void> {
  const watch = new FolderWatch(folder, STATE_SUFFIX);
  try {
    let dueAt = steadyMs();
    while (!signal.aborted) {
      if (steadyMs() >= dueAt) {
        dueAt = steadyMs() + LOOK_EVERY_MS;
        looking();
        await watch.keep();
        await live.look();
      }
      await watch.wait(Math.max(1, dueAt - steadyMs()), signal);
      const names = watch.take(FILES_PER_LOOK);
      if (names.length === 0) continue;
      await live.hear(names);
      await REAL_TIMING.sleep(GATHER_MS, signal).catch(() => undefined);
    }
  } finally {
    watch.close();
  }
}
