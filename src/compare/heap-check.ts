import type { FoundRow } from '../connector/contract.ts';
import { withRetry } from './retry.ts';
import type { ShapePair, SitePair } from './site-pair.ts';
import type { Proven } from './suspect.ts';
import { nameOf } from './suspects.ts';

/** What a look into the heap said about rows that an index did not find. */
export interface HeapCheck {
  /** They are not in the heap either. */
  readonly absent: readonly Proven[];
  /** In the heap, but not in the index. */
  readonly hidden: readonly { readonly site: 'primary' | 'candidate'; readonly key: Uint8Array }[];
  /** The index has them by now: the sites moved, so they have to be settled again. */
  readonly moved: readonly Uint8Array[];
}

/**
 * A row that is missing through an index may be in the table all the same: then the index is corrupt, and the row is
 * not lost (DESIGN.md section 6). One pass over the heap for all of `proven`.
 */
export async function checkHeap(
  pair: SitePair,
  shapes: ShapePair,
  proven: readonly Proven[],
  signal: AbortSignal,
): Promise<HeapCheck> {
  const absent: Proven[] = proven.filter(({ kind }) => kind === 'changed');
  const hidden: { site: 'primary' | 'candidate'; key: Uint8Array }[] = [];
  const moved: Uint8Array[] = [];
  for (const [site, kind] of [
    ['candidate', 'missing'],
    ['primary', 'extra'],
  ] as const) {
    const suspects = proven.filter((row) => row.kind === kind);
    if (suspects.length === 0) continue;
    const read = (keys: readonly Uint8Array[], access: 'heap' | 'index'): Promise<readonly FoundRow[]> =>
      withRetry(pair, signal, () => pair[site].readRows(shapes[site], keys, access, signal));
    const inHeap = names(await read(keysOf(suspects), 'heap'));
    const found = suspects.filter(({ key }) => inHeap.has(nameOf(key)));
    const inIndex = found.length === 0 ? new Set<string>() : names(await read(keysOf(found), 'index'));
    for (const row of suspects) {
      const name = nameOf(row.key);
      if (!inHeap.has(name)) absent.push(row);
      else if (inIndex.has(name)) moved.push(row.key);
      else hidden.push({ site, key: row.key });
    }
  }
  return { absent, hidden, moved };
}

function keysOf(rows: readonly Proven[]): Uint8Array[] {
  return rows.map(({ key }) => key);
}

function names(rows: readonly FoundRow[]): Set<string> {
  return new Set(rows.map(({ key }) => nameOf(key)));
}
