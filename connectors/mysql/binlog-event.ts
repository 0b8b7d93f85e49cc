import { TwinproofError } from '../../src/errors.ts';
import { checksumOf } from './binlog-checksum.ts';
import { viewOf } from './binlog-view.ts';

/**
 * Types of events in the binary log. Up to 42 they are those of MySQL (dev.mysql.com/doc/dev/mysql-server,
 * "Log_event_type"), which MariaDB has in common up to 26; from 160 on those of MariaDB (knowledge base, "Replication
 * Protocol", "Binlog Event Header").
 */
export const EVENT = {
  query: 2,
  stop: 3,
  rotate: 4,
  intvar: 5,
  appendBlock: 9,
  deleteFile: 11,
  rand: 13,
  userVar: 14,
  formatDescription: 15,
  xid: 16,
  beginLoadQuery: 17,
  executeLoadQuery: 18,
  tableMap: 19,
  writeRowsV1: 23,
  updateRowsV1: 24,
  deleteRowsV1: 25,
  incident: 26,
  heartbeat: 27,
  ignorable: 28,
  rowsQuery: 29,
  writeRows: 30,
  updateRows: 31,
  deleteRows: 32,
  gtid: 33,
  anonymousGtid: 34,
  previousGtids: 35,
  transactionContext: 36,
  viewChange: 37,
  xaPrepare: 38,
  partialUpdateRows: 39,
  transactionPayload: 40,
  heartbeatV2: 41,
  gtidTagged: 42,
  annotateRows: 160,
  binlogCheckpoint: 161,
  mariadbGtid: 162,
  gtidList: 163,
  startEncryption: 164,
  queryCompressed: 165,
  writeRowsCompressedV1: 166,
  updateRowsCompressedV1: 167,
  deleteRowsCompressedV1: 168,
  writeRowsCompressed: 169,
  updateRowsCompressed: 170,
  deleteRowsCompressed: 171,
  partialRowData: 172,
} as const;

/**
 * The header of every event ("Binlog Event Header"): timestamp (4 bytes), type (1), server id (4), length of the event
 * (4), place of the next event (4), flags (2); all little endian.
 */
export const HEADER_BYTES = 19;
const TYPE_AT = 4;
const SERVER_AT = 5;
const LENGTH_AT = 9;
const NEXT_AT = 13;
const FLAGS_AT = 17;

const CHECKSUM_BYTES = 4;
/** LOG_EVENT_ARTIFICIAL_F: made up by the sender, in no file. */
const ARTIFICIAL = 0x20;
/** LOG_EVENT_IGNORABLE_F: who does not know the type may pass over it. */
const IGNORABLE = 0x80;

/**
 * One event, until the next one is read; `bytes` from its header on and without its checksum, which stay. Numbers of a
 * place are those of 32 bits.
 */
