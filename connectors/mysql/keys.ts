import type { ColumnRow, IndexRow } from './catalog.ts';
import { isRangeable, type MysqlType } from './columns.ts';
import { type MysqlColumn, type MysqlKey, quoted } from './table.ts';

export interface ChosenKey extends MysqlKey {
  /** Rows are stored in its order. */
  readonly clustered: boolean;
  /** Ranges by it line up on every server of the engine whose key is ordered by the same collations. */
  readonly order: 'portable' | 'local';
}

interface Index {
  readonly name: string;
  readonly parts: readonly { readonly column: MysqlColumn; readonly descending: boolean }[];
  readonly primary: boolean;
  readonly promoted: boolean;
}

const PRIMARY = 'PRIMARY';

/**
 * The key by which rows of a table are told apart: its primary key, else the unique key that InnoDB stores the rows by,
 * else the one with the fewest columns (then by their names, so that both sites choose alike). A unique key with a
 * nullable column is none, since it lets in several rows with NULL, nor is one over a prefix or an expression, which
 * tells apart less than whole values.
 */
export function chooseKey(
  indexes: readonly IndexRow[],
  rows: readonly ColumnRow[],
  columns: readonly MysqlColumn[],
): ChosenKey | null {
  const byName = new Map(rows.map((row, at) => [row.name, { row, column: columns[at] }]));
  const groups = new Map<string, IndexRow[]>();
  for (const row of indexes) groups.set(row.index, [...(groups.get(row.index) ?? []), row]);
  const candidates: Index[] = [];
  for (const [name, parts] of groups) {
    const index = uniqueIndex(name, parts, byName);
    if (index !== null) candidates.push(index);
  }
  candidates.sort(compareIndexes);
  const [best] = candidates;
  return best === undefined ? null : keyOf(best);
}

type ColumnsByName = ReadonlyMap<
  string,
  { readonly row: ColumnRow; readonly column: MysqlColumn | undefined }
>;

function uniqueIndex(name: string, parts: readonly IndexRow[], columns: ColumnsByName): Index | null {
  const found: { column: MysqlColumn; descending: boolean }[] = [];
  let promoted = true;
  for (const part of parts) {
    const known = part.column === null ? undefined : columns.get(part.column);
    if (known?.column === undefined || known.row.nullable !== 'NO') return null;
    if (part.unique !== 'YES' || part.usable !== 'YES' || part.type !== 'BTREE' || part.prefix !== null)
      return null;
    if (known.row.indexed !== 'PRI') promoted = false;
    found.push({ column: known.column, descending: part.direction === 'D' });
  }
  return { name, parts: found, primary: name === PRIMARY, promoted };
}

/** COLUMN_KEY is PRI for the columns of a unique key that stands in for a missing primary key (manual, COLUMNS). */
function compareIndexes(a: Index, b: Index): number {
  return (
    Number(b.primary) - Number(a.primary) ||
    Number(b.promoted) - Number(a.promoted) ||
    a.parts.length - b.parts.length ||
    compareText(namesOf(a), namesOf(b))
  );
}

function namesOf(index: Index): string {
  return index.parts.map(({ column }) => column.quotedName).join();
}

function keyOf(index: Index): ChosenKey {
  const rangeColumns: MysqlColumn[] = [];
  for (const { column, descending } of index.parts) {
    if (descending || !isRangeable(column.type)) break;
    rangeColumns.push(column);
  }
  const portable = rangeColumns.length > 0 && rangeColumns.every(({ type }) => ordersPortably(type));
  return {
    quotedIndex: quoted(index.name),
    columns: index.parts.map(({ column }) => column),
    rangeColumns,
    clustered: index.primary || index.promoted,
    order: portable ? 'portable' : 'local',
  };
}

/**
 * A collation orders alike wherever it has the same name. The order of MariaDB's UUID type is not the same in all
 * versions (MDEV-29959).
 */
function ordersPortably(type: MysqlType | null): boolean {
  return type !== null && type.kind !== 'uuid';
}

/** By UTF-16 units: the same everywhere, whatever the locale. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
