import { ServerError } from './failure.ts';
import type { WireColumn } from './wire-plan.ts';

/** First bytes of packets (dev.mysql.com/doc/dev/mysql-server, "Generic Response Packets"). */
export const MARKER = { ok: 0x00, eof: 0xfe, error: 0xff } as const;

/** EOF has 5 bytes; a longer packet with its marker is a row's or a number's. */
const EOF_BYTES_MAX = 8;
const MORE_RESULTS = 0x0008;
const UNSIGNED_FLAG = 0x0020;
/** What follows the length in front of a column definition's fields of fixed length. */
const DEFINITION_TAIL_BYTES = 12;

/** COM_STMT_PREPARE_OK: marker, statement (4 bytes), columns (2), parameters (2), filler, warnings (2). */
export function readPrepared(payload: Uint8Array): {
  readonly statement: number;
  readonly columns: number;
  readonly parameters: number;
} | null {
  if (payload[0] !== MARKER.ok || payload.length < 9) return null;
  const view = viewOf(payload);
  return {
    statement: view.getUint32(1, true),
    columns: view.getUint16(5, true),
    parameters: view.getUint16(7, true),
  };
}

/** The number of columns at the head of a result ("Text Resultset", column count); null: there is no result. */
export function readColumnCount(payload: Uint8Array): number | null {
  const first = payload[0] ?? 0;
  if (first > 0 && first < 0xfb) return first;
  return first === 0xfc && payload.length === 3 ? viewOf(payload).getUint16(1, true) : null;
}

/**
 * "Column Definition": names, each with its length, then 0c and 12 bytes: character set (2), length (4), type, flags
 * (2), decimals, filler (2). Read from its end: MariaDB may put extended metadata between. Null: it is none.
 */
export function readColumn(payload: Uint8Array): WireColumn | null {
  const tail = payload.length - DEFINITION_TAIL_BYTES;
  if (tail < 1 || payload[tail - 1] !== DEFINITION_TAIL_BYTES) return null;
  const view = viewOf(payload);
  return {
    type: view.getUint8(tail + 6),
    unsigned: (view.getUint16(tail + 7, true) & UNSIGNED_FLAG) !== 0,
  };
}

/** "EOF_Packet": marker, warnings (2 bytes), status (2). CLIENT_DEPRECATE_EOF is never negotiated by the driver. */
export function readEof(
  payload: Uint8Array,
): { readonly warnings: number; readonly moreResults: boolean } | null {
  if (payload[0] !== MARKER.eof || payload.length < 5 || payload.length > EOF_BYTES_MAX) return null;
  const view = viewOf(payload);
  return {
    warnings: view.getUint16(1, true),
    moreResults: (view.getUint16(3, true) & MORE_RESULTS) !== 0,
  };
}

/** "ERR_Packet": marker, number (2 bytes), `#` and SQLSTATE (5), message. */
export function readError(payload: Uint8Array): ServerError | null {
  if (payload[0] !== MARKER.error || payload.length < 3) return null;
  const errno = viewOf(payload).getUint16(1, true);
  const text = Buffer.from(payload.subarray(3)).toString('utf8');
  return text.startsWith('#')
    ? new ServerError(errno, text.slice(1, 6), text.slice(6))
    : new ServerError(errno, null, text);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
