import { HEADER_BYTES, logError, type LogEvent, uint24At, uint32At } from './binlog-event.ts';
import { LogCursor } from './binlog-cursor.ts';
import { xidText } from './binlog-statement.ts';

/** The beginning of a transaction, or of a statement that is logged by itself. */
export interface GroupStart {
  /** As the server writes it: `uuid:5`, `uuid:tag:5`, `0-1-5`. */
  readonly id: string;
  /** Who gave it: the UUID, or domain and server. */
  readonly origin: string;
  /** Microseconds since 1970 on the clock of the server that is read from. */
  readonly committedAtUs: bigint;
  readonly gtid: MysqlGtid | MariadbGtid;
  /** Ends with its first statement. False: with its commit. Null: that is not said; a statement BEGIN comes if it does. */
  readonly standalone: boolean | null;
  /** The XA transaction that is prepared here, where this says so and no statement does (MariaDB). */
  readonly prepares: string | null;
}

export interface MysqlGtid {
  readonly kind: 'mysql';
  /** `uuid` or `uuid:tag`, as in GtidSet. */
  readonly source: string;
  readonly number: bigint;
}

export interface MariadbGtid {
  readonly kind: 'mariadb';
  readonly domain: bigint;
  readonly server: bigint;
  readonly sequence: bigint;
}

const US = 1_000_000n;

/**
 * GTID_LOG_EVENT (dev.mysql.com/doc/dev/mysql-server, "Gtid_event"): flags (1 byte), UUID (16), number (8), a type (1: 2
 * for what follows), last_committed and sequence_number (8 each), then the commit on this server in microseconds (7,
 * whose highest bit says that the time of the first commit follows).
 */
const UUID_AT = HEADER_BYTES + 1;
const NUMBER_AT = UUID_AT + 16;
const CLOCK_AT = NUMBER_AT + 8;
const TIME_AT = CLOCK_AT + 17;
const LOGICAL_CLOCK = 2;

/** Knows the last UUID: one follows another of the same server nearly always. */
export class GtidReader {
  readonly #last = new Uint8Array(16);
  #uuid = uuidText(new Uint8Array(16));

  read(event: LogEvent): GroupStart {
    const { bytes } = event;
    if (bytes.length < CLOCK_AT) throw logError('a GTID that is cut off');
    const number = BigInt(uint32At(bytes, NUMBER_AT)) | (BigInt(uint32At(bytes, NUMBER_AT + 4)) << 32n);
    const timed = bytes.length >= TIME_AT + 7 && bytes[CLOCK_AT] === LOGICAL_CLOCK;
    return this.#start(event, bytes.subarray(UUID_AT, NUMBER_AT), '', number, timed ? timeAt(bytes) : 0);
  }

  /**
   * GTID_TAGGED_LOG_EVENT (MySQL 8.3): a message of mysql::serialization ("MySQL Serialization Library"): version (1),
   * size, last field that must be known, then fields with their numbers in rising order: 0 flags, 1 UUID (16 numbers), 2
   * number, 3 tag, 4 and 5 the logical clock, 6 commit on this server in microseconds. Signed numbers: 2n, or −2n−1.
   */
  readTagged(event: LogEvent): GroupStart {
    const cursor = new LogCursor(event.bytes, HEADER_BYTES);
    if (cursor.serialized() !== 1n) throw logError('a tagged GTID of an unknown version');
    const end = HEADER_BYTES + Number(cursor.serialized());
    cursor.serialized();
    const uuid = new Uint8Array(16);
    let number = 0n;
    let tag = '';
    let timeUs = 0n;
    while (cursor.at < end && !cursor.atEnd) {
      const field = cursor.serialized();
      if (field > 6n) break;
      if (field === 1n) for (let at = 0; at < 16; at += 1) uuid[at] = Number(cursor.serialized());
      else if (field === 2n) number = cursor.serialized() >> 1n;
      else if (field === 3n) tag = cursor.text(Number(cursor.serialized()));
      else if (field === 6n) timeUs = cursor.serialized();
      else cursor.serialized();
    }
    if (number < 1n) throw logError('a tagged GTID without a number');
    return this.#start(event, uuid, tag, number, Number(timeUs));
  }

  /** `timeUs`: 0 where the log does not say it, as in one that comes from an old server. */
  #start(event: LogEvent, uuid: Uint8Array, tag: string, number: bigint, timeUs: number): GroupStart {
    if (!uuid.every((byte, index) => byte === this.#last[index])) {
      this.#last.set(uuid);
      this.#uuid = uuidText(uuid);
    }
    const source = tag === '' ? this.#uuid : `${this.#uuid}:${tag}`;
    return {
      id: `${source}:${number}`,
      origin: this.#uuid,
      committedAtUs: timeUs === 0 ? BigInt(event.timestamp) * US : BigInt(timeUs),
      gtid: { kind: 'mysql', source, number },
      standalone: null,
      prepares: null,
    };
  }
}

/** 55 bits: microseconds until the year 3111, so a double holds them exactly for longer than the format lasts. */
function timeAt(bytes: Uint8Array): number {
  return uint32At(bytes, TIME_AT) + (uint24At(bytes, TIME_AT + 4) & 0x7f_ff_ff) * 0x1_0000_0000;
}

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** FL_STANDALONE, FL_GROUP_COMMIT_ID, FL_PREPARED_XA. */
const FLAG = { standalone: 0x01, groupCommit: 0x02, preparedXa: 0x40 } as const;

/**
 * GTID_EVENT of MariaDB (knowledge base, "GTID_EVENT"): sequence (8 bytes), domain (4), flags (1), then what these say:
 * commit id (8), XA transaction (format, 4 bytes; two lengths, 1 each; both texts). The server is that of the header. It
 * has no time but the header's: whole seconds, in which the statement that committed began.
 */
export function readMariadbGtid(event: LogEvent): GroupStart {
  const cursor = new LogCursor(event.bytes, HEADER_BYTES);
  const sequence = cursor.uint64();
  const domain = BigInt(cursor.uint32());
  const server = BigInt(event.serverId);
  const flags = cursor.uint8();
  if ((flags & FLAG.groupCommit) !== 0) cursor.skip(8);
  return {
    id: `${domain}-${server}-${sequence}`,
    origin: `${domain}-${server}`,
    committedAtUs: BigInt(event.timestamp) * US,
    gtid: { kind: 'mariadb', domain, server, sequence },
    standalone: (flags & FLAG.standalone) !== 0,
    prepares: (flags & FLAG.preparedXa) === 0 ? null : readXid(cursor),
  };
}

function readXid(cursor: LogCursor): string {
  const format = cursor.uint32();
  const lengths = cursor.take(2);
  const global = Buffer.from(cursor.take(lengths[0] ?? 0)).toString('hex');
  const branch = Buffer.from(cursor.take(lengths[1] ?? 0)).toString('hex');
  return xidText(format, global, branch);
}
