import { SEED_1, SEED_2 } from './digest.ts';
import { instantiateKernel, KERNEL_BASE_BYTES, KERNEL_MODE, type KernelInstance } from './kernel-module.ts';

/** Rows above this are left to others: there the crossing costs nothing. */
const ROW_BYTES_MAX = 65_536;
const COLUMNS_BYTES_MAX = ROW_BYTES_MAX + ROW_BYTES_MAX / 16;
const DIGEST_BYTES = 16;
const ROW_AT = KERNEL_BASE_BYTES;
const REDUCED_AT = ROW_AT + ROW_BYTES_MAX;
const COLUMNS_AT = REDUCED_AT + ROW_BYTES_MAX;
const DIGEST_AT = COLUMNS_AT + COLUMNS_BYTES_MAX;

let kernel: KernelInstance | null = null;

/**
 * The ledger's digest of one row (src/ledger/row-digest.ts) in one call of the kernel: the same in JavaScript takes ten
 * times as long, since each value crosses over by itself. Its memory is shared by all of a thread: what a call leaves
 * stands until the next one.
 */
export class RowReducer {
  readonly #kernel = (kernel ??= newKernel());
  readonly #memory = Buffer.from(this.#kernel.memory.buffer);

  /** The bytes of column digests; −1: the row is for others, be it long, cut off, or without some of its values. */
  reduce(body: Uint8Array): number {
    if (body.length > ROW_BYTES_MAX) return -1;
    this.#memory.set(body, ROW_AT);
    return this.#kernel.exports.digestReduced(
      ROW_AT,
      ROW_AT + body.length,
      REDUCED_AT,
      COLUMNS_AT,
      DIGEST_AT,
    );
  }

  /** The digest of the last row, into 16 bytes of `out` from its beginning. */
  digest(out: Uint8Array): void {
    for (let byte = 0; byte < DIGEST_BYTES; byte++) out[byte] = this.#memory[DIGEST_AT + byte] ?? 0;
  }

  /** The first `length` bytes of the last row's column digests, to the beginning of `out`. */
  columns(out: Uint8Array, length: number): void {
    out.set(this.#memory.subarray(COLUMNS_AT, COLUMNS_AT + length));
  }
}

function newKernel(): KernelInstance {
  const made = instantiateKernel(DIGEST_AT + DIGEST_BYTES);
  made.exports.configure(KERNEL_MODE.sums, SEED_1, SEED_2, 0, 0);
  return made;
}
