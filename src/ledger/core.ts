import { TwinproofError } from '../errors.ts';
import { MalformedBytes } from './bytes.ts';
import type { Catalog } from './catalog.ts';
import { entryChangedAt, entryDigest, entryState, STATE, type State } from './entry.ts';
import { NOT_READ, PendingEntries } from './pending.ts';
import { Tally } from './tally.ts';
import { relationOf } from './key.ts';
import type { Journal, Mark } from './journal.ts';
import type { Relation } from './relation.ts';
import type { Committed, Store } from './store.ts';

/**
 * Keys written in one LMDB transaction. Sorted, so neighbours share pages; few enough that the pages of one transaction
 * are a small part of the file, which grows by what a transaction copies (PROTOTYPE.md C: 65 bytes a row at 10,000).
 */
const KEYS_PER_COMMIT = 16_384;
const laneBytes = new Uint8Array(16);
const lanes = new DataView(laneBytes.buffer);

/** What the parts of a ledger share: the journal, the index behind it, and the entries that are not yet in the index. */
export class Core {
  readonly journal: Journal;
  readonly store: Store;
  readonly catalog: Catalog;
  /** Changes that are in the journal and not yet in the index. */
  readonly pending = new PendingEntries();
  /** The last place between two transactions. */
  committed: Committed;
  #failure: TwinproofError | null = null;
  /** Of the relation whose entries were written last, in the running transaction of the store. */
  readonly #tally = new Tally();
  #tallied: Relation | null = null;

  constructor(journal: Journal, store: Store, catalog: Catalog, committed: Committed) {
    this.journal = journal;
    this.store = store;
    this.catalog = catalog;
    this.committed = committed;
  }

  /** The newest entry of a key: a view, valid until the next look-up. */
  entry(stored: Buffer): Buffer | undefined {
    return this.pending.get(stored) ?? this.store.index.getBinaryFast(stored);
  }

