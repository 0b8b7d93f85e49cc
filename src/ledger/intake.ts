import type {
  BeginEvent,
  ChangeEvent,
  CommitEvent,
  RowChange,
  SnapshotEvent,
  TruncateChange,
} from '../connector/changes.ts';
import type { Position } from '../connector/position.ts';
import { TwinproofError } from '../errors.ts';
import { ByteWriter, sameBytes, Scratch } from './bytes.ts';
import { KIND, RowDraft, writeKeylessRecord, writeRowRecord, writeTruncateRecord } from './change-record.ts';
import type { Core } from './core.ts';
import {
  DIGEST_BYTES,
  ENTRY_DIGEST_AT,
  entryChangedAt,
  entryColumns,
  entrySize,
  entryState,
  STATE,
  writeEntry,
  type State,
} from './entry.ts';
import { KeyScratch } from './key.ts';
import { HEAD_BYTES, RECORD, writeGap, writeTransactionTail } from './record.ts';
import { Definitions } from './definitions.ts';
import type { Relation } from './relation.ts';
import type { RowDigester } from './row-digest.ts';

/** A longer transaction is written in parts, so that no record grows without bound. */
const PART_BYTES = 256 * 1024;
const GONE = { after: STATE.absent, columns: null };
const UNRESOLVED = { after: STATE.unknown, columns: null };

/**
 * Turns events of a change stream into records of the journal and entries of the index. Synchronous: durability is
 * Core.apply's and Journal.sync's.
 */
export class Intake {
  readonly #core: Core;
  readonly #digester: RowDigester;
  readonly #definitions: Definitions;
  readonly #body = new ByteWriter(PART_BYTES * 2);
  readonly #tail = new ByteWriter(256);
  readonly #key = new KeyScratch();
  readonly #entry = new Scratch();
  readonly #draft = new RowDraft();
  #open: BeginEvent | null = null;
  #changes = 0;
  /** Where the record that is being built will stand. */
  #recordAt = 0;

  constructor(core: Core, digester: RowDigester, definitions: Definitions) {
    this.#core = core;
    this.#digester = digester;
    this.#definitions = definitions;
  }

  take(event: ChangeEvent): void {
    switch (event.type) {
      case 'begin':
        this.#open = event;
        break;
      case 'commit':
        this.#commit(event);
        break;
      case 'insert':
      case 'update':
      case 'delete':
        this.#row(event);
        break;
      case 'truncate':
        this.#truncate(event);
        break;
      case 'definition':
        this.cutPart();
        this.#definitions.take(event.table);
        break;
      case 'snapshot':
        this.#snapshot(event);
        break;
      case 'idle':
        this.#idle(event.position);
        break;
      case 'gap':
        this.cutPart();
        this.recordGap(event.reason, event.tables);
        break;
      case 'message':
        break;
    }
  }

