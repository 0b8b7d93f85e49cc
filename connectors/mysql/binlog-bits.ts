/** Bits of columns: the first is the lowest of the byte at `at`. */
export function isSet(bytes: Uint8Array, at: number, index: number): boolean {
  return ((bytes[at + (index >> 3)] ?? 0) & (1 << (index & 7))) !== 0;
}

/** Whether all of the first `count` bits are set. */
export function areSet(bytes: Uint8Array, at: number, count: number): boolean {
  const end = at + (count >> 3);
  for (let byte = at; byte < end; byte += 1) if (bytes[byte] !== 0xff) return false;
  const rest = (1 << (count & 7)) - 1;
  return rest === 0 || ((bytes[end] ?? 0) & rest) === rest;
}

/** How many of the first `count` bits are set. */
export function countSet(bytes: Uint8Array, at: number, count: number): number {
  let found = 0;
  for (let index = 0; index < count; index += 1) if (isSet(bytes, at, index)) found += 1;
  return found;
}
