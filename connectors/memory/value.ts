import type { ColumnEncoding } from '../../src/connector/table.ts';

/** `int8` is a signed 64-bit integer, `text` a UTF-8 string, `bytea` bytes. */
export type ColumnType = 'int8' | 'text' | 'bytea';

/** A value as a caller writes it: bigint for `int8`, string for `text`, bytes for `bytea`. */
export type Value = bigint | string | Uint8Array | null;

/** A value as it is stored: bytes, or null for NULL. */
export type Field = Uint8Array | null;

/** The stored bytes of a value. Throws a TypeError when the value is not of the column's type. */
export function toField(value: Value, type: ColumnType): Field {
  if (value === null) return null;
  if (type === 'int8' && typeof value === 'bigint') {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigInt64(0, value);
    return bytes;
  }
  if (type === 'text' && typeof value === 'string') return new TextEncoder().encode(value);
  if (type === 'bytea' && value instanceof Uint8Array) return Uint8Array.from(value);
  throw new TypeError(`a ${typeof value} is not a value of type ${type}`);
}

/** The value as a person reads it. */
export function textOf(field: Uint8Array, type: ColumnType): string {
  switch (type) {
    case 'int8':
      return new DataView(field.buffer, field.byteOffset, field.byteLength).getBigInt64(0).toString();
    case 'text':
      return new TextDecoder().decode(field);
    default:
      return `\\x${Buffer.from(field).toString('hex')}`;
  }
}

/** The bytes that the row stream carries for a stored value. */
export function encodeField(field: Field, type: ColumnType, encoding: ColumnEncoding): Field {
  if (field === null || encoding !== 'pg-text') return field;
  return new TextEncoder().encode(textOf(field, type));
}

/** Stored bytes from what encodeField made of them. */
export function decodeField(field: Field, type: ColumnType, encoding: ColumnEncoding): Field {
  if (field === null || encoding !== 'pg-text') return field;
  const text = new TextDecoder().decode(field);
  switch (type) {
    case 'int8':
      return toField(BigInt(text), type);
    case 'text':
      return field;
    default:
      return Uint8Array.from(Buffer.from(text.slice(2), 'hex'));
  }
}

/** Order of two stored values of one type; NULL last. Negative, zero or positive. */
export function compareFields(a: Field, b: Field, type: ColumnType): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  // Of two's complement all but the sign has the order of the bytes.
  if (type === 'int8' && isNegative(a) !== isNegative(b)) return isNegative(a) ? -1 : 1;
  return Buffer.compare(a, b);
}

function isNegative(field: Uint8Array): boolean {
  return (field[0] ?? 0) >= 0x80;
}
