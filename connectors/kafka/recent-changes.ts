import { createHash } from 'node:crypto';
import type { RecordSource } from './record-source.ts';

type Place = NonNullable<RecordSource['place']>;

/** What a change and its repetition have in common, and no two changes: one entry of the log changes a row once. */
export interface RecentChange {
  readonly place: Place;
  readonly transaction: string | null;
  readonly operation: string;
  /** The row's key, or what else tells rows of one entry apart. */
  readonly row: Uint8Array | null;
}

/** How many changes of all partitions are remembered by default, and of each at least. */
const REMEMBERED_MAX = 131_072;
const REMEMBERED_MIN = 1024;
const ROW_BYTES_MAX = 64;
/** A row that is none, in place of its length. */
const NO_ROW = 255;
/** An index by places is let go when so many changes in a row did not need it. */
const INDEX_UNUSED_MAX = 10_000;

/**
 * The last changes of one partition, side by side in rings, so that they are no objects that the collector of garbage
 * walks over and moves.
 */
class PartitionChanges {
  #newest: Place | null = null;
  #size = REMEMBERED_MIN;
  /** How many were ever added; the last `#size` of them are there. */
  #added = 0;
  #places = new BigInt64Array(REMEMBERED_MIN);
  #transactions: (string | null)[] = [];
  #operations: string[] = [];
  /** Each row behind its length. */
  #rows = new Uint8Array(REMEMBERED_MIN * (ROW_BYTES_MAX + 1));
  /**
   * By their own places (what was committed before a change may be told otherwise when it is sent once more): their
   * numbers. Null: not needed.
   */
  #index: Map<bigint, number[]> | null = null;
  #unused = 0;

  /** How a place stands to that of the newest change: −1 before, 0 at, 1 behind it, or there is none. */
  order(place: Place): -1 | 0 | 1 {
    return this.#newest === null ? 1 : orderOf(place, this.#newest);
  }

