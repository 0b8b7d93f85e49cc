/**
 * Types of MariaDB that the log holds as the bytes of the value, and the server sends as text (knowledge base, "INET4",
 * "INET6", "UUID").
 */

const HEX = '0123456789abcdef';

/** 16 bytes as 36 characters. Returns the number of characters. */
export function writeUuid(bytes: Uint8Array, from: number, target: Uint8Array, start: number): number {
  let at = start;
  for (let index = 0; index < 16; index += 1) {
    if (index === 4 || index === 6 || index === 8 || index === 10) target[at++] = 0x2d;
    const byte = bytes[from + index] ?? 0;
    target[at++] = HEX.charCodeAt(byte >> 4);
    target[at++] = HEX.charCodeAt(byte & 15);
  }
  return at - start;
}

/** 4 or 16 bytes as the server prints an address. */
export function addressText(bytes: Uint8Array): string {
  return bytes.length === 4 ? bytes.join('.') : inet6Text(bytes);
}

/**
 * The longest run of two or more zero groups (the first of equal ones) is left out; what is mapped or compatible
 * (::ffff:1.2.3.4, ::1.2.3.4, the latter not from ::0.0.0.0 to ::0.0.255.255) ends in an IPv4 address (RFC 5952, as
 * INET6_NTOA).
 */
function inet6Text(bytes: Uint8Array): string {
  const groups = Array.from(
    { length: 8 },
    (_, index) => ((bytes[2 * index] ?? 0) << 8) | (bytes[2 * index + 1] ?? 0),
  );
  const gap = longestGap(groups);
  let text = '';
  for (let index = 0; index < 8;) {
    if (gap !== null && index === gap.start) {
      text += index === 0 ? '::' : ':';
      index += gap.length;
      continue;
    }
    const mapped = gap?.start === 0 && (gap.length === 6 || (gap.length === 5 && groups[5] === 0xffff));
    if (index === 6 && mapped) return text + bytes.subarray(12).join('.');
    text += (groups[index] ?? 0).toString(16);
    index += 1;
    if (index < 8) text += ':';
  }
  return text;
}

function longestGap(groups: readonly number[]): { readonly start: number; readonly length: number } | null {
  let best: { start: number; length: number } | null = null;
  for (let start = 0; start < groups.length; start += 1) {
    let length = 0;
    while (start + length < groups.length && groups[start + length] === 0) length += 1;
    if (length >= 2 && length > (best?.length ?? 0)) best = { start, length };
    start += length;
  }
  return best;
}
