import { OFFSET_BYTES } from './bytes.ts';

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
  const kept = digest === null ? null : columns;
  const size =
    HEAD_BYTES + (digest?.length ?? 0) + (kept === null ? 0 : 4 + kept.length) + (long?.length ?? 0);
  const bytes = Buffer.allocUnsafe(size);
  bytes[0] = row.state | (kept === null ? 0 : COLUMNS_FLAG) | (long === null ? 0 : LONG_FLAG);
  bytes.writeUIntBE(changedAt, 1, OFFSET_BYTES);
  let at = HEAD_BYTES;
  if (digest !== null) {
    bytes.set(digest, at);
    at += DIGEST_BYTES;
  }
  if (kept !== null) {
    bytes.writeUInt32BE(kept.length, at);
    bytes.set(kept, at + 4);
    at += 4 + kept.length;
  }
  if (long !== null) bytes.set(long, at);
  return bytes;
}

export function entryState(entry: Buffer): State {
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
export function entryChangedAt(entry: Buffer): number {
  return entry.readUIntBE(1, OFFSET_BYTES);
}

/** The column digests of a wide row: a view; null where none are kept. */
export function entryColumns(entry: Buffer): Buffer | null {
  if (((entry[0] ?? 0) & COLUMNS_FLAG) === 0) return null;
  const at = HEAD_BYTES + DIGEST_BYTES;
  return entry.subarray(at + 4, at + 4 + entry.readUInt32BE(at));
}

/** The whole key where the stored one is a hash: a view. */
export function entryLongKey(entry: Buffer): Buffer | null {
  const flags = entry[0] ?? 0;
  if ((flags & LONG_FLAG) === 0) return null;
  let at = HEAD_BYTES + (entryState(entry) === STATE.present ? DIGEST_BYTES : 0);
  if ((flags & COLUMNS_FLAG) !== 0) at += 4 + entry.readUInt32BE(at);
  return entry.subarray(at);
}
