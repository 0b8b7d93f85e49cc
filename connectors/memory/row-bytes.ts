import type { RowShape } from '../../src/connector/contract.ts';
import { TwinproofError } from '../../src/errors.ts';
import { frameFields, frameRow, keyFieldsOf } from '../../src/row/stream.ts';
import { nameOfKey, type HeapTable, type PlacedRow } from './heap-table.ts';
import { decodeField, encodeField, textOf, type ColumnType, type Field } from './value.ts';

const ADDRESS_BYTES = 6;

interface ShapeColumn {
  readonly name: string;
  /** Index in the table. */
  readonly at: number;
  readonly type: ColumnType;
  readonly encoding: RowShape['columns'][number]['encoding'];
}

/** Turns stored rows into the bytes of a shape, and identities back. */
export class RowBytes {
  readonly #shape: RowShape;
  readonly #table: HeapTable;
  readonly #rowsPerBlock: number;
  readonly #columns: readonly ShapeColumn[];

  /** Throws TP-DEFINITION-CHANGED when the table has lost a column of the shape. */
  constructor(shape: RowShape, table: HeapTable, rowsPerBlock: number) {
    this.#shape = shape;
    this.#table = table;
    this.#rowsPerBlock = rowsPerBlock;
    this.#columns = shape.columns.map(({ name, encoding }) => {
      const at = table.columns.findIndex((column) => column.name === name);
      const column = table.columns[at];
      if (column !== undefined) return { name, at, type: column.type, encoding };
      throw new TwinproofError('TP-DEFINITION-CHANGED', {
        message: `table ${table.name} has no column ${name}`,
      });
    });
  }

  fields(placed: PlacedRow): Field[] {
    const values = this.#columns.map(({ at, type, encoding }) =>
      encodeField(placed.row.fields[at] ?? null, type, encoding),
    );
    return this.#shape.identity === 'address' ? [this.#address(placed.slot), ...values] : values;
  }

  body(placed: PlacedRow): Uint8Array {
    return frameRow(this.fields(placed));
  }

  /** The identity of a row: its leading fields. */
  key(placed: PlacedRow): Uint8Array {
    return frameFields(this.fields(placed).slice(0, this.#shape.keyFields));
  }

  /**
   * The rows with these identities; `index` does not find what the index has lost. Throws TP-BUG for rows told apart
   * by nothing but their value.
   */
  find(keys: readonly Uint8Array[], access: 'index' | 'heap'): PlacedRow[] {
    const found = new Map<number, PlacedRow>();
    for (const slot of this.#slotsOf(keys, access)) {
      const row = this.#table.row(slot);
      if (row !== null) found.set(slot, { slot, row });
    }
    return [...found.values()];
  }

  *#slotsOf(keys: readonly Uint8Array[], access: 'index' | 'heap'): Generator<number> {
    if (this.#shape.identity === 'value') {
      throw new TwinproofError('TP-BUG', {
        message: `${this.#table.name} has no identity to look rows up by`,
      });
    }
    for (const key of keys) {
      const fields = keyFieldsOf(key);
      if (this.#shape.identity === 'address') {
        const slot = this.#slotOfAddress(fields[0] ?? null);
        if (slot !== null) yield slot;
        continue;
      }
      for (const slot of this.#table.slotsOfKey(this.#storedKey(fields))) {
        if (access === 'heap' || !this.#table.hidden.has(slot)) yield slot;
      }
    }
  }

  /** A key in the order of the table's own key columns, as its index has it. */
  #storedKey(fields: readonly Field[]): string {
    const stored = (this.#table.key ?? []).map((name) => {
      const index = this.#columns.findIndex((column) => column.name === name);
      const column = this.#columns[index];
      if (column === undefined) return null;
      return decodeField(fields[index] ?? null, column.type, column.encoding);
    });
    return nameOfKey(stored);
  }

  /** An identity as a person reads it. */
  describe(key: Uint8Array): Readonly<Record<string, string>> {
    const fields = keyFieldsOf(key);
    if (this.#shape.identity === 'address') {
      const slot = this.#slotOfAddress(fields[0] ?? null) ?? 0;
      const [block, offset] = this.#placeOf(slot);
      return { '[address]': `(${block},${offset})` };
    }
    const text: Record<string, string> = {};
    for (const [index, field] of fields.entries()) {
      const column = this.#columns[index];
      if (column === undefined) continue;
      const stored = decodeField(field, column.type, column.encoding);
      text[column.name] = stored === null ? 'NULL' : textOf(stored, column.type);
    }
    return text;
  }

  #placeOf(slot: number): [block: number, offset: number] {
    return [Math.floor(slot / this.#rowsPerBlock), (slot % this.#rowsPerBlock) + 1];
  }

  #address(slot: number): Uint8Array {
    const [block, offset] = this.#placeOf(slot);
    const bytes = new Uint8Array(ADDRESS_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, block);
    view.setUint16(4, offset);
    return bytes;
  }

  #slotOfAddress(address: Field): number | null {
    if (address?.length !== ADDRESS_BYTES) return null;
    const view = new DataView(address.buffer, address.byteOffset, ADDRESS_BYTES);
    const offset = view.getUint16(4);
    if (offset < 1 || offset > this.#rowsPerBlock) return null;
    return view.getUint32(0) * this.#rowsPerBlock + offset - 1;
  }
}