export interface LogEvent {
  readonly type: number;
  /** Seconds since 1970. */
  readonly timestamp: number;
  readonly serverId: number;
  /** Where the next event begins in the file; wraps at 4 GiB; 0 for what is in no file. */
  readonly next: number;
  readonly artificial: boolean;
  readonly ignorable: boolean;
  /** In the log: with its header and its checksum. */
  readonly length: number;
  readonly bytes: Uint8Array;
  /** Where these stand in what was sent: to look at them without a view of their own. */
  readonly sent: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** What the log sends does not follow its description. Nothing after it can be trusted. */
export function logError(message: string, cause?: unknown): TwinproofError {
  return new TwinproofError('TP-STREAM-PROTOCOL', {
    message: `the binary log makes no sense: ${message}`,
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * Takes the headers off, and proves the checksums, which the log has where binlog_checksum was CRC32 when it was
 * written: each file says so in its first event.
 */
export class EventReader {
  #checksums = false;
  readonly #event = new ReadEvent();

  /** One event as it was sent stands in `sent` from `from` up to `to`. Throws TP-STREAM-PROTOCOL. */
  read(sent: Uint8Array, from = 0, to = sent.length): LogEvent {
    if (to - from < HEADER_BYTES) throw logError(`an event of ${to - from} bytes`);
    const view = viewOf(sent);
    const type = sent[from + TYPE_AT] ?? 0;
    const length = view.getUint32(from + LENGTH_AT, true);
    if (length !== to - from) throw logError(`an event of ${length} bytes came with ${to - from}`);
    const flags = view.getUint16(from + FLAGS_AT, true);
    const event = this.#event;
    event.type = type;
    event.timestamp = view.getUint32(from, true);
    event.serverId = view.getUint32(from + SERVER_AT, true);
    event.next = view.getUint32(from + NEXT_AT, true);
    event.artificial = (flags & ARTIFICIAL) !== 0;
    event.ignorable = (flags & IGNORABLE) !== 0;
    event.length = length;
    event.stands(sent, from, this.#provenEnd(sent, from, to, type));
    return event;
  }

  /**
   * Where it ends without the checksum. What the sender makes up holds nothing that is relied on, and before the first
   * description of a format nobody knows whether it has one.
   */
  #provenEnd(sent: Uint8Array, from: number, to: number, type: number): number {
    if (type === EVENT.formatDescription) {
      this.#checksums = hasChecksums(sent, to);
      return to;
    }
    const end = to - CHECKSUM_BYTES;
    const matches = end >= from + HEADER_BYTES && checksumOf(sent, from, end) === uint32At(sent, end);
    if (matches) return end;
    // A name of a file that happens to end in the checksum of its beginning is not to be feared.
    if (MADE_UP.has(type) || !this.#checksums) return to;
    throw logError(`an event of type ${type} does not match its checksum`);
  }
}

/** The same object for every event: most need no bytes of their own, and objects are what costs. */
class ReadEvent implements LogEvent {
  type = 0;
  timestamp = 0;
  serverId = 0;
  next = 0;
  artificial = false;
  ignorable = false;
  length = 0;
  sent: Uint8Array = new Uint8Array(0);
  from = 0;
  to = 0;
  #bytes: Uint8Array | null = null;

  stands(sent: Uint8Array, from: number, to: number): void {
    if (this.sent !== sent) this.sent = sent;
    this.from = from;
    this.to = to;
    if (this.#bytes !== null) this.#bytes = null;
  }

  get bytes(): Uint8Array {
    this.#bytes ??= this.sent.subarray(this.from, this.to);
    return this.#bytes;
  }
}

/** Events that a sender makes up, with a checksum or without. */
const MADE_UP: ReadonlySet<number> = new Set([
  EVENT.rotate,
  EVENT.heartbeat,
  EVENT.heartbeatV2,
  EVENT.gtidList,
  EVENT.startEncryption,
]);

/**
 * FORMAT_DESCRIPTION_EVENT ends in the algorithm (1 byte: 1 is CRC32) and room for a checksum, whatever the algorithm.
 */
function hasChecksums(sent: Uint8Array, to: number): boolean {
  const algorithm = sent[to - CHECKSUM_BYTES - 1];
  if (algorithm === 0) return false;
  if (algorithm === 1) return true;
  throw logError(`checksums of the unknown kind ${algorithm}`);
}

/**
 * FORMAT_DESCRIPTION_EVENT: version (2 bytes), server (50), then when the server was started if this file was its
 * first.
 */
export function beginsRun({ bytes, artificial }: LogEvent): boolean {
  return !artificial && uint32At(bytes, HEADER_BYTES + 52) !== 0;
}

export function uint16At(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
}

export function uint24At(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
}

export function uint32At(bytes: Uint8Array, at: number): number {
  return (uint24At(bytes, at) | ((bytes[at + 3] ?? 0) << 24)) >>> 0;
}

/** Six bytes: the number of a table. */
export function uint48At(bytes: Uint8Array, at: number): number {
  return uint32At(bytes, at) + uint16At(bytes, at + 4) * 0x1_0000_0000;
}

/** Numbers that a double holds, as nearly all are, need no arithmetic of large ones. */
export function uint64At(bytes: Uint8Array, at: number): bigint {
  const low = uint32At(bytes, at);
  const high = uint32At(bytes, at + 4);
  return high < 0x20_00_00 ? BigInt(high * 0x1_0000_0000 + low) : (BigInt(high) << 32n) | BigInt(low);
}

/** The digits of the same number. */
export function digitsAt(bytes: Uint8Array, at: number): string {
  const high = uint32At(bytes, at + 4);
  return String(high < 0x20_00_00 ? high * 0x1_0000_0000 + uint32At(bytes, at) : uint64At(bytes, at));
}
