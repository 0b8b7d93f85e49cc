/** How many matched before it; `perhaps`: it may be one of those that are remembered no more. */
export type Known = number | 'perhaps' | 'no';

const WORDS = 4;
const FIRST_NAMES = 1024;
/** How many bits of the filter stand for a name. */
const MARKS = 4;
const FILTER_BITS_MIN = 2 ** 17;
/** Of the filter for each name that is remembered: of these one in 2500 counts as known wrongly, and more beyond them. */
const FILTER_BITS_EACH = 32;
/** Searches through all that is remembered which found nothing, or nothing behind what was found before. */
const SEARCHES_MAX = 2000;
const MIX_1 = 0x9e3779b1;
const MIX_2 = 0x85ebca6b;

/**
 * Names of the records that matched, in their order: the newest exactly, in 16 bytes each; all that ever were in a
 * Bloom filter, which is never wrong about a name that it does not have. Whoever sends records again sends them in
 * their order, so each is looked for behind the one before.
 */
export class MatchedNames {
  readonly #most: number;
  readonly #filter: Uint32Array;
  readonly #shift: number;
  /** A ring once it has `most` names. */
  #names = new Uint32Array(FIRST_NAMES * WORDS);
  #count = 0;
  #all = 0;
  #newest = -1;
  #found = -1;
  #searches = 0;
  readonly #word = new Uint32Array(WORDS);

  constructor(most: number) {
    this.#most = Math.max(most, FIRST_NAMES);
    const bits = Math.log2(Math.max(FILTER_BITS_MIN, this.#most * FILTER_BITS_EACH));
    this.#shift = 32 - Math.min(Math.ceil(bits), 31);
    this.#filter = new Uint32Array(2 ** (32 - this.#shift - 5));
  }

  add(name: string): void {
    this.#take(name);
    this.#newest = this.#newest + 1 === this.#most ? 0 : this.#newest + 1;
    if (this.#newest * WORDS === this.#names.length) this.#grow();
    this.#names.set(this.#word, this.#newest * WORDS);
    this.#count = Math.min(this.#count + 1, this.#most);
    this.#all += 1;
    this.#mark();
  }

  knows(name: string): Known {
    this.#take(name);
    if (!this.#isMarked()) return 'no';
    const next = this.#found + 1 === this.#count ? 0 : this.#found + 1;
    if (this.#found >= 0 && this.#isAt(next)) {
      this.#found = next;
      return this.#numberAt(next);
    }
    if (this.#searches === SEARCHES_MAX) return 'perhaps';
    this.#searches += 1;
    for (let index = 0; index < this.#count; index += 1) {
      if (!this.#isAt(index)) continue;
      this.#found = index;
      return this.#numberAt(index);
    }
    return 'perhaps';
  }

  #numberAt(index: number): number {
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
    const at = index * WORDS;
    const [names, word] = [this.#names, this.#word];
    return (
      names[at] === word[0] &&
      names[at + 1] === word[1] &&
      names[at + 2] === word[2] &&
      names[at + 3] === word[3]
    );
  }

  #grow(): void {
    const grown = new Uint32Array(Math.min(this.#names.length * 2, this.#most * WORDS));
    grown.set(this.#names);
    this.#names = grown;
  }

  #mark(): void {
    for (let index = 0; index < MARKS; index += 1) {
      const bit = this.#bit(index);
      this.#filter[bit >>> 5] = (this.#filter[bit >>> 5] ?? 0) | (1 << (bit & 31));
    }
  }

  #isMarked(): boolean {
    for (let index = 0; index < MARKS; index += 1) {
      const bit = this.#bit(index);
      if (((this.#filter[bit >>> 5] ?? 0) & (1 << (bit & 31))) === 0) return false;
    }
    return true;
  }

  #bit(index: number): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#word;
    const first = Math.imul(a ^ Math.imul(b, MIX_2), MIX_1);
    const second = Math.imul(c ^ Math.imul(d, MIX_1) ^ (a >>> 7), MIX_2) | 1;
    return Math.imul(first + Math.imul(index, second), MIX_1) >>> this.#shift;
  }
}
