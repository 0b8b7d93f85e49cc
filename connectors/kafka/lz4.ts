import { Inflated, noData } from './inflated.ts';

/** Of the LZ4 frame format (lz4/doc/lz4_Frame_format.md). */
const MAGIC = 0x184d2204;
const HAS_BLOCK_SUMS = 0x10;
const HAS_SIZE = 0x08;
const HAS_DICTIONARY = 0x01;
const PLAIN = 0x80000000;
const MATCH_LEAST = 4;

/**
 * A frame of LZ4, as Kafka's clients write it. Its own sums are not looked at: the record batch has one. Throws
 * TP-STREAM-PROTOCOL.
 */
export function unlz4ed(bytes: Uint8Array, most: number): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const out = new Inflated(most);
  if (bytes.length < 7 || view.getUint32(0, true) !== MAGIC) throw noData('lz4');
  const flags = bytes[4] ?? 0;
  if ((flags & HAS_DICTIONARY) !== 0) throw noData('lz4 with a dictionary');
  // Flags, largest block, size of all, sum of these.
  let at = 4 + 2 + ((flags & HAS_SIZE) === 0 ? 0 : 8) + 1;
  for (;;) {
    if (at + 4 > bytes.length) throw noData('lz4');
    const head = view.getUint32(at, true);
    at += 4;
    // Behind the last block a sum of all may follow.
    if (head === 0) return out.bytes();
    const isPlain = head >= PLAIN;
    const size = isPlain ? head - PLAIN : head;
    if (at + size > bytes.length) throw noData('lz4');
    if (isPlain) out.put(bytes, at, size);
    else block(bytes, at, at + size, out);
    at += size + ((flags & HAS_BLOCK_SUMS) === 0 ? 0 : 4);
  }
}

/**
 * One block (lz4/doc/lz4_Block_format.md): literals, then a repetition, again and again; the last one has literals
 * alone.
 */
function block(bytes: Uint8Array, from: number, end: number, out: Inflated): void {
  let at = from;
  // Lengths of 15 go on behind, as long as there is 255.
  const lengthOf = (nibble: number): number => {
    let length = nibble;
    for (let byte = nibble === 15 ? 255 : 0; byte === 255;) {
      if (at >= end) throw noData('lz4');
      byte = bytes[at++] ?? 0;
      length += byte;
    }
    return length;
  };
  while (at < end) {
    const token = bytes[at++] ?? 0;
    const literals = lengthOf(token >> 4);
    if (at + literals > end) throw noData('lz4');
    out.put(bytes, at, literals);
    at += literals;
    if (at === end) return;
    if (at + 2 > end) throw noData('lz4');
    const distance = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
    at += 2;
    out.repeat(distance, lengthOf(token & 15) + MATCH_LEAST, 0);
  }
}
