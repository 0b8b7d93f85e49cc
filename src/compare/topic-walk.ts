import type { NamedRecord } from '../connector/topic-site.ts';
import { MatchedNames } from './matched-names.ts';
import { TopicPlaces } from './topic-places.ts';
import { Counter, Side, type Tally, WINDOW } from './topic-side.ts';

export interface WalkResult {
  readonly matched: bigint;
  /** On the primary, between records that the candidate has. */
  readonly missing: Tally;
  /** On the candidate and not on the primary. */
  readonly extra: Tally;
  /** On the candidate once more than on the primary. */
  readonly repeated: Tally;
  /** On the candidate, and on the primary only in a producer's transaction that was taken back. */
  readonly takenBack: Tally;
  /** On the candidate, and either there twice, the first time longer ago than is remembered, or on the candidate only. */
  readonly unclear: Tally;
  /** On the candidate, where the primary's records stand in or behind a producer's transaction that is still open. */
  readonly open: bigint;
  /** On one site only, before the first record of the other. */
  readonly olderOnPrimary: bigint;
  readonly olderOnCandidate: bigint;
  /** At the primary's end, and not on the candidate yet. */
  readonly behind: bigint;
  /** Neither site's first records were found on the other. */
  readonly unrelated: boolean;
}

const TAKEN_BACK_MAX = 100_000;
/** Of the site that begins later: by any of its first records the place is found on the other. */
const HEADS = 200;
const REMEMBERED = 2 ** 20;
/** Looks in vain: of two wholly different logs each would be as long as the window. */
const LOOKS_MAX = 2000;

export interface WalkOptions {
  /** What the candidate got behind it may be newer than all that is read of the primary. */
  readonly candidateEnd: bigint;
  /** Offsets of the primary to translate. */
  readonly wanted?: readonly bigint[];
  /** How many matched records are remembered: whoever replicates sends some again after it was stopped. */
  readonly remembered?: number;
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
  readonly #takenBackHere = new Counter();
  readonly #unclear = new Counter();
  readonly #matchedNames: MatchedNames;
  /** Of the primary; null: none were. */
  #takenBack: MatchedNames | null = null;
  readonly #places: TopicPlaces;
  #started = false;
  #unrelated = false;
  #matched = 0;
  #behind = 0n;
  #looks = 0;
  #isOpen = false;
  /** The last records of the candidate that were not the primary's next ones were on it before. */
  #isAmongAgain = false;
  #open = 0n;
  #older = { primary: 0n, candidate: 0n };
  readonly #candidateEnd: bigint;
  /** The primary had records before the oldest that it keeps. */
  #hadOlder = false;
  /** Nothing of what the primary had is left. */
  #hasOnlyHad = false;

  constructor({ candidateEnd, wanted = [], remembered = REMEMBERED }: WalkOptions) {
    this.#candidateEnd = candidateEnd;
    this.#places = new TopicPlaces(wanted);
    this.#matchedNames = new MatchedNames(remembered);
  }

  /** Of the primary: the offset of its oldest record. What the candidate has before that was removed on the primary. */
  begins(offset: bigint): void {
    if (offset > 0n) this.#hadOlder = true;
  }

  feed(site: 'primary' | 'candidate', records: readonly NamedRecord[]): void {
    const side = site === 'primary' ? this.#primary : this.#candidate;
    for (const record of records) {
      if (record.takenBack !== true) side.put(record);
      else if (site === 'primary') this.#noteTakenBack(record);
    }
    this.#advance();
  }

