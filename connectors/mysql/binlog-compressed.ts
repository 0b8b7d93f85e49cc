import { inflateSync } from 'node:zlib';
import { EVENT, HEADER_BYTES, logError, type LogEvent } from './binlog-event.ts';
import { LogCursor } from './binlog-cursor.ts';

/**
 * What compressed events of MariaDB are without compression (knowledge base, "Compressing Events to Reduce Size of the
 * Binary Log").
 */
const PLAIN: ReadonlyMap<number, number> = new Map([
  [EVENT.writeRowsCompressedV1, EVENT.writeRowsV1],
  [EVENT.updateRowsCompressedV1, EVENT.updateRowsV1],
  [EVENT.deleteRowsCompressedV1, EVENT.deleteRowsV1],
  [EVENT.writeRowsCompressed, EVENT.writeRows],
  [EVENT.updateRowsCompressed, EVENT.updateRows],
  [EVENT.deleteRowsCompressed, EVENT.deleteRows],
]);

export function isCompressedRows(type: number): boolean {
  return PLAIN.has(type);
}

const TABLE_AND_FLAGS_BYTES = 8;

/**
 * The same event as if it had not been compressed: all behind the bits of its columns was. Throws TP-STREAM-PROTOCOL.
 */
export function inflatedRows(event: LogEvent): LogEvent {
  const type = PLAIN.get(event.type) ?? event.type;
  const cursor = new LogCursor(event.bytes, HEADER_BYTES + TABLE_AND_FLAGS_BYTES);
  if (type === EVENT.writeRows || type === EVENT.updateRows || type === EVENT.deleteRows) {
    cursor.skip(cursor.uint16() - 2);
  }
  const bits = (cursor.packed() + 7) >> 3;
  cursor.skip(type === EVENT.updateRowsV1 || type === EVENT.updateRows ? bits * 2 : bits);
  const head = event.bytes.subarray(0, cursor.at);
  const rows = inflated(event.bytes.subarray(cursor.at));
  const bytes = Buffer.concat([head, rows]);
  return { ...event, type, bytes, sent: bytes, from: 0, to: bytes.length };
}

/**
 * A byte, whose lower three bits say how many bytes the length has, and whose next ones how it was compressed (0:
 * zlib); the length, big endian; the data. Throws TP-STREAM-PROTOCOL.
 */
export function inflated(bytes: Uint8Array): Uint8Array {
  const cursor = new LogCursor(bytes, 0);
  const head = cursor.uint8();
  const algorithm = (head >> 4) & 7;
  if (algorithm !== 0) throw logError(`an event compressed in the unknown way ${algorithm}`);
  let length = 0;
  for (const byte of cursor.take(head & 7)) length = length * 256 + byte;
  try {
    const plain = inflateSync(bytes.subarray(cursor.at), { maxOutputLength: Math.max(length, 1) });
    if (plain.length === length) return plain;
  } catch (error) {
    throw logError('a compressed event that is damaged', error);
  }
  throw logError('a compressed event of another length');
}
