import type { ColumnEncoding, Obstacle, PairKind } from '../../src/connector/table.ts';
import { frameFields } from '../../src/row/stream.ts';
import type { Random } from './random.ts';
import { compareFields, toField, type ColumnType, type Field, type Value } from './value.ts';

export interface ColumnSpec {
  readonly name: string;
  readonly type: ColumnType;
  /** When left out: `pg-binary` within the engine, `portable` across engines. */
  readonly encodings?: Readonly<Record<PairKind, ColumnEncoding | null>>;
}

/** A table as a test writes it down. */
export interface TableSpec {
  /** `schema.table`. */
  readonly name: string;
  readonly columns: readonly ColumnSpec[];
  readonly key: readonly string[] | null;
  /** The rows of both sites at the start; values in the order of `columns`. */
  readonly rows?: readonly (readonly Value[])[];
  readonly obstacle?: Obstacle;
  readonly clustered?: boolean;
}

/** A stored row; never changed in place, so that a snapshot is a list of references. */
export interface HeapRow {
  /** In the order of the table's columns. */
  readonly fields: readonly Field[];
  readonly version: string;
}

/** A row and the slot in which it lies. */
export interface PlacedRow {
  readonly slot: number;
  readonly row: HeapRow;
}

/** One table on one site: slots in physical order, and an index over the key. */
export class HeapTable {
  readonly name: string;
  readonly key: readonly string[] | null;
  readonly clustered: boolean;
  /** Slots whose row the index has lost: a corrupt index. */
  readonly hidden = new Set<number>();
  /** Slots that cannot be read at all: a corrupt page. */
  readonly damaged = new Set<number>();
  obstacle: Obstacle | null;
  /** Rises with every change of the definition. */
  generation = 1;
  #columns: readonly ColumnSpec[];
  #keyColumns: readonly number[];
  #rows = 0;
  #bytes = 0;
  /** In key order; null: a row was written since. */
  #byKey: readonly PlacedRow[] | null = null;
  readonly #heap: (HeapRow | null)[] = [];
  readonly #free = new Set<number>();
  readonly #index = new Map<string, number[]>();

  constructor(spec: TableSpec) {
    this.name = spec.name;
    this.key = spec.key;
    this.clustered = spec.clustered ?? false;
    this.obstacle = spec.obstacle ?? null;
    this.#columns = spec.columns;
    this.#keyColumns = (spec.key ?? []).map((name) => this.columnIndex(name));
  }

  get columns(): readonly ColumnSpec[] {
    return this.#columns;
  }

  get rowCount(): number {
    return this.#rows;
  }

  /** Slots in use or once used: the end of the heap. */
  get slots(): number {
    return this.#heap.length;
  }

  /** Throws a RangeError when there is no such column. */
  columnIndex(name: string): number {
    const index = this.#columns.findIndex((column) => column.name === name);
    if (index < 0) throw new RangeError(`table ${this.name} has no column ${name}`);
    return index;
  }

  /** Stored fields from values in the order of the columns. */
  fieldsFrom(values: readonly Value[]): readonly Field[] {
    return this.#columns.map((column, index) => toField(values[index] ?? null, column.type));
  }

  row(slot: number): HeapRow | null {
    return this.#heap[slot] ?? null;
  }

