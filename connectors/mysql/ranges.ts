import type { PlanOptions, Range, RowShape } from '../../src/connector/contract.ts';
import { TwinproofError } from '../../src/errors.ts';
import { frameFields, keyFieldsOf } from '../../src/row/stream.ts';
import type { MysqlType } from './columns.ts';
import { nativeLiteral } from './literals.ts';
import { selectList, type ShapeSql, shapeSql } from './shape-sql.ts';
import { handleOf, type MysqlColumn, type MysqlTable } from './table.ts';
import type { WireOperation } from './wire-row.ts';

/**
 * A key range and a slice are both a range over the index by which rows are told apart: InnoDB stores rows in that
 * order. A bound is the values of the index's leading columns, as the wire has them, framed and in hexadecimal,
 * whatever encoding the rows are read in.
 */

/** A query of the reading sessions: all values stand in the SQL as literals. */
export interface RowQuery {
  readonly sql: string;
  readonly operations: readonly WireOperation[];
}

/** A column that ranges are cut by. */
export interface BoundColumn {
  readonly column: MysqlColumn;
  readonly type: MysqlType;
}

/** Values of bound columns as SQL literals. */
export type Bound = readonly string[];

/**
 * The columns that bounds are made of. Both sites of a pair read key ranges by bounds from the primary, so these are
 * the shape's key in the shape's order; slices are each site's own.
 */
export function boundColumns(shape: RowShape, kind: Range['kind']): BoundColumn[] {
  const { key } = handleOf(shape.table);
  const cutBy = key?.rangeColumns ?? [];
  if (kind !== 'key') return cutBy.flatMap(withType);
  const names = shape.columns.slice(0, shape.keyFields).map(({ name }) => name);
  const byName = new Map(cutBy.map((column) => [column.name, column]));
  const columns: BoundColumn[] = [];
  for (const name of names) {
    const column = byName.get(name);
    if (column === undefined) break;
    columns.push(...withType(column));
  }
  return columns;
}

function withType(column: MysqlColumn): BoundColumn[] {
  return column.type === null ? [] : [{ column, type: column.type }];
}

/** Ranges between cuts in the order of the key; the first and the last are open. `rows` has one number for each. */
export function rangesBetween(
  shape: RowShape,
  kind: PlanOptions['kind'],
  cuts: readonly string[],
  rows: readonly number[],
): Range[] {
  const whole = { table: shape.table.name, kind, id: '-', from: null, to: null, rowsEstimate: 0 };
  return partsOf(whole, cuts, (at) => rows[at] ?? 0);
}

/** The parts of a range between cuts that lie within it. */
export function partsOf(range: Range, cuts: readonly string[], rowsOf: (part: number) => number): Range[] {
  const { table, kind } = range;
  const bounds = [range.from, ...cuts, range.to];
  return bounds.slice(1).map((to, at) => {
    const from = bounds[at] ?? null;
    return { table, kind, id: idOf(from, to), from, to, rowsEstimate: rowsOf(at) };
  });
}

function idOf(from: string | null, to: string | null): string {
  return `${from ?? ''}-${to ?? ''}`;
}

export function cutOf(values: readonly Uint8Array[]): string {
  return Buffer.from(frameFields(values)).toString('hex');
}

/** The rows of a range. */
export function rangeQuery(shape: RowShape, range: Range): RowQuery {
  const sql = shapeSql(shape);
  const columns = boundColumns(shape, range.kind);
  const where = whereOf([
    ...fromCondition(columns, range.from === null ? null : boundOf(columns, range.from)),
    ...toCondition(columns, range.to === null ? null : boundOf(columns, range.to)),
  ]);
  // Equal rows in equal order cost less to compare, and this is the order in which they are stored.
  const order = range.kind === 'key' ? orderBy(columns, '') : '';
  return selectOf(sql, where, order);
}

/** The identities of all rows; of a table without a key as many rows without a column. */
export function keysQuery(shape: RowShape): RowQuery {
  const sql = shapeSql(shape);
  return selectOf({ ...sql, columns: sql.columns.slice(0, shape.keyFields) }, '', '');
}

function selectOf(sql: ShapeSql, where: string, order: string): RowQuery {
  const { list, operations } = selectList(sql.columns);
  return { sql: `select ${list} from ${fromTable(sql.table)}${where}${order}`, operations };
}

/** The table, read along its key: the optimizer might prefer a smaller index that happens to have all columns. */
export function fromTable(table: MysqlTable): string {
  return table.key === null
    ? table.qualifiedName
    : `${table.qualifiedName} force index (${table.key.quotedIndex})`;
}

/** Literals for a range's bound. Throws TP-DEFINITION-CHANGED when the key has become another. */
export function boundOf(columns: readonly BoundColumn[], bound: string): Bound {
  const values = keyFieldsOf(Buffer.from(bound, 'hex'));
  if (values.length > columns.length) {
    throw new TwinproofError('TP-DEFINITION-CHANGED', {
      message: 'a range was planned along another key than the table has',
      retryable: true,
    });
  }
  return values.map((value, at) => {
    const column = columns[at];
    if (value === null || column === undefined) {
      throw new TwinproofError('TP-BUG', { message: 'a bound without a value' });
    }
    return nativeLiteral(column.type, value);
  });
}

/**
 * `(a, b) >= (x, y)`, written out: the optimizer takes a comparison of rows for no range of an index (manual, "Range
 * Optimization of Row Constructor Expressions").
 */
export function fromCondition(columns: readonly BoundColumn[], bound: Bound | null): string[] {
  return bound === null ? [] : [compare(columns, bound, '>', '>=')];
}

/** `(a, b) < (x, y)`. */
export function toCondition(columns: readonly BoundColumn[], bound: Bound | null): string[] {
  return bound === null ? [] : [compare(columns, bound, '<', '<')];
}

function compare(columns: readonly BoundColumn[], bound: Bound, strict: string, last: string): string {
  const [column, ...others] = columns;
  const [value, ...rest] = bound;
  if (column === undefined || value === undefined)
    throw new TwinproofError('TP-BUG', { message: 'no bound' });
  const name = column.column.quotedName;
  if (rest.length === 0) return `${name} ${last} ${value}`;
  const deeper = compare(others, rest, strict, last);
  return `(${name} ${strict} ${value} or (${name} = ${value} and ${deeper}))`;
}

export function whereOf(conditions: readonly string[]): string {
  return conditions.length === 0 ? '' : ` where ${conditions.join(' and ')}`;
}

export function orderBy(columns: readonly BoundColumn[], direction: '' | ' desc'): string {
  if (columns.length === 0) return '';
  return ` order by ${columns.map(({ column }) => `${column.quotedName}${direction}`).join(', ')}`;
}

export function columnList(columns: readonly BoundColumn[]): string {
  return columns.map(({ column }) => column.quotedName).join(', ');
}