  /** `order` is that of its place. */
  has(change: RecentChange, order: -1 | 0): boolean {
    const row = shortened(change.row);
    if (order === 0 && this.#hasAtEnd(change, row)) return true;
    // Since the source last went back there is one; before, equal places stand at the end.
    if (order === 0 && this.#index === null) return false;
    this.#unused = 0;
    const there = (this.#index ??= this.#indexed()).get(BigInt.asIntN(64, change.place[1]));
    return there?.some((number) => this.#isSame(number % this.#size, change, row)) === true;
  }

  /** `most`: how many are kept. */
  add(change: RecentChange, most: number): void {
    if (this.#added >= this.#size && this.#size < most) this.#grow(Math.min(this.#size * 2, most));
    const at = this.#added % this.#size;
    const place = BigInt.asIntN(64, change.place[1]);
    if (this.#index !== null) this.#keepIndex(this.#index, at, place);
    this.#newest = change.place;
    this.#places[at] = place;
    this.#transactions[at] = change.transaction;
    this.#operations[at] = change.operation;
    this.#putRow(at * (ROW_BYTES_MAX + 1), shortened(change.row));
    this.#added += 1;
  }

  #putRow(at: number, row: Uint8Array | null): void {
    this.#rows[at] = row === null ? NO_ROW : row.length;
    if (row === null) return;
    for (let byte = 0; byte < row.length; byte += 1) this.#rows[at + 1 + byte] = row[byte] ?? 0;
  }

  /** Among those at the end that share the place of the newest: rows of one COPY do. */
  #hasAtEnd(change: RecentChange, row: Uint8Array | null): boolean {
    const place = BigInt.asIntN(64, change.place[1]);
    const oldest = Math.max(0, this.#added - this.#size);
    for (let number = this.#added - 1; number >= oldest; number -= 1) {
      const at = number % this.#size;
      if (this.#places[at] !== place) break;
      if (this.#isSame(at, change, row)) return true;
    }
    return false;
  }

  #isSame(at: number, { transaction, operation }: RecentChange, row: Uint8Array | null): boolean {
    if (this.#transactions[at] !== transaction || this.#operations[at] !== operation) return false;
    const from = at * (ROW_BYTES_MAX + 1);
    const length = this.#rows[from];
    if (row === null) return length === NO_ROW;
    return length === row.length && row.every((byte, index) => this.#rows[from + 1 + index] === byte);
  }

  #indexed(): Map<bigint, number[]> {
    const index = new Map<bigint, number[]>();
    for (let number = Math.max(0, this.#added - this.#size); number < this.#added; number += 1) {
      putIndex(index, this.#places[number % this.#size] ?? 0n, number);
    }
    return index;
  }

  /** Before `place` is put where another one stood. */
  #keepIndex(index: Map<bigint, number[]>, at: number, place: bigint): void {
    this.#unused += 1;
    if (this.#unused > INDEX_UNUSED_MAX) {
      this.#index = null;
      return;
    }
    const former = this.#places[at] ?? 0n;
    const there = this.#added < this.#size ? undefined : index.get(former);
    there?.shift();
    if (there?.length === 0) index.delete(former);
    putIndex(index, place, this.#added);
  }

  /** Numbers stay, their places in the rings change: the oldest is put first. */
  #grow(size: number): void {
    const count = this.#size;
    const first = this.#added % count;
    const places = new BigInt64Array(size);
    const rows = new Uint8Array(size * (ROW_BYTES_MAX + 1));
    const transactions: (string | null)[] = [];
    const operations: string[] = [];
    for (let index = 0; index < count; index += 1) {
      const from = (first + index) % count;
      const to = (this.#added - count + index) % size;
      places[to] = this.#places[from] ?? 0n;
      transactions[to] = this.#transactions[from] ?? null;
      operations[to] = this.#operations[from] ?? '';
      const row = from * (ROW_BYTES_MAX + 1);
      rows.set(this.#rows.subarray(row, row + ROW_BYTES_MAX + 1), to * (ROW_BYTES_MAX + 1));
    }
    this.#places = places;
    this.#rows = rows;
    this.#transactions = transactions;
    this.#operations = operations;
    this.#size = size;
  }
}

/** The last changes of every partition, by which those are known that a connector sends once more. */
export class RecentChanges {
  readonly #partitions = new Map<string, PartitionChanges>();
  readonly #most: number;

  /** `most`: how many are remembered of all partitions together, though of each a thousand. */
  constructor(most = REMEMBERED_MAX) {
    this.#most = most;
  }

  /**
   * `repeated`: it was there before; `back`: it lies before the newest, and was not; `new`: neither. Only the latter
   * two are remembered.
   */
  look(partition: string, change: RecentChange): 'new' | 'repeated' | 'back' {
    const recent = this.#of(partition);
    const order = recent.order(change.place);
    if (order <= 0 && recent.has(change, order === 0 ? 0 : -1)) return 'repeated';
    this.#add(recent, change);
    return order < 0 ? 'back' : 'new';
  }

  /** A change of which it is known that it was handled. */
  recall(partition: string, change: RecentChange): void {
    this.#add(this.#of(partition), change);
  }

  #of(partition: string): PartitionChanges {
    const known = this.#partitions.get(partition);
    if (known !== undefined) return known;
    const made = new PartitionChanges();
    this.#partitions.set(partition, made);
    return made;
  }

  #add(recent: PartitionChanges, change: RecentChange): void {
    recent.add(change, Math.max(REMEMBERED_MIN, Math.floor(this.#most / this.#partitions.size)));
  }
}

function putIndex(index: Map<bigint, number[]>, place: bigint, number: number): void {
  const there = index.get(place);
  if (there === undefined) index.set(place, [number]);
  else there.push(number);
}

function shortened(row: Uint8Array | null): Uint8Array | null {
  return row !== null && row.length > ROW_BYTES_MAX ? createHash('sha1').update(row).digest() : row;
}

/** Rows of one COPY share a place. */
function orderOf(place: Place, other: Place): -1 | 0 | 1 {
  const index = place[0] === other[0] ? 1 : 0;
  if (place[index] === other[index]) return 0;
  return place[index] > other[index] ? 1 : -1;
}
