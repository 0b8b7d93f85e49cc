import type { PortableForm } from '../../src/connector/table.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { MysqlType } from './columns.ts';
import {
  dateOfDays,
  dateText,
  datetimeOfMicroseconds,
  datetimeText,
  timeOfMicroseconds,
  timeText,
} from './temporal.ts';

/**
 * Key values as SQL literals that compare with their column exactly and through its index. Integers and decimals are
 * written with all their digits: as text they would be compared with a numeric column as doubles (manual, "Type
 * Conversion in Expression Evaluation"). Nothing but digits, hexadecimal and the punctuation of dates stands in one.
 */
export function nativeLiteral(type: MysqlType, value: Uint8Array): string {
  switch (type.kind) {
    case 'integer':
    case 'year':
      return String(integerOf(type, value));
    case 'decimal':
      return numberLiteral(Buffer.from(value).toString('latin1'));
    case 'float':
      return doubleLiteral(viewOf(value, 4).getFloat32(0, true));
    case 'double':
      return doubleLiteral(viewOf(value, 8).getFloat64(0, true));
    case 'bit':
      // As a number: the column is one, and a hexadecimal literal would be text.
      return String(BigInt(`0x${hex(value) || '0'}`));
    case 'text':
    case 'label':
      return textLiteral(type, value);
    case 'uuid':
    case 'address':
      return asciiLiteral(value);
    case 'date':
      return `'${dateText(value)}'`;
    case 'datetime':
      return `'${datetimeText(value)}'`;
    case 'time':
      return `'${timeText(value)}'`;
    default:
      return `X'${hex(value)}'`;
  }
}

/**
 * A text in its column's own character set and collation: the comparison is the one that the index is in order by.
 * Bytes that are no text there give a warning (1300, ER_INVALID_CHARACTER_STRING), and a read with warnings fails.
 *
 * Not `_utf8mb4 X'61' collate utf8mb4_bin`: both servers take two conditions joined by OR for one and the same when
 * such literals are equal under the character set's default collation, and then find only 'a' of 'a' and 'A'. Here the
 * innermost literal is binary, and two of them are equal only in all bytes.
 */
export function textLiteral(type: MysqlType, value: Uint8Array): string {
  const { characterSet, collation } = type;
  if (characterSet === null || collation === null) {
    throw new TwinproofError('TP-BUG', { message: 'a text column without a character set' });
  }
  return `convert(X'${hex(value)}' using ${word(characterSet)}) collate ${word(collation)}`;
}

/** Literals of a key value in a portable form, any of which may stand in the column; null: no row can have it. */
export function portableLiterals(
  type: MysqlType,
  form: PortableForm,
  value: Uint8Array,
): readonly string[] | null {
  switch (form) {
    case 'boolean':
      return value.length === 1 ? [String(value[0] ?? 0)] : null;
    case 'integer':
      return value.length === 8 ? [String(viewOf(value, 8).getBigInt64(0))] : null;
    case 'decimal': {
      const text = Buffer.from(value).toString('latin1');
      return NUMBER.test(text) ? [text] : null;
    }
    case 'float4':
      return value.length === 4 ? finite(viewOf(value, 4).getFloat32(0)) : null;
    case 'float8':
      return value.length === 8 ? finite(viewOf(value, 8).getFloat64(0)) : null;
    case 'text':
      return [convertedText(type, value)];
    case 'bytes':
      return [`X'${hex(value)}'`];
    case 'date':
      return value.length === 4 ? [`'${dateOfDays(BigInt(viewOf(value, 4).getInt32(0)))}'`] : null;
    case 'datetime':
    case 'instant':
      return value.length === 8 ? [`'${datetimeOfMicroseconds(viewOf(value, 8).getBigInt64(0))}'`] : null;
    case 'time':
      return value.length === 8 ? [`'${timeOfMicroseconds(viewOf(value, 8).getBigInt64(0))}'`] : null;
    default:
      return value.length === 16 ? uuidLiterals(type, value) : null;
  }
}

function uuidLiterals(type: MysqlType, value: Uint8Array): readonly string[] {
  if (type.kind === 'bytes') return [`X'${hex(value)}'`];
  const text = uuidText(value);
  if (type.kind === 'uuid') return [asciiLiteral(Buffer.from(text))];
  return [text, text.toUpperCase()].map((each) => convertedText(type, Buffer.from(each)));
}

export function uuidText(value: Uint8Array): string {
  return hex(value).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** UTF-8 in the character set and collation of the column; what it cannot hold becomes a question mark there. */
function convertedText(type: MysqlType, value: Uint8Array): string {
  const { characterSet, collation } = type;
  if (characterSet === 'utf8mb4') return textLiteral(type, value);
  const text = `convert(X'${hex(value)}' using utf8mb4)`;
  return `convert(${text} using ${word(characterSet ?? '')}) collate ${word(collation ?? '')}`;
}

function finite(value: number): readonly string[] | null {
  return Number.isFinite(value) ? [doubleLiteral(value)] : null;
}

/** The signed or unsigned integer of 1, 2, 4 or 8 bytes, little endian (protocol manual, "Binary Protocol Value"). */
export function integerOf(type: Pick<MysqlType, 'kind' | 'unsigned'>, value: Uint8Array): bigint {
  let unsigned = 0n;
  for (const byte of value.toReversed()) unsigned = unsigned * 256n + BigInt(byte);
  const bits = value.length * 8;
  return type.unsigned || type.kind === 'year' ? unsigned : BigInt.asIntN(bits, unsigned);
}

const NUMBER = /^-?\d+(?:\.\d+)?$/;

function numberLiteral(text: string): string {
  if (!NUMBER.test(text)) throw new TwinproofError('TP-BUG', { message: 'a decimal key is no number' });
  return text;
}

/** The shortest text that reads back as the same double. −0 is 0 to the server too. */
function doubleLiteral(value: number): string {
  return value === 0 ? '0e0' : value.toExponential();
}

function asciiLiteral(value: Uint8Array): string {
  const text = Buffer.from(value).toString('latin1');
  if (!/^[0-9A-Za-z:.-]*$/.test(text))
    throw new TwinproofError('TP-BUG', { message: 'an odd address or uuid' });
  return `'${text}'`;
}

/** The name of a character set or collation: the server's own words. */
function word(name: string): string {
  if (!/^\w+$/.test(name)) throw new TwinproofError('TP-BUG', { message: `"${name}" is no collation` });
  return name;
}

function hex(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
}

function viewOf(value: Uint8Array, bytes: number): DataView {
  if (value.length !== bytes) {
    throw new TwinproofError('TP-BUG', { message: `a key value of ${value.length} bytes and not ${bytes}` });
  }
  return new DataView(value.buffer, value.byteOffset, value.byteLength);
}
