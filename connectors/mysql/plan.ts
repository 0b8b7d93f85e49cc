import type { PlanOptions, Range, RowShape } from '../../src/connector/contract.ts';
import { keyFieldsOf } from '../../src/row/stream.ts';
import { type ProbeSessions, probeOf } from './probe.ts';
import { type KeyValues, planCuts } from './quantiles.ts';
import { boundColumns, cutOf, partsOf, rangesBetween } from './ranges.ts';
import { handleOf } from './table.ts';

/** Rows of a part when a range proved too large. */
const SPLIT_ROWS = 32_768;
/** Of a table that says nothing of its size: rows of a hundred bytes. */
const ROW_BYTES = 100;

/**
 * Ranges of a table, key ranges and slices alike, without reading it. A table without a key by whose values it could be
 * cut is one range.
 */
export async function planRanges(
  shape: RowShape,
  options: PlanOptions,
  sessions: ProbeSessions,
): Promise<Range[]> {
  const columns = boundColumns(shape, options.kind);
  const { rowsEstimate, bytesEstimate } = shape.table;
  const rowBytes = rowsEstimate > 0 && bytesEstimate > 0 ? bytesEstimate / rowsEstimate : ROW_BYTES;
  const rowsMax = Math.max(1, Math.floor(Math.min(options.rowsMax, options.bytesMax / rowBytes)));
  const probe = probeOf(sessions, handleOf(shape.table), columns);
  const { cuts, rows } = await planCuts(probe, columns, rowsEstimate, rowsMax);
  return rangesBetween(shape, options.kind, cuts, rows);
}

/** Cuts a range that proved too large by walking it; an empty answer means that it cannot be cut. */
export async function splitRange(shape: RowShape, range: Range, sessions: ProbeSessions): Promise<Range[]> {
  const columns = boundColumns(shape, range.kind);
  if (columns.length === 0) return [];
  const probe = probeOf(sessions, handleOf(shape.table), columns);
  const cuts: string[] = [];
  let from = keyOf(range.from);
  for (;;) {
    const found = await probe.step({ from, to: keyOf(range.to) }, SPLIT_ROWS);
    if (found === null) break;
    cuts.push(cutOf(found.above));
    from = found.above;
  }
  return cuts.length === 0 ? [] : partsOf(range, cuts, () => SPLIT_ROWS);
}

function keyOf(bound: string | null): KeyValues | null {
  return bound === null
    ? null
    : keyFieldsOf(Buffer.from(bound, 'hex')).map((value) => value ?? new Uint8Array());
}
