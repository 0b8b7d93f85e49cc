import { KIND, type ChangeRecord } from './change-record.ts';
import { count, type Core } from './core.ts';
import { entryChangedAt, entryRow, entryState, STATE, type RowState } from './entry.ts';
import { MalformedBytes } from './bytes.ts';
import { relationOf, storedFromFields } from './key.ts';
import { changesOf, linkIn, RECORD, type RawRecord } from './record.ts';
import type { Relation } from './relation.ts';

const PROBLEMS_MAX = 100;
const DIRTY_PREFIX_BYTES = 2;

export interface CheckResult {
  /** Plain sentences; none: the store agrees with itself. At most a hundred are kept. */
  readonly problems: string[];
  readonly records: number;
  readonly changes: number;
  readonly rows: number;
}

/**
 * Checks the store against itself: every link of the chain; that the index has every change of the journal that it says
 * it has; that each row's last change in the window is the one that the index holds; rows, sums and unread rows of each
 * relation; that dirty and unread keys exist. One pass over journal and index, in bounded memory. Writes nothing.
 */
export function checkLedger(core: Core): CheckResult {
  const problems: string[] = [];
  const report = (problem: string): void => {
    if (problems.length < PROBLEMS_MAX) problems.push(problem);
  };
  const { records, changes } = checkJournal(core, report);
  const rows = checkIndex(core, report);
  checkLists(core, report);
  return { problems, records, changes, rows };
}

type Report = (problem: string) => void;

function checkJournal(core: Core, report: Report): { records: number; changes: number } {
  const { journal, store } = core;
  const applied = store.applied()?.at ?? 0;
  const bases = new Map(journal.files.segments.map(({ header }) => [header.base, header.link]));
  let { at, link } = journal.start;
  let records = 0;
  let changes = 0;
  for (const record of journal.scan(at, journal.end.at)) {
    const base = bases.get(record.at);
    if (base !== undefined && !base.equals(link))
      report(`the file at ${record.at} does not continue the chain`);
    if (!journal.follows(link, record))
      report(`the record at ${record.at} does not follow from the one before it`);
    link = Buffer.from(linkIn(record));
    at = record.end;
    records++;
    changes += checkRecord(core, record, applied, report);
  }
  if (at < journal.end.at) report(`the journal cannot be read from ${at} on`);
  return { records, changes };
}

function checkRecord(core: Core, record: RawRecord, applied: number, report: Report): number {
  if (record.kind !== RECORD.part && record.kind !== RECORD.commit) return 0;
  let changes = 0;
  try {
    for (const change of changesOf(record)) {
      changes++;
      if (record.end <= applied) checkApplied(core, change, report);
    }
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error;
    report(`the record at ${record.at} cannot be read: ${error.message}`);
  }
  return changes;
}

function checkApplied(core: Core, change: ChangeRecord, report: Report): void {
  if (change.kind === KIND.keyless || change.kind === KIND.truncate) return;
  if (core.catalog.byNumber(change.relation) === null) return;
  const entry = core.store.index.getBinaryFast(storedFromFields(change.relation, change.fields).stored);
  if (entry === undefined) report(`the row that changed at ${change.at} is not in the index`);
  else if (entryChangedAt(entry) < change.at) report(`the index does not have the change at ${change.at}`);
}

interface Sums {
  rows: number;
  sum1: bigint;
  sum2: bigint;
  unread: number;
}

function checkIndex(core: Core, report: Report): number {
  const { journal, store, catalog } = core;
  const sums = new Map<number, Sums>();
  const relations = storedRelations(core);
  const stored = new Set(relations.map(({ number }) => number));
  let rows = 0;
  for (const { key, value } of store.index.getRange({})) {
    const number = relationOf(key);
    const sum = sums.get(number) ?? { rows: 0, sum1: 0n, sum2: 0n, unread: 0 };
    sums.set(number, sum);
    count(sum, value, 1);
    rows++;
    const relation = catalog.byNumber(number);
    if (relation === null && !stored.has(number))
      report(`the index holds a row of relation ${number}, which does not exist`);
    const at = entryChangedAt(value);
    if (at >= journal.end.at && isBehind(core, at))
      report(`a row of relation ${number} changed at ${at}, behind the journal's end`);
    else if (at >= journal.start.at) checkEntry(core, relation, key, value, report);
  }
  for (const relation of relations) {
    const sum = sums.get(relation.number) ?? { rows: 0, sum1: 0n, sum2: 0n, unread: 0 };
    const same =
      sum.rows === relation.rows &&
      sum.sum1 === relation.sum1 &&
      sum.sum2 === relation.sum2 &&
      sum.unread === relation.unread;
    if (!same) report(`${relation.leaf}: its rows in the index are not those that were counted`);
  }
  return rows;
}

/** Whether the journal has nothing at a place even now: who only reads finds an index that its writer brings forward. */
function isBehind(core: Core, at: number): boolean {
  core.journal.files.refresh();
  return at >= core.journal.end.at;
}

/** As the store has them: what is only in memory is not in the index either. */
function storedRelations(core: Core): Relation[] {
  return core.store.relations();
}

function checkEntry(core: Core, relation: Relation | null, key: Buffer, entry: Buffer, report: Report): void {
  const at = entryChangedAt(entry);
  try {
    const change = core.journal.changeAt(at);
    const isRow = change.kind !== KIND.keyless && change.kind !== KIND.truncate;
    if (!isRow || !storedFromFields(change.relation, change.fields).stored.equals(key)) {
      report(`the change at ${at} is not of the row whose last change it should be`);
      return;
    }
    // While a baseline is read, a row may be ahead of the last change that has arrived.
    // A row that was unknown may have been read since.
    if (change.after.state === STATE.unknown) return;
    const settled = relation !== null && relation.completeFrom !== null && at >= relation.completeFrom;
    if (settled && !sameState(change.after, entryRow(entry)))
      report(`the index does not hold what the change at ${at} left`);
  } catch (error) {
    if (!(error instanceof MalformedBytes)) throw error;
    report(`the change at ${at} cannot be read: ${error.message}`);
  }
}

function sameState(a: RowState, b: RowState): boolean {
  if (a.state !== STATE.present || b.state !== STATE.present) return a.state === b.state;
  return Buffer.compare(a.digest, b.digest) === 0;
}

function checkLists(core: Core, report: Report): void {
  const { store } = core;
  const stored = new Set(storedRelations(core).map(({ number }) => number));
  for (const { key } of store.unread.getRange({})) {
    const entry = store.index.get(key);
    if (entry === undefined || entryState(entry) !== STATE.unknown)
      report('a row is listed as unread and is not');
  }
  for (const { key } of store.dirty.getRange({})) {
    const number = relationOf(key.subarray(DIRTY_PREFIX_BYTES));
    if (core.catalog.byNumber(number) === null && !stored.has(number))
      report('a dirty key belongs to no relation');
  }
}
