import { KIND, vacatesKey, type ChangeRecord, type RowRecord } from './change-record.ts';
import type { Core } from './core.ts';
import type { Contains } from '../connector/ledger-sites.ts';
import { entryChangedAt } from './entry.ts';
import { identityOf, storedFromFields } from './key.ts';
import { changesOf, readGap, readTransaction, RECORD, type Gap, type RawRecord } from './record.ts';
import type { Boundary } from './state.ts';

/** What was lost of one table. */
export interface TableLoss {
  readonly table: string;
  inserts: number;
  updates: number;
  deletes: number;
  truncates: number;
  /** Changes of which the log does not say which row they were: not among `keys`. */
  keyless: number;
  /** Different rows. */
  keys: number;
}

export interface Loss {
  /** Those that changed something. */
  transactions: number;
  changes: number;
  keys: number;
  /** By name of the table; a partition under its root. */
  readonly tables: Map<string, TableLoss>;
  /** Earliest and latest by time, which need not be the first and last; microseconds. Null: none. */
  firstCommitUs: bigint | null;
  lastCommitUs: bigint | null;
  /** What the log lacks in between: then the figures are a lower bound. */
  readonly gaps: Gap[];
  /** Transactions in between that changed something and that the candidate has all the same: none of them is counted. */
  there: number;
}

/**
 * What happened between two boundaries: `from` is the candidate's, `to` the ledger's. One pass over that part of the
 * journal, in memory that does not grow with it: a row is counted at its first change behind `from`, which is the one
 * whose key changed last before `from`. `contains`: which transactions in between the candidate has.
 */
export function lossBetween(core: Core, from: Boundary, to: Boundary, contains?: Contains): Loss {
  const loss: Loss = {
    transactions: 0,
    changes: 0,
    keys: 0,
    tables: new Map(),
    firstCommitUs: null,
    lastCommitUs: null,
    gaps: [],
    there: 0,
  };
  let inTransaction = 0;
  for (const record of core.journal.scan(from, to)) {
    if (record.kind === RECORD.gap) loss.gaps.push(readGap(record));
    if (record.kind !== RECORD.part && record.kind !== RECORD.commit) continue;
    const isThere = isContained(record, contains);
    for (const change of changesOf(record)) {
      inTransaction++;
      if (!isThere) addChange(core, loss, change, from, contains);
    }
    if (record.kind !== RECORD.commit) continue;
    if (inTransaction > 0 && isThere) loss.there++;
    else if (inTransaction > 0) addTransaction(loss, readTransaction(record).head.committedAtUs);
    inTransaction = 0;
  }
  return loss;
}

/** Whether the candidate certainly has the transaction of a part or commit record. */
function isContained(record: RawRecord, contains: Contains | undefined): boolean {
  return contains !== undefined && contains(readTransaction(record).head.id) === true;
}

function addTransaction(loss: Loss, committedAtUs: bigint): void {
  loss.transactions++;
  if (loss.firstCommitUs === null || committedAtUs < loss.firstCommitUs) loss.firstCommitUs = committedAtUs;
  if (loss.lastCommitUs === null || committedAtUs > loss.lastCommitUs) loss.lastCommitUs = committedAtUs;
}

function addChange(
  core: Core,
  loss: Loss,
  change: ChangeRecord,
  from: Boundary,
  contains: Contains | undefined,
): void {
  const table = tableOf(core, loss, change.relation);
  if (change.kind === KIND.truncate) table.truncates++;
  else if (change.kind === KIND.keyless) table.keyless++;
  else if (isFirst(core, change, from, contains)) {
    table.keys++;
    loss.keys++;
  }
  if (vacatesKey(change)) return;
  loss.changes++;
  if (change.kind === KIND.insert) table.inserts++;
  if (change.kind === KIND.update) table.updates++;
  if (change.kind === KIND.delete) table.deletes++;
}

/** Whether this is the row's first lost change behind `from`, in this generation of its table and in those before. */
function isFirst(core: Core, change: RowRecord, from: Boundary, contains: Contains | undefined): boolean {
  for (let at = change.previous; at >= from;) {
    if (contains === undefined) return false;
    const earlier = core.journal.changeAt(at);
    if (earlier.kind === KIND.truncate || earlier.kind === KIND.keyless) return false;
    if (!isContained(core.journal.recordAt(earlier.recordAt), contains)) return false;
    at = earlier.previous;
  }
  const own = core.catalog.byNumber(change.relation);
  if (own === null || own.beganAt < from) return true;
  for (const other of core.catalog.all()) {
    if (other.table !== own.table || other.number >= own.number || (other.endedAt ?? 0) < from) continue;
    const entry = core.entry(storedFromFields(other.number, change.fields).stored);
    if (entry !== undefined && entryChangedAt(entry) >= from) return false;
  }
  return true;
}

function tableOf(core: Core, loss: Loss, relation: number): TableLoss {
  const known = core.catalog.byNumber(relation);
  const name = known?.root ?? known?.leaf ?? `relation ${relation}`;
  const found = loss.tables.get(name);
  if (found !== undefined) return found;
  const table = { table: name, inserts: 0, updates: 0, deletes: 0, truncates: 0, keyless: 0, keys: 0 };
  loss.tables.set(name, table);
  return table;
}

/** One lost change, as a line of `--losses` needs it. */
export interface LostChange {
  readonly transaction: string;
  readonly committedAtUs: bigint;
  readonly table: string;
  readonly kind: 'insert' | 'update' | 'delete' | 'truncate' | 'unknown row';
  readonly relation: number;
  /** As FoundRow.key; null: all rows, or a row that the log does not name. */
  readonly identity: Uint8Array | null;
}

const KIND_NAMES = ['insert', 'update', 'delete', 'truncate', 'unknown row'] as const;

/** Every change that lossBetween counts, in commit order. An update that gave a row another key is two, one a key. */
export function* changesBetween(
  core: Core,
  from: Boundary,
  to: Boundary,
  contains?: Contains,
): Generator<LostChange> {
  for (const record of core.journal.scan(from, to)) {
    if (record.kind !== RECORD.part && record.kind !== RECORD.commit) continue;
    if (isContained(record, contains)) continue;
    const { id, committedAtUs } = readTransaction(record).head;
    for (const change of changesOf(record)) {
      const relation = core.catalog.byNumber(change.relation);
      const hasKey = change.kind !== KIND.truncate && change.kind !== KIND.keyless;
      yield {
        transaction: id,
        committedAtUs,
        table: relation?.leaf ?? `relation ${change.relation}`,
        kind: KIND_NAMES[change.kind],
        relation: change.relation,
        identity: hasKey && relation !== null ? identityOf(change.fields, relation.signed) : null,
      };
    }
  }
}