  /** No more records of this site; `isOpen`: what it has more stands in or behind an open transaction of a producer. */
  end(site: 'primary' | 'candidate', isOpen = false): void {
    (site === 'primary' ? this.#primary : this.#candidate).ended = true;
    if (site === 'primary') this.#isOpen = isOpen;
    this.#advance();
    if (this.#primary.ended && this.#candidate.ended) this.#places.ended(this.#matched);
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

  /** Where the candidate has what the primary has at this offset or behind it; null: nothing matched there. */
  translated(offset: bigint): bigint | null {
    return this.#places.of(offset);
  }

  /** After both ended. */
  result(): WalkResult {
    const { primary: olderOnPrimary, candidate: olderOnCandidate } = this.#older;
    return {
      matched: BigInt(this.#matched),
      missing: this.#missing,
      extra: this.#extra,
      repeated: this.#repeated,
      takenBack: this.#takenBackHere,
      unclear: this.#unclear,
      open: this.#open,
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
      if (head.offset < this.#candidateEnd) this.#left(head);
      candidate.skip();
    }
  }

  #match(ours: NamedRecord, theirs: NamedRecord): void {
    this.#places.matched(ours, theirs, this.#matched);
    this.#matched += 1;
    this.#isAmongAgain = false;
    this.#matchedNames.add(ours.name);
    this.#primary.skip();
    this.#candidate.skip();
  }

  /** The two next records differ: the shorter way to where they agree again is what happened. */
  #resolve(ours: NamedRecord, theirs: NamedRecord): void {
    // Before all else: what was sent again may be longer than the window.
    const again = this.#again(theirs);
    if (again !== null) {
      again.add(theirs);
      this.#candidate.skip();
      this.#isAmongAgain = true;
      return;
    }
    const mayLook = this.#looks < LOOKS_MAX;
    const missing = mayLook ? this.#primary.find(theirs.name) : -1;
    const surplus = mayLook ? this.#candidate.find(ours.name) : -1;
    const isNowhere = missing < 0 && surplus < 0;
    if (isNowhere) this.#looks += 1;
    // A record that is nowhere was changed: missing here, surplus there. Among those that were sent again it is one more.
    const isChanged = isNowhere && !this.#isAmongAgain;
    if (isChanged || (missing >= 0 && (surplus < 0 || missing <= surplus))) {
      for (let left = Math.max(missing, 1); left > 0; left -= 1) this.#lacks();
      if (!isChanged) return;
    }
    for (let left = Math.max(surplus, 1); left > 0; left -= 1) {
      const { head } = this.#candidate;
      if (head !== undefined) this.#surplus(head);
      this.#candidate.skip();
    }
  }

  #noteTakenBack({ name }: NamedRecord): void {
    this.#takenBack ??= new MatchedNames(TAKEN_BACK_MAX);
    this.#takenBack.add(name);
  }

  #lacks(): void {
    const { head } = this.#primary;
    if (head !== undefined) this.#missing.add(head);
    this.#primary.skip();
  }

  /** Of the candidate, at its end. */
  #left(record: NamedRecord): void {
    if (this.#hasOnlyHad) this.#older.candidate += 1n;
    else {
      const again = this.#again(record);
      if (again === null && this.#isOpen) this.#open += 1n;
      else (again ?? this.#extra).add(record);
    }
  }

  #surplus(record: NamedRecord): void {
    (this.#again(record) ?? this.#extra).add(record);
  }

  /** What a record of the candidate counts as that was on the primary before; null: it never was. */
  #again(theirs: NamedRecord): Counter | null {
    const known = this.#matchedNames.knows(theirs.name);
    if (typeof known === 'number') {
      this.#places.repeated(theirs, known);
      return this.#repeated;
    }
    if (typeof this.#takenBack?.knows(theirs.name) === 'number') return this.#takenBackHere;
    return known === 'perhaps' ? this.#unclear : null;
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
      this.#hasOnlyHad = ours === undefined && this.#hadOlder;
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
      if (isLonger) this.#older.primary += 1n;
      else if (this.#hadOlder) this.#older.candidate += 1n;
      else this.#surplus(head);
      longer.skip();
    }
    if (!longer.ended) return false;
    this.#started = true;
    this.#unrelated = true;
    return true;
  }
}
