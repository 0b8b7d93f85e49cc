import type { SiteConfig } from '../config/schema.ts';
import type { ArchivedLog, LedgerCandidate } from '../connector/ledger-sites.ts';
import type { Position } from '../connector/position.ts';
import { TwinproofError } from '../errors.ts';
import { inTime } from './in-time.ts';
import type { SiteIo } from './io.ts';

/** A share that burned with the primary may never answer. */
const ANSWER_MS = 5_000;

export interface Archive extends ArchivedLog {
  readonly folder: string;
}

/** What the candidate's archive has of the primary's log behind `received`. Null: it has none. */
export async function readArchive(
  { stream: { archive: folder } }: Pick<SiteConfig, 'stream'>,
  site: Pick<LedgerCandidate, 'archivedLog'>,
  received: Position | null,
  { signal }: Pick<SiteIo, 'signal'>,
): Promise<Archive | null> {
  if (folder === undefined || received === null) return null;
  const read = (one: AbortSignal): Promise<ArchivedLog | null> =>
    site.archivedLog?.(folder, received, one) ?? Promise.resolve(null);
  try {
    const found = await inTime({ ms: ANSWER_MS, signal }, read);
    return found === null ? null : { ...found, folder };
  } catch (error) {
    if (!(error instanceof TwinproofError) || error.code !== 'TP-TIMEOUT') throw error;
    signal.throwIfAborted();
    return { folder, until: null, bytes: null, problem: error.message };
  }
}
