import { crc32 } from 'node:zlib';
import { EVENT } from '../../connectors/mysql/binlog-event.ts';

/** Events of the log as a server sends them, for tests. */

export interface EventOptions {
  readonly timestamp?: number;
  readonly serverId?: number;
  /** Where the next one begins. */
  readonly next?: number;
  readonly flags?: number;
}

/** Header, body, checksum. */
export function eventBytes(type: number, body: Uint8Array, options: EventOptions = {}): Buffer {
  const event = Buffer.alloc(19 + body.length + 4);
  event.writeUInt32LE(options.timestamp ?? 1_700_000_000, 0);
  event[4] = type;
  event.writeUInt32LE(options.serverId ?? 1, 5);
  event.writeUInt32LE(event.length, 9);
  event.writeUInt32LE(options.next ?? 1000, 13);
  event.writeUInt16LE(options.flags ?? 0, 17);
  event.set(body, 19);
  event.writeUInt32LE(crc32(event.subarray(0, event.length - 4)), event.length - 4);
  return event;
}

/** The first event of a file with checksums; `startedAt`: of one that begins a run of the server. */
export function formatEvent(startedAt: number, options: EventOptions = {}): Buffer {
  const body = Buffer.alloc(100);
  body.writeUInt16LE(4, 0);
  body.writeUInt32LE(startedAt, 52);
  body[56] = 19;
  body[99] = 1;
  return eventBytes(EVENT.formatDescription, body, options);
}

export const FORMAT = formatEvent(0);

export function rotateEvent(file: string): Buffer {
  const body = Buffer.concat([Buffer.from([4, 0, 0, 0, 0, 0, 0, 0]), Buffer.from(file)]);
  return eventBytes(EVENT.rotate, body, { flags: 0x20, next: 0 });
}

/** Of MariaDB: a transaction of domain 0. */
export function mariadbGtidEvent(
  sequence: number,
  options: EventOptions & { readonly standalone?: boolean } = {},
): Buffer {
  const body = Buffer.alloc(19);
  body.writeBigUInt64LE(BigInt(sequence), 0);
  body[12] = options.standalone === true ? 1 : 0;
  return eventBytes(EVENT.mariadbGtid, body, options);
}

export function queryEvent(schema: string, text: string): Buffer {
  const head = Buffer.alloc(13);
  head[8] = schema.length;
  return eventBytes(EVENT.query, Buffer.concat([head, Buffer.from(`${schema}\0${text}`)]));
}

/** A table `db.t` of one integer column `id`, number 5. */
export const TABLE_MAP_OF_T = eventBytes(
  EVENT.tableMap,
  Buffer.concat([
    Buffer.from([5, 0, 0, 0, 0, 0, 1, 0, 2]),
    Buffer.from('db\0\u0001t\0', 'latin1'),
    // One column of type INT without metadata, not NULL; signed; its name.
    Buffer.from([1, 3, 0, 0, 1, 1, 0, 4, 3, 2, 0x69, 0x64]),
  ]),
);

/** Inserts into that table. */
export function writeRowsEvent(...ids: readonly number[]): Buffer {
  const rows = ids.map((id) => {
    const row = Buffer.alloc(5);
    row.writeInt32LE(id, 1);
    return row;
  });
  return eventBytes(EVENT.writeRowsV1, Buffer.concat([Buffer.from([5, 0, 0, 0, 0, 0, 1, 0, 1, 1]), ...rows]));
}

export const XID_EVENT = eventBytes(EVENT.xid, Buffer.alloc(8));
