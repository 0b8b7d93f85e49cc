import { TwinproofError } from '../errors.ts';
import { MalformedBytes } from './bytes.ts';
import type { Catalog } from './catalog.ts';
import { entryChangedAt, entryDigest, entryState, STATE } from './entry.ts';
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
  /** Stored key as latin1 to entry: changes that are in the journal and not yet in the index. */
  readonly pending = new Map<string, Buffer>();
  /** The last place between two transactions. */
  committed: Committed;
  #failure: TwinproofError | null = null;

  constructor(journal: Journal, store: Store, catalog: Catalog, committed: Committed) {
    this.journal = journal;
    this.store = store;
    this.catalog = catalog;
    this.committed = committed;
  }

  /** The newest entry of a key: a view, valid until the next look-up. */
  entry(stored: Buffer, name = stored.toString('latin1')): Buffer | undefined {
    return this.pending.get(name) ?? this.store.index.getBinaryFast(stored);
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
    const names = [...this.pending.keys()].sort();
    for (let start = 0; start < names.length; start += KEYS_PER_COMMIT) {
      const some = names.slice(start, start + KEYS_PER_COMMIT);
      this.store.transaction(() => {
        for (const name of some) this.#applyOne(name);
        this.#writeRelations();
        if (start + KEYS_PER_COMMIT >= names.length) this.store.writeMarks(mark, this.committed);
      });
      // Others may read, and sockets be served, between two commits.
      await new Promise(setImmediate);
    }
    if (names.length === 0) {
      this.store.transaction(() => {
        this.#writeRelations();
        this.store.writeMarks(mark, this.committed);
      });
    }
    this.pending.clear();
  }

  /** Within a transaction of the store: writes an entry over `old`, and keeps rows and sums in step. */
  put(stored: Buffer, entry: Buffer | null, old = this.store.index.getBinaryFast(stored)): void {
    const relation = this.catalog.byNumber(relationOf(stored));
    const oldState = old === undefined ? STATE.absent : entryState(old);
    if (relation !== null) {
      if (old !== undefined) count(relation, old, -1);
      if (entry !== null) count(relation, entry, 1);
      this.catalog.changed.add(relation);
    }
    if (entry === null) this.store.index.removeSync(stored);
    else this.store.index.putSync(stored, entry);
    const unread = entry !== null && entryState(entry) === STATE.unknown;
    if (unread) this.store.unread.putSync(stored, entry.subarray(1, 7));
    else if (oldState === STATE.unknown) this.store.unread.removeSync(stored);
  }

  /** Within a transaction of the store. */
  writeRelations(): void {
    this.#writeRelations();
  }

  #applyOne(name: string): void {
    const entry = this.pending.get(name);
    if (entry === undefined) return;
    const stored = Buffer.from(name, 'latin1');
    const old = this.store.index.getBinaryFast(stored);
    // Redone after a crash: this commit or a later one has been there.
    if (old !== undefined && entryChangedAt(old) >= entryChangedAt(entry)) return;
    this.put(stored, entry, old);
  }

  #writeRelations(): void {
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
  const system = typeof code === 'number' || /^E[A-Z]+$/.test(String(code));
  return system ? new TwinproofError('TP-LEDGER-WRITE', { cause: error }) : null;
}
