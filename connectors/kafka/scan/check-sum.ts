/** CRC-32C: RFC 3720, appendix B.4; sixteen bytes at a time by tables, which stand before the areas of scan.ts. */

const POLYNOMIAL: u32 = 0x82f63b78;
const TABLES: i32 = 16;
const TABLES_AT: usize = 1024;

/** To be called first. */
export function makeTables(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let sum = byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1) == 0 ? sum >>> 1 : (sum >>> 1) ^ POLYNOMIAL;
    store<u32>(TABLES_AT + ((<usize>byte) << 2), sum);
  }
  for (let index: u32 = 256; index < 256 * TABLES; index++) {
    const before = load<u32>(TABLES_AT + ((<usize>(index - 256)) << 2));
    const next = load<u32>(TABLES_AT + ((<usize>(before & 0xff)) << 2));
    store<u32>(TABLES_AT + ((<usize>index) << 2), (before >>> 8) ^ next);
  }
}

// @ts-ignore: decorator
@inline
function entry(table: usize, byte: u32): u32 {
  return load<u32>(TABLES_AT + (table << 10) + ((<usize>(byte & 0xff)) << 2));
}

/** The sum goes on from `sum`, which is −1 at first; of all of it the complement is CRC-32C. */
export function crc32c(sum: u32, from: usize, to: usize): u32 {
  let p = from;
  for (; p + 16 <= to; p += 16) {
    const a = load<u32>(p) ^ sum;
    const b = load<u32>(p, 4);
    const c = load<u32>(p, 8);
    const d = load<u32>(p, 12);
    sum =
      entry(15, a) ^
      entry(14, a >>> 8) ^
      entry(13, a >>> 16) ^
      entry(12, a >>> 24) ^
      entry(11, b) ^
      entry(10, b >>> 8) ^
      entry(9, b >>> 16) ^
      entry(8, b >>> 24) ^
      entry(7, c) ^
      entry(6, c >>> 8) ^
      entry(5, c >>> 16) ^
      entry(4, c >>> 24) ^
      entry(3, d) ^
      entry(2, d >>> 8) ^
      entry(1, d >>> 16) ^
      entry(0, d >>> 24);
  }
  for (; p < to; p++) sum = (sum >>> 8) ^ entry(0, sum ^ load<u8>(p));
  return sum;
}
