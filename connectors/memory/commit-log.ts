import type { Position, PositionOrder } from '../../src/connector/position.ts';
import type { ColumnSpec, HeapRow } from './heap-table.ts';
import type { Value } from './value.ts';

/** One row written: an insert has no `before`, a delete no `after`. */
export interface Change {
  readonly table: string;
  /** The names of the fields in both images. */
  readonly columns: readonly string[];
  readonly before: HeapRow | null;
  readonly beforeSlot: number | null;
  readonly after: HeapRow | null;
  readonly afterSlot: number | null;
}

export type DefinitionChange =
  | {
      readonly kind: 'addColumn';
      readonly table: string;
      readonly column: ColumnSpec;
      readonly value: Value;
    }
  | { readonly kind: 'dropColumn'; readonly table: string; readonly column: string };

/** One commit in the primary's log. */
export interface LogEntry {
  /** 1 for the first commit. */
  readonly sequence: number;
  /** The transaction; null for a change of a definition. */
  readonly xid: number | null;
  readonly changes: readonly Change[];
  readonly definition: DefinitionChange | null;
}

/** Bytes of an entry, for lag: a header and the images. */
export function entryBytes(entry: LogEntry): bigint {
  let bytes = 24;
  for (const change of entry.changes) {
    for (const image of [change.before, change.after]) {
      for (const field of image?.fields ?? []) bytes += 4 + (field?.length ?? 0);
    }
  }
  return BigInt(bytes);
}

/** The position behind the commit with this sequence number; 0 is the start of the log. */
export function positionAt(lineage: string, sequence: number): Position {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- here positions are made
  return `${lineage}/${sequence}` as Position;
}

/** Orders two positions of one lineage; everything else is incomparable. */
export function comparePositions(a: Position, b: Position): PositionOrder {
  const left = parsePosition(a);
  const right = parsePosition(b);
  if (left === null || right === null || left.lineage !== right.lineage) return 'incomparable';
  if (left.sequence === right.sequence) return 'equal';
  return left.sequence < right.sequence ? 'before' : 'after';
}

function parsePosition(position: Position): { lineage: string; sequence: bigint } | null {
  const match = /^(.+)\/(\d+)$/.exec(position);
  const [, lineage, sequence] = match ?? [];
  return lineage === undefined || sequence === undefined ? null : { lineage, sequence: BigInt(sequence) };
}
