import { frameFields } from '../../src/row/stream.ts';
import type { HeapTable, PlacedRow } from './heap-table.ts';
import type { Random } from './random.ts';
import { toField, type Field, type Value } from './value.ts';

/**
 * A change behind replication's back. `row` counts the table's rows in physical order, modulo their number. `keep`
 * leaves the row's version as it was, as a flipped bit does; `swap` exchanges one column's values between two rows;
 * `duplicate` stores a row twice, past the unique index.
 */
export type Tampering =
  | {
      readonly kind: 'update';
      readonly table: string;
      readonly row: number;
      readonly column: string;
      readonly value: Value;
      readonly version: 'keep' | 'new';
    }
  | { readonly kind: 'delete'; readonly table: string; readonly row: number }
  | { readonly kind: 'insert'; readonly table: string; readonly values: readonly Value[] }
  | { readonly kind: 'duplicate'; readonly table: string; readonly row: number }
  | {
      readonly kind: 'swap';
      readonly table: string;
      readonly row: number;
      readonly other: number;
      readonly column: string;
    };

/**
 * Does it to a table. Returns the slots whose rows are now others; none when nothing changed: no such row, the same
 * value, a key that is taken.
 */
export function tamper(
  table: HeapTable,
  tampering: Tampering,
  random: Random,
  version: string,
): readonly number[] {
  const rows = table.placedRows();
  switch (tampering.kind) {
    case 'insert': {
      const fields = table.fieldsFrom(tampering.values);
      if (!keyIsFree(table, fields, null)) return [];
      const slot = table.allocate(random);
      table.put(slot, { fields, version });
      return [slot];
    }
    case 'delete': {
      const target = rowAt(rows, tampering.row);
      if (target !== null) table.put(target.slot, null);
      return target === null ? [] : [target.slot];
    }
    case 'duplicate': {
      const target = rowAt(rows, tampering.row);
      if (target === null) return [];
      const slot = table.allocate(random);
      table.put(slot, target.row);
      return [slot];
    }
    case 'update': {
      const target = rowAt(rows, tampering.row);
      if (target === null) return [];
      const field = toField(tampering.value, columnType(table, tampering.column));
      const next = tampering.version === 'keep' ? target.row.version : version;
      return replace(table, target, tampering.column, field, next);
    }
    default: {
      const [one, other] = [rowAt(rows, tampering.row), rowAt(rows, tampering.other)];
      if (one === null || other === null || table.key?.includes(tampering.column)) return [];
      const at = table.columnIndex(tampering.column);
      const [left, right] = [one.row.fields[at] ?? null, other.row.fields[at] ?? null];
      const first = replace(table, one, tampering.column, right, one.row.version);
      return [...first, ...replace(table, other, tampering.column, left, other.row.version)];
    }
  }
}

function replace(
  table: HeapTable,
  target: PlacedRow,
  column: string,
  field: Field,
  version: string,
): readonly number[] {
  const at = table.columnIndex(column);
  const fields = target.row.fields.with(at, field);
  if (sameBytes(fields, target.row.fields) || !keyIsFree(table, fields, target.slot)) return [];
  table.put(target.slot, { fields, version });
  return [target.slot];
}

function keyIsFree(table: HeapTable, fields: readonly Field[], except: number | null): boolean {
  if (table.key === null) return true;
  if (table.keyFields(fields).includes(null)) return false;
  return table.slotsOfKey(table.keyOf(fields)).every((slot) => slot === except);
}

function columnType(table: HeapTable, column: string): 'int8' | 'text' | 'bytea' {
  return table.columns[table.columnIndex(column)]?.type ?? 'bytea';
}

function rowAt(rows: readonly PlacedRow[], index: number): PlacedRow | null {
  return rows.length === 0 ? null : (rows[index % rows.length] ?? null);
}

function sameBytes(a: readonly Field[], b: readonly Field[]): boolean {
  return Buffer.compare(frameFields(a), frameFields(b)) === 0;
}