  /** What was taken of an open transaction becomes a part record, so that the index may follow. */
  cutPart(): void {
    if (this.#open === null || this.#changes === 0) return;
    const { id, committedAtUs } = this.#open;
    writeTransactionTail(this.#body, { id, committedAtUs, position: null, changes: this.#changes });
    this.#append(RECORD.part, null);
  }

  /** Forgets what was taken of an open transaction and is not in a record yet. */
  forget(): void {
    this.#open = null;
    this.#body.length = 0;
    this.#changes = 0;
  }

  /** The log lacks something: what it may have changed is not known any more. */
  recordGap(reason: string, tables: readonly string[] | null): void {
    this.#tail.length = 0;
    writeGap(this.#tail, { reason, tables });
    this.#core.journal.append(RECORD.gap, this.#tail.written(), null);
    for (const relation of this.#core.catalog.current()) {
      if (tables === null || tables.includes(relation.leaf) || tables.includes(relation.root ?? '')) {
        this.#definitions.renew(relation, 'gap');
      }
    }
  }

  /** Says once more where the stream stood. To be called between two transactions; nothing if it stood nowhere yet. */
  repeatPosition(): void {
    const { position } = this.#core.committed;
    if (position !== null) this.#standAt(position);
  }

  #commit(event: CommitEvent): void {
    if (this.#open === null) throw new TwinproofError('TP-BUG', { message: 'a commit without a beginning' });
    const { id, committedAtUs, position } = event;
    writeTransactionTail(this.#body, { id, committedAtUs, position, changes: this.#changes });
    const newest = this.#core.committed.newestUs;
    const newestUs = newest === null || committedAtUs > newest ? committedAtUs : newest;
    this.#append(RECORD.commit, newestUs);
    this.#core.committed = { mark: this.#core.journal.end, position, newestUs };
    this.#open = null;
  }

  #idle(position: Position): void {
    if (position !== this.#core.committed.position) this.#standAt(position);
  }

  #standAt(position: Position): void {
    const { journal, committed } = this.#core;
    this.#tail.length = 0;
    this.#tail.text(position);
    journal.append(RECORD.idle, this.#tail.written(), null);
    this.#core.committed = { mark: journal.end, position, newestUs: committed.newestUs };
  }

  #append(kind: typeof RECORD.part | typeof RECORD.commit, newestUs: bigint | null): void {
    this.#core.journal.append(kind, this.#body.written(), newestUs);
    this.#body.length = 0;
    this.#changes = 0;
  }

  /** Begins a change; the answer is where it stands in the journal. */
  #place(): number {
    if (this.#open === null)
      throw new TwinproofError('TP-BUG', { message: 'a change outside of a transaction' });
    if (this.#body.length >= PART_BYTES) this.cutPart();
    if (this.#changes === 0) this.#recordAt = this.#core.journal.endAt;
    this.#changes++;
    return this.#recordAt + HEAD_BYTES + this.#body.length;
  }

  #row(change: RowChange): void {
    const relation = this.#core.catalog.ofStreamed(change.table);
    if (relation.keyFields === null || change.key === null) {
      const at = this.#place();
      writeKeylessRecord(this.#body, relation.number, at - this.#recordAt);
      return;
    }
    if (change.oldKey === null) {
      this.#change(relation, change, change.key, KIND[change.type]);
      return;
    }
    // Another key is another row: the old one goes, the new one comes. Both are updates; vacatesKey tells the first.
    this.#change(relation, { ...change, type: 'delete', after: null }, change.oldKey, KIND.update);
    this.#change(this.#now(relation), { ...change, before: null }, change.key, KIND.update);
  }

  #change(
    relation: Relation,
    change: RowChange,
    identity: Uint8Array,
    kind: typeof KIND.insert | typeof KIND.update | typeof KIND.delete,
  ): void {
    const { pending, store } = this.#core;
    const key = this.#key;
    key.set(relation.number, identity, relation.signed);
    let number = pending.find(key.stored);
    // A view, valid until the next look-up.
    const entry = number < 0 ? store.index.getBinaryFast(key.stored) : pending.passingEntry(number);
    const before = stateBefore(relation, change, entry);
    if (this.#contradicts(relation, change, entry, before)) {
      this.cutPart();
      this.#change(this.#definitions.renew(relation, 'contradiction'), change, identity, kind);
      return;
    }
    const previous = entry === undefined ? 0 : entryChangedAt(entry);
    const { after, columns } = this.#after(change, entry);
    const at = this.#place();
    const { result } = this.#digester;
    const draft = this.#draft;
    draft.kind = kind;
    draft.relation = relation.number;
    draft.previous = previous;
    draft.fields = key.fields;
    draft.before = before;
    draft.beforeBytes = entry ?? result;
    draft.beforeAt = ENTRY_DIGEST_AT;
    draft.after = after;
    draft.afterBytes = result;
    draft.columns = columns;
    writeRowRecord(this.#body, draft, at - this.#recordAt);
    if (number < 0) number = pending.add(key.stored, entry);
    const size = entrySize(after, columns, key.long);
    const written = this.#entry.view(size);
    const digest = after === STATE.present ? result : null;
    writeEntry(written, { state: after, digest, changedAt: at, columns, long: key.long });
    pending.replace(number, written, size);
  }

  /** What the row is now; its digest is left in the digester. */
  #after(change: RowChange, entry: Buffer | undefined): { after: State; columns: Buffer | null } {
    if (change.after === null) return GONE;
    const digester = this.#digester;
    if (!digester.resolve(change.after, null)) {
      // What the log left out is taken from the row before, or from what is kept of it.
      const known = entry === undefined ? null : entryColumns(entry);
      const fromBefore =
        change.before !== null && digester.resolve(change.before, known) ? digester.columns() : null;
      if (!digester.resolve(change.after, fromBefore ?? known)) return UNRESOLVED;
    }
    return { after: STATE.present, columns: digester.columns() };
  }

  /** Whether the change cannot have happened to what the ledger held: then the ledger was wrong. */
  #contradicts(relation: Relation, change: RowChange, entry: Buffer | undefined, before: State): boolean {
    // What was taken for a key is none.
    if (change.once === true && relation.cause === 'snapshot') return before === STATE.present;
    if (relation.completeFrom === null || before === STATE.unknown) return false;
    if (change.type === 'insert' || (change.oldKey !== null && change.after !== null)) {
      return before === STATE.present;
    }
    if (before === STATE.absent) return true;
    if (change.before === null || entry === undefined) return false;
    if (!this.#digester.resolve(change.before, entryColumns(entry))) return false;
    return !sameBytes(this.#digester.result, 0, entry, ENTRY_DIGEST_AT, DIGEST_BYTES);
  }

  #truncate(change: TruncateChange): void {
    for (const table of change.tables) {
      const relation = this.#core.catalog.ofStreamed(table);
      const at = this.#place();
      const next = this.#core.catalog.nextNumber;
      writeTruncateRecord(
        this.#body,
        { kind: KIND.truncate, relation: relation.number, next, rows: null },
        at - this.#recordAt,
      );
      this.#core.catalog.begin({ ...relation, number: next, cause: 'truncate' }, at);
    }
  }

  /** A snapshot counts as whole only if nothing has voided the relation since it began. */
  #snapshot({ table, part }: SnapshotEvent): void {
    this.cutPart();
    const { catalog, journal } = this.#core;
    const relation = catalog.ofStreamed(table);
    if (part === 'begins') {
      this.#definitions.renew(relation, 'snapshot');
      return;
    }
    if (relation.cause !== 'snapshot' || relation.completeFrom !== null) return;
    const at = journal.endAt;
    this.#tail.length = 0;
    this.#tail.varint(relation.number);
    journal.append(RECORD.complete, this.#tail.written(), null);
    catalog.complete(relation.number, at);
  }

  #now(relation: Relation): Relation {
    return relation.endedAt === null ? relation : (this.#core.catalog.ofTable(relation.table) ?? relation);
  }
}

/** What the index says that the row was; without an entry only a complete relation knows. */
function stateBefore(relation: Relation, change: RowChange, entry: Buffer | undefined): State {
  if (entry !== undefined) return entryState(entry);
  return relation.completeFrom !== null || change.type === 'insert' ? STATE.absent : STATE.unknown;
}
