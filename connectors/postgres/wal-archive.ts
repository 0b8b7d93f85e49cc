import type { ArchivedLog } from '../../src/connector/ledger-sites.ts';
import type { Position } from '../../src/connector/position.ts';
import { bytesBetween, type Lsn, parsePosition, type WalShape } from './lsn.ts';
import { place } from './positions.ts';
import { filesOfArchive, type ArchivedFile } from './archive-files.ts';

/** Where a server is in its log, and how that is cut into files. */
export interface ArchiveFrom {
  /** Decimal. */
  readonly timeline: string;
  readonly lsn: Lsn;
  readonly segmentBytes: bigint;
}

/**
 * `TTTTTTTTXXXXXXXXYYYYYYYY`: timeline, and the number of the segment in two parts (manual, "WAL Internals";
 * XLogFileName in xlog_internal.h). Archivers add a checksum (pgBackRest) or the ending of what packed it. What ends in
 * `.partial`, `.history`, `.backup` or `.tmp` is no whole segment.
 */
const SEGMENT =
  /^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(?:-[0-9a-f]{40})?(\.(?:gz|zst|lz4|lzma|xz|bz2|br))?$/;
const LOG_BYTES = 1n << 32n;

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
 * What of the primary's log an archive has behind `received`. Throws nothing for one that cannot be read: that is what is
 * told of it.
 */
export async function readArchive(
  folder: string,
  received: Position,
  wal: WalShape,
  signal: AbortSignal,
): Promise<ArchivedLog> {
  const { systemId, timeline, lsn } = parsePosition(received);
  const from = { timeline, lsn, segmentBytes: wal.segmentBytes };
  const listed = await filesOfArchive(folder, segmentName(from), signal);
  if (typeof listed === 'string') return { until: null, bytes: null, problem: listed };
  const until = place({ systemId, timeline, wal }, archivedUntil(listed, from));
  return { until, bytes: bytesBetween(received, until), problem: null };
}

/** The file that the server's place lies in. */
function segmentName({ timeline, lsn, segmentBytes }: ArchiveFrom): string {
  const parts = [BigInt(timeline), lsn / LOG_BYTES, (lsn % LOG_BYTES) / segmentBytes];
  return parts.map((part) => part.toString(16).toUpperCase().padStart(8, '0')).join('');
}
