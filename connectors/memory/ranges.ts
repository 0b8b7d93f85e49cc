import type { PlanOptions, Range } from '../../src/connector/contract.ts';
import { TwinproofError } from '../../src/errors.ts';
import { frameFields, keyFieldsOf } from '../../src/row/stream.ts';
import type { HeapTable, PlacedRow } from './heap-table.ts';
import { averageRowBytes } from './site.ts';
import type { Field } from './value.ts';

/** Ranges that together hold every row, the first open below (by key) and the last open above. */
export function planRanges(table: HeapTable, options: PlanOptions, rowsPerBlock: number): readonly Range[] {
  const bytesPerRow = Math.max(averageRowBytes(table.placedRows()), 1);
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
  const from = keyOfText(range.from);
  const to = keyOfText(range.to);
  return rowsByKey(table).filter(({ row }) => {
    const key = table.keyFields(row.fields);
    return (
      (from === null || table.compareKeys(key, from) >= 0) && (to === null || table.compareKeys(key, to) < 0)
    );
  });
}

/** In key order, through the index: without the rows that it has lost. */
function rowsByKey(table: HeapTable): PlacedRow[] {
  if (table.key === null) {
    throw new TwinproofError('TP-BUG', { message: `table ${table.name} has no key to read it by` });
  }
  const rows = table.placedRows().filter(({ slot }) => !table.hidden.has(slot));
  const keyed = rows.map((placed) => ({ placed, key: table.keyFields(placed.row.fields) }));
  keyed.sort((a, b) => table.compareKeys(a.key, b.key) || a.placed.slot - b.placed.slot);
  return keyed.map((entry) => entry.placed);
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
