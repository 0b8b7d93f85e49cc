import type { Change } from './commit-log.ts';
import type { HeapRow, HeapTable } from './heap-table.ts';
import type { Random } from './random.ts';
import { toField, type Field, type Value } from './value.ts';

/** What a transaction needs of the primary. */
export interface TransactionHost {
  readonly random: Random;
  table(name: string): HeapTable;
  /** Which open or pending transaction has written this slot or reserved this key. */
  readonly locks: Map<string, MemoryTransaction>;
  /** Writes the commit to the log. */
  append(xid: number, changes: readonly Change[]): void;
  /** Makes the changes visible on the primary. */
  show(changes: readonly Change[]): void;
  /** The transaction neither waits nor runs any more. */
  forget(transaction: MemoryTransaction): void;
}

/**
 * A transaction on the primary. Nothing of it is visible before its commit. Writes that a server would refuse or make
 * wait (no such row, a row or key held by another transaction, a duplicate key) change nothing and answer null or
 * false, so that a random schedule need not know what is possible.
 */
export class MemoryTransaction {
  readonly xid: number;
  #state: 'open' | 'pending' | 'done' = 'open';
  #writes = 0;
  readonly #host: TransactionHost;
  readonly #changes: Change[] = [];
  readonly #own = new Map<string, HeapRow | null>();
  readonly #ownKeys = new Map<string, boolean>();
  readonly #locks: string[] = [];
  readonly #allocated: { readonly table: HeapTable; readonly slot: number }[] = [];

  constructor(host: TransactionHost, xid: number) {
    this.#host = host;
    this.xid = xid;
  }

  get state(): 'open' | 'pending' | 'done' {
    return this.#state;
  }

  /** True once it has written: only then does it have an id that the log may know. */
  get hasWritten(): boolean {
    return this.#writes > 0;
  }

  /** Inserts a row, values in the order of the table's columns. Returns its slot, or null when refused. */
  insert(tableName: string, values: readonly Value[]): number | null {
    const table = this.#host.table(tableName);
    if (this.#state !== 'open') return null;
    const fields = table.fieldsFrom(values);
    if (!this.#takeKey(table, fields)) return null;
    const slot = this.#allocate(table);
    this.#write(table, null, null, slot, fields);
    return slot;
  }

  /** Changes columns of the row in `slot`. Returns the slot of its new version, or null when refused. */
  update(tableName: string, slot: number, set: Readonly<Record<string, Value>>): number | null {
    const table = this.#host.table(tableName);
    const old = this.#visible(table, slot);
    if (old === null || !this.#lockSlot(table, slot)) return null;
    const fields: Field[] = [...old.fields];
    for (const [name, value] of Object.entries(set)) {
      const at = table.columnIndex(name);
      fields[at] = toField(value, table.columns[at]?.type ?? 'bytea');
    }
    if (table.key !== null && table.keyOf(fields) !== table.keyOf(old.fields)) {
      if (!this.#takeKey(table, fields)) return null;
      this.#leaveKey(table, old.fields);
    }
    // A new version lies elsewhere, or where the old one was when that place has been freed meanwhile.
    const target = this.#host.random.chance(0.5) ? slot : this.#allocate(table);
    this.#write(table, slot, old, target, fields);
    return target;
  }

  /** Deletes the row in `slot`; false when refused. */
  delete(tableName: string, slot: number): boolean {
    const table = this.#host.table(tableName);
    const old = this.#visible(table, slot);
    if (old === null || !this.#lockSlot(table, slot)) return false;
    this.#leaveKey(table, old.fields);
    this.#write(table, slot, old, null, null);
    return true;
  }

  /**
   * Commits. `pending`: the commit is in the log, and a candidate may show it, but the primary does not until
   * `release`: a commit that waits for a synchronous standby.
   */
  commit(visibility: 'visible' | 'pending' = 'visible'): void {
    if (this.#state !== 'open') return;
    if (this.#changes.length > 0) this.#host.append(this.xid, this.#changes);
    if (visibility === 'visible' || this.#changes.length === 0) this.#finish(true);
    else this.#state = 'pending';
  }

  /** Shows a pending commit on the primary. */
  release(): void {
    if (this.#state === 'pending') this.#finish(true);
  }

  rollback(): void {
    if (this.#state === 'open') this.#finish(false);
  }

  #finish(committed: boolean): void {
    this.#state = 'done';
    for (const lock of this.#locks) this.#host.locks.delete(lock);
    if (committed) this.#host.show(this.#changes);
    else for (const { table, slot } of this.#allocated) table.release(slot);
    this.#host.forget(this);
  }

  #allocate(table: HeapTable): number {
    const slot = table.allocate(this.#host.random);
    this.#allocated.push({ table, slot });
    return slot;
  }

  #visible(table: HeapTable, slot: number): HeapRow | null {
    if (this.#state !== 'open') return null;
    const own = this.#own.get(slotLock(table, slot));
    return own === undefined ? table.row(slot) : own;
  }

  #lockSlot(table: HeapTable, slot: number): boolean {
    return this.#lock(slotLock(table, slot));
  }

  #lock(name: string): boolean {
    const holder = this.#host.locks.get(name);
    if (holder === this) return true;
    if (holder !== undefined) return false;
    this.#host.locks.set(name, this);
    this.#locks.push(name);
    return true;
  }

  /** Reserves the key of `fields` unless another row or transaction has it. Keys hold no NULL. */
  #takeKey(table: HeapTable, fields: readonly Field[]): boolean {
    if (table.key === null) return true;
    if (table.keyFields(fields).includes(null)) return false;
    const key = table.keyOf(fields);
    const name = keyLock(table, key);
    const taken = this.#ownKeys.get(name) ?? table.slotsOfKey(key).length > 0;
    if (taken || !this.#lock(name)) return false;
    this.#ownKeys.set(name, true);
    return true;
  }

  /** The key is free for this transaction, and for others once it has committed. */
  #leaveKey(table: HeapTable, fields: readonly Field[]): void {
    if (table.key === null) return;
    const name = keyLock(table, table.keyOf(fields));
    this.#lock(name);
    this.#ownKeys.set(name, false);
  }

  #write(
    table: HeapTable,
    beforeSlot: number | null,
    before: HeapRow | null,
    afterSlot: number | null,
    fields: readonly Field[] | null,
  ): void {
    this.#writes += 1;
    const after = fields === null ? null : { fields, version: `${this.xid}.${this.#writes}` };
    const columns = table.columns.map((column) => column.name);
    this.#changes.push({ table: table.name, columns, before, beforeSlot, after, afterSlot });
    if (beforeSlot !== null) this.#own.set(slotLock(table, beforeSlot), null);
    if (afterSlot !== null) {
      this.#lockSlot(table, afterSlot);
      this.#own.set(slotLock(table, afterSlot), after);
    }
  }
}

function slotLock(table: HeapTable, slot: number): string {
  return `slot ${slot} ${table.name}`;
}

function keyLock(table: HeapTable, key: string): string {
  return `key ${table.name} ${key}`;
}

/** The transaction that wrote a version of the primary; null for rows of the start. */
export function xidOfVersion(version: string): number | null {
  const match = /^(\d+)\.\d+$/.exec(version);
  return match === null ? null : Number(match[1]);
}
