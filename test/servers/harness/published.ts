import { readFileSync } from 'node:fs';
import path from 'node:path';
import { statePath } from '../../../src/state/file.ts';
import { stateSchema, type CandidateState, type SystemState } from '../../../src/state/schema.ts';
import type { WatchFolder } from './watch.ts';

/** How a system stands, as the process that watches it last wrote it down; null: it has not yet. */
export function publishedState(folder: WatchFolder, system = 'bank'): SystemState | null {
  try {
    const file = statePath(path.join(folder.path, 'ledger-state'), system);
    return stateSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return null;
  }
}

/** Its first candidate. */
export function publishedCandidate(folder: WatchFolder): CandidateState | null {
  return publishedState(folder)?.candidates[0] ?? null;
}
