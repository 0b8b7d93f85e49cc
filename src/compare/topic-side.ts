import type { NamedRecord } from '../connector/topic-site.ts';

/** Records that one site has and the other lacks, or what else is told of single ones; some by offset. */
export interface Tally {
  readonly count: bigint;
  /** Offsets of the first ones, on the site that has them. */
  readonly offsets: readonly bigint[];
}

/** With the keys of some of them, by offset; null: it has none. */
export interface KeyedTally extends Tally {
  readonly keys: ReadonlyMap<bigint, string | null>;
}

/** How far ahead a record is looked for on the other site. */
export const WINDOW = 20_000;
const OFFSETS_MAX = 20;

/** Records of one site that were read and not compared yet, in their order. */
export class Side {
  readonly queue: NamedRecord[] = [];
  /** Of the queue: before it stands what was taken. */
  at = 0;
  ended = false;

  get length(): number {
    return this.queue.length - this.at;
  }

  get isReady(): boolean {
    return this.ended || this.length >= WINDOW;
  }

  get head(): NamedRecord | undefined {
    return this.queue[this.at];
  }

  put(record: NamedRecord): void {
    this.queue.push(record);
  }

  skip(): void {
    this.at += 1;
    if (this.at < WINDOW) return;
    this.queue.splice(0, this.at);
    this.at = 0;
  }

  /** How far behind the head the record stands; -1: not within the window. */
  find(name: string): number {
    const end = Math.min(this.queue.length, this.at + WINDOW);
    for (let index = this.at; index < end; index += 1)
      if (this.queue[index]?.name === name) return index - this.at;
    return -1;
  }
}

export class Counter implements Tally {
  count = 0n;
  readonly offsets: bigint[] = [];

  add({ offset }: NamedRecord): void {
    this.count += 1n;
    if (this.offsets.length < OFFSETS_MAX) this.offsets.push(offset);
  }
}
