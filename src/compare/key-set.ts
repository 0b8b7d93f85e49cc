import { lane, SEED_2 } from '../digest/digest.ts';

const SLOTS_MIN = 1024;
/** 64 MiB: some four million keys are remembered. */
const SLOTS_MAX = 8 * 1024 * 1024;

/**
 * Keys that were met before, as one 64-bit hash each: a row that moves while it is read can be proven different in two
 * places, and counts once. That two keys of a run share a hash is next to impossible (one in ten million with a million
 * keys), and would lower a count by one, never to zero. Beyond its bound the set remembers no more, and `add` says that
 * every key is new.
 */
export class KeySet {
  #slots = new BigUint64Array(SLOTS_MIN);
  #size = 0;

  /** True when the key was not there. */
  add(key: Uint8Array): boolean {
    // Zero marks a free slot.
    const hash = lane(key, SEED_2) || 1n;
    const slot = this.#find(hash);
    if (this.#slots[slot] === hash) return false;
    if (this.#size >= this.#slots.length / 2) {
      if (this.#slots.length >= SLOTS_MAX) return true;
      this.#grow();
      return this.#insert(this.#find(hash), hash);
    }
    return this.#insert(slot, hash);
  }

  #insert(slot: number, hash: bigint): boolean {
    this.#slots[slot] = hash;
    this.#size += 1;
    return true;
  }

  /** Where the hash stands, or the free slot where it would. */
  #find(hash: bigint): number {
    const mask = this.#slots.length - 1;
    let slot = Number(hash & 0xffff_ffffn) & mask;
    for (let there = this.#slots[slot]; there !== 0n && there !== hash; there = this.#slots[slot]) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new BigUint64Array(old.length * 2);
    for (const hash of old) if (hash !== 0n) this.#slots[this.#find(hash)] = hash;
  }
}
