import { isUtf8 } from 'node:buffer';
import type { PortableForm, PortableForms } from '../../src/connector/table.ts';
import { baseTypeOf, type TypeTable } from './columns.ts';
import type { PostgresColumn } from './table.ts';

/** A column that is read in a portable form (src/row/portable.ts). */
export interface PortableRead {
  readonly form: PortableForm;
  /** The IANA name of the zone in which a local time is an instant; null: no conversion. */
  readonly zone: string | null;
  /** Blanks at the end of a text do not count. */
  readonly trim: boolean;
  /** Digits behind the point to which a decimal is rounded; null: it is not. */
  readonly scale: number | null;
}

/** What a key column is compared with: a parameter that is an array, and how its elements meet the column. */
interface KeyMatch {
  /** The type of the elements as they are sent. */
  readonly elementOid: number;
  /** What the parameter is cast to, in SQL. */
  readonly arrayType: string;
  /** The side of the column in the comparison, in SQL; the table is `t`. */
  readonly column: string;
}

/** Array parameters by the form that their elements have (OIDs: pg_type.dat). */
const OID = {
  bool: 16,
  bytea: 17,
  int8: 20,
  text: 25,
  float4: 700,
  float8: 701,
  bpchar: 1042,
  date: 1082,
  time: 1083,
  timestamp: 1114,
  timestamptz: 1184,
  uuid: 2950,
} as const;

const NUMERIC = 1700;
const JSON_OID = 114;
const INT8_MIN = -(2n ** 63n);
const INT8_MAX = 2n ** 63n - 1n;
const MICROSECONDS_A_DAY = 86_400_000_000n;

const natural = (...forms: PortableForm[]): PortableForms => ({ natural: forms, onRequest: [], inZone: [] });

const FORMS: ReadonlyMap<string, PortableForms> = new Map([
  ['boolean', natural('boolean')],
  ['smallint', natural('integer', 'decimal')],
  ['integer', natural('integer', 'decimal')],
  ['bigint', natural('integer', 'decimal')],
  ['numeric', natural('decimal')],
  ['real', natural('float4')],
  ['double precision', natural('float8')],
  ['text', natural('text')],
  ['character varying', natural('text')],
  ['character', natural('text')],
  ['name', natural('text')],
  ['bytea', natural('bytes')],
  ['date', natural('date')],
  ['time without time zone', natural('time')],
  ['timestamp without time zone', { natural: ['datetime'], onRequest: ['instant'], inZone: ['instant'] }],
  ['timestamp with time zone', { natural: ['instant'], onRequest: ['datetime'], inZone: ['datetime'] }],
  ['uuid', natural('uuid')],
  // Kept as it was written: equal documents may be unequal text, so only the owner can want it compared.
  ['json', { natural: [], onRequest: ['text'], inZone: [] }],
]);

/**
 * The portable forms of a type; domains have those of their base, enums and citext are text. Null: none. What is left
 * out has no counterpart elsewhere (arrays, ranges, intervals), or one that is normalised otherwise there (jsonb).
 */
export function portableFormsOf(oid: number, types: TypeTable): PortableForms | null {
  const base = baseTypeOf(oid, types);
  if (base === null || base.array) return null;
  if (base.kind === 'e') return natural('text');
  if (base.kind !== 'b') return null;
  if (!base.builtin) return /(^|\.)citext$/.test(base.name) ? natural('text') : null;
  return FORMS.get(base.name) ?? null;
}

/** A column in the form, in SQL: its binary result is the form's canonical bytes. */
export function portableValue(column: PostgresColumn, read: PortableRead): string {
  const name = column.quotedName;
  switch (read.form) {
    case 'integer':
      return `${name}::pg_catalog.int8`;
    case 'decimal':
      return decimalValue(column, read.scale);
    case 'float4':
    case 'float8':
      return nanOnce(name, read.form);
    case 'text':
      // Strips the padding blanks of character(n).
      return read.trim ? `pg_catalog.rtrim(${name}::pg_catalog.text)` : `${name}::pg_catalog.text`;
    case 'datetime':
    case 'instant':
      return inZone(name, read);
    default:
      return name;
  }
}

