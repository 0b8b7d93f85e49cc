import type { NamedRecord } from '../connector/topic-site.ts';

/** Records that one site has and the other lacks, or what else is told of single ones; some by offset. */
export interface Tally {
  readonly count: bigint;
  /** Offsets of the first ones, on the site that has them. */
  readonly offsets: readonly bigint[];
}

export interface WalkResult {
  readonly matched: bigint;
  /** On the primary, between records that the candidate has. */
  readonly missing: Tally;
  /** On the candidate and not on the primary. */
  readonly extra: Tally;
  /** On the candidate once more than on the primary. */
  readonly repeated: Tally;
  /** On one site only, before the first record of the other. */
  readonly olderOnPrimary: bigint;
  readonly olderOnCandidate: bigint;
  /** At the primary's end, and not on the candidate yet. */
  readonly behind: bigint;
  /** Neither site's first records were found on the other. */
  readonly unrelated: boolean;
}

/** How far ahead a record is looked for on the other site, and how many matched ones are remembered. */
const WINDOW = 20_000;
/** Of the site that begins later: by any of its first records the place is found on the other. */
const HEADS = 200;
const OFFSETS_MAX = 20;
/** Looks in vain: of two wholly different logs each would be as long as the window. */
const LOOKS_MAX = 2000;

class Side {
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