  /** After an error of the disk nothing is written any more: what is on disk is whole, what is in memory may not be. */
  guard<T>(action: () => T): T {
    if (this.#failure !== null) throw this.#failure;
    try {
      return action();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  async guardAsync<T>(action: () => Promise<T>): Promise<T> {
    if (this.#failure !== null) throw this.#failure;
    try {
      return await action();
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Makes the journal durable, then brings the index up to it. To be called between two records. */
  async apply(): Promise<void> {
    await this.journal.sync();
    await this.applyUpTo(this.journal.end);
  }

  /** Writes every pending entry; they must be those of the journal up to `mark`, which is durable. */
  async applyUpTo(mark: Mark): Promise<void> {
    const numbers = this.pending.sorted();
    let start = 0;
    do {
      const end = Math.min(start + KEYS_PER_COMMIT, numbers.length);
      this.store.transaction(() => {
        for (let at = start; at < end; at++) this.#applyOne(numbers[at] ?? 0);
        this.#writeRelations();
        if (end === numbers.length) this.store.writeMarks(mark, this.committed);
      });
      start = end;
      // Others may read, and sockets be served, between two commits.
      await new Promise(setImmediate);
    } while (start < numbers.length);
    this.pending.clear();
  }

  /**
   * From now on the clock of another server counts: commit times of before say nothing of it. To be called when the index
   * is up to the journal.
   */
  forgetTimes(): void {
    this.committed = { ...this.committed, newestUs: null };
    this.guard(() => this.store.transaction(() => this.store.writeMarks(this.journal.end, this.committed)));
  }

  /** Within a transaction of the store: writes an entry over `old`, and keeps rows and sums in step. */
  put(stored: Buffer, entry: Buffer | null, old = this.store.index.getBinaryFast(stored)): void {
    const tally = this.#tallyOf(relationOf(stored));
    const oldState = old === undefined ? STATE.absent : entryState(old);
    if (old !== undefined) tally?.entry(old, -1);
    this.pending.indexChanges(stored);
    if (entry === null) {
      this.store.index.removeSync(stored);
      if (oldState === STATE.unknown) this.store.unread.removeSync(stored);
    } else this.#write(stored, entry, oldState, tally);
  }

  /** Within a transaction of the store. */
  writeRelations(): void {
    this.#writeRelations();
  }

  #applyOne(number: number): void {
    const { pending, store } = this;
    const stored = pending.passingKey(number);
    const entry = pending.passingEntry(number);
    const oldState = pending.indexState(number);
    if (oldState === NOT_READ) {
      const old = store.index.getBinaryFast(stored);
      // Redone after a crash: this commit or a later one has been there.
      if (old === undefined || entryChangedAt(old) < entryChangedAt(entry)) this.put(stored, entry, old);
      return;
    }
    const tally = this.#tallyOf(relationOf(stored));
    tally?.row(oldState, pending.memory, pending.indexDigestAt(number), -1);
    this.#write(stored, entry, oldState, tally);
  }

  #write(stored: Buffer, entry: Buffer, oldState: State, tally: Tally | null): void {
    tally?.entry(entry, 1);
    this.store.index.putSync(stored, entry);
    if (entryState(entry) === STATE.unknown) this.store.unread.putSync(stored, entry.subarray(1, 7));
    else if (oldState === STATE.unknown) this.store.unread.removeSync(stored);
  }

  /** Null: the relation has left the window. */
  #tallyOf(number: number): Tally | null {
    if (this.#tallied?.number === number) return this.#tally;
    this.#settleTally();
    this.#tallied = this.catalog.byNumber(number);
    return this.#tallied === null ? null : this.#tally;
  }

  #settleTally(): void {
    if (this.#tallied === null) return;
    this.#tally.settle(this.#tallied);
    this.catalog.changed.add(this.#tallied);
    this.#tallied = null;
  }

  #writeRelations(): void {
    this.#settleTally();
    for (const relation of this.catalog.changed) this.store.writeRelation(relation);
    this.catalog.changed.clear();
  }

  #failed(error: unknown): unknown {
    const failure = diskFailure(error);
    if (failure === null) return error;
    this.#failure = failure;
    return failure;
  }
}

/** Adds an entry to its relation's rows and sums, or takes it out. */
export function count(
  relation: Pick<Relation, 'rows' | 'sum1' | 'sum2' | 'unread'>,
  entry: Buffer,
  sign: 1 | -1,
): void {
  const state = entryState(entry);
  if (state === STATE.unknown) relation.unread += sign;
  if (state !== STATE.present) return;
  laneBytes.set(entryDigest(entry));
  relation.rows += sign;
  const first = lanes.getBigUint64(0);
  const second = lanes.getBigUint64(8);
  relation.sum1 = BigInt.asUintN(64, sign > 0 ? relation.sum1 + first : relation.sum1 - first);
  relation.sum2 = BigInt.asUintN(64, sign > 0 ? relation.sum2 + second : relation.sum2 - second);
}

/** lmdb.h: MDB_PAGE_NOTFOUND, MDB_CORRUPTED, MDB_VERSION_MISMATCH, MDB_INVALID. */
const DAMAGED: ReadonlySet<number> = new Set([-30_797, -30_796, -30_794, -30_793]);

/** The error codes of the disk: of Node.js by `code`, of LMDB by number (lmdb.h, errno of the system). Null: another error. */
export function diskFailure(error: unknown): TwinproofError | null {
  if (error instanceof TwinproofError) return null;
  if (error instanceof MalformedBytes) {
    return new TwinproofError('TP-LEDGER-CORRUPT', {
      message: `the ledger is damaged: ${error.message}`,
      cause: error,
    });
  }
  if (!(error instanceof Error) || !('code' in error)) return null;
  const { code } = error;
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 28 || code === 122) {
    return new TwinproofError('TP-LEDGER-FULL', { cause: error });
  }
  if (typeof code === 'number' && DAMAGED.has(code)) {
    return new TwinproofError('TP-LEDGER-CORRUPT', {
      message: `the index is damaged: ${error.message}`,
      cause: error,
    });
  }
  const system = typeof code === 'number' || /^E[A-Z]+$/.test(String(code));
  if (!system) return null;
  // LMDB calls a write that came to a full disk in its middle an error of input or output.
  const message = `the ledger could not be written: ${error.message}`;
  return new TwinproofError('TP-LEDGER-WRITE', { message, cause: error });
}
