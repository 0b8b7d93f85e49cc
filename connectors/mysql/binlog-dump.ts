import { formatGtidList, type GtidList } from './gtid-list.ts';
import type { GtidSet } from './gtid-set.ts';
import type { Session } from './session.ts';

/** Behind what the log is asked for: the transactions that are known already, as each flavor says it. */
export type LogStart =
  { readonly kind: 'set'; readonly set: GtidSet } | { readonly kind: 'list'; readonly list: GtidList };

const COM_BINLOG_DUMP = 0x12;
const COM_BINLOG_DUMP_GTID = 0x1e;
/** Every file begins with four bytes that tell what it is. */
const FIRST_EVENT_AT = 4;

export interface DumpOptions {
  /**
   * Under which the server knows this stream, from 1 to 2^32 − 1. It ends an older stream of the same number, so it
   * must be no server's and no other stream's.
   */
  readonly serverId: number;
  /** A server with nothing to send says so this often. */
  readonly heartbeatMs: number;
}

/** A place in one file of a log. */
export interface DumpPlace {
  readonly file: string;
  readonly at: number;
}

/**
 * What the server must know before it sends its log (MySQL: sql/rpl_replica.cc, get_master_version_and_clock; MariaDB
 * knowledge base, "Replica Registration"): how often to be heard from, that checksums are understood, and on MariaDB
 * that GTIDs are, and from where on. MySQL before 8.0.26 knows the old names alone. We do not register as a replica:
 * tools that look for replicas would find one, and nothing needs it. `after`: null where a file and a place are asked
 * for.
 */
export async function prepareDump(
  session: Session,
  after: LogStart | null,
  options: DumpOptions,
  signal: AbortSignal,
): Promise<void> {
  const nanoseconds = BigInt(Math.round(options.heartbeatMs)) * 1_000_000n;
  const names = session.flavor === 'mysql' ? ['source', 'master'] : ['master'];
  const assignments = names.flatMap((name) => [
    `@${name}_heartbeat_period = ${nanoseconds}`,
    `@${name}_binlog_checksum = 'CRC32'`,
  ]);
  // MARIA_SLAVE_CAPABILITY_GTID.
  if (session.flavor === 'mariadb') assignments.push('@mariadb_slave_capability = 4');
  if (after?.kind === 'list') {
    assignments.push(
      `@slave_connect_state = '${formatGtidList(after.list)}'`,
      '@slave_gtid_strict_mode = 0',
      '@slave_gtid_ignore_duplicates = 0',
    );
  }
  await session.rows(`SET ${assignments.join(', ')}`, [], signal);
}

/** The command that follows `prepareDump`, as packets. */
export function dumpCommand(after: LogStart, serverId: number): Uint8Array {
  // Without a file the GTIDs decide.
  return after.kind === 'list'
    ? dumpFrom(serverId, { file: '', at: FIRST_EVENT_AT })
    : dumpByGtids(serverId, after.set);
}

/** The command for one place. "COM_BINLOG_DUMP": place in the file (4 bytes), flags (2), server id (4), file. */
export function dumpFrom(serverId: number, { file, at }: DumpPlace): Uint8Array {
  const payload = Buffer.alloc(11);
  payload[0] = COM_BINLOG_DUMP;
  payload.writeUInt32LE(at, 1);
  payload.writeUInt32LE(serverId, 7);
  return framed(Buffer.concat([payload, Buffer.from(file, 'utf8')]));
}

/**
 * "COM_BINLOG_DUMP_GTID": flags (2 bytes), server id (4), length of the file's name (4) and none, place (8), length of
 * the GTIDs (4) and these.
 */
function dumpByGtids(serverId: number, after: GtidSet): Uint8Array {
  const gtids = encodeSet(after);
  const head = Buffer.alloc(23);
  head[0] = COM_BINLOG_DUMP_GTID;
  head.writeUInt32LE(serverId, 3);
  head.writeBigUInt64LE(BigInt(FIRST_EVENT_AT), 11);
  head.writeUInt32LE(gtids.length, 19);
  return framed(Buffer.concat([head, gtids]));
}

/**
 * sql/rpl_gtid_set.cc, Gtid_set::encode: number of sources (8 bytes), then each: UUID (16), number of intervals (8),
 * and for each of those first and behind the last (8 each). A set with tags (MySQL 8.3) says 1 in the first and the
 * last byte of that number, and each source has its tag behind the UUID, with twice its length in front.
 */
export function encodeSet(set: GtidSet): Buffer {
  const sources = [...set].sort(([a], [b]) => (a < b ? -1 : 1));
  const tagged = sources.some(([source]) => source.includes(':'));
  const count = BigInt(sources.length);
  const parts = [uint64(tagged ? (1n << 56n) | (count << 8n) | 1n : count)];
  for (const [source, intervals] of sources) {
    const [uuid = '', tag = ''] = source.split(':');
    parts.push(Buffer.from(uuid.replaceAll('-', ''), 'hex'));
    if (tagged) parts.push(Buffer.from([tag.length * 2]), Buffer.from(tag, 'latin1'));
    parts.push(uint64(BigInt(intervals.length)));
    for (const [first, last] of intervals) parts.push(uint64(first), uint64(last + 1n));
  }
  return Buffer.concat(parts);
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}

const PAYLOAD_MAX = 0xff_ff_ff;

/** "MySQL Packets": length (3 bytes), number (1). A full packet is followed by another, be it empty. */
function framed(payload: Buffer): Uint8Array {
  const parts: Buffer[] = [];
  let at = 0;
  for (let number = 0; ; number += 1) {
    const part = payload.subarray(at, at + PAYLOAD_MAX);
    const header = Buffer.alloc(4);
    header.writeUIntLE(part.length, 0, 3);
    header[3] = number & 0xff;
    parts.push(header, part);
    at += part.length;
    if (part.length < PAYLOAD_MAX) return Buffer.concat(parts);
  }
}
