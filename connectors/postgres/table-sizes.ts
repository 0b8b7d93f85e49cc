import { TwinproofError } from '../../src/errors.ts';
import { readCorrelations, readSizes, type RelationRow } from './catalog.ts';
import type { Key } from './keys.ts';
import type { Session } from './session.ts';

/** Below this a table is read quickly in any order; 10,000 blocks are 80 MB. */
const SMALL_TABLE_BLOCKS = 10_000;

export interface Size {
  readonly blocks: number;
  readonly toastBytes: number;
}

/**
 * Sizes from disk. Where someone holds an exclusive lock, or a file cannot be looked at, the catalog's own, older
 * numbers do: sizes only plan the work.
 */
export async function sizesOf(
  session: Session,
  pieces: readonly RelationRow[],
  blockSize: number,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, Size>> {
  const oids = pieces.map(({ oid }) => oid);
  const sizes = new Map<number, Size>(
    pieces.map(({ oid, pages }) => [oid, { blocks: pages, toastBytes: 0 }]),
  );
  try {
    for (const { oid, main, toast } of await readSizes(session, oids, signal)) {
      sizes.set(oid, { blocks: Math.ceil((main ?? 0) / blockSize), toastBytes: toast ?? 0 });
    }
  } catch (error) {
    if (!(error instanceof TwinproofError) || error.code !== 'TP-QUERY') throw error;
  }
  return sizes;
}

/** Of the first key column, in every piece that is not small. */
export async function correlationsOf(
  session: Session,
  families: readonly { readonly root: RelationRow; readonly pieces: readonly RelationRow[] }[],
  keys: ReadonlyMap<number, Key | null>,
  sizes: ReadonlyMap<number, Size>,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, number>> {
  const wanted = families.flatMap(({ root, pieces }) => {
    const column = keys.get(root.oid)?.columns[0]?.name;
    if (column === undefined) return [];
    return pieces.filter(({ oid }) => !isSmall(sizes.get(oid))).map(({ oid }) => ({ oid, column }));
  });
  if (wanted.length === 0) return new Map();
  const rows = await readCorrelations(session, wanted, signal);
  return new Map(rows.map(({ oid, correlation }) => [oid, Math.abs(correlation ?? 0)]));
}

export function isSmall(size: Size | undefined): boolean {
  return (size?.blocks ?? 0) < SMALL_TABLE_BLOCKS;
}
