/** How many matched before it; `perhaps`: it may be one of those that are remembered no more. */
export type Known = number | 'perhaps' | 'no';

const WORDS = 4;
/** Names are kept in pieces of so many: what is few takes little, and nothing is ever copied. */
const PIECE_BITS = 12;
const PIECE = 2 ** PIECE_BITS;
/** Searches through all that is remembered, for a name that did not come behind the one before. */
const SEARCHES_MAX = 2000;
const MIX_1 = 0x9e3779b1;
const MIX_2 = 0x85ebca6b;

/**
 * Names of the records that matched, in their order: the newest exactly, in 16 bytes each; once it is asked for, all that
 * ever were in a Bloom filter, which is never wrong about a name that it does not have. Whoever sends records again
 * sends them in their order, so each is looked for behind the one before.
 */
export class MatchedNames {
  readonly #most: number;
  /** A ring once it holds `most` names. */
  readonly #pieces: Uint32Array[] = [];
  #all = 0;
  #newest = -1;
  #found = -1;
  #searches = 0;
  /** One word for each name of the ring; null: nothing was asked, and nothing forgotten. */
  #filter: Uint32Array | null = null;
  readonly #word = new Uint32Array(WORDS);

  constructor(most: number) {
    this.#most = Math.ceil(Math.max(most, 1) / PIECE) * PIECE;
  }

  add(name: string): void {
    this.#take(name);
    this.#newest = this.#newest + 1 === this.#most ? 0 : this.#newest + 1;
    if (this.#all === this.#most) this.#filled();
    const number = this.#newest >>> PIECE_BITS;
    const piece = (this.#pieces[number] ??= new Uint32Array(PIECE * WORDS));
    const at = (this.#newest & (PIECE - 1)) * WORDS;
    for (let index = 0; index < WORDS; index += 1) piece[at + index] = this.#word[index] ?? 0;
    this.#all += 1;
    if (this.#filter !== null) this.#mark(this.#filter);
  }

  knows(name: string): Known {
    const filter = this.#filled();
    this.#take(name);
    const marks = this.#marks();
    if (((filter[this.#place(filter)] ?? 0) & marks) !== marks) return 'no';
    const count = Math.min(this.#all, this.#most);
    const next = this.#found + 1 === count ? 0 : this.#found + 1;
    if (this.#found >= 0 && this.#isAt(next)) return this.#foundAt(next);
    if (this.#searches === SEARCHES_MAX) return 'perhaps';
    this.#searches += 1;
    for (let index = 0; index < count; index += 1) if (this.#isAt(index)) return this.#foundAt(index);
    return this.#all > this.#most ? 'perhaps' : 'no';
  }

  /** The filter, with all that is remembered until now. */
  #filled(): Uint32Array {
    if (this.#filter !== null) return this.#filter;
    const filter = new Uint32Array(2 ** Math.ceil(Math.log2(this.#most)));
    const kept = [...this.#word];
    for (let index = 0; index < this.#all; index += 1) {
      const at = (index & (PIECE - 1)) * WORDS;
      const piece = this.#pieces[index >>> PIECE_BITS];
      for (let word = 0; word < WORDS; word += 1) this.#word[word] = piece?.[at + word] ?? 0;
      this.#mark(filter);
    }
    this.#word.set(kept);
    this.#filter = filter;
    return filter;
  }

  #foundAt(index: number): number {
    this.#found = index;
    const age = this.#newest - index;
    return this.#all - 1 - (age < 0 ? age + this.#most : age);
  }

  /** 128 bits, as characters of eight bits each. */
  #take(name: string): void {
    for (let index = 0; index < WORDS; index += 1) {
      const at = index * 4;
      this.#word[index] =
        (name.charCodeAt(at) << 24) |
        (name.charCodeAt(at + 1) << 16) |
        (name.charCodeAt(at + 2) << 8) |
        name.charCodeAt(at + 3);
    }
  }

  #isAt(index: number): boolean {
    const piece = this.#pieces[index >>> PIECE_BITS];
    const at = (index & (PIECE - 1)) * WORDS;
    const word = this.#word;
    return (
      piece?.[at] === word[0] &&
      piece?.[at + 1] === word[1] &&
      piece?.[at + 2] === word[2] &&
      piece?.[at + 3] === word[3]
    );
  }

  #mark(filter: Uint32Array): void {
    const place = this.#place(filter);
    filter[place] = (filter[place] ?? 0) | this.#marks();
  }

  /** Its word in the filter, whose length is a power of two. */
  #place(filter: Uint32Array): number {
    const [a = 0, b = 0] = this.#word;
    return Math.imul(a ^ Math.imul(b, MIX_2), MIX_1) & (filter.length - 1);
  }

  /** Four of the 32 bits there. */
  #marks(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#word;
    const mixed = Math.imul(c ^ Math.imul(d, MIX_1) ^ (a >>> 7) ^ Math.imul(b, MIX_1), MIX_2);
    return (
      (1 << (mixed >>> 27)) |
      (1 << ((mixed >>> 22) & 31)) |
      (1 << ((mixed >>> 17) & 31)) |
      (1 << ((mixed >>> 12) & 31))
    );
  }
}
