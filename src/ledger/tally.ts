import { int32At } from '../row/stream.ts';
import { entryState, ENTRY_DIGEST_AT, STATE, type State } from './entry.ts';
import type { Relation } from './relation.ts';

const LANE_BYTES = 8;
const HALF_BYTES = 4;

/**
 * Rows and sums of one relation as entries come and go. Sums are kept by halves of 32 bits in doubles, which are exact
 * for two million entries; more than that must not come between two calls of `settle`.
 */
export class Tally {
  #rows = 0;
  #unread = 0;
  #high1 = 0;
  #low1 = 0;
  #high2 = 0;
  #low2 = 0;

  entry(entry: Uint8Array, sign: 1 | -1): void {
    this.row(entryState(entry), entry, ENTRY_DIGEST_AT, sign);
  }

  /** A row whose digest, if it is present, stands at `at` of `bytes`. */
  row(state: State, bytes: Uint8Array, at: number, sign: 1 | -1): void {
    if (state === STATE.unknown) this.#unread += sign;
    if (state !== STATE.present) return;
    this.#rows += sign;
    this.#high1 += sign * (int32At(bytes, at) >>> 0);
    this.#low1 += sign * (int32At(bytes, at + HALF_BYTES) >>> 0);
    this.#high2 += sign * (int32At(bytes, at + LANE_BYTES) >>> 0);
    this.#low2 += sign * (int32At(bytes, at + LANE_BYTES + HALF_BYTES) >>> 0);
  }

  /** Adds everything to the relation, and begins anew. */
  settle(relation: Relation): void {
    relation.rows += this.#rows;
    relation.unread += this.#unread;
    relation.sum1 = BigInt.asUintN(64, relation.sum1 + lane(this.#high1, this.#low1));
    relation.sum2 = BigInt.asUintN(64, relation.sum2 + lane(this.#high2, this.#low2));
    this.#rows = 0;
    this.#unread = 0;
    this.#high1 = 0;
    this.#low1 = 0;
    this.#high2 = 0;
    this.#low2 = 0;
  }
}

function lane(high: number, low: number): bigint {
  return BigInt(high) * 2n ** 32n + BigInt(low);
}
