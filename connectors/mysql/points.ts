import type { FoundRow, RowShape } from '../../src/connector/contract.ts';
import { TwinproofError } from '../../src/errors.ts';
import { fieldsOf, frameFields, keyFieldsOf } from '../../src/row/stream.ts';
import { fromTable, type RowQuery } from './ranges.ts';
import { type ColumnSql, comparand, literalsOf, selectList, type ShapeSql, shapeSql } from './shape-sql.ts';

/** Keys of one statement: fewer than MariaDB makes a join of (in_predicate_conversion_threshold, 1000). */
const KEYS_AT_ONCE = 900;
/** Characters of one statement's literals: far below the least max_allowed_packet that servers come with. */
const LITERALS_LENGTH_MAX = 1_000_000;

/**
 * The queries that find rows by key.
 *
 * `index` goes through the key's index. `heap` scans the table: InnoDB keeps its rows in the leaves of the clustered
 * index, and a scan walks them from the left to the right, so it finds a row that no path from the root leads to. What
 * it does not see is a leaf that has dropped out of that chain.
 */
export function* pointQueries(
  shape: RowShape,
  keys: readonly Uint8Array[],
  access: 'index' | 'heap',
): Generator<RowQuery> {
  if (shape.identity !== 'key') {
    throw new TwinproofError('TP-BUG', {
      message: `${shape.table.name} has no identity to look rows up by`,
    });
  }
  const sql = shapeSql(shape);
  const { list, operations } = selectList(sql.columns);
  const from = access === 'index' ? fromTable(sql.table) : `${sql.table.qualifiedName} use index ()`;
  for (const some of batches(sql, keys)) {
    yield { sql: `select ${list} from ${from} where ${anyOf(sql, some)}`, operations };
  }
}

/** For each key column what it may be equal to. */
type KeyLiterals = readonly (readonly string[])[];

/** The literals of keys, each batch for one statement. A key that no row can have is left out. */
function* batches({ keys: columns }: ShapeSql, keys: readonly Uint8Array[]): Generator<KeyLiterals[]> {
  let batch: KeyLiterals[] = [];
  let length = 0;
  for (const key of keys) {
    const literals = keyLiterals(columns, key);
    if (literals === null) continue;
    const size = literals.flat().join().length;
    if (batch.length >= KEYS_AT_ONCE || (batch.length > 0 && length + size > LITERALS_LENGTH_MAX)) {
      yield batch;
      batch = [];
      length = 0;
    }
    batch.push(literals);
    length += size;
  }
  if (batch.length > 0) yield batch;
}

function keyLiterals(columns: readonly ColumnSql[], key: Uint8Array): KeyLiterals | null {
  const values = keyFieldsOf(key);
  const found: (readonly string[])[] = [];
  for (const [at, column] of columns.entries()) {
    const value = values[at] ?? null;
    const literals = value === null ? null : literalsOf(column, value);
    if (literals === null) return null;
    found.push(literals);
  }
  return found;
}

/** Kinds whose values a list may hold: the server looks them up in a sorted list, compared as the column is. */
const LISTED: ReadonlySet<ColumnSql['type']['kind']> = new Set([
  'integer',
  'decimal',
  'bit',
  'text',
  'bytes',
]);

/** The condition that a row has one of the keys. */
function anyOf({ keys: columns }: ShapeSql, keys: readonly KeyLiterals[]): string {
  const [single] = columns;
  if (columns.length === 1 && single !== undefined && LISTED.has(single.type.kind)) {
    return `${comparand(single)} in (${keys.flat(2).join(', ')})`;
  }
  const names = columns.map(comparand);
  const conditions = keys.map((literals) => {
    const equal = literals.map((each, at) => {
      const name = names[at] ?? '';
      return each.length === 1 ? `${name} = ${each[0]}` : `${name} in (${each.join(', ')})`;
    });
    return `(${equal.join(' and ')})`;
  });
  return conditions.join(' or ');
}

/** The set of keys that was asked for: a collation also finds others, such as 'A' for 'a'. */
export class AskedKeys {
  readonly #names: ReadonlySet<string>;

  constructor(keys: readonly Uint8Array[]) {
    this.#names = new Set(keys.map(nameOf));
  }

  /** The row, or null when its key is another one in its bytes. */
  rowOf(body: Uint8Array, shape: RowShape): FoundRow | null {
    const key = frameFields(fieldsOf(body).slice(0, shape.keyFields));
    return this.#names.has(nameOf(key)) ? { key, row: body, version: null } : null;
  }
}

function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}
