import { createHash } from 'node:crypto';
import { MalformedBytes } from './bytes.ts';

/**
 * The journal is a row of files, each named by the place of its first record (16 hexadecimal digits) and headed by 128
 * bytes: magic (8), format version (4), place of the first record (8), link before the first record (32), newest commit
 * time in the files before, microseconds (8; the least number: none), ledger's name (36, ASCII), SHA-256 of the 96 bytes
 * before (32). All big endian.
 */
export const SEGMENT_HEADER_BYTES = 128;
const MAGIC = Buffer.from('TWPRJRNL', 'latin1');
const SIGNED_BYTES = 96;
const NAME = /^([0-9a-f]{16})\.journal$/;
export const JOURNAL_VERSION = 1;
export const NO_TIME = -(2n ** 63n);

export interface SegmentHeader {
  readonly base: number;
  readonly link: Buffer;
  /** The newest commit time in the journal before this file; NO_TIME: none. */
  readonly newestUs: bigint;
  /** The ledger's own name: a UUID. */
  readonly ledger: string;
}

export function segmentName(base: number): string {
  return `${base.toString(16).padStart(16, '0')}.journal`;
}

/** The place of a segment's first record, or null: the file is no segment. */
export function segmentBase(name: string): number | null {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? null : Number.parseInt(digits, 16);
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(bytes, 0);
  bytes.writeUInt32BE(JOURNAL_VERSION, 8);
  bytes.writeBigUInt64BE(BigInt(header.base), 12);
  header.link.copy(bytes, 20);
  bytes.writeBigInt64BE(header.newestUs, 52);
  bytes.write(header.ledger, 60, 36, 'latin1');
  createHash('sha256').update(bytes.subarray(0, SIGNED_BYTES)).digest().copy(bytes, SIGNED_BYTES);
  return bytes;
}

/** Throws MalformedBytes when the header is cut off, altered, or of another version. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader {
  if (bytes.length < SEGMENT_HEADER_BYTES) throw new MalformedBytes('the file header is cut off');
  const sum = createHash('sha256').update(bytes.subarray(0, SIGNED_BYTES)).digest();
  if (
    !bytes.subarray(0, 8).equals(MAGIC) ||
    !sum.equals(bytes.subarray(SIGNED_BYTES, SEGMENT_HEADER_BYTES))
  ) {
    throw new MalformedBytes('the file header is damaged');
  }
  if (bytes.readUInt32BE(8) !== JOURNAL_VERSION) throw new MalformedBytes('the file is of another version');
  return {
    base: Number(bytes.readBigUInt64BE(12)),
    link: Buffer.from(bytes.subarray(20, 52)),
    newestUs: bytes.readBigInt64BE(52),
    ledger: bytes.toString('latin1', 60, 96),
  };
}
