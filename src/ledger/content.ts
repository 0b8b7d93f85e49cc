import { createHash, type Hash } from 'node:crypto';
import { Baseline } from './baseline.ts';
import { ByteWriter } from './bytes.ts';
import type { Core } from './core.ts';
import { entryChangedAt, entryState, STATE } from './entry.ts';
import { notesOf } from './frozen-store.ts';
import { relationOf } from './key.ts';
import { encodeDefinition } from './relation.ts';

const BATCH_BYTES = 256 * 1024;

/**
 * SHA-256 of what a ledger holds, hexadecimal, however it is laid out on disk: two ledgers with the same ones are the
 * same. Without what it knows of candidates (bindings, proofs, dirty keys).
 */
export interface LedgerContent {
  /** Where the journal's window begins and ends, and its chain of SHA-256 there: it stands for every record. */
  readonly journal: { readonly start: number; readonly end: number; readonly link: string };
  /** Every row's entry, also those that the journal has and the index does not yet. */
  readonly rows: string;
  /** Generations of tables, and how far their baselines are. */
  readonly definitions: string;
  /** The witness, the newest commit time, and what is remembered of the primary. It moves on while `watch` runs, also where nothing is written. */
  readonly known: string;
}

/** Null: the ledger went on while it was read. To be called on a ledger that was opened to read, or is settled. */
export function contentOf(core: Core): LedgerContent | null {
  const { journal, store, committed } = core;
  const applied = store.applied()?.at;
  const rows = rowsOf(core);
  const definitions = definitionsOf(core);
  const known = createHash('sha256').update(`newest\0${committed.newestUs}\0`);
  for (const [name, value] of [...notesOf(store)].sort(([a], [b]) => (a < b ? -1 : 1))) {
    known.update(`${name}\0${value.length}\0`).update(value);
  }
  if (store.applied()?.at !== applied) return null;
  return {
    journal: { start: journal.start.at, end: committed.mark.at, link: committed.mark.link.toString('hex') },
    rows,
    definitions,
    known: known.digest('hex'),
  };
}

function rowsOf(core: Core): string {
  const hash = createHash('sha256');
  const batch = new ByteWriter(BATCH_BYTES * 2);
  for (const { stored, entry } of entriesOf(core)) {
    if (core.catalog.byNumber(relationOf(stored)) === null) continue;
    // A deletion is told as long as the journal holds it: until the window has passed it.
    if (entryState(entry) === STATE.absent && entryChangedAt(entry) < core.journal.start.at) continue;
    batch.framed(stored);
    batch.framed(entry);
    if (batch.length >= BATCH_BYTES) flush(hash, batch);
  }
  flush(hash, batch);
  return hash.digest('hex');
}

function flush(hash: Hash, batch: ByteWriter): void {
  hash.update(batch.bytes.subarray(0, batch.length));
  batch.length = 0;
}

/** The newest entry of every key, in the order of the store. */
function* entriesOf({ store, pending }: Core): Generator<{ stored: Buffer; entry: Buffer }> {
  const waiting = [...pending]
    .map(({ stored, entry }) => ({ stored: Buffer.from(stored), entry: Buffer.from(entry) }))
    .sort((a, b) => Buffer.compare(a.stored, b.stored));
  let next = 0;
  for (const { key, value } of store.index.getRange({})) {
    let entry = value;
    for (let one = waiting[next]; one !== undefined; one = waiting[next]) {
      const order = Buffer.compare(one.stored, key);
      if (order > 0) break;
      next++;
      if (order < 0) yield one;
      else if (entryChangedAt(one.entry) > entryChangedAt(value)) entry = one.entry;
    }
    yield { stored: key, entry };
  }
  yield* waiting.slice(next);
}

function definitionsOf(core: Core): string {
  const hash = createHash('sha256');
  const baseline = new Baseline(core, () => Promise.resolve());
  for (const relation of core.catalog.all()) {
    const { number, table, leaf, root, cause, columns, absent, keyFields, signed, fingerprint } = relation;
    const { beganAt, endedAt, completeFrom } = relation;
    const shape = { number, table, leaf, root, cause, columns, absent, keyFields, signed, fingerprint };
    const progress = completeFrom === null ? baseline.progress(number) : null;
    const pieces = Object.entries(progress?.pieces ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    const state = [beganAt, endedAt, completeFrom, progress?.expected ?? null, pieces];
    hash.update(encodeDefinition(shape)).update(JSON.stringify(state));
  }
  return hash.digest('hex');
}
