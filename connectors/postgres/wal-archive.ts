import type { Dirent } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ArchivedLog, PendingLog } from '../../src/connector/ledger-sites.ts';
import type { PostgresIdentity } from './identity.ts';
import { bytesBetween, type Lsn, parsePosition } from './lsn.ts';
import { place } from './positions.ts';

/** Where a server is in its log, and how that is cut into files. */
export interface ArchiveFrom {
  /** Decimal. */
  readonly timeline: string;
  readonly lsn: Lsn;
  readonly segmentBytes: bigint;
}

/** A file of an archive; `bytes` as it lies there. */
export interface ArchivedFile {
  readonly name: string;
  readonly bytes: bigint;
}

/**
 * `TTTTTTTTXXXXXXXXYYYYYYYY`: timeline, and the number of the segment in two parts (manual, "WAL Internals";
 * XLogFileName in xlog_internal.h). Archivers add a checksum (pgBackRest) or the ending of what packed it. What ends in
 * `.partial`, `.history`, `.backup` or `.tmp` is no whole segment.
 */
const SEGMENT =
  /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(?:-[0-9a-f]{40})?(\.(?:gz|zst|lz4|lzma|xz|bz2|br))?$/;
/** Archivers that keep many files put them into folders by the first 16 digits (Barman, pgBackRest). */
const SUBFOLDER = /^[0-9A-F]{16}$/;
const LOG_BYTES = 1n << 32n;
/** Enough for a terabyte of log. */
const FILES_MAX = 65_536;

/**
 * Up to where files of the archive follow one another without a hole from where the server is; `from.lsn` where there is
 * nothing for it. A file that was not packed counts at its whole size only: a shorter one is still being written.
 */
export function archivedUntil(files: Iterable<ArchivedFile>, from: ArchiveFrom): Lsn {
  const there = new Set<bigint>();
  for (const { name, bytes } of files) {
    const number = segmentIn(name, from);
    if (number === null || bytes === 0n) continue;
    if (SEGMENT.exec(name)?.[4] === undefined && bytes !== from.segmentBytes) continue;
    there.add(number);
  }
  let next = from.lsn / from.segmentBytes;
  while (there.has(next)) next += 1n;
  const until = next * from.segmentBytes;
  return until > from.lsn ? until : from.lsn;
}

/** The number of a segment that the server may still want; null: it is of another timeline, or before its place. */
function segmentIn(name: string, { timeline, lsn, segmentBytes }: ArchiveFrom): bigint | null {
  const match = SEGMENT.exec(name);
  if (match === null || BigInt(`0x${match[1] ?? '0'}`) !== BigInt(timeline)) return null;
  const [log, part] = [BigInt(`0x${match[2] ?? '0'}`), BigInt(`0x${match[3] ?? '0'}`)];
  const number = log * (LOG_BYTES / segmentBytes) + part;
  return number < lsn / segmentBytes ? null : number;
}

/**
 * What of the primary's log an archive has for a standby, behind what that has received. Throws nothing for an archive
 * that cannot be read: that is what is told of it.
 */
export async function withArchive(
  pending: PendingLog,
  folder: string,
  identity: Pick<PostgresIdentity, 'systemId' | 'timeline' | 'wal'>,
  signal: AbortSignal,
): Promise<PendingLog> {
  const { received } = pending;
  if (received === null) return pending;
  const from = {
    timeline: identity.timeline,
    lsn: parsePosition(received).lsn,
    segmentBytes: identity.wal.segmentBytes,
  };
  try {
    const until = place(identity, archivedUntil(await filesIn(folder, from, signal), from));
    return { ...pending, archive: { folder, until, bytes: bytesBetween(received, until), problem: null } };
  } catch (error) {
    signal.throwIfAborted();
    const archive: ArchivedLog = { folder, until: null, bytes: null, problem: problemOf(error) };
    return { ...pending, archive };
  }
}

function problemOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'cannot be read';
  return error instanceof TooMany ? error.message : code;
}

class TooMany extends Error {}

async function filesIn(
  folder: string,
  from: ArchiveFrom,
  signal: AbortSignal,
  isTop = true,
): Promise<readonly ArchivedFile[]> {
  const found: ArchivedFile[] = [];
  for await (const entry of await opendir(folder)) {
    signal.throwIfAborted();
    const full = path.join(folder, entry.name);
    if (isTop && SUBFOLDER.test(entry.name) && (await isFolder(entry, full))) {
      if (isWanted(entry.name, from)) found.push(...(await filesIn(full, from, signal, false)));
    } else if (segmentIn(entry.name, from) !== null) {
      found.push({ name: entry.name, bytes: await sizeOf(full) });
    }
    if (found.length > FILES_MAX)
      throw new TooMany(`more than ${FILES_MAX} files behind where the standby is`);
  }
  return found;
}

/** The first 16 digits name the timeline and the 4 GiB of log that the files of the folder are of. */
function isWanted(name: string, { timeline, lsn }: ArchiveFrom): boolean {
  return (
    BigInt(`0x${name.slice(0, 8)}`) === BigInt(timeline) && BigInt(`0x${name.slice(8)}`) >= lsn / LOG_BYTES
  );
}

/** Nothing of a file that was taken away meanwhile. */
async function sizeOf(file: string): Promise<bigint> {
  try {
    return BigInt((await stat(file)).size);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return 0n;
    throw error;
  }
}

async function isFolder(entry: Dirent, full: string): Promise<boolean> {
  return entry.isDirectory() || (entry.isSymbolicLink() && (await stat(full)).isDirectory());
}
