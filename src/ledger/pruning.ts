import { z } from 'zod';
import { Baseline } from './baseline.ts';
import { Candidates } from './candidates.ts';
import { KIND } from './change-record.ts';
import type { Core } from './core.ts';
import { entryChangedAt, entryState, STATE } from './entry.ts';
import { storedFromFields } from './key.ts';
import { changesOf, RECORD } from './record.ts';
import { NO_TIME, SEGMENT_HEADER_BYTES } from './segment.ts';
import type { Store } from './store.ts';

const KEYS_PER_COMMIT = 16_384;
const START = 'start';
const startSchema = z.object({ at: z.int(), link: z.string() });

/** The window of the journal: what is older or more may go. Time is the primary's: commit times against the newest one. */
export interface Retention {
  readonly timeUs: bigint;
  readonly bytes: number;
}

/** A file of the journal, oldest first, as the decision needs it. */
export interface PrunableFile {
  readonly base: number;
  readonly bytes: number;
  /** The newest commit time up to its end; NO_TIME: none. */
  readonly newestUs: bigint;
}

/**
 * How many of the oldest files lie wholly before the window. The last file always stays, so does every file that reaches
 * behind `keepFrom`: somebody still needs it.
 */
export function filesToPrune(
  files: readonly PrunableFile[],
  newestUs: bigint | null,
  retention: Retention,
  keepFrom: number,
): number {
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  let prunable = 0;
  for (let index = 0; index + 1 < files.length; index++) {
    const file = files[index];
    const next = files[index + 1];
    if (file === undefined || next === undefined || next.base > keepFrom) break;
    const old = newestUs !== null && file.newestUs < newestUs - retention.timeUs;
    if (!old && bytes <= retention.bytes) break;
    bytes -= file.bytes;
    prunable++;
  }
  return prunable;
}

/**
 * Drops files before the window, tombstones of deletions in them, and generations that ended in them. The index is up to
 * the journal. What changed since a baseline was begun stays until it is complete: its reads are judged by it.
 */
export function pruneJournal(core: Core, retention: Retention): void {
  const { journal, catalog, committed } = core;
  const baseline = new Baseline(core, () => Promise.resolve());
  const begun = catalog
    .current()
    .filter((relation) => relation.completeFrom === null && baseline.progress(relation.number) !== null);
  const keepFrom = Math.min(committed.mark.at, ...begun.map((relation) => relation.beganAt));
  const { segments } = journal.files;
  const files = segments.map(({ header, size }, index) => ({
    base: header.base,
    bytes: size + SEGMENT_HEADER_BYTES,
    newestUs: segments[index + 1]?.header.newestUs ?? NO_TIME,
  }));
  const count = filesToPrune(files, committed.newestUs, retention, keepFrom);
  if (count > 0) dropBefore(core, files[count]?.base ?? journal.start.at);
}

/** The same up to `start`, where a file begins. The index is up to the journal. */
export function dropBefore(core: Core, start: number): void {
  const { journal, store, catalog } = core;
  if (start <= journal.start.at) return;
  const candidates = new Candidates(core);
  candidates.catchUp(start);
  dropTombstones(core, start);
  for (const relation of catalog.all()) {
    if (relation.endedAt === null || relation.endedAt >= start) continue;
    dropRows(core, relation.number);
    candidates.forget(relation.number);
    store.transaction(() => store.eraseRelation(relation.number));
    catalog.remove(relation);
  }
  store.transaction(() => store.write(START, { at: start, link: linkAt(core, start) }));
  while ((journal.files.segments[1]?.header.base ?? Infinity) <= start) journal.files.dropOldest();
}

/** Up to where an index holds nothing any more of what the window has passed; 0: everything is there. */
export function droppedBefore(store: Store): number {
  return store.read(START, startSchema)?.at ?? 0;
}

function linkAt(core: Core, base: number): string {
  const segment = core.journal.files.segments.find(({ header }) => header.base === base);
  return segment?.header.link.toString('hex') ?? '';
}

function dropTombstones(core: Core, end: number): void {
  const { journal, store } = core;
  for (const record of journal.scan(journal.start.at, end)) {
    if (record.kind !== RECORD.part && record.kind !== RECORD.commit) continue;
    store.transaction(() => {
      for (const change of changesOf(record)) {
        if (change.kind === KIND.keyless || change.kind === KIND.truncate) continue;
        if (change.after.state !== STATE.absent) continue;
        const { stored } = storedFromFields(change.relation, change.fields);
        const entry = store.index.getBinaryFast(stored);
        if (entry === undefined || entryState(entry) !== STATE.absent) continue;
        if (entryChangedAt(entry) === change.at) store.index.removeSync(stored);
      }
    });
  }
}

function dropRows(core: Core, relation: number): void {
  const { store } = core;
  const start = Buffer.alloc(4);
  const end = Buffer.alloc(4);
  start.writeUInt32BE(relation);
  end.writeUInt32BE(relation + 1);
  for (const table of [store.index, store.unread]) {
    for (;;) {
      const keys = [...table.getKeys({ start, end, limit: KEYS_PER_COMMIT })];
      if (keys.length === 0) break;
      store.transaction(() => {
        for (const key of keys) table.removeSync(key);
      });
    }
  }
}
