import { Inflated, noData } from './inflated.ts';

/**
 * Before the blocks of snappy-java's stream, which Kafka's own clients write: the name, then two versions of four
 * bytes.
 */
const FRAME = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00]);
const FRAME_BYTES = 16;

/**
 * Snappy, as Kafka's clients write it: blocks of snappy-java's stream, or one block alone. Throws TP-STREAM-PROTOCOL.
 */
export function unsnappied(bytes: Uint8Array, most: number): Uint8Array {
  const out = new Inflated(most);
  if (!FRAME.every((byte, at) => bytes[at] === byte)) {
    block(bytes, 0, bytes.length, out);
    return out.bytes();
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let at = FRAME_BYTES; at < bytes.length;) {
    if (at + 4 > bytes.length) throw noData('snappy');
    const from = at + 4;
    const end = from + view.getInt32(at);
    if (end < from || end > bytes.length) throw noData('snappy');
    block(bytes, from, end, out);
    at = end;
  }
  return out.bytes();
}

/**
 * One block (google/snappy, format_description.txt): the length of what it holds, then literals and copies of what came
 * before.
 */
function block(bytes: Uint8Array, from: number, end: number, out: Inflated): void {
  const started = out.length;
  let at = from;
  let wanted = 0;
  for (let unit = 1; ; unit *= 128) {
    const byte = at < end && at - from < 5 ? (bytes[at] ?? 0) : NaN;
    if (Number.isNaN(byte)) throw noData('snappy');
    at += 1;
    wanted += (byte & 0x7f) * unit;
    if (byte < 0x80) break;
  }
  while (at < end) {
    const tag = bytes[at++] ?? 0;
    const kind = tag & 3;
    const size = tag >> 2;
    // A literal of more than 60 bytes has its length behind the tag; a copy its distance.
    const extra = kind === 0 ? Math.max(size - 59, 0) : kind === 3 ? 4 : kind;
    const number = littleEndian(bytes, at, extra);
    at += extra;
    if (kind === 0) {
      const length = (extra === 0 ? size : number) + 1;
      if (at + length > end) throw noData('snappy');
      out.put(bytes, at, length);
      at += length;
    } else if (kind === 1) out.repeat(((tag >> 5) << 8) | number, (size & 7) + 4, started);
    else out.repeat(number, size + 1, started);
  }
  if (at !== end || out.length - started !== wanted) throw noData('snappy');
}

function littleEndian(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let byte = count - 1; byte >= 0; byte -= 1) value = value * 256 + (bytes[at + byte] ?? 0);
  return value;
}
