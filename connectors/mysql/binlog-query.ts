import { LogCursor } from './binlog-cursor.ts';
import { HEADER_BYTES, type LogEvent } from './binlog-event.ts';

export interface LoggedStatement {
  readonly text: string;
  /** The database that it was run in. */
  readonly schema: string;
  /** Whether names in it are certainly what they seem: it is in UTF-8, or has nothing but ASCII. */
  readonly certain: boolean;
}

/**
 * QUERY_EVENT (dev.mysql.com/doc/dev/mysql-server, "Query_event"; MariaDB knowledge base, "QUERY_EVENT"): thread (4
 * bytes), seconds (4), length of the database's name (1), error (2), length of the status variables (2), these, name
 * and a byte 0, the statement. `inflate` makes the statement of what stands there.
 */
export function readQuery(
  event: LogEvent,
  inflate: ((bytes: Uint8Array) => Uint8Array) | null,
): LoggedStatement {
  const cursor = new LogCursor(event.bytes, HEADER_BYTES + 8);
  const schemaLength = cursor.uint8();
  cursor.skip(2);
  const charset = clientCharset(new LogCursor(cursor.take(cursor.uint16()), 0));
  const schema = Buffer.from(cursor.take(schemaLength)).toString('utf8');
  cursor.skip(1);
  const rest = cursor.take(event.bytes.length - cursor.at);
  const bytes = inflate === null ? rest : inflate(rest);
  const ascii = bytes.every((byte) => byte < 0x80);
  return {
    text: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'),
    schema,
    certain: ascii || (charset !== null && isUtf8(charset)),
  };
}

const BEGIN = Buffer.from('\0BEGIN');

/** The statement of most transactions, told without reading all of the event. */
export function isBegin({ sent, to }: LogEvent): boolean {
  const start = to - BEGIN.length;
  for (let at = 0; at < BEGIN.length; at += 1) if (sent[start + at] !== BEGIN[at]) return false;
  return true;
}

/**
 * Status variables stand one behind the other, code (1 byte) and value, in this order: Q_FLAGS2_CODE (4 bytes),
 * Q_SQL_MODE_CODE (8), Q_CATALOG_NZ_CODE (length and text), Q_AUTO_INCREMENT (4), Q_CHARSET_CODE (6, of which the first
 * two are the collation of the client).
 */
const STATUS_BYTES: Readonly<Record<number, number>> = { 0: 4, 1: 8, 3: 4 };
const CATALOG = 6;
const CHARSET = 4;

function clientCharset(cursor: LogCursor): number | null {
  while (!cursor.atEnd) {
    const code = cursor.uint8();
    if (code === CHARSET) return cursor.uint16();
    const bytes = code === CATALOG ? cursor.uint8() : STATUS_BYTES[code];
    if (bytes === undefined) return null;
    cursor.skip(bytes);
  }
  return null;
}

/**
 * Numbers of the collations of utf8mb3 and utf8mb4 up to 323 (INFORMATION_SCHEMA.COLLATIONS); others only make a gap
 * wider.
 */
function isUtf8(collation: number): boolean {
  return (
    [33, 45, 46, 76, 83].includes(collation) ||
    (collation >= 192 && collation <= 247) ||
    (collation >= 255 && collation <= 323)
  );
}
