import {
  digitsAt,
  EVENT,
  HEADER_BYTES,
  logError,
  type LogEvent,
  uint24At,
  uint32At,
  uint64At,
} from './binlog-event.ts';
import { LogCursor } from './binlog-cursor.ts';
import { xidText } from './binlog-statement.ts';
import { decimal } from './gtid-list.ts';

/** The beginning of a transaction, or of a statement that is logged by itself. */
export interface GroupStart {
  /** As the server writes it: `uuid:5`, `uuid:tag:5`, `0-1-5`. */
  readonly id: string;
  /** Who gave it: the UUID, or domain and server. */
  readonly origin: string;
  /** Microseconds since 1970 on the clock of the server that is read from. */
  readonly committedAtUs: bigint;
  readonly gtid: MysqlGtid | MariadbGtid;
  /**
   * Ends with its first statement. False: with its commit. Null: that is not said; a statement BEGIN comes if it does.
   */
  readonly standalone: boolean | null;
  /** The XA transaction that is prepared here, where this says so and no statement does (MariaDB). */
  readonly prepares: string | null;
}

export interface MysqlGtid {
  readonly kind: 'mysql';
  /** `uuid` or `uuid:tag`, as in GtidSet. */
  readonly source: string;
  readonly number: bigint;
  /** The number as text. */
  readonly digits: string;
}

export interface MariadbGtid {
  readonly kind: 'mariadb';
  readonly domain: bigint;
  readonly server: bigint;
  readonly sequence: bigint;
  /** The sequence as text. */
  readonly digits: string;
}

const US = 1_000_000n;

/**
 * GTID_LOG_EVENT (dev.mysql.com/doc/dev/mysql-server, "Gtid_event"): flags (1 byte), UUID (16), number (8), a type (1:
 * 2 for what follows), last_committed and sequence_number (8 each), then the commit on this server in microseconds (7,
 * whose highest bit says that the time of the first commit follows).
 */
const UUID_AT = HEADER_BYTES + 1;
const NUMBER_AT = UUID_AT + 16;
const CLOCK_AT = NUMBER_AT + 8;
const TIME_AT = CLOCK_AT + 17;
const LOGICAL_CLOCK = 2;

/** FL_STANDALONE, FL_GROUP_COMMIT_ID, FL_PREPARED_XA. */
const FLAG = { standalone: 0x01, groupCommit: 0x02, preparedXa: 0x40 } as const;

/**
 * GTID_EVENT of MariaDB (knowledge base, "GTID_EVENT"): sequence (8 bytes), domain (4), flags (1), then what these say:
 * commit id (8), XA transaction (format, 4 bytes; two lengths, 1 each; both texts). The server is that of the header.
 * It has no time but the header's: whole seconds, in which the statement that committed began.
 */
const SEQUENCE_AT = HEADER_BYTES;
const DOMAIN_AT = SEQUENCE_AT + 8;
const FLAGS_AT = DOMAIN_AT + 4;

/** Reads beginnings. Knows the last one's origin and second: one follows another of the same nearly always. */
export class GtidReader {
  readonly #uuidBytes = new Uint8Array(16);
  #uuid = uuidText(new Uint8Array(16));
  #domain = 0;
  #server = 0;
  #mariadb = { domain: 0n, server: 0n, origin: '0-0' };
  #second = 0;
  #secondUs = 0n;

  /** Of a GTID event of any kind. Throws TP-STREAM-PROTOCOL. */
  read(event: LogEvent): GroupStart {
    switch (event.type) {
      case EVENT.mariadbGtid:
        return this.#readMariadb(event);
      case EVENT.gtidTagged:
        return this.#readTagged(event);
      default:
        return this.#readMysql(event);
    }
  }

