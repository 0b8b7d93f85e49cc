/** Castagnoli's polynomial, its bits the other way round (RFC 3720, appendix B.4). */
const POLYNOMIAL = 0x82f63b78;
/** Bytes that are taken in at once: each table is that of a byte with one more zero byte behind it. */
const AT_ONCE = 8;
const TABLES = tables();

function tables(): Int32Array {
  const made = new Int32Array(256 * AT_ONCE);
  for (let byte = 0; byte < 256; byte += 1) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit += 1) sum = (sum & 1) === 0 ? sum >>> 1 : (sum >>> 1) ^ POLYNOMIAL;
    made[byte] = sum;
  }
  for (let at = 256; at < made.length; at += 1) {
    const before = made[at - 256] ?? 0;
    made[at] = (before >>> 8) ^ (made[before & 0xff] ?? 0);
  }
  return made;
}

/** The check sum CRC-32C of `bytes` from `from` on, as a number of 32 bits without sign. */
export function crc32c(bytes: Uint8Array, from: number): number {
  const t = TABLES;
  const end = bytes.length;
  let sum = -1;
  let at = from;
  for (; at + AT_ONCE <= end; at += AT_ONCE) {
    sum ^=
      byteAt(bytes, at) |
      (byteAt(bytes, at + 1) << 8) |
      (byteAt(bytes, at + 2) << 16) |
      (byteAt(bytes, at + 3) << 24);
    sum =
      entry(t, 7, sum & 0xff) ^
      entry(t, 6, (sum >>> 8) & 0xff) ^
      entry(t, 5, (sum >>> 16) & 0xff) ^
      entry(t, 4, sum >>> 24) ^
      entry(t, 3, byteAt(bytes, at + 4)) ^
      entry(t, 2, byteAt(bytes, at + 5)) ^
      entry(t, 1, byteAt(bytes, at + 6)) ^
      entry(t, 0, byteAt(bytes, at + 7));
  }
  for (; at < end; at += 1) sum = (sum >>> 8) ^ entry(t, 0, (sum ^ byteAt(bytes, at)) & 0xff);
  return ~sum >>> 0;
}

function entry(of: Int32Array, table: number, byte: number): number {
  return of[(table << 8) | byte] ?? 0;
}

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] ?? 0;
}
