import { frameFields } from '../../src/row/stream.ts';
import type { HeapTable } from './heap-table.ts';
import type { Site } from './site.ts';
import type { Field } from './value.ts';

/**
 * The truth, told by comparing everything at once: names of the tables whose rows differ. On a physical pair the
 * address of a row without a key is part of it. Versions are not, and a table that one site lacks differs.
 */
export function siteDifferences(primary: Site, candidate: Site, kind: 'physical' | 'logical'): string[] {
  const names = new Set([...primary.tables.keys(), ...candidate.tables.keys()]);
  return [...names].filter((name) => {
    const left = primary.tables.get(name);
    const right = candidate.tables.get(name);
    if (left === undefined || right === undefined) return true;
    const columns = left.columns.map((column) => column.name);
    if (right.columns.length !== columns.length) return true;
    if (columns.some((column) => !right.columns.some((other) => other.name === column))) return true;
    return content(left, columns, kind) !== content(right, columns, kind);
  });
}

function content(table: HeapTable, columns: readonly string[], kind: 'physical' | 'logical'): string {
  const order = columns.map((name) => table.columnIndex(name));
  const rows = table.placedRows().map(({ slot, row }) => {
    const fields: Field[] = order.map((at) => row.fields[at] ?? null);
    const address = kind === 'physical' && table.key === null ? `${slot} ` : '';
    return `${address}${Buffer.from(frameFields(fields)).toString('latin1')}`;
  });
  return rows.sort().join('\n');
}
