import type { Suspect } from './suspect.ts';
import { keyAt, type Records, sameRow } from '../digest/records.ts';

/** Words of 32 bits in a row's digest. */
const DIGEST_WORDS = 4;
/** How far to look for the next common row before order is given up. */
const WINDOW_ROWS = 32;

/**
 * Where two reads of one range differ. Equal rows may stand in any order; where the order is equal, as on a physical
 * pair or by key, the cost is that of comparing two byte arrays. Identities are unique within each read, unless a
 * unique index has failed: then every identity whose rows differ is among the suspects all the same.
 */
export function suspectsOf(primary: Records, candidate: Records): Suspect[] {
  const found: Suspect[] = [];
  const ours = wordsOf(primary);
  const theirs = wordsOf(candidate);
  let i = 0;
  let j = 0;
  while (i < primary.count && j < candidate.count) {
    const equal = equalRun(ours, i, theirs, j);
    i += equal;
    j += equal;
    if (i >= primary.count || j >= candidate.count) break;
    const step = resynchronise(primary, i, candidate, j);
    if (step === null) break;
    if (step.primary === 0 && step.candidate === 0) {
      found.push({ kind: 'changed', key: keyAt(primary, i).slice() });
      i++;
      j++;
    } else {
      collect(found, 'missing', primary, i, i + step.primary);
      collect(found, 'extra', candidate, j, j + step.candidate);
      i += step.primary;
      j += step.candidate;
    }
  }
  if (i < primary.count && j < candidate.count) {
    pairByKey(found, primary, i, candidate, j);
  } else {
    collect(found, 'missing', primary, i, primary.count);
    collect(found, 'extra', candidate, j, candidate.count);
  }
  return withoutMoves(found, primary, candidate);
}

/** How many rows from here on have equal digests in equal order. */
function equalRun(a: Int32Array, i: number, b: Int32Array, j: number): number {
  const first = i * DIGEST_WORDS;
  const most = Math.min(a.length - first, b.length - j * DIGEST_WORDS);
  const apart = (j - i) * DIGEST_WORDS;
  let word = first;
  while (word < first + most && a[word] === b[word + apart]) word++;
  return Math.floor((word - first) / DIGEST_WORDS);
}

/** Digests by words: with one row in a hundred differing, byte by byte took a tenth of a run. */
function wordsOf({ digests, count }: Records): Int32Array {
  const aligned = digests.byteOffset % Int32Array.BYTES_PER_ELEMENT === 0 ? digests : digests.slice();
  return new Int32Array(aligned.buffer, aligned.byteOffset, count * DIGEST_WORDS);
}

/** How many rows to skip on each side to meet again; both 0: same row, other bytes; null: not within the window. */
function resynchronise(
  a: Records,
  i: number,
  b: Records,
  j: number,
): { readonly primary: number; readonly candidate: number } | null {
  const keyA = keyAt(a, i);
  const keyB = keyAt(b, j);
  for (let ahead = 0; ahead <= WINDOW_ROWS; ahead++) {
    if (i + ahead < a.count && Buffer.compare(keyAt(a, i + ahead), keyB) === 0)
      return { primary: ahead, candidate: 0 };
    if (j + ahead < b.count && Buffer.compare(keyA, keyAt(b, j + ahead)) === 0)
      return { primary: 0, candidate: ahead };
  }
  return null;
}

function collect(found: Suspect[], kind: Suspect['kind'], records: Records, from: number, to: number): void {
  for (let row = from; row < to; row++) found.push({ kind, key: keyAt(records, row).slice() });
}

/** The rest by identity, for reads in different order. */
function pairByKey(found: Suspect[], a: Records, i: number, b: Records, j: number): void {
  const rest = new Map<string, number>();
  for (let row = j; row < b.count; row++) {
    const key = keyAt(b, row);
    const name = nameOf(key);
    if (rest.has(name)) found.push({ kind: 'extra', key: key.slice() });
    else rest.set(name, row);
  }
  for (let row = i; row < a.count; row++) {
    const key = keyAt(a, row);
    const name = nameOf(key);
    const other = rest.get(name);
    if (other === undefined) {
      found.push({ kind: 'missing', key: key.slice() });
    } else {
      rest.delete(name);
      if (!sameRow(a, row, b, other)) found.push({ kind: 'changed', key: key.slice() });
    }
  }
  for (const row of rest.values()) found.push({ kind: 'extra', key: keyAt(b, row).slice() });
}

/** A row that stands elsewhere in the other read was taken for missing and for extra: it is one row. */
function withoutMoves(found: Suspect[], a: Records, b: Records): Suspect[] {
  const missing = countNames(found, 'missing');
  const both = new Set<string>();
  for (const [name, count] of missing.size === 0 ? [] : countNames(found, 'extra')) {
    if (count === 1 && missing.get(name) === 1) both.add(name);
  }
  if (both.size === 0) return found;
  const kept = found.filter(({ kind, key }) => kind === 'changed' || !both.has(nameOf(key)));
  const rowsOfA = rowsNamed(a, both);
  for (const [name, row] of rowsNamed(b, both)) {
    const other = rowsOfA.get(name);
    const once = row !== null && other !== null && other !== undefined;
    if (!once || !sameRow(a, other, b, row))
      kept.push({ kind: 'changed', key: new Uint8Array(Buffer.from(name, 'latin1')) });
  }
  return kept;
}

function countNames(found: readonly Suspect[], wanted: Suspect['kind']): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { kind, key } of found) {
    if (kind === wanted) counts.set(nameOf(key), (counts.get(nameOf(key)) ?? 0) + 1);
  }
  return counts;
}

/** Where rows stand; null: the identity is there more than once. */
function rowsNamed(records: Records, names: ReadonlySet<string>): Map<string, number | null> {
  const rows = new Map<string, number | null>();
  for (let row = 0; row < records.count; row++) {
    const name = nameOf(keyAt(records, row));
    if (names.has(name)) rows.set(name, rows.has(name) ? null : row);
  }
  return rows;
}

/** Bytes as a Map key. */
export function nameOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}
