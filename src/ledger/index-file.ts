import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { MalformedBytes } from './bytes.ts';

/**
 * The beginning of a file of LMDB, as lmdb-js 3 has it (lmdb.h, MDB_meta, behind a page header of 24 bytes): two pages,
 * of which the one with the newer transaction counts. Little endian on every machine that it is built for.
 */
const MAGIC_AT = 24;
const MAGIC = 0xbe_ef_c0_de;
const VERSION_AT = 28;
const VERSION = 2;
const PAGE_BYTES_AT = 48;
const ROOTS_AT = [88, 136];
const TRANSACTION_AT = 152;
const META_BYTES = 160;
/** The root of an empty tree. */
const NO_PAGE = 2n ** 64n - 1n;

/**
 * Throws MalformedBytes for a file that LMDB would map into memory and take for its own though it is not, or that is cut
 * off before the pages by which everything is found: to touch what is not there ends the process. No file, or an empty
 * one, is a new one.
 */
export function demandIndexFile(file: string): void {
  if (!existsSync(file)) return;
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    if (size === 0) return;
    const first = metaAt(descriptor, 0);
    const pageBytes = first?.readUInt32LE(PAGE_BYTES_AT) ?? 0;
    const second = pageBytes === 0 ? null : metaAt(descriptor, pageBytes);
    if (first === null || second === null) throw new MalformedBytes('the index is no file of LMDB');
    const newer =
      first.readBigUInt64LE(TRANSACTION_AT) > second.readBigUInt64LE(TRANSACTION_AT) ? first : second;
    for (const at of ROOTS_AT) {
      const root = newer.readBigUInt64LE(at);
      if (root !== NO_PAGE && (root + 1n) * BigInt(pageBytes) > BigInt(size)) {
        throw new MalformedBytes('the index is cut off');
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

/** Null: that is no such page. */
function metaAt(descriptor: number, at: number): Buffer | null {
  const meta = Buffer.alloc(META_BYTES);
  const length = readSync(descriptor, meta, 0, META_BYTES, at);
  if (length < META_BYTES || meta.readUInt32LE(MAGIC_AT) !== MAGIC) return null;
  return meta.readUInt32LE(VERSION_AT) === VERSION ? meta : null;
}
