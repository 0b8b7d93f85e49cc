import type { PlanOptions, Range, RowShape } from '../../src/connector/contract.ts';
import { TwinproofError } from '../../src/errors.ts';
import { fieldsOf, frameFields, keyFieldsOf } from '../../src/row/stream.ts';
import { fromLeaf, fromTable, parameterOid, selectList, type ShapeSql, shapeSql } from './shape-sql.ts';
import type { BinaryParameter } from './messages.ts';
import { handleOf, type PostgresLeaf, type PostgresTable } from './table.ts';

/** A query that reads a range, and how the session has to be set for it. */
export interface RangeQuery {
  readonly sql: string;
  readonly parameters: readonly BinaryParameter[];
  readonly mode: 'scan' | 'key';
}

/** Assumed where there are no statistics: a page of small rows. */
const ROWS_PER_BLOCK = 60;
/** Pages sampled for each range of a key plan: of one that is in key order a twentieth. */
const PAGES_PER_RANGE = 8;
/** Names that no key column is likely to have: they stand beside the key's. */
const NUMBER = '"twinproof row number"';
const COUNT = '"twinproof row count"';

/**
 * Block ranges over every leaf; the last of each leaf is open, since the table may grow while it is read. `from` and
 * `to` are `oid:block`; on a physical pair both mean the same on the other site.
 */
export function blockRanges(shape: RowShape, table: PostgresTable, options: PlanOptions): Range[] {
  const ranges: Range[] = [];
  for (const leaf of table.leaves) {
    const step = blocksPerRange(leaf, table.blockSize, options);
    const rowsPerBlock = leaf.blocks === 0 ? 0 : Math.max(0, leaf.rowsEstimate) / leaf.blocks;
    for (let from = 0; from === 0 || from < leaf.blocks; from += step) {
      const last = from + step >= leaf.blocks;
      ranges.push({
        table: shape.table.name,
        kind: options.kind,
        id: `${leaf.name}@${from}-${last ? '' : from + step}`,
        from: `${leaf.oid}:${from}`,
        to: last ? null : `${leaf.oid}:${from + step}`,
        rowsEstimate: Math.round(rowsPerBlock * (Math.min(from + step, leaf.blocks) - from)),
      });
    }
  }
  return ranges;
}

/** Blocks that hold about the allowed rows and bytes, values kept out of line included. */
export function blocksPerRange(
  leaf: Pick<PostgresLeaf, 'blocks' | 'rowsEstimate' | 'toastBytes'>,
  blockSize: number,
  options: Pick<PlanOptions, 'rowsMax' | 'bytesMax'>,
): number {
  const blocks = Math.max(1, leaf.blocks);
  const rowsPerBlock = leaf.rowsEstimate > 0 ? leaf.rowsEstimate / blocks : ROWS_PER_BLOCK;
  const bytesPerBlock = blockSize + leaf.toastBytes / blocks;
  const most = Math.min(options.rowsMax / rowsPerBlock, options.bytesMax / bytesPerBlock);
  return Math.max(1, Math.floor(most));
}

/** The size of the leaf that a block range lies in: where an open range ends by now. */
export function leafBlocksQuery(
  shape: RowShape,
  range: Range,
): { readonly sql: string; readonly parameters: readonly number[] } {
  const { table, leaf } = leafOf(shape, range);
  return {
    sql: 'select (pg_catalog.pg_relation_size($1::oid::regclass) / $2::int8)::float8 as blocks',
    parameters: [leaf.oid, table.blockSize],
  };
}

/** Two halves of a block range, `blocks` being the size of its leaf now; none when it is one block. */
export function halveBlocks(shape: RowShape, range: Range, blocks: number): Range[] {
  const { leaf, from } = leafOf(shape, range);
  const to = blockBound(range.to)?.block ?? blocks;
  const middle = from + Math.floor((to - from) / 2);
  if (middle <= from) return [];
  const rowsEstimate = Math.ceil(range.rowsEstimate / 2);
  const bound = `${leaf.oid}:${middle}`;
  const end = range.to === null ? '' : to;
  return [
    { ...range, id: `${leaf.name}@${from}-${middle}`, to: bound, rowsEstimate },
    { ...range, id: `${leaf.name}@${middle}-${end}`, from: bound, rowsEstimate },
  ];
}

/** Samples keys to cut the table into key ranges; the answer's rows are the bounds in key order. */
export function keySampleQuery(
  shape: RowShape,
  table: PostgresTable,
  options: PlanOptions,
): RangeQuery | null {
  const rows = Math.max(0, shape.table.rowsEstimate);
  const bytes = Math.max(0, shape.table.bytesEstimate);
  // Bytes are those on disk: they hold where statistics are stale.
  const ranges = Math.ceil(Math.max(rows / options.rowsMax, bytes / options.bytesMax));
  if (ranges <= 1) return null;
  const sql = shapeSql(shape);
  const keys = sql.keys.map(({ column }) => column.quotedName).join(', ');
  const blocks = table.leaves.reduce((sum, leaf) => sum + leaf.blocks, 0);
  const percent = Math.min(100, (ranges * PAGES_PER_RANGE * 100) / Math.max(1, blocks));
  // A sample of whole pages is cheap; small tables are read in full. Repeatable: a run that is taken up again has to
  // plan the same ranges, or nothing that was proven could be taken over.
  const from =
    percent >= 50
      ? fromTable(table)
      : `${fromTable(table)} tablesample system (${percent.toFixed(4)}) repeatable (0)`;
  return {
    sql: `select ${keys} from (select ${keys}, row_number() over (order by ${keys}) as ${NUMBER},
      count(*) over () as ${COUNT} from ${from}) as sample
      where ${NUMBER} % greatest(1, ${COUNT} / ${ranges}) = 0 order by ${keys}`,
    parameters: [],
    mode: 'scan',
  };
}

