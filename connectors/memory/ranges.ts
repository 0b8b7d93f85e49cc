import type { PlanOptions, Range } from '../../src/connector/contract.ts';
import { TwinproofError } from '../../src/errors.ts';
import { frameFields, keyFieldsOf } from '../../src/row/stream.ts';
import type { HeapTable, PlacedRow } from './heap-table.ts';
import type { Field } from './value.ts';

/** Ranges that together hold every row, the first open below (by key) and the last open above. */
export function planRanges(table: HeapTable, options: PlanOptions, rowsPerBlock: number): readonly Range[] {
  const bytesPerRow = Math.max(table.averageRowBytes, 1);
  const rowsMax = Math.max(Math.min(options.rowsMax, Math.floor(options.bytesMax / bytesPerRow)), 1);
  if (options.kind === 'key') return planKeys(table, rowsMax);
  const cuts: number[] = [0];
  const counts: number[] = [0];
  for (let block = 0; block * rowsPerBlock < table.slots; block++) {
    const rows = table.placedBetween(block * rowsPerBlock, (block + 1) * rowsPerBlock).length;
    const last = counts.length - 1;
    const sum = (counts[last] ?? 0) + rows;
    if (sum > rowsMax && block > (cuts[last] ?? 0)) {
      cuts.push(block);
      counts.push(rows);
    } else {
      counts[last] = sum;
    }
  }
  return cuts.map((from, index) =>
    makeRange(table, options.kind, String(from), textOrNull(cuts[index + 1]), counts[index] ?? 0),
  );
}

function planKeys(table: HeapTable, rowsMax: number): readonly Range[] {
  const rows = rowsByKey(table);
  const starts: (string | null)[] = [null];
  for (let at = rowsMax; at < rows.length; at += rowsMax) {
    const text = keyText(table, rows[at]);
    if (text !== starts.at(-1)) starts.push(text);
  }
  return starts.map((from, index) =>
    makeRange(
      table,
      'key',
      from,
      starts[index + 1] ?? null,
      Math.min(rowsMax, rows.length - index * rowsMax),
    ),
  );
}

/** Two halves of a range, or nothing when it is one block or one key. */
export function splitRange(table: HeapTable, range: Range, rowsPerBlock: number): readonly Range[] {
  const middle = range.kind === 'key' ? middleKey(table, range) : middleBlock(table, range, rowsPerBlock);
  if (middle === null) return [];
  const half = Math.ceil(range.rowsEstimate / 2);
  return [
    makeRange(table, range.kind, range.from, middle, half),
    makeRange(table, range.kind, middle, range.to, range.rowsEstimate - half),
  ];
}

function middleBlock(table: HeapTable, range: Range, rowsPerBlock: number): string | null {
  const from = Number(range.from ?? 0);
  const to = range.to === null ? Math.ceil(table.slots / rowsPerBlock) : Number(range.to);
  return to - from < 2 ? null : String(from + Math.floor((to - from) / 2));
}

function middleKey(table: HeapTable, range: Range): string | null {
  const rows = rowsInRange(table, range, 1);
  const middle = keyText(table, rows[Math.floor(rows.length / 2)]);
  return middle === keyText(table, rows[0]) ? null : middle;
}

/** The rows of a range as they are now: by key in key order, else in physical order. */
export function rowsInRange(table: HeapTable, range: Range, rowsPerBlock: number): readonly PlacedRow[] {
  if (range.kind !== 'key') {
    const from = Number(range.from ?? 0) * rowsPerBlock;
    const to = range.to === null ? Number.POSITIVE_INFINITY : Number(range.to) * rowsPerBlock;
    return table.placedBetween(from, to);
  }
  const rows = rowsByKey(table);
  const [from, to] = [keyOfText(range.from), keyOfText(range.to)];
  return rows.slice(
    from === null ? 0 : firstNotBefore(table, rows, from),
    to === null ? rows.length : firstNotBefore(table, rows, to),
  );
}

/** Where in `rows`, which are in key order, the first one stands whose key is `key` or comes after it. */
function firstNotBefore(table: HeapTable, rows: readonly PlacedRow[], key: readonly Field[]): number {
  let [from, to] = [0, rows.length];
  while (from < to) {
    const middle = (from + to) >> 1;
    const order = table.compareKeys(table.keyFields(rows[middle]?.row.fields ?? []), key);
    if (order < 0) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** In key order, through the index: without the rows that it has lost. */
function rowsByKey(table: HeapTable): readonly PlacedRow[] {
  if (table.key === null) {
    throw new TwinproofError('TP-BUG', { message: `table ${table.name} has no key to read it by` });
  }
  return table.rowsByKey();
}

function keyText(table: HeapTable, placed: PlacedRow | undefined): string | null {
  if (placed === undefined) return null;
  return Buffer.from(frameFields(table.keyFields(placed.row.fields))).toString('base64');
}

function keyOfText(text: string | null): readonly Field[] | null {
  return text === null ? null : keyFieldsOf(Buffer.from(text, 'base64'));
}

function textOrNull(value: number | undefined): string | null {
  return value === undefined ? null : String(value);
}

function makeRange(
  table: HeapTable,
  kind: Range['kind'],
  from: string | null,
  to: string | null,
  rows: number,
): Range {
  return {
    table: table.name,
    kind,
    id: `${kind} ${from ?? ''}..${to ?? ''}`,
    from,
    to,
    rowsEstimate: rows,
  };
}
