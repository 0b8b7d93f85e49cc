import { type WasmInstance, wasmInstances } from './wasm-instance.ts';

/** What the compiled kernel (src/digest/kernel) offers. Addresses and sizes are bytes in the instance's memory. */
export interface KernelExports {
  configure(mode: number, seed1: bigint, seed2: bigint, keyFields: number, inputCapacity: number): void;
  placeRecords(digests: number, keyEnds: number, recordsMax: number, keys: number, keysMax: number): void;
  placeBuckets(buckets: number, count: number, sieve: number): void;
  reset(): void;
  clearRecords(): void;
  getStatus(): number;
  getRows(): bigint;
  getSum1(): bigint;
  getSum2(): bigint;
  getRecords(): number;
  getKeyBytes(): number;
  consume(at: number, end: number): number;
  addRow(digest1: bigint, digest2: bigint, keyStart: number, keySize: number, bucketHash: bigint): number;
  digestReduced(at: number, end: number, reduced: number, columns: number, out: number): number;
  settleBuckets(from: number, into: number, count: number): void;
  joinPlace(slots: number, slotsMask: number, keys: number, keysMax: number): void;
  joinReset(): void;
  joinAdd(digests: number, keyEnds: number, keys: number, count: number, sign: number): number;
}

export const KERNEL_STATUS = { needMore: 0, otherMessage: 1, areaFull: 2, oversized: 3 } as const;
export const KERNEL_MODE = { sums: 0, records: 1, buckets: 2, sieve: 3 } as const;

/** Below this address the kernel's own static data lies, which the compiler puts behind the first kilobyte. */
export const KERNEL_BASE_BYTES = 2048;

export type KernelInstance = WasmInstance<KernelExports>;

/** A new kernel with its own memory of at least `bytes`, which never grows. */
export const instantiateKernel = wasmInstances<KernelExports>(
  new URL('./kernel.wasm', import.meta.url),
  'the digest kernel',
);
