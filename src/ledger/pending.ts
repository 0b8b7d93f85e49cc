import { int32At } from '../row/stream.ts';
import { copyBytes, sameBytes, Scratch } from './bytes.ts';
import { DIGEST_BYTES, ENTRY_BYTES_USUAL, ENTRY_DIGEST_AT, entryState, STATE } from './entry.ts';

/** What the index holds of a key, as far as its counts go; NOT_READ: it was not looked up. */
export const NOT_READ = 3;
export type IndexState = 0 | 1 | 2 | typeof NOT_READ;

const FIRST_ENTRIES = 1024;
const FIRST_BYTES = 64 * 1024;
const RELATION_BYTES = 4;
/** Which half of a number of 64 bits its lower one is, seen as two of 32: the first, but on a few machines. */
const LOW = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 0 : 1;
const HIGH = 1 - LOW;

/**
 * The newest entries of keys that are in the journal and not yet in the index: an open-addressing table over plain
 * memory, since a map of strings and buffers takes four times the space and has the collector walk it (measured). Each
 * key also knows what the index held of it when it was looked up, so that applying need not look again.
 *
 * Entries are numbered from 0 to size − 1 in the order in which they first came; clear() begins anew.
 */
export class PendingEntries {
  #size = 0;
  /** Entry's number plus one, by hash; 0: free. A power of two, at most half full. */
  #table = new Int32Array(FIRST_ENTRIES * 2);
  #hashes = new Int32Array(FIRST_ENTRIES);
  #keyAt = new Uint32Array(FIRST_ENTRIES);
  #keyLength = new Uint16Array(FIRST_ENTRIES);
  #entryAt = new Uint32Array(FIRST_ENTRIES);
  #entryLength = new Uint32Array(FIRST_ENTRIES);
  #indexStates = new Uint8Array(FIRST_ENTRIES);
  /** Keys, each behind the digest that the index holds of its row, and entries. */
  #memory = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #used = 0;
  readonly #keyViews = new Scratch();
  readonly #entryViews = new Scratch();

  get size(): number {
    return this.#size;
  }

  /** What keys and entries take, in bytes. */
  get bytes(): number {
    return this.#used;
  }

