import type { ColumnRow, IndexRow } from './catalog.ts';
import { ordersPortably, type TypeTable } from './columns.ts';

export interface Key {
  readonly index: IndexRow;
  readonly columns: readonly ColumnRow[];
  readonly order: 'portable' | 'local';
}

/**
 * The key by which rows of a table are told apart: its primary key, else its replica identity index, else the unique
 * key with the fewest columns (then by their names, so that both sites of a logical pair choose alike). A unique key
 * with a nullable column is none, since it lets in several rows with NULL.
 */
export function chooseKey(
  indexes: readonly IndexRow[],
  columns: readonly ColumnRow[],
  types: TypeTable,
): Key | null {
  const byNumber = new Map(columns.map((column) => [column.attnum, column]));
  const candidates = indexes
    .map((index) => ({ index, columns: keyColumns(index, byNumber) }))
    .filter((candidate) => candidate.columns !== null)
    .map(({ index, columns: found }) => ({ index, columns: found ?? [] }));
  candidates.sort((a, b) => compareKeys(a, b));
  const [best] = candidates;
  if (best === undefined) return null;
  const portable = best.columns.every(
    (column, at) =>
      best.index.defaultOrder[at] === true &&
      ordersPortably(column.typeOid, best.index.byteOrder[at] === true, types),
  );
  return { ...best, order: portable ? 'portable' : 'local' };
}

function keyColumns(index: IndexRow, byNumber: ReadonlyMap<number, ColumnRow>): ColumnRow[] | null {
  const found: ColumnRow[] = [];
  for (const attnum of index.attnums) {
    const column = byNumber.get(attnum);
    if (column === undefined || !column.notNull) return null;
    found.push(column);
  }
  return found;
}

type Candidate = Pick<Key, 'index' | 'columns'>;

function compareKeys(a: Candidate, b: Candidate): number {
  return (
    Number(b.index.primary) - Number(a.index.primary) ||
    Number(b.index.replicaIdentity) - Number(a.index.replicaIdentity) ||
    a.columns.length - b.columns.length ||
    compareText(namesOf(a), namesOf(b))
  );
}

function namesOf(candidate: Candidate): string {
  return candidate.columns.map((column) => column.quoted).join();
}

/** By UTF-16 units: the same everywhere, whatever the locale. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
