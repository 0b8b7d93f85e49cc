import type { Position } from '../connector/position.ts';
import { TwinproofError } from '../errors.ts';
import type { Catalog } from './catalog.ts';
import {
  bodyOf,
  changesOf,
  linkIn,
  readCommitTime,
  readComplete,
  readIdle,
  readTransaction,
  RECORD,
  type RawRecord,
} from './record.ts';
import { KIND, type ChangeRecord, type RowRecord } from './change-record.ts';
import type { Core } from './core.ts';
import { encodeEntry, entryChangedAt, STATE } from './entry.ts';
import { FIRST_MARK, type Journal, type Mark } from './journal.ts';
import { storedFromFields } from './key.ts';
import type { PendingEntries } from './pending.ts';
import { decodeDefinition } from './relation.ts';
import type { Committed, Store } from './store.ts';

/** What is on disk, as found. */
export interface Recovered {
  readonly committed: Committed;
  /** Bytes at the journal's end that were no whole record: what a crash left. */
  readonly torn: number;
  /** Parts of a transaction without an end: begins here, ends at the journal's end; null: none. */
  readonly open: { readonly from: Mark; readonly to: number } | null;
}

/** Checks the journal from the last transaction that the index knows, and finds where the last whole one ends. */
export function findEnd(journal: Journal, store: Store): Recovered {
  const known: Committed = store.committed() ?? { mark: FIRST_MARK, position: null, newestUs: null };
  const applied = store.applied() ?? FIRST_MARK;
  let { mark, newestUs } = known;
  // Decoded at the end: of many thousands only the last one counts.
  let positioned: RawRecord | null = null;
  let open = false;
  const torn = journal.recover(known.mark, (record, end) => {
    if (record.kind === RECORD.part) open = true;
    else if (record.kind === RECORD.commit || !open) mark = end;
    if (record.kind === RECORD.commit || (record.kind === RECORD.idle && !open)) positioned = record;
    if (record.kind !== RECORD.commit) return;
    open = false;
    const committedAtUs = readCommitTime(record);
    if (newestUs === null || committedAtUs > newestUs) newestUs = committedAtUs;
  });
  const position = positioned === null ? known.position : positionIn(positioned);
  const committed = { mark, position, newestUs };
  const end = journal.end.at;
  if (end < applied.at) {
    throw new TwinproofError('TP-LEDGER-CORRUPT', {
      message: `the journal ends at ${end}, and the index was made of it up to ${applied.at}`,
    });
  }
  return { committed, torn, open: open ? { from: committed.mark, to: end } : null };
}

function positionIn(record: RawRecord): Position | null {
  return record.kind === RECORD.idle ? readIdle(record) : readTransaction(record).head.position;
}

/**
 * The parts of a transaction without an end, in a journal that is being written. Definitions and gaps before it stand
 * between two transactions: they stay.
 */
export function openTransaction(core: Core): Recovered['open'] {
  const to = core.journal.end.at;
  for (const record of core.journal.scan(core.committed.mark.at, to)) {
    if (record.kind === RECORD.part) return { from: core.committed.mark, to };
    const mark = { at: record.end, link: Buffer.from(linkIn(record)) };
    core.committed = { ...core.committed, mark };
  }
  return null;
}

/**
 * Brings what the journal has and the index has not into it, once a transaction that never ended is taken back; for those
 * who only read: into memory.
 */
export async function bringUp(
  core: Core,
  open: Recovered['open'],
  writable: boolean,
  pendingMax: number,
): Promise<void> {
  if (writable && open !== null) undo(core, open);
  const from = core.store.applied() ?? core.journal.start;
  const to = core.committed.mark.at;
  if (!writable) {
    for (const record of core.journal.scan(from.at, to)) replayRecord(core, record);
    return;
  }
  // A killed process need not have synced what it wrote. Who is killed soon again must not have more to replay each time.
  await core.journal.sync();
  await replay(core, from, to, pendingMax);
  await core.apply();
}

/**
 * Takes back a transaction that never ended, in the index and then in the journal: the server will send it again. May be
 * interrupted and done again: an entry is put back only while it is the one that the change made.
 */
function undo(core: Core, open: { readonly from: Mark; readonly to: number }): void {
  const { journal, store, catalog } = core;
  const places = [...journal.scan(open.from.at, open.to)].map(({ at }) => at);
  for (const at of places.toReversed()) {
    const record = journal.recordAt(at);
    if (record.kind !== RECORD.part) continue;
    const changes = [...changesOf(record)].filter((change) => isRow(change));
    store.transaction(() => {
      for (const change of changes.toReversed()) takeBack(core, change);
      core.writeRelations();
    });
  }
  store.transaction(() => {
    for (const relation of catalog.undoFrom(open.from.at)) store.eraseRelation(relation.number);
    core.writeRelations();
    store.writeMarks(earlier(store.applied() ?? FIRST_MARK, open.from), core.committed);
  });
  journal.rewind(open.from);
}

function earlier(a: Mark, b: Mark): Mark {
  return a.at < b.at ? a : b;
}

function isRow(change: ChangeRecord): change is RowRecord {
  return change.kind !== KIND.truncate && change.kind !== KIND.keyless;
}

function takeBack(core: Core, change: RowRecord): void {
  const key = storedFromFields(change.relation, change.fields);
  const entry = core.store.index.get(key.stored);
  if (entry === undefined || entryChangedAt(entry) !== change.at) return;
  // Without an earlier change there was an entry only if there was a row in the baseline.
  const gone = change.previous === 0 && change.before.state !== STATE.present;
  core.put(key.stored, gone ? null : encodeEntry(change.before, change.previous, null, key.long));
}

/** Brings entries of the journal that the index lacks into memory, above `pendingMax` of them into the index. */
async function replay(core: Core, from: Mark, to: number, pendingMax: number): Promise<void> {
  for (const record of core.journal.scan(from.at, to)) {
    replayRecord(core, record);
    if (core.pending.size >= pendingMax)
      await core.applyUpTo({ at: record.end, link: Buffer.from(linkIn(record)) });
  }
}

function replayRecord(
  core: { readonly pending: PendingEntries; readonly catalog: Catalog },
  record: RawRecord,
): void {
  if (record.kind === RECORD.relation) core.catalog.begin(decodeDefinition(bodyOf(record)), record.at);
  if (record.kind === RECORD.complete) core.catalog.complete(readComplete(record), record.at);
  if (record.kind !== RECORD.part && record.kind !== RECORD.commit) return;
  for (const change of changesOf(record)) {
    if (change.kind === KIND.keyless) continue;
    if (change.kind === KIND.truncate) {
      const relation = core.catalog.byNumber(change.relation);
      if (relation === null) throw new TwinproofError('TP-LEDGER-CORRUPT');
      core.catalog.begin({ ...relation, number: change.next, cause: 'truncate' }, change.at);
      continue;
    }
    const key = storedFromFields(change.relation, change.fields);
    const entry = encodeEntry(change.after, change.at, change.columns, key.long);
    core.pending.set(key.stored, entry);
  }
}
