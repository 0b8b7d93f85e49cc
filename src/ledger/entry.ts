import { copyBytes, OFFSET_BYTES, placeAt, putPlace } from './bytes.ts';
import { int32At } from '../row/stream.ts';

/**
 * What the index holds of a key:
 *
 *   flags (1 byte: state, 4 = column digests follow, 8 = the whole key follows), place of the last change in the journal
 *   (6 bytes, big endian; 0: none since the baseline), then, if present, the row digest (16 bytes); then, if so flagged,
 *   length (4 bytes, big endian) and bytes of the column digests; then, if so flagged, the whole key to the end.
 *
 * 23 bytes for a row that is neither wide nor has a long key.
 */
export const DIGEST_BYTES = 16;
const STATE_MASK = 3;
const COLUMNS_FLAG = 4;
const LONG_FLAG = 8;
const HEAD_BYTES = 1 + OFFSET_BYTES;
/** Where the row digest of a present row stands. */
export const ENTRY_DIGEST_AT = HEAD_BYTES;
/** Of a present row that is neither wide nor has a long key. */
export const ENTRY_BYTES_USUAL = HEAD_BYTES + DIGEST_BYTES;

/** `unknown`: there is a row or there was one, but its digest cannot be told without reading it. */
export const STATE = { absent: 0, present: 1, unknown: 2 } as const;
export type State = (typeof STATE)[keyof typeof STATE];

/** What is known of a row at some moment. The digest is a view of 16 bytes. */
export type RowState =
  | { readonly state: typeof STATE.absent }
  | { readonly state: typeof STATE.present; readonly digest: Uint8Array }
  | { readonly state: typeof STATE.unknown };

export const ABSENT: RowState = { state: STATE.absent };
export const UNKNOWN: RowState = { state: STATE.unknown };

export function encodeEntry(
  row: RowState,
  changedAt: number,
  columns: Uint8Array | null,
  long: Uint8Array | null,
): Buffer {
  const digest = row.state === STATE.present ? row.digest : null;
  const bytes = Buffer.allocUnsafe(entrySize(row.state, columns, long));
  writeEntry(bytes, { state: row.state, digest, changedAt, columns, long });
  return bytes;
}

/** The bytes that such an entry takes. */
export function entrySize(state: State, columns: Uint8Array | null, long: Uint8Array | null): number {
  const present = state === STATE.present;
  const kept = present && columns !== null ? 4 + columns.length : 0;
  return HEAD_BYTES + (present ? DIGEST_BYTES : 0) + kept + (long?.length ?? 0);
}

interface EntryParts {
  readonly state: State;
  /** Of a present row. */
  readonly digest: Uint8Array | null;
  readonly changedAt: number;
  readonly columns: Uint8Array | null;
  readonly long: Uint8Array | null;
}

/** Writes an entry to the beginning of `bytes`, which has room for `entrySize`. */
export function writeEntry(bytes: Uint8Array, { state, digest, changedAt, columns, long }: EntryParts): void {
  const kept = digest === null ? null : columns;
  bytes[0] = state | (kept === null ? 0 : COLUMNS_FLAG) | (long === null ? 0 : LONG_FLAG);
  putPlace(bytes, 1, changedAt);
  let at = HEAD_BYTES;
  if (digest !== null) {
    copyBytes(digest, 0, DIGEST_BYTES, bytes, at);
    at += DIGEST_BYTES;
  }
  if (kept !== null) {
    for (let byte = 0; byte < 4; byte++) bytes[at + byte] = kept.length >>> (24 - 8 * byte);
    bytes.set(kept, at + 4);
    at += 4 + kept.length;
  }
  if (long !== null) bytes.set(long, at);
}

export function entryState(entry: Uint8Array): State {
  const state = (entry[0] ?? STATE.unknown) & STATE_MASK;
  return state === STATE.absent || state === STATE.present ? state : STATE.unknown;
}

export function entryRow(entry: Buffer): RowState {
  const state = entryState(entry);
  return state === STATE.present ? { state, digest: entryDigest(entry) } : { state };
}

/** Of a present row: a view. */
export function entryDigest(entry: Buffer): Buffer {
  return entry.subarray(HEAD_BYTES, HEAD_BYTES + DIGEST_BYTES);
}

/** The journal's place of the key's last change; 0: none since its baseline. */
export function entryChangedAt(entry: Uint8Array): number {
  return placeAt(entry, 1);
}

/** The column digests of a wide row: a view; null where none are kept. */
export function entryColumns(entry: Buffer): Buffer | null {
  if (((entry[0] ?? 0) & COLUMNS_FLAG) === 0) return null;
  const at = HEAD_BYTES + DIGEST_BYTES;
  return entry.subarray(at + 4, at + 4 + int32At(entry, at));
}

/** The whole key where the stored one is a hash: a view. */
export function entryLongKey(entry: Buffer): Buffer | null {
  const flags = entry[0] ?? 0;
  if ((flags & LONG_FLAG) === 0) return null;
  let at = HEAD_BYTES + (entryState(entry) === STATE.present ? DIGEST_BYTES : 0);
  if ((flags & COLUMNS_FLAG) !== 0) at += 4 + int32At(entry, at);
  return entry.subarray(at);
}