  /** Every row in physical order. */
  placedRows(): PlacedRow[] {
    return this.placedBetween(0, this.#heap.length);
  }

  /** Mean bytes of a row with its framing; 0 for none. */
  get averageRowBytes(): number {
    return this.#rows === 0 ? 0 : Math.ceil(this.#bytes / this.#rows);
  }

  /** Every row that the index has, in key order; rows with one key in physical order. */
  rowsByKey(): readonly PlacedRow[] {
    this.#byKey ??= this.placedRows()
      .map((placed) => ({ placed, key: this.keyFields(placed.row.fields) }))
      .sort((a, b) => this.compareKeys(a.key, b.key) || a.placed.slot - b.placed.slot)
      .map(({ placed }) => placed);
    if (this.hidden.size === 0) return this.#byKey;
    return this.#byKey.filter(({ slot }) => !this.hidden.has(slot));
  }

  /** The rows in [from, to) in physical order. */
  placedBetween(from: number, to: number): PlacedRow[] {
    const rows: PlacedRow[] = [];
    for (let slot = from; slot < Math.min(to, this.#heap.length); slot++) {
      const row = this.#heap[slot];
      if (row) rows.push({ slot, row });
    }
    return rows;
  }

  /** Takes a slot out of the free ones: an old one or a new one at the end. Give it to `put` or `release`. */
  allocate(random: Random): number {
    const reused = random.chance(0.5) ? this.#free.values().next() : null;
    if (reused !== null && reused.done !== true) {
      this.#free.delete(reused.value);
      return reused.value;
    }
    return this.#heap.push(null) - 1;
  }

  release(slot: number): void {
    this.#free.add(slot);
  }

  /** Stores a row in a slot, or empties it. */
  put(slot: number, row: HeapRow | null): void {
    while (this.#heap.length <= slot) this.#free.add(this.#heap.push(null) - 1);
    const old = this.#heap[slot] ?? null;
    if (old !== null) this.#unindex(slot, old);
    this.hidden.delete(slot);
    this.#rows += Number(row !== null) - Number(old !== null);
    this.#bytes += bytesOf(row) - bytesOf(old);
    this.#byKey = null;
    this.#heap[slot] = row;
    if (row === null) {
      this.#free.add(slot);
      return;
    }
    this.#free.delete(slot);
    if (this.key === null) return;
    const key = this.keyOf(row.fields);
    const slots = this.#index.get(key);
    if (slots === undefined) this.#index.set(key, [slot]);
    else slots.push(slot);
  }

  #unindex(slot: number, row: HeapRow): void {
    if (this.key === null) return;
    const key = this.keyOf(row.fields);
    const left = (this.#index.get(key) ?? []).filter((other) => other !== slot);
    if (left.length === 0) this.#index.delete(key);
    else this.#index.set(key, left);
  }

  keyFields(fields: readonly Field[]): Field[] {
    return this.#keyColumns.map((column) => fields[column] ?? null);
  }

  /** The key as a map's key. */
  keyOf(fields: readonly Field[]): string {
    return nameOfKey(this.keyFields(fields));
  }

  slotsOfKey(key: string): readonly number[] {
    return this.#index.get(key) ?? [];
  }

  /** Order of two keys, each as its fields. */
  compareKeys(a: readonly Field[], b: readonly Field[]): number {
    for (const [at, column] of this.#keyColumns.entries()) {
      const order = compareFields(a[at] ?? null, b[at] ?? null, this.#columns[column]?.type ?? 'bytea');
      if (order !== 0) return order;
    }
    return 0;
  }

  /** Adds a column with one value in every row, as ADD COLUMN … DEFAULT does: versions stay. */
  addColumn(column: ColumnSpec, value: Value): void {
    const field = toField(value, column.type);
    this.#columns = [...this.#columns, column];
    this.generation += 1;
    this.#rewrite((fields) => [...fields, field]);
  }

  /** Drops a column that is not part of the key. Throws a RangeError otherwise. */
  dropColumn(name: string): void {
    const at = this.columnIndex(name);
    if (this.key?.includes(name)) throw new RangeError(`column ${name} is part of the key`);
    this.#columns = this.#columns.filter((_, index) => index !== at);
    this.#keyColumns = (this.key ?? []).map((key) => this.columnIndex(key));
    this.generation += 1;
    this.#rewrite((fields) => fields.filter((_, index) => index !== at));
  }

  #rewrite(change: (fields: readonly Field[]) => readonly Field[]): void {
    for (const [slot, row] of this.#heap.entries()) {
      if (!row) continue;
      const rewritten = { fields: change(row.fields), version: row.version };
      this.#bytes += bytesOf(rewritten) - bytesOf(row);
      this.#heap[slot] = rewritten;
    }
    this.#byKey = null;
  }
}

function bytesOf(row: HeapRow | null): number {
  return (row?.fields ?? []).reduce((sum, field) => sum + 4 + (field?.length ?? 0), 0);
}

/** Framed key bytes as a string that a map can hold. */
export function nameOfKey(fields: readonly Field[]): string {
  return Buffer.from(frameFields(fields)).toString('latin1');
}