  #readMysql(event: LogEvent): GroupStart {
    const { sent, from, to } = event;
    const length = to - from;
    if (length < CLOCK_AT) throw logError('a GTID that is cut off');
    const timed = length >= TIME_AT + 7 && sent[from + CLOCK_AT] === LOGICAL_CLOCK;
    this.#takeUuid(sent, from + UUID_AT);
    return this.#start(event, '', uint64At(sent, from + NUMBER_AT), timed ? timeAt(sent, from + TIME_AT) : 0);
  }

  /**
   * GTID_TAGGED_LOG_EVENT (MySQL 8.3): a message of mysql::serialization ("MySQL Serialization Library"): version (1),
   * size, last field that must be known, then fields with their numbers in rising order: 0 flags, 1 UUID (16 numbers),
   * 2 number, 3 tag, 4 and 5 the logical clock, 6 commit on this server in microseconds. Signed numbers: 2n, or −2n−1.
   */
  #readTagged(event: LogEvent): GroupStart {
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
    this.#takeUuid(uuid, 0);
    return this.#start(event, tag, number, Number(timeUs));
  }

  #takeUuid(bytes: Uint8Array, at: number): void {
    const known = this.#uuidBytes;
    let same = true;
    for (let index = 0; index < 16; index += 1) if (bytes[at + index] !== known[index]) same = false;
    if (same) return;
    known.set(bytes.subarray(at, at + 16));
    this.#uuid = uuidText(known);
  }

  /**
   * Of the UUID that was taken last; `timeUs`: 0 where the log does not say it, as in one that comes from an old
   * server.
   */
  #start(event: LogEvent, tag: string, number: bigint, timeUs: number): GroupStart {
    const source = tag === '' ? this.#uuid : `${this.#uuid}:${tag}`;
    const digits = decimal(number);
    return {
      id: `${source}:${digits}`,
      origin: this.#uuid,
      committedAtUs: timeUs === 0 ? this.#secondOf(event) : BigInt(timeUs),
      gtid: { kind: 'mysql', source, number, digits },
      standalone: null,
      prepares: null,
    };
  }

  #readMariadb(event: LogEvent): GroupStart {
    const { sent, from, to, serverId } = event;
    if (to - from <= FLAGS_AT) throw logError('a GTID that is cut off');
    const domainId = uint32At(sent, from + DOMAIN_AT);
    if (domainId !== this.#domain || serverId !== this.#server) {
      this.#domain = domainId;
      this.#server = serverId;
      const origin = `${domainId}-${serverId}`;
      this.#mariadb = { domain: BigInt(domainId), server: BigInt(serverId), origin };
    }
    const { domain, server, origin } = this.#mariadb;
    const sequence = uint64At(sent, from + SEQUENCE_AT);
    const digits = digitsAt(sent, from + SEQUENCE_AT);
    const flags = sent[from + FLAGS_AT] ?? 0;
    const more = FLAGS_AT + 1 + ((flags & FLAG.groupCommit) === 0 ? 0 : 8);
    if (to - from < more) throw logError('a GTID that is cut off');
    return {
      id: `${origin}-${digits}`,
      origin,
      committedAtUs: this.#secondOf(event),
      gtid: { kind: 'mariadb', domain, server, sequence, digits },
      standalone: (flags & FLAG.standalone) !== 0,
      prepares: (flags & FLAG.preparedXa) === 0 ? null : readXid(new LogCursor(event.bytes, more)),
    };
  }

  #secondOf({ timestamp }: LogEvent): bigint {
    if (timestamp !== this.#second) {
      this.#second = timestamp;
      this.#secondUs = BigInt(timestamp) * US;
    }
    return this.#secondUs;
  }
}

/** 55 bits: microseconds until the year 3111, so a double holds them exactly for longer than the format lasts. */
function timeAt(bytes: Uint8Array, at: number): number {
  return uint32At(bytes, at) + (uint24At(bytes, at + 4) & 0x7f_ff_ff) * 0x1_0000_0000;
}

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

function readXid(cursor: LogCursor): string {
  const format = cursor.uint32();
  const lengths = cursor.take(2);
  const global = Buffer.from(cursor.take(lengths[0] ?? 0)).toString('hex');
  const branch = Buffer.from(cursor.take(lengths[1] ?? 0)).toString('hex');
  return xidText(format, global, branch);
}
