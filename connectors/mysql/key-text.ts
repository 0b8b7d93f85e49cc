import type { RowShape } from '../../src/connector/contract.ts';
import type { PortableForm } from '../../src/connector/table.ts';
import { keyFieldsOf } from '../../src/row/stream.ts';
import type { MysqlType } from './columns.ts';
import { integerOf, uuidText } from './literals.ts';
import { shapeSql } from './shape-sql.ts';
import {
  dateOfDays,
  dateText,
  datetimeOfMicroseconds,
  datetimeText,
  timeOfMicroseconds,
  timeText,
} from './temporal.ts';

/** Keys as a person reads them: column name to text. The server is not asked: the bytes say it all. */
export function describeKeys(
  shape: RowShape,
  keys: readonly Uint8Array[],
): readonly Readonly<Record<string, string>>[] {
  if (shape.identity !== 'key') {
    return keys.map((key) => ({ '(row digest)': hex(keyFieldsOf(key)[0] ?? new Uint8Array()) }));
  }
  const columns = shapeSql(shape).keys;
  return keys.map((key) => {
    const values = keyFieldsOf(key);
    return Object.fromEntries(
      columns.map(({ type, form }, at) => {
        const value = values[at] ?? null;
        const name = shape.columns[at]?.name ?? '';
        return [name, value === null ? 'NULL' : valueText(type, form, value)];
      }),
    );
  });
}

/** A value as text; what cannot be read is given in hexadecimal. */
export function valueText(type: MysqlType, form: PortableForm | null, value: Uint8Array): string {
  try {
    return form === null ? nativeText(type, value) : portableText(form, value);
  } catch {
    return `0x${hex(value)}`;
  }
}

function nativeText(type: MysqlType, value: Uint8Array): string {
  switch (type.kind) {
    case 'integer':
      return String(integerOf(type, value));
    case 'year':
      return String(integerOf(type, value)).padStart(4, '0');
    case 'decimal':
    case 'uuid':
    case 'address':
    case 'json':
      return utf8(value);
    case 'float':
      return String(view(value).getFloat32(0, true));
    case 'double':
      return String(view(value).getFloat64(0, true));
    case 'text':
    case 'label':
      return decoded(type.characterSet ?? '', value);
    case 'date':
      return dateText(value);
    case 'datetime':
      return datetimeText(value);
    case 'time':
      return timeText(value);
    default:
      return `0x${hex(value)}`;
  }
}

function portableText(form: PortableForm, value: Uint8Array): string {
  switch (form) {
    case 'boolean':
      return value.length === 1 ? String(value[0] === 1) : String(view(value).getBigInt64(0));
    case 'integer':
      return value.length === 8 ? String(view(value).getBigInt64(0)) : utf8(value);
    case 'decimal':
    case 'text':
      return utf8(value);
    case 'float4':
      return String(view(value).getFloat32(0));
    case 'float8':
      return String(view(value).getFloat64(0));
    case 'date':
      return dateOfDays(BigInt(view(value).getInt32(0)));
    case 'datetime':
    case 'instant':
      return datetimeOfMicroseconds(view(value).getBigInt64(0));
    case 'time':
      return timeOfMicroseconds(view(value).getBigInt64(0));
    case 'uuid':
      return value.length === 16 ? uuidText(value) : `0x${hex(value)}`;
    default:
      return `0x${hex(value)}`;
  }
}

/** The Encoding Standard's names for MySQL's character sets, where they mean the same bytes. */
const DECODERS: Readonly<Record<string, string>> = {
  utf8mb4: 'utf-8',
  utf8mb3: 'utf-8',
  ascii: 'utf-8',
  latin1: 'windows-1252',
  latin2: 'iso-8859-2',
  latin5: 'windows-1254',
  greek: 'iso-8859-7',
  hebrew: 'iso-8859-8',
  cp1250: 'windows-1250',
  cp1251: 'windows-1251',
  cp1256: 'windows-1256',
  cp1257: 'windows-1257',
  cp866: 'ibm866',
  koi8r: 'koi8-r',
  koi8u: 'koi8-u',
  big5: 'big5',
  gbk: 'gbk',
  gb18030: 'gb18030',
  gb2312: 'gbk',
  euckr: 'euc-kr',
  sjis: 'shift_jis',
  cp932: 'shift_jis',
  ujis: 'euc-jp',
  eucjpms: 'euc-jp',
  tis620: 'windows-874',
  ucs2: 'utf-16be',
  utf16: 'utf-16be',
  utf16le: 'utf-16le',
};

function decoded(characterSet: string, value: Uint8Array): string {
  const name = DECODERS[characterSet];
  if (name === undefined) return `0x${hex(value)}`;
  return new TextDecoder(name, { fatal: true, ignoreBOM: true }).decode(value);
}

function utf8(value: Uint8Array): string {
  return decoded('utf8mb4', value);
}

function view(value: Uint8Array): DataView {
  return new DataView(value.buffer, value.byteOffset, value.byteLength);
}

function hex(value: Uint8Array): string {
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex');
}
