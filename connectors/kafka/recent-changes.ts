import { createHash } from 'node:crypto';
import type { RecordSource } from './record-source.ts';

type Place = NonNullable<RecordSource['place']>;

/** What a change and its repetition have in common, and no two changes: one entry of the log changes a row once. */
export interface RecentChange {
  readonly place: Place;
  readonly transaction: string | null;
  readonly operation: string;
  /** The row's key, or what else tells rows of one entry apart. Not a view: it is kept. */
  readonly row: Uint8Array | null;
}

/** How many changes of all partitions are remembered by default, and of each at least. */
const REMEMBERED_MAX = 131_072;
const REMEMBERED_MIN = 1024;
const ROW_BYTES_MAX = 64;

/** The last changes of one partition. */
class PartitionChanges {
  #newest: Place | null = null;
  /** By their own places: what was committed before a change may be told otherwise when it is sent once more. */
  readonly #changes = new Map<bigint, RecentChange[]>();
  #order: RecentChange[] = [];
  /** Before it stands what was let go. */
  #from = 0;

  /** How a place stands to that of the newest change: −1 before, 0 at, 1 behind it, or there is none. */
  order(place: Place): -1 | 0 | 1 {
    return this.#newest === null ? 1 : orderOf(place, this.#newest);
  }

  has(change: RecentChange): boolean {
    return this.#changes.get(change.place[1])?.some((known) => isSame(known, change)) === true;
  }

  add(given: RecentChange, most: number): void {
    const change = { ...given, row: shortened(given.row) };
    this.#newest = change.place;
    this.#order.push(change);
    const there = this.#changes.get(change.place[1]);
    if (there === undefined) this.#changes.set(change.place[1], [change]);
    else there.push(change);
    while (this.#order.length - this.#from > most) this.#letGo();
  }

  #letGo(): void {
    const place = this.#order[this.#from]?.place[1] ?? 0n;
    this.#from += 1;
    const there = this.#changes.get(place);
    there?.shift();
    if (there?.length === 0) this.#changes.delete(place);
    if (this.#from * 2 < this.#order.length) return;
    this.#order = this.#order.slice(this.#from);
    this.#from = 0;
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

  /** `repeated`: it was there before; `back`: it lies before the newest, and was not; `new`: neither. Only the latter two are remembered. */
  look(partition: string, change: RecentChange): 'new' | 'repeated' | 'back' {
    const recent = this.#of(partition);
    const order = recent.order(change.place);
    if (order <= 0 && recent.has(change)) return 'repeated';
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

function isSame(known: RecentChange, { transaction, operation, row }: RecentChange): boolean {
  if (known.transaction !== transaction || known.operation !== operation) return false;
  if (known.row === null || row === null) return known.row === row;
  return Buffer.compare(known.row, shortened(row) ?? row) === 0;
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
