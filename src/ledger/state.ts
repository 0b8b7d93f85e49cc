import type { Position, PositionOrder } from '../connector/position.ts';
import { KIND } from './change-record.ts';
import type { Core } from './core.ts';
import { ABSENT, entryChangedAt, entryLongKey, entryRow, STATE, UNKNOWN, type RowState } from './entry.ts';
import { identityOf, KeyScratch, RELATION_BYTES } from './key.ts';
import type { Journal } from './journal.ts';
import { RECORD, readIdle, readTransaction, type RawRecord } from './record.ts';
import type { Relation } from './relation.ts';

const KEYS_PER_PAGE = 4096;

/**
 * A place between two transactions of the journal: everything before it is in the state, nothing behind it. Only
 * `boundaryOf` and the ledger's own marks give one.
 */
export type Boundary = number & { readonly boundary: unique symbol };

export function boundaryAt(place: number): Boundary {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- here boundaries are made
  return place as Boundary;
}

export type BoundaryAnswer =
  | { readonly kind: 'found'; readonly boundary: Boundary }
  /** `ahead`: behind everything that the ledger holds; `pruned`: before its window; `incomparable`: of another history. */
  | { readonly kind: 'ahead' | 'pruned' | 'incomparable' };

type Compare = (a: Position, b: Position) => PositionOrder;

/**
 * Where in the journal a position stands: behind the last transaction at or before it. Positions grow along the journal,
 * so files are searched by halves and one file is read. Of a primary that was replaced the journal may have an end that
 * its successor does not have, with a gap behind it: places there cannot be compared with later ones.
 */
export function boundaryOf(core: Core, position: Position, compare: Compare): BoundaryAnswer {
  const { committed, journal } = core;
  if (committed.position === null) return { kind: 'ahead' };
  const toHead = compare(committed.position, position);
  if (toHead === 'incomparable') return { kind: 'incomparable' };
  if (toHead === 'equal') return { kind: 'found', boundary: boundaryAt(committed.mark.at) };
  if (toHead === 'before') return { kind: 'ahead' };
  const { segments } = journal.files;
  let low = 0;
  let high = segments.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    const first = firstPosition(core, segments[middle]?.header.base ?? 0);
    // What cannot be compared was left for another history: if that has the position, it lies further on.
    if (first === null || compare(first, position) === 'after') high = middle - 1;
    else low = middle;
  }
  return boundaryBehind(core, segments[low]?.header.base ?? 0, position, compare);
}

/** As boundaryOf, looking from a record on. */
export function boundaryBehind(
  core: Core,
  from: number,
  position: Position,
  compare: Compare,
): BoundaryAnswer {
  let boundary: number | null = null;
  let isLeft = false;
  for (const record of core.journal.scan(from, core.committed.mark.at)) {
    const here = positionOf(record);
    if (here === null) continue;
    const order = compare(here, position);
    if (order === 'after') break;
    // Passed over where something comes behind it that lies at or before the position.
    isLeft = order === 'incomparable';
    if (!isLeft) boundary = record.end;
  }
  if (isLeft) return { kind: 'incomparable' };
  if (boundary === null) return { kind: 'pruned' };
  return { kind: 'found', boundary: boundaryAt(behindBeginnings(core, boundary)) };
}

/**
 * Behind the relations that begin at a place and end no other: no commit lies between. At the head they count as reached
 * (Ledger.advanceHead), so they must when the head has gone on, or a candidate that stands still would seem to go back.
 */
function behindBeginnings(core: Core, place: number): number {
  const ends = core.catalog.all().flatMap(({ endedAt }) => (endedAt === null ? [] : [endedAt]));
  let behind = place;
  for (const record of core.journal.scan(place, core.committed.mark.at)) {
    if (record.kind === RECORD.complete) {
      behind = record.end;
      continue;
    }
    if (record.kind !== RECORD.relation || ends.some((at) => at >= place && at < record.end)) break;
    behind = record.end;
  }
  return behind;
}

/** Where the next commit or idle place from a record on ends; Infinity: there is none. */
export function nextPosition(core: Core, from: number): number {
  for (const record of core.journal.scan(from, core.committed.mark.at))
    if (positionOf(record) !== null) return record.end;
  return Infinity;
}

function firstPosition(core: Core, from: number): Position | null {
  for (const record of core.journal.scan(from, core.committed.mark.at)) {
    const position = positionOf(record);
    if (position !== null) return position;
  }
  return null;
}

function positionOf(record: RawRecord): Position | null {
  if (record.kind === RECORD.commit) return readTransaction(record).head.position;
  return record.kind === RECORD.idle ? readIdle(record) : null;
}

/**
 * A row as of a boundary: what its entry says, or what stood before the first change behind the boundary. Each change
 * names the one before it, so this takes as many steps as the key has changes behind the boundary.
 */
