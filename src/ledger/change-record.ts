import { ByteReader, MalformedBytes, type ByteWriter } from './bytes.ts';
import { ABSENT, DIGEST_BYTES, STATE, UNKNOWN, type RowState, type State } from './entry.ts';

/**
 * One change within a record of the journal:
 *
 *   kind (1 byte: kind in bits 0–2, state before in bits 3–4, state after in bits 5–6, 128 = column digests follow)
 *   relation (varint) · distance to the start of its record (varint)
 *   row changes: place of the key's change before (6 bytes; 0 none), key fields (framed), digest before and after (16 bytes
 *     each, if present), column digests after (framed, if so flagged)
 *   truncations: the number of the relation that follows (varint), rows that went (varint, one more than they are; 0 unknown)
 *   changes without a key: nothing more
 */
export const KIND = { insert: 0, update: 1, delete: 2, truncate: 3, keyless: 4 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];
const COLUMNS_FLAG = 128;

export interface RowRecord {
  readonly kind: typeof KIND.insert | typeof KIND.update | typeof KIND.delete;
  readonly relation: number;
  /** Where the change stands in the journal, and where its record begins. */
  readonly at: number;
  readonly recordAt: number;
  /** Where the key's change before this one stands; 0: none since its baseline. */
  readonly previous: number;
  /** The key's fields as src/ledger/key.ts lays them out, whole. */
  readonly fields: Buffer;
  readonly before: RowState;
  readonly after: RowState;
  readonly columns: Buffer | null;
}

export interface TruncateRecord {
  readonly kind: typeof KIND.truncate;
  readonly relation: number;
  readonly at: number;
  readonly recordAt: number;
  /** The number of the table's next generation. */
  readonly next: number;
  /** Null: not known. */
  readonly rows: number | null;
}

/** A change of which the log does not say which row it was. */
export interface KeylessRecord {
  readonly kind: typeof KIND.keyless;
  readonly relation: number;
  readonly at: number;
  readonly recordAt: number;
}

export type ChangeRecord = RowRecord | TruncateRecord | KeylessRecord;

const NOTHING = new Uint8Array(0);

type Placed<T> = Omit<T, 'at' | 'recordAt'>;

/**
 * A row change to be written: one object, filled anew for each. Digests stand at a place in other bytes, so that none need
 * be cut out.
 */
export class RowDraft {
  kind: RowRecord['kind'] = KIND.insert;
  relation = 0;
  previous = 0;
  fields: Uint8Array = NOTHING;
  before: State = STATE.absent;
  beforeBytes: Uint8Array = NOTHING;
  beforeAt = 0;
  after: State = STATE.absent;
  afterBytes: Uint8Array = NOTHING;
  afterAt = 0;
  columns: Uint8Array | null = null;
}

/** `within` is how far behind the start of its record the change stands. */
export function writeRowRecord(to: ByteWriter, change: RowDraft, within: number): void {
  const { before, after, columns } = change;
  to.byte(change.kind | (before << 3) | (after << 5) | (columns === null ? 0 : COLUMNS_FLAG));
  to.varint(change.relation);
  to.varint(within);
  to.offset(change.previous);
  to.framed(change.fields);
  if (before === STATE.present) to.part(change.beforeBytes, change.beforeAt, DIGEST_BYTES);
  if (after === STATE.present) to.part(change.afterBytes, change.afterAt, DIGEST_BYTES);
  if (columns !== null) to.framed(columns);
}

export function writeTruncateRecord(to: ByteWriter, change: Placed<TruncateRecord>, within: number): void {
  to.byte(KIND.truncate);
  to.varint(change.relation);
  to.varint(within);
  to.varint(change.next);
  to.varint(change.rows === null ? 0 : change.rows + 1);
}

export function writeKeylessRecord(to: ByteWriter, relation: number, within: number): void {
  to.byte(KIND.keyless);
  to.varint(relation);
  to.varint(within);
}

/** Reads one change; `base` is the journal's place of the reader's first byte. Throws MalformedBytes. */
export function readChangeRecord(from: ByteReader, base: number): ChangeRecord {
  const at = base + from.at;
  const flags = from.byte();
  const kind = flags & 7;
  const relation = from.varint();
  const recordAt = at - from.varint();
  if (kind === KIND.keyless) return { kind, relation, at, recordAt };
  if (kind === KIND.truncate) {
    const next = from.varint();
    const rows = from.varint();
    return { kind, relation, at, recordAt, next, rows: rows === 0 ? null : rows - 1 };
  }
  if (kind !== KIND.insert && kind !== KIND.update && kind !== KIND.delete) {
    throw new MalformedBytes('a change has an unknown kind');
  }
  const previous = from.offset();
  const fields = from.framed();
  const before = readState(from, stateOf((flags >> 3) & 3));
  const after = readState(from, stateOf((flags >> 5) & 3));
  const columns = (flags & COLUMNS_FLAG) === 0 ? null : from.framed();
  return { kind, relation, at, recordAt, previous, fields, before, after, columns };
}

/** The first half of an update that gave a row another key: the row went from here. It is no change of its own. */
export function vacatesKey(change: ChangeRecord): boolean {
  return change.kind === KIND.update && change.after.state === STATE.absent;
}

function stateOf(bits: number): State {
  if (bits === STATE.absent || bits === STATE.present || bits === STATE.unknown) return bits;
  throw new MalformedBytes('a change has an unknown state');
}

function readState(from: ByteReader, state: State): RowState {
  if (state === STATE.absent) return ABSENT;
  if (state === STATE.unknown) return UNKNOWN;
  return { state, digest: from.raw(DIGEST_BYTES) };
}
