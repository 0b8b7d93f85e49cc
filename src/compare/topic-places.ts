import type { NamedRecord } from '../connector/topic-site.ts';

/** Records that came again one behind the other, by their numbers among those that matched. */
interface Run {
  next: number;
  /** Of wanted offsets, where the candidate has them in this run. */
  readonly found: Map<bigint, bigint>;
}

/**
 * What offsets of the primary are on the candidate: whoever reads on there misses nothing that stands at the primary's
 * offset or behind it. Where records came again up to the newest one, that is the place of the last copy; a record that
 * came again alone has no others behind it.
 */
export class TopicPlaces {
  /** The least first. */
  readonly #wanted: bigint[];
  readonly #places = new Map<bigint, bigint>();
  readonly #byNumber = new Map<number, readonly bigint[]>();
  #run: Run | null = null;

  constructor(wanted: readonly bigint[]) {
    this.#wanted = [...new Set(wanted)].sort((a, b) => (a < b ? -1 : 1));
  }

  /** The next record of both, the `number`th. */
  matched(ours: NamedRecord, theirs: NamedRecord, number: number): void {
    if (this.#run !== null) this.ended(number);
    if (this.#wanted[0] !== undefined && this.#wanted[0] <= ours.offset)
      this.#translate(ours, theirs, number);
  }

  /** The candidate has the `number`th once more. */
  repeated({ offset }: NamedRecord, number: number): void {
    if (this.#run?.next !== number) this.#run = { next: number, found: new Map() };
    for (const wanted of this.#byNumber.get(number) ?? []) this.#run.found.set(wanted, offset);
    this.#run.next += 1;
  }

  /** What came again has come to an end, where so many had matched. */
  ended(count: number): void {
    if (this.#run?.next === count) {
      for (const [wanted, offset] of this.#run.found) this.#places.set(wanted, offset);
    }
    this.#run = null;
  }

  /** Null: the primary has nothing there that matched. */
  of(offset: bigint): bigint | null {
    return this.#places.get(offset) ?? null;
  }

  #translate(ours: NamedRecord, theirs: NamedRecord, number: number): void {
    const here: bigint[] = [];
    for (let next = this.#wanted[0]; next !== undefined && next <= ours.offset; next = this.#wanted[0]) {
      this.#places.set(next, theirs.offset);
      here.push(next);
      this.#wanted.shift();
    }
    this.#byNumber.set(number, here);
  }
}