export function rowAt(journal: Journal, entry: Buffer, boundary: Boundary): RowState {
  let row = entryRow(entry);
  let at = entryChangedAt(entry);
  while (at >= boundary) {
    const change = journal.changeAt(at);
    if (change.kind === KIND.keyless || change.kind === KIND.truncate) return UNKNOWN;
    row = change.before;
    at = change.previous;
  }
  return row;
}

const scratch = new KeyScratch();

export interface StatedRow {
  /** As FoundRow.key. */
  readonly identity: Uint8Array;
  /** In the order of the store. */
  readonly fields: Buffer;
  readonly row: RowState;
}

/** The state of one relation as of a boundary. Views are copied: answers stay valid. */
export class StateAt {
  readonly #core: Core;
  readonly #relation: Relation;
  readonly #boundary: Boundary;
  /** Every row of the relation is known: what has no entry is absent. Otherwise it is unknown. */
  readonly #complete: boolean;

  constructor(core: Core, relation: Relation, boundary: Boundary) {
    this.#core = core;
    this.#relation = relation;
    this.#boundary = boundary;
    this.#complete =
      relation.completeFrom !== null &&
      relation.completeFrom <= boundary &&
      boundary >= core.journal.start.at &&
      boundary <= core.committed.mark.at;
  }

  get complete(): boolean {
    return this.#complete;
  }

  /** One row, by its identity. */
  row(identity: Uint8Array): RowState {
    if (!this.#complete) return UNKNOWN;
    scratch.set(this.#relation.number, identity, this.#relation.signed);
    const entry = this.#core.entry(scratch.stored);
    return entry === undefined ? ABSENT : copied(rowAt(this.#core.journal, entry, this.#boundary));
  }

  /**
   * Rows from `from` (inclusive) to `to` (exclusive), key fields in the order of the store, null for open ends; absent
   * ones are left out. In pages of a bounded size; changes may be taken between two of them. Throws RangeError if the
   * relation is not complete: whoever asks must not take silence for absence.
   */
  *range(from: Buffer | null, to: Buffer | null): Generator<StatedRow> {
    if (!this.#complete) throw new RangeError('the rows of this relation are not all known');
    const low = this.#bound(from, 0);
    const high = this.#bound(to, 1);
    const waiting = this.#waiting(low, high);
    let next = 0;
    let start = low;
    for (;;) {
      const page = this.#page(start, high);
      const last = page.at(-1)?.key;
      for (const { key, value } of page) {
        let entry = value;
        for (let pending = waiting[next]; pending !== undefined; pending = waiting[next]) {
          const order = Buffer.compare(pending.stored, key);
          if (order > 0) break;
          next++;
          if (order < 0) yield* this.#stated(pending.stored, pending.entry);
          else if (entryChangedAt(pending.entry) > entryChangedAt(value)) entry = pending.entry;
        }
        yield* this.#stated(key, entry);
      }
      if (last === undefined || page.length < KEYS_PER_PAGE) break;
      start = Buffer.concat([last, Buffer.of(0)]);
    }
    for (const { stored, entry } of waiting.slice(next)) yield* this.#stated(stored, entry);
  }

  #page(start: Buffer, end: Buffer): { key: Buffer; value: Buffer }[] {
    return [...this.#core.store.index.getRange({ start, end, limit: KEYS_PER_PAGE })];
  }

  /** What is in memory only, in order. Once in the index it is found there as well, the same or newer. */
  #waiting(low: Buffer, high: Buffer): { stored: Buffer; entry: Buffer }[] {
    const { pending } = this.#core;
    const found: { stored: Buffer; entry: Buffer }[] = [];
    for (let number = 0; number < pending.size; number++) {
      const key = pending.passingKey(number);
      if (Buffer.compare(key, low) < 0 || Buffer.compare(key, high) >= 0) continue;
      found.push({ stored: Buffer.from(key), entry: Buffer.from(pending.passingEntry(number)) });
    }
    return found.sort((a, b) => Buffer.compare(a.stored, b.stored));
  }

  /** Key and entry are nobody else's. */
  *#stated(stored: Buffer, entry: Buffer): Generator<StatedRow> {
    const isLater = entryChangedAt(entry) >= this.#boundary;
    const row = isLater ? copied(rowAt(this.#core.journal, entry, this.#boundary)) : entryRow(entry);
    if (row.state === STATE.absent) return;
    const fields = entryLongKey(entry) ?? stored.subarray(RELATION_BYTES);
    yield { identity: identityOf(fields, this.#relation.signed), fields, row };
  }

  #bound(fields: Buffer | null, step: number): Buffer {
    const relation = Buffer.alloc(RELATION_BYTES);
    relation.writeUInt32BE(this.#relation.number + (fields === null ? step : 0));
    return fields === null ? relation : Buffer.concat([relation, fields]);
  }
}

function copied(row: RowState): RowState {
  return row.state === STATE.present ? { state: row.state, digest: Buffer.from(row.digest) } : row;
}
