/** Three words a bucket: rows and the two sums of the kernel. */
const WORDS = 3;

/** Buckets whose counts or sums differ. Pure. */
export function mismatchedBuckets(primary: BigUint64Array, candidate: BigUint64Array): number[] {
  const mismatched: number[] = [];
  for (let word = 0; word < primary.length; word += WORDS) {
    const same =
      primary[word] === candidate[word] &&
      primary[word + 1] === candidate[word + 1] &&
      primary[word + 2] === candidate[word + 2];
    if (!same) mismatched.push(word / WORDS);
  }
  return mismatched;
}

/** All rows in the buckets. */
export function rowsOf(buckets: BigUint64Array): bigint {
  let rows = 0n;
  for (let word = 0; word < buckets.length; word += WORDS) rows += buckets[word] ?? 0n;
  return rows;
}

/**
 * Cuts mismatched buckets into groups whose rows can be joined in a memory for `capacity` rows: those of the candidate,
 * which wait for their twins, and as many again of the primary as the counts say will find none.
 */
export function groupBuckets(
  mismatched: readonly number[],
  primary: BigUint64Array,
  candidate: BigUint64Array,
  capacity: number,
): number[][] {
  const groups: number[][] = [];
  let group: number[] = [];
  let held = 0;
  for (const bucket of mismatched) {
    const rows = Math.max(Number(primary[bucket * WORDS] ?? 0n), Number(candidate[bucket * WORDS] ?? 0n)) + 1;
    if (group.length > 0 && held + rows > capacity) {
      groups.push(group);
      group = [];
      held = 0;
    }
    group.push(bucket);
    held += rows;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}

/** One bit a bucket. */
export function bitmapOf(buckets: readonly number[], bucketCount: number): Uint8Array {
  const bits = new Uint8Array(bucketCount / 8);
  for (const bucket of buckets) bits[bucket >> 3] = (bits[bucket >> 3] ?? 0) | (1 << (bucket & 7));
  return bits;
}
