import type { FoundRow, RowShape } from '../../src/connector/contract.ts';
import { TwinproofError } from '../../src/errors.ts';
import { fieldsOf, frameFields, keyFieldsOf } from '../../src/row/stream.ts';
import { fromTable, type RowQuery } from './ranges.ts';
import { equalsCondition, selectList, type ShapeSql, shapeSql } from './shape-sql.ts';

/**
 * Keys of one statement. Through the index few enough that the optimizer dives for each and MariaDB makes no join of
 * the list (in_predicate_conversion_threshold); a scan of the table takes as many as it can, for it costs one pass.
 */
const KEYS_AT_ONCE = { index: 500, heap: 20_000 } as const;
/** Characters of one statement's conditions: far below the least max_allowed_packet that servers come with. */
const CONDITION_LENGTH_MAX = 1_000_000;

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
  for (const conditions of batches(sql, keys, KEYS_AT_ONCE[access])) {
    yield { sql: `select ${list} from ${from} where ${conditions.join(' or ')}`, operations };
  }
}

/** Conditions for keys, each batch for one statement. A key that no row can have is left out. */
function* batches(sql: ShapeSql, keys: readonly Uint8Array[], most: number): Generator<string[]> {
  let batch: string[] = [];
  let length = 0;
  for (const key of keys) {
    const condition = keyCondition(sql, key);
    if (condition === null) continue;
    if (batch.length >= most || length + condition.length > CONDITION_LENGTH_MAX) {
      if (batch.length > 0) yield batch;
      batch = [];
      length = 0;
    }
    batch.push(condition);
    length += condition.length;
  }
  if (batch.length > 0) yield batch;
}

function keyCondition({ keys }: ShapeSql, key: Uint8Array): string | null {
  const values = keyFieldsOf(key);
  const conditions: string[] = [];
  for (const [at, column] of keys.entries()) {
    const value = values[at] ?? null;
    const condition = value === null ? null : equalsCondition(column, value);
    if (condition === null) return null;
    conditions.push(condition);
  }
  return `(${conditions.join(' and ')})`;
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
