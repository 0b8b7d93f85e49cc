import { instantiateKernel, KERNEL_BASE_BYTES, type KernelInstance } from './kernel-module.ts';
import { keyAt, type Records } from './records.ts';

const SLOT_BYTES = 24;
const STAGE_ROWS = 16_384;
const STAGE_KEY_BYTES = 1_048_576;
/** The table is filled to three quarters at most (joinAdd). */
const LOAD = 0.75;
const STAGE_BYTES = STAGE_ROWS * 20 + STAGE_KEY_BYTES;
/** Room for slots and keys below which a joiner is of no use. */
const USABLE_BYTES_MIN = 1_048_576;
/** The share of the room that slots get; identities get the rest. */
const SLOT_SHARE = 0.65;

/** What is left of a row after cancelling: how many more of it one side has. */
export interface Leftover {
  /** Positive: the side that entered with +1 has more. */
  readonly count: number;
  readonly first: bigint;
  readonly second: bigint;
  readonly key: Uint8Array;
}

/**
 * Joins the rows of two sites that arrive in any order, in a memory of fixed size: equal rows cancel, so what stays is
 * where the sites differ. A row needs room until its twin arrives.
 */
export class Joiner {
  readonly #kernel: KernelInstance;
  readonly #slots: number;
  readonly #slotsMax: number;
  #slotCount: number;
  readonly #keys: number;
  readonly #keyBytes: number;
  readonly #stageDigests: number;
  readonly #stageEnds: number;
  readonly #stageKeys: number;

  constructor(bytesMax: number) {
    const usable = usableBytes(bytesMax);
    this.#slotsMax = slotsIn(usable);
    this.#slotCount = this.#slotsMax;
    this.#stageDigests = KERNEL_BASE_BYTES;
    this.#stageEnds = this.#stageDigests + STAGE_ROWS * 16;
    this.#stageKeys = this.#stageEnds + STAGE_ROWS * 4;
    this.#slots = this.#stageKeys + STAGE_KEY_BYTES;
    this.#keys = this.#slots + this.#slotsMax * SLOT_BYTES;
    this.#keyBytes = usable - this.#slotsMax * SLOT_BYTES;
    this.#kernel = instantiateKernel(this.#keys + this.#keyBytes);
    this.#place();
  }

  /** How many different rows fit, if their identities are short. */
  static capacity(bytesMax: number): number {
    return Math.floor((slotsIn(usableBytes(bytesMax)) * LOAD) / 1.05);
  }

  /**
   * Empties it. `rows`: where only so many are expected to wait at a time, fewer slots are used, which the processor's
   * cache holds better.
   */
  reset(rows = Infinity): void {
    const wanted = 2 ** Math.ceil(Math.log2(Math.max(rows, 1024) / LOAD));
    this.#slotCount = Math.min(wanted, this.#slotsMax);
    this.#place();
    this.#kernel.exports.joinReset();
  }

  #place(): void {
    this.#kernel.exports.joinPlace(this.#slots, this.#slotCount - 1, this.#keys, this.#keyBytes);
  }

  /** Adds the rows of one read. False: there is no room; the join has to be done again over fewer rows. */
  add(records: Records, sign: 1 | -1): boolean {
    let row = 0;
    while (row < records.count) {
      const staged = this.#stage(records, row);
      const taken = this.#kernel.exports.joinAdd(
        this.#stageDigests,
        this.#stageEnds,
        this.#stageKeys,
        staged,
        sign,
      );
      if (taken < staged) return false;
      row += staged;
    }
    return true;
  }

  /** Every row that did not cancel; the keys are copies. */
  *leftovers(): Generator<Leftover> {
    const view = new DataView(this.#kernel.memory.buffer);
    for (let slot = 0; slot < this.#slotCount; slot++) {
      const at = this.#slots + slot * SLOT_BYTES;
      const count = view.getInt32(at + 16, true);
      if (count === 0) continue;
      const keyStart = this.#keys + view.getUint32(at + 20, true) - 1;
      const size = view.getUint32(keyStart, true);
      yield {
        count,
        first: view.getBigUint64(at, true),
        second: view.getBigUint64(at + 8, true),
        key: this.#kernel.memory.slice(keyStart + 4, keyStart + 4 + size),
      };
    }
  }

  /** Copies rows from `row` on into the staging area; the answer is how many. */
  #stage(records: Records, row: number): number {
    const { memory } = this.#kernel;
    const ends = new Uint32Array(memory.buffer, this.#stageEnds, STAGE_ROWS);
    const keyStart = row === 0 ? 0 : (records.keyEnds[row - 1] ?? 0);
    let staged = 0;
    while (staged < STAGE_ROWS && row + staged < records.count) {
      const end = (records.keyEnds[row + staged] ?? 0) - keyStart;
      if (end > STAGE_KEY_BYTES) break;
      ends[staged] = end;
      staged++;
    }
    if (staged === 0) throw new RangeError(`an identity of ${keyAt(records, row).length} bytes is too long`);
    memory.set(records.digests.subarray(row * 16, (row + staged) * 16), this.#stageDigests);
    memory.set(records.keys.subarray(keyStart, records.keyEnds[row + staged - 1]), this.#stageKeys);
    return staged;
  }
}

function usableBytes(bytesMax: number): number {
  return Math.max(bytesMax - STAGE_BYTES, USABLE_BYTES_MIN);
}

/** A power of two. */
function slotsIn(usable: number): number {
  return 2 ** Math.floor(Math.log2((usable * SLOT_SHARE) / SLOT_BYTES));
}
