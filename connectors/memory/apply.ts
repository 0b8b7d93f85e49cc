import type { Change, DefinitionChange } from './commit-log.ts';
import { nameOfKey, type HeapTable } from './heap-table.ts';
import type { Random } from './random.ts';
import type { Site } from './site.ts';
import type { Field } from './value.ts';

/** Writes a change where it was made: on the primary, and on a physical candidate. */
export function applyInPlace(site: Site, change: Change): void {
  const table = site.table(change.table);
  if (change.beforeSlot !== null) table.put(change.beforeSlot, null);
  if (change.afterSlot !== null) table.put(change.afterSlot, change.after);
}

/**
 * Applies a change as a subscriber does: the row is found by its key, or by its whole value where there is none. A row
 * that is not there is passed over. Returns false when the change cannot be applied and replication stops: a duplicate
 * key, or a column that the subscriber lacks. Puts into `undo` what takes its writes back, to be run last first.
 */
export function applyByValue(
  site: Site,
  change: Change,
  random: Random,
  version: string,
  undo: (() => void)[],
): boolean {
  const table = site.table(change.table);
  if (change.columns.some((name) => !table.columns.some((column) => column.name === name))) return false;
  const slot = change.before === null ? null : findRow(table, change, change.before.fields);
  if (change.before !== null && slot === null) return true;
  const old = slot === null ? null : table.row(slot);
  const fields = change.after === null ? null : fieldsByName(table, change, change.after.fields, old?.fields);
  if (fields !== null && table.key !== null) {
    const taken = table.slotsOfKey(table.keyOf(fields));
    if (taken.some((other) => other !== slot)) return false;
  }
  if (slot !== null) {
    undo.push(() => table.put(slot, old));
    table.put(slot, null);
  }
  if (fields !== null) {
    const target = slot !== null && random.chance(0.5) ? slot : table.allocate(random);
    if (target !== slot) undo.push(() => table.put(target, null));
    table.put(target, { fields, version });
  }
  return true;
}

export function applyDefinition(site: Site, change: DefinitionChange): void {
  const table = site.table(change.table);
  if (change.kind === 'addColumn') table.addColumn(change.column, change.value);
  else table.dropColumn(change.column);
}

/** The image's fields in the table's own column order; columns that the image lacks keep their value. */
function fieldsByName(
  table: HeapTable,
  change: Change,
  image: readonly Field[],
  old: readonly Field[] | undefined,
): Field[] {
  return table.columns.map((column, index) => {
    const at = change.columns.indexOf(column.name);
    return at < 0 ? (old?.[index] ?? null) : (image[at] ?? null);
  });
}

function findRow(table: HeapTable, change: Change, before: readonly Field[]): number | null {
  const wanted = fieldsByName(table, change, before, undefined);
  if (table.key !== null) {
    return table.slotsOfKey(table.keyOf(wanted)).find((slot) => !table.hidden.has(slot)) ?? null;
  }
  const value = nameOfKey(wanted);
  return table.placedRows().find(({ row }) => nameOfKey(row.fields) === value)?.slot ?? null;
}