  put(records: readonly NamedRecord[]): void {
    for (const record of records) this.queue.push(record);
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

class Counter {
  count = 0n;
  readonly offsets: bigint[] = [];

  add({ offset }: NamedRecord): void {
    this.count += 1n;
    if (this.offsets.length < OFFSETS_MAX) this.offsets.push(offset);
  }
}

/**
 * The names of the last records that matched: at least a window of them, at most two. In two sets, since the oldest one of a
 * set from which many were deleted is dear to find.
 */
class RecentNames {
  #newer = new Set<string>();
  #older = new Set<string>();

  add(name: string): void {
    this.#newer.add(name);
    if (this.#newer.size < WINDOW) return;
    this.#older = this.#newer;
    this.#newer = new Set();
  }

  has(name: string): boolean {
    return this.#newer.has(name) || this.#older.has(name);
  }
}

/**
 * Holds one partition of a topic against its replica, record by record in their order, while both are read: offsets
 * differ between clusters, the order does not. Pure; memory is bounded by the window as long as whoever feeds it asks
 * `hungry`.
 */
export class TopicWalk {
  readonly #primary = new Side();
  readonly #candidate = new Side();
  readonly #missing = new Counter();
  readonly #extra = new Counter();
  readonly #repeated = new Counter();
  readonly #recent = new RecentNames();
  /** Primary's offsets for which the candidate's are wanted, the least first. */
  readonly #wanted: bigint[];
  readonly #translated = new Map<bigint, bigint>();
  #started = false;
  #unrelated = false;
  #matched = 0n;
  #behind = 0n;
  #looks = 0;
  #older = { primary: 0n, candidate: 0n };
  readonly #candidateEnd: bigint;

  /**
   * `candidateEnd`: what the candidate got behind it may be newer than all that is read of the primary. `wanted`: offsets
   * of the primary to translate.
   */
  constructor(candidateEnd: bigint, wanted: readonly bigint[] = []) {
    this.#candidateEnd = candidateEnd;
    this.#wanted = [...new Set(wanted)].sort((a, b) => (a < b ? -1 : 1));
  }

  feed(site: 'primary' | 'candidate', records: readonly NamedRecord[]): void {
    (site === 'primary' ? this.#primary : this.#candidate).put(records);
    this.#advance();
  }

  /** No more records of this site. */
  end(site: 'primary' | 'candidate'): void {
    (site === 'primary' ? this.#primary : this.#candidate).ended = true;
    this.#advance();
  }

  /** Whether more of this site is wanted now; of at least one site it always is, until both ended. */
  hungry(site: 'primary' | 'candidate'): boolean {
    const side = site === 'primary' ? this.#primary : this.#candidate;
    return side.length < 2 * WINDOW;
  }

  /** Records of the primary that the candidate has not shown yet. */
  get pending(): number {
    return this.#primary.length;
  }

  /** The candidate's offset of the first record that the primary has at this offset or behind it; null: not matched. */
  translated(offset: bigint): bigint | null {
    return this.#translated.get(offset) ?? null;
  }

  /** After both ended. */
  result(): WalkResult {
    const { primary: olderOnPrimary, candidate: olderOnCandidate } = this.#older;
    return {
      matched: this.#matched,
      missing: this.#missing,
      extra: this.#extra,
      repeated: this.#repeated,
      olderOnPrimary,
      olderOnCandidate,
      behind: this.#behind,
      unrelated: this.#unrelated,
    };
  }

  #advance(): void {
    if (!this.#started && !this.#start()) return;
    const [primary, candidate] = [this.#primary, this.#candidate];
    for (;;) {
      const [ours, theirs] = [primary.head, candidate.head];
      if (ours === undefined || theirs === undefined) {
        this.#drain();
        return;
      }
      if (ours.name === theirs.name) {
        this.#match(ours, theirs);
      } else {
        if (!primary.isReady || !candidate.isReady) return;
        this.#resolve(ours, theirs);
      }
    }
  }

  /** What is left of a site when the other has no more. */
  #drain(): void {
    const [primary, candidate] = [this.#primary, this.#candidate];
    if (candidate.ended && candidate.length === 0) {
      for (; primary.length > 0; primary.skip()) this.#behind += 1n;
    }
    if (!primary.ended || primary.length > 0) return;
    for (let head = candidate.head; head !== undefined; head = candidate.head) {
      if (head.offset < this.#candidateEnd) this.#surplus(head);
      candidate.skip();
    }
  }

  #match(ours: NamedRecord, theirs: NamedRecord): void {
    for (let next = this.#wanted[0]; next !== undefined && next <= ours.offset; next = this.#wanted[0]) {
      this.#translated.set(next, theirs.offset);
      this.#wanted.shift();
    }
    this.#matched += 1n;
    this.#recent.add(ours.name);
    this.#primary.skip();
    this.#candidate.skip();
  }

  /** The two next records differ: the shorter way to where they agree again is what happened. */
  #resolve(ours: NamedRecord, theirs: NamedRecord): void {
    const mayLook = this.#looks < LOOKS_MAX;
    const missing = mayLook ? this.#primary.find(theirs.name) : -1;
    const surplus = mayLook ? this.#candidate.find(ours.name) : -1;
    if (missing < 0 && surplus < 0) this.#looks += 1;
    if (surplus < 0 || (missing >= 0 && missing <= surplus)) {
      // Where neither is found the record was changed: missing here, surplus there.
      for (let left = Math.max(missing, 1); left > 0; left -= 1) this.#lacks();
    }
    if (missing < 0 || (surplus >= 0 && surplus < missing)) {
      for (let left = Math.max(surplus, 1); left > 0; left -= 1) {
        const { head } = this.#candidate;
        if (head !== undefined) this.#surplus(head);
        this.#candidate.skip();
      }
    }
  }

  #lacks(): void {
    const { head } = this.#primary;
    if (head !== undefined) this.#missing.add(head);
    this.#primary.skip();
  }

  #surplus(record: NamedRecord): void {
    if (this.#recent.has(record.name)) this.#repeated.add(record);
    else this.#extra.add(record);
  }

  /**
   * Finds where the site that keeps less begins on the one that keeps more: which is which their first time stamps say.
   * True: found, or there is nothing to find.
   */
  #start(): boolean {
    const [primary, candidate] = [this.#primary, this.#candidate];
    const [ours, theirs] = [primary.head, candidate.head];
    if (ours === undefined || theirs === undefined) {
      if ((ours === undefined && !primary.ended) || (theirs === undefined && !candidate.ended)) return false;
      // One of them is empty: everything on the other is behind, or surplus.
      this.#started = true;
      return true;
    }
    if (ours.name === theirs.name) {
      this.#started = true;
      return true;
    }
    const isLonger = ours.timeMs <= theirs.timeMs;
    const [longer, shorter] = isLonger ? [primary, candidate] : [candidate, primary];
    if (!shorter.ended && shorter.length < HEADS) return false;
    const heads = new Set(shorter.queue.slice(shorter.at, shorter.at + HEADS).map(({ name }) => name));
    for (let head = longer.head; head !== undefined; head = longer.head) {
      if (heads.has(head.name)) {
        this.#started = true;
        return true;
      }
      this.#older[isLonger ? 'primary' : 'candidate'] += 1n;
      longer.skip();
    }
    if (!longer.ended) return false;
    this.#started = true;
    this.#unrelated = true;
    return true;
  }
}
