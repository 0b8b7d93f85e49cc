import type { PortableForm } from '../../src/connector/table.ts';

/**
 * What becomes of a value on its way from the wire into the row stream: `copy` leaves the bytes as the binary protocol
 * has them (encoding `mysql-binary`; without the length in front), a portable form makes that form's bytes.
 * How a value stands on the wire, and whether an integer is signed, is read from the server's own column definitions.
 */
export type WireOperation = 'copy' | PortableForm;

/** A parameter of a prepared statement, typed, so that the server compares it as what it is. */
export type MysqlParameter =
  | { readonly kind: 'null' }
  /** LONGLONG. */
  | { readonly kind: 'signed' | 'unsigned'; readonly value: bigint }
  /** The 4 or 8 bytes as the protocol has them (IEEE 754, little endian). */
  | { readonly kind: 'float' | 'double'; readonly value: Uint8Array }
  /** BLOB: the server takes them in the character set `binary`. */
  | { readonly kind: 'bytes'; readonly value: Uint8Array }
  /** VAR_STRING in utf8mb4. */
  | { readonly kind: 'text'; readonly value: string }
  /** NEWDECIMAL: the ASCII text of a number. */
  | { readonly kind: 'decimal'; readonly value: string }
  /** The structure of the binary protocol without the length in front, just as `copy` gives it. */
  | { readonly kind: 'date' | 'datetime' | 'time'; readonly value: Uint8Array };

/** One streaming read over a pooled connection. */
export interface RawRead {
  readonly sql: string;
  readonly parameters: readonly MysqlParameter[];
  /** One for every column of the result. */
  readonly operations: readonly WireOperation[];
  /** Called once when the server has certainly fixed the read's snapshot, before rows reach the sink. */
  readonly onSnapshot?: (() => void) | undefined;
}