  /** The number of a key's entry; −1: it has none. */
  find(key: Uint8Array): number {
    const mask = this.#table.length - 1;
    const hash = hashOf(key);
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = (this.#table[slot] ?? 0) - 1;
      if (number < 0 || (this.#hashes[number] === hash && this.#isKey(number, key))) return number;
    }
  }

  /** A key's entry: a view, intact until the next `set` or `clear`; undefined: it has none. */
  get(key: Uint8Array): Buffer | undefined {
    const number = this.find(key);
    return number < 0 ? undefined : this.entry(number);
  }

  /** Copies key and entry. */
  set(key: Uint8Array, entry: Uint8Array): void {
    const found = this.find(key);
    this.replace(found < 0 ? this.add(key, undefined, true) : found, entry, entry.length);
  }

  /**
   * Makes room for a key that has no entry yet; `indexed` is its entry in the index, undefined: none, and `unknown` says
   * that nobody looked. The caller gives it an entry by `replace` at once.
   */
  add(key: Uint8Array, indexed: Uint8Array | undefined, unknown = false): number {
    if (this.#size === this.#hashes.length) this.#growEntries();
    const number = this.#size++;
    const hash = hashOf(key);
    this.#hashes[number] = hash;
    this.#enter(number, hash);
    const at = this.#space(DIGEST_BYTES + key.length);
    const state = indexed === undefined ? STATE.absent : entryState(indexed);
    this.#indexStates[number] = unknown ? NOT_READ : state;
    if (indexed !== undefined && state === STATE.present) {
      copyBytes(indexed, ENTRY_DIGEST_AT, DIGEST_BYTES, this.#memory, at);
    }
    copyBytes(key, 0, key.length, this.#memory, at + DIGEST_BYTES);
    this.#keyAt[number] = at + DIGEST_BYTES;
    this.#keyLength[number] = key.length;
    this.#entryLength[number] = 0;
    return number;
  }

  /** Copies the first `length` bytes of `entry` over the entry of this number. */
  replace(number: number, entry: Uint8Array, length: number): void {
    const before = this.#entryLength[number] ?? 0;
    const room = before === 0 ? 0 : Math.max(before, ENTRY_BYTES_USUAL);
    if (length > room) this.#entryAt[number] = this.#space(Math.max(length, ENTRY_BYTES_USUAL));
    copyBytes(entry, 0, length, this.#memory, this.#entryAt[number] ?? 0);
    this.#entryLength[number] = length;
  }

  /** The index's entry of this key is about to become another: it is looked up again when this one is applied. */
  indexChanges(key: Uint8Array): void {
    const number = this.#size === 0 ? -1 : this.find(key);
    if (number >= 0) this.#indexStates[number] = NOT_READ;
  }

  indexState(number: number): IndexState {
    const state = this.#indexStates[number];
    return state === 0 || state === 1 || state === 2 ? state : NOT_READ;
  }

  /** A view, intact until the next `set` or `clear`. */
  entry(number: number): Buffer {
    const at = this.#entryAt[number] ?? 0;
    return this.#memory.subarray(at, at + (this.#entryLength[number] ?? 0));
  }

  /** A view, as of `entry`. */
  key(number: number): Buffer {
    const at = this.#keyAt[number] ?? 0;
    return this.#memory.subarray(at, at + (this.#keyLength[number] ?? 0));
  }

  /** Every key and its entry, in no order: views, as of `entry`. */
  *[Symbol.iterator](): Generator<{ readonly stored: Buffer; readonly entry: Buffer }> {
    for (let number = 0; number < this.#size; number++) {
      yield { stored: this.key(number), entry: this.entry(number) };
    }
  }

  /** Like `key` and `entry`, of one piece of memory over and over: valid until the next call. Much faster. */
  passingKey(number: number): Buffer {
    return this.#keyViews.copyOf(this.#memory, this.#keyAt[number] ?? 0, this.#keyLength[number] ?? 0);
  }

  passingEntry(number: number): Buffer {
    return this.#entryViews.copyOf(this.#memory, this.#entryAt[number] ?? 0, this.#entryLength[number] ?? 0);
  }

  /** Memory, and where in it the digest of the index's row stands: only where indexState is that of a present row. */
  get memory(): Buffer {
    return this.#memory;
  }

  indexDigestAt(number: number): number {
    return (this.#keyAt[number] ?? 0) - DIGEST_BYTES;
  }

  /** All numbers in the order of their keys. */
  sorted(): Uint32Array {
    const relations = new Map<number, number[]>();
    for (let number = 0; number < this.#size; number++) {
      const relation = int32At(this.#memory, this.#keyAt[number] ?? 0) >>> 0;
      const members = relations.get(relation);
      if (members === undefined) relations.set(relation, [number]);
      else members.push(number);
    }
    const all = new Uint32Array(this.#size);
    let at = 0;
    for (const relation of [...relations.keys()].sort((a, b) => a - b)) {
      const members = Uint32Array.from(relations.get(relation) ?? []);
      all.set(this.#sortRelation(members), at);
      at += members.length;
    }
    return all;
  }

  clear(): void {
    this.#table.fill(0);
    this.#size = 0;
    this.#used = 0;
  }

  /**
   * In place. Sorted are numbers of 64 bits, since a comparing function takes ten times as long: as much of a key as fits
   * in, behind what all keys share, then the entry's number. Keys that are the same so far are compared.
   */
  #sortRelation(members: Uint32Array): Uint32Array {
    const common = this.#commonBytes(members);
    const numbers = 2 ** (32 - Math.clz32(this.#size)) - 1;
    const places = new BigUint64Array(members.length);
    const halves = new Uint32Array(places.buffer);
    for (let index = 0; index < members.length; index++) {
      const number = members[index] ?? 0;
      halves[2 * index + HIGH] = this.#word(number, common);
      halves[2 * index + LOW] = (this.#word(number, common + 4) & ~numbers) | number;
    }
    places.sort();
    let alike = 0;
    for (let index = 0; index < members.length; index++) {
      members[index] = (halves[2 * index + LOW] ?? 0) & numbers;
      const next = 2 * index + 2;
      const goesOn =
        halves[next + HIGH] === halves[next - 2 + HIGH] &&
        (((halves[next + LOW] ?? 0) ^ (halves[next - 2 + LOW] ?? 0)) & ~numbers) === 0;
      if (goesOn) continue;
      if (index > alike) members.subarray(alike, index + 1).sort((a, b) => this.#compare(a, b, common));
      alike = index + 1;
    }
    return members;
  }

  /** How many leading bytes all of these keys share. */
  #commonBytes(members: Uint32Array): number {
    const memory = this.#memory;
    const first = this.#keyAt[members[0] ?? 0] ?? 0;
    let common = this.#keyLength[members[0] ?? 0] ?? 0;
    for (const number of members) {
      const at = this.#keyAt[number] ?? 0;
      common = Math.min(common, this.#keyLength[number] ?? 0);
      let same = RELATION_BYTES;
      while (same < common && memory[at + same] === memory[first + same]) same++;
      common = same;
    }
    return common;
  }

  /** Four bytes of a key; those that are not there count as zero, so a tie says nothing. */
  #word(number: number, from: number): number {
    const at = (this.#keyAt[number] ?? 0) + from;
    const left = (this.#keyLength[number] ?? 0) - from;
    if (left >= 4) return int32At(this.#memory, at);
    let value = 0;
    for (let byte = 0; byte < 4; byte++)
      value = value * 256 + (byte < left ? (this.#memory[at + byte] ?? 0) : 0);
    return value;
  }

  #compare(a: number, b: number, from: number): number {
    const memory = this.#memory;
    const aLength = this.#keyLength[a] ?? 0;
    const bLength = this.#keyLength[b] ?? 0;
    const aAt = this.#keyAt[a] ?? 0;
    const bAt = this.#keyAt[b] ?? 0;
    const end = Math.min(aLength, bLength);
    for (let byte = from; byte < end; byte++) {
      const difference = (memory[aAt + byte] ?? 0) - (memory[bAt + byte] ?? 0);
      if (difference !== 0) return difference;
    }
    return aLength - bLength;
  }

  #isKey(number: number, key: Uint8Array): boolean {
    return (
      this.#keyLength[number] === key.length &&
      sameBytes(this.#memory, this.#keyAt[number] ?? 0, key, 0, key.length)
    );
  }

  #enter(number: number, hash: number): void {
    const mask = this.#table.length - 1;
    let slot = hash & mask;
    while (this.#table[slot] !== 0) slot = (slot + 1) & mask;
    this.#table[slot] = number + 1;
  }

  #space(length: number): number {
    const at = this.#used;
    this.#used += length;
    if (this.#used > this.#memory.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(this.#memory.length * 2, this.#used));
      this.#memory.copy(grown, 0, 0, at);
      this.#memory = grown;
    }
    return at;
  }

  #growEntries(): void {
    const capacity = this.#hashes.length * 2;
    this.#hashes = copied(this.#hashes, new Int32Array(capacity));
    this.#keyAt = copied(this.#keyAt, new Uint32Array(capacity));
    this.#keyLength = copied(this.#keyLength, new Uint16Array(capacity));
    this.#entryAt = copied(this.#entryAt, new Uint32Array(capacity));
    this.#entryLength = copied(this.#entryLength, new Uint32Array(capacity));
    this.#indexStates = copied(this.#indexStates, new Uint8Array(capacity));
    this.#table = new Int32Array(capacity * 2);
    for (let number = 0; number < this.#size; number++) this.#enter(number, this.#hashes[number] ?? 0);
  }
}

function copied<T extends Int32Array | Uint32Array | Uint16Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** FNV-1a over 32 bits, mixed once more, since keys that count up differ in their last bits alone. */
function hashOf(key: Uint8Array): number {
  let hash = 0x811c9dc5 | 0;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ (key[at] ?? 0), 0x01000193);
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
}