/** Rounds half away from zero, as every engine rounds exact numbers (manual, 9.3: round(numeric)). */
function decimalValue({ quotedName: name, base }: PostgresColumn, scale: number | null): string {
  if (base.oid !== NUMERIC) return `${name}::pg_catalog.text`;
  const value = scale === null ? name : `pg_catalog.round(${name}, ${scale})`;
  return `pg_catalog.trim_scale(${value})::pg_catalog.text`;
}

/** A float with one NaN for all: its payload is lost in text and kept in binary. */
export function nanOnce(name: string, type: 'float4' | 'float8'): string {
  return `case when ${name} = 'NaN'::pg_catalog.${type} then 'NaN'::pg_catalog.${type} else ${name} end`;
}

/** `timestamp` becomes the instant that it was in the zone, `timestamptz` the local time there (manual, 9.9.4). */
function inZone(column: string, { zone }: PortableRead): string {
  return zone === null ? column : `(${column} at time zone '${zone.replaceAll("'", "''")}')`;
}

/** How rows are looked up by values in the form. An index is used wherever the comparison is the column's own. */
export function portableMatch(column: PostgresColumn, read: PortableRead): KeyMatch {
  const own = `t.${column.quotedName}`;
  const match = (type: keyof typeof OID, left = own): KeyMatch => ({
    elementOid: OID[type],
    arrayType: `pg_catalog.${type}[]`,
    column: left,
  });
  switch (read.form) {
    case 'boolean':
      return match('bool');
    case 'integer':
      return match('int8');
    case 'decimal':
      if (column.base.oid !== NUMERIC) return match('int8');
      return { ...match('text'), arrayType: 'pg_catalog.text[]::pg_catalog.numeric[]' };
    case 'text':
      if (column.base.oid === OID.bpchar) return match('bpchar');
      // Labels and citext by their text: an unknown label would be an error, and citext takes A for a.
      return isPlainText(column) ? match('text') : match('text', `${own}::pg_catalog.text`);
    case 'bytes':
      return match('bytea');
    case 'datetime':
      return match('timestamp', inZone(own, read));
    case 'instant':
      return match('timestamptz', inZone(own, read));
    default:
      return match(read.form);
  }
}

function isPlainText({ base }: PostgresColumn): boolean {
  return base.kind === 'b' && base.oid !== JSON_OID && !/(^|\.)citext$/.test(base.name);
}

/**
 * A value in the form as an element of such an array. Null: the column cannot hold that value (the other engine's
 * types reach further), so no row has it.
 */
export function portableElement(
  column: PostgresColumn,
  { form }: PortableRead,
  bytes: Uint8Array,
): Uint8Array | null {
  switch (form) {
    case 'boolean':
      return bytes.length === 1 && (bytes[0] === 0 || bytes[0] === 1) ? bytes : null;
    case 'decimal':
      return decimalElement(column, Buffer.from(bytes).toString('latin1'));
    case 'text':
      return isUtf8(bytes) && !bytes.includes(0) ? bytes : null;
    case 'bytes':
      return bytes;
    case 'float4':
    case 'date':
      return bytes.length === 4 ? bytes : null;
    case 'time':
      return bytes.length === 8 && isTimeOfDay(bytes) ? bytes : null;
    case 'uuid':
      return bytes.length === 16 ? bytes : null;
    default:
      return bytes.length === 8 ? bytes : null;
  }
}

function decimalElement(column: PostgresColumn, text: string): Uint8Array | null {
  if (column.base.oid === NUMERIC) {
    return /^(?:-?\d+(?:\.\d+)?|NaN|-?Infinity)$/.test(text) ? Buffer.from(text, 'latin1') : null;
  }
  if (!/^-?\d{1,19}$/.test(text)) return null;
  const value = BigInt(text);
  if (value < INT8_MIN || value > INT8_MAX) return null;
  const element = Buffer.alloc(8);
  element.writeBigInt64BE(value);
  return element;
}

function isTimeOfDay(bytes: Uint8Array): boolean {
  const value = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigInt64(0);
  return value >= 0n && value <= MICROSECONDS_A_DAY;
}
