/**
 * What is kept of each row of a read, in the order of arrival: 16 bytes of digest and the identity's bytes.
 * About 32 bytes a row with a bigint key.
 */
export interface Records {
  readonly count: number;
  /** 16 bytes a row: the two lanes, little endian. */
  readonly digests: Uint8Array;
  /** Where each row's identity ends in `keys`. */
  readonly keyEnds: Uint32Array;
  readonly keys: Uint8Array;
}

/** One after the other, copied. */
export function joinRecords(parts: readonly Records[]): Records {
  let count = 0;
  let keySize = 0;
  for (const part of parts) {
    count += part.count;
    keySize += part.keys.length;
  }
  const joined = {
    count,
    digests: new Uint8Array(count * 16),
    keyEnds: new Uint32Array(count),
    keys: new Uint8Array(keySize),
  };
  let row = 0;
  let key = 0;
  for (const part of parts) {
    joined.digests.set(part.digests, row * 16);
    joined.keys.set(part.keys, key);
    for (let i = 0; i < part.count; i++) joined.keyEnds[row + i] = (part.keyEnds[i] ?? 0) + key;
    row += part.count;
    key += part.keys.length;
  }
  return joined;
}

/** The identity of row `index`: a view. */
export function keyAt(records: Records, index: number): Uint8Array {
  const start = index === 0 ? 0 : (records.keyEnds[index - 1] ?? 0);
  return records.keys.subarray(start, records.keyEnds[index]);
}

/** Whether row `i` of `a` and row `j` of `b` have equal digests. */
export function sameRow(a: Records, i: number, b: Records, j: number): boolean {
  const x = i * 16;
  const y = j * 16;
  for (let k = 0; k < 16; k++) {
    if (a.digests[x + k] !== b.digests[y + k]) return false;
  }
  return true;
}
