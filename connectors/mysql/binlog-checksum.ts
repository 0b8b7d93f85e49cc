import { crc32 } from 'node:zlib';
import { viewOf } from './binlog-view.ts';

/** Of more bytes the library's takes less time; of fewer the call into it and the view that it needs take more. */
const OWN_BYTES_MAX = 1024;
/** The polynomial of CRC-32 (ISO 3309), its bits turned round. */
const POLYNOMIAL = 0xed_b8_83_20;
/** What a byte does to the checksum when none to seven more follow it: eight tables, one behind the other. */
const TABLES = makeTables();

/** The checksum (binlog_checksum = CRC32) of the bytes from `from` up to `to`. */
export function checksumOf(bytes: Uint8Array, from: number, to: number): number {
  if (to - from > OWN_BYTES_MAX) return crc32(bytes.subarray(from, to));
  const source = viewOf(bytes);
  let sum = -1;
  let at = from;
  for (; at + 8 <= to; at += 8) {
    const first = sum ^ source.getInt32(at, true);
    const second = source.getInt32(at + 4, true);
    sum =
      (TABLES[1792 + (first & 0xff)] ?? 0) ^
      (TABLES[1536 + ((first >>> 8) & 0xff)] ?? 0) ^
      (TABLES[1280 + ((first >>> 16) & 0xff)] ?? 0) ^
      (TABLES[1024 + (first >>> 24)] ?? 0) ^
      (TABLES[768 + (second & 0xff)] ?? 0) ^
      (TABLES[512 + ((second >>> 8) & 0xff)] ?? 0) ^
      (TABLES[256 + ((second >>> 16) & 0xff)] ?? 0) ^
      (TABLES[second >>> 24] ?? 0);
  }
  for (; at < to; at += 1) sum = (sum >>> 8) ^ (TABLES[(sum ^ source.getUint8(at)) & 0xff] ?? 0);
  return ~sum >>> 0;
}

function makeTables(): Int32Array {
  const tables = new Int32Array(2048);
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ POLYNOMIAL;
    tables[byte] = value;
  }
  for (let index = 256; index < 2048; index += 1) {
    const before = tables[index - 256] ?? 0;
    tables[index] = (before >>> 8) ^ (tables[before & 0xff] ?? 0);
  }
  return tables;
}