/** Key ranges between bounds (row bodies in key order); the first and the last are open. */
export function keyRanges(shape: RowShape, bounds: readonly Uint8Array[]): Range[] {
  const cuts: (string | null)[] = [null];
  for (const body of bounds) {
    const cut = Buffer.from(frameFields(fieldsOf(body))).toString('hex');
    if (cut !== cuts.at(-1)) cuts.push(cut);
  }
  cuts.push(null);
  const rowsEstimate = Math.round(Math.max(0, shape.table.rowsEstimate) / (cuts.length - 1));
  const ranges: Range[] = [];
  for (let i = 0; i + 1 < cuts.length; i++) {
    const from = cuts[i] ?? null;
    const to = cuts[i + 1] ?? null;
    ranges.push({
      table: shape.table.name,
      kind: 'key',
      id: `${from ?? ''}-${to ?? ''}`,
      from,
      to,
      rowsEstimate,
    });
  }
  return ranges;
}

/** The rows of a range. */
export function rangeQuery(shape: RowShape, range: Range): RangeQuery {
  const sql = shapeSql(shape);
  return range.kind === 'key' ? keyQuery(shape, sql, range) : blockQuery(shape, sql, range);
}

function blockQuery(shape: RowShape, sql: ShapeSql, range: Range): RangeQuery {
  const { leaf, from } = leafOf(shape, range);
  const to = blockBound(range.to);
  // A bound at the first block is left out: then a table without statistics is not misjudged.
  const conditions: string[] = [];
  if (from > 0) conditions.push(`ctid >= '(${from},0)'::pg_catalog.tid`);
  if (to !== null) conditions.push(`ctid < '(${to.block},0)'::pg_catalog.tid`);
  const where = conditions.length > 0 ? ` where ${conditions.join(' and ')}` : '';
  return {
    sql: `select ${selectList(shape, sql)} from ${fromLeaf(leaf)}${where}`,
    parameters: [],
    mode: 'scan',
  };
}

/** The table, the piece of it that a block range lies in, and the range's first block. */
function leafOf(
  shape: RowShape,
  range: Range,
): { readonly table: PostgresTable; readonly leaf: PostgresLeaf; readonly from: number } {
  const table = handleOf(shape.table);
  const from = blockBound(range.from);
  const leaf = table.leaves.find(({ oid }) => oid === from?.oid);
  if (from === null || leaf === undefined) {
    throw new TwinproofError('TP-DEFINITION-CHANGED', {
      message: `${shape.table.name}: a partition that was to be read is not there`,
      retryable: true,
    });
  }
  return { table, leaf, from: from.block };
}

function blockBound(bound: string | null): { readonly oid: number; readonly block: number } | null {
  if (bound === null) return null;
  const [oid, block] = bound.split(':').map(Number);
  if (
    oid === undefined ||
    block === undefined ||
    !Number.isSafeInteger(oid) ||
    !Number.isSafeInteger(block)
  ) {
    throw new TwinproofError('TP-BUG', { message: `"${bound}" is not a block bound` });
  }
  return { oid, block };
}

function keyQuery(shape: RowShape, sql: ShapeSql, range: Range): RangeQuery {
  const { where, parameters } = keyCondition(sql, range);
  const bounded = parameters.length > 0;
  // Equal rows in equal order cost less to compare; the session leaves the planner only the index.
  const order = bounded ? ` order by ${keyList(sql)}` : '';
  return {
    sql: `select ${selectList(shape, sql)} from ${fromTable(sql.table)}${where}${order}`,
    parameters,
    mode: bounded ? 'key' : 'scan',
  };
}

function keyList(sql: ShapeSql): string {
  return sql.keys.map(({ column }) => column.quotedName).join(', ');
}

function keyCondition(sql: ShapeSql, range: Range): { where: string; parameters: BinaryParameter[] } {
  const parameters: BinaryParameter[] = [];
  const conditions: string[] = [];
  for (const [bound, operator] of [
    [range.from, '>='],
    [range.to, '<'],
  ] as const) {
    if (bound === null) continue;
    const fields = keyFieldsOf(Buffer.from(bound, 'hex'));
    const places = sql.keys.map((key, index) => {
      parameters.push({ typeOid: parameterOid(key), value: fields[index] ?? null });
      return `$${parameters.length}`;
    });
    conditions.push(`(${keyList(sql)}) ${operator} (${places.join(', ')})`);
  }
  return { where: conditions.length > 0 ? ` where ${conditions.join(' and ')}` : '', parameters };
}

/** The keys that cut a range into parts of `rowsMax` rows: for a range that proved too large. */
export function splitQuery(shape: RowShape, range: Range, rowsMax: number): RangeQuery {
  const sql = shapeSql(shape);
  const keys = keyList(sql);
  const { where, parameters } = keyCondition(sql, range);
  return {
    sql: `select ${keys} from (select ${keys}, row_number() over (order by ${keys}) as ${NUMBER}
      from ${fromTable(sql.table)}${where}) as numbered where ${NUMBER} % ${rowsMax} = 0 order by ${keys}`,
    parameters,
    mode: 'key',
  };
}

/** The parts of a range between the cuts that splitQuery found. */
export function splitAt(shape: RowShape, range: Range, cuts: readonly Uint8Array[]): Range[] {
  const parts = keyRanges(shape, cuts);
  const first = parts[0];
  const last = parts.at(-1);
  if (first === undefined || last === undefined || parts.length < 2) return [];
  parts[0] = { ...first, from: range.from, id: `${range.from ?? ''}-${first.to ?? ''}` };
  parts[parts.length - 1] = { ...last, to: range.to, id: `${last.from ?? ''}-${range.to ?? ''}` };
  return parts;
}
