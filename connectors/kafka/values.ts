import { writeFloat } from './float-values.ts';
import { unescaped } from './json-escape.ts';
import { latin1, unwanted } from './json-value.ts';
import type { JsonReader } from './json-reader.ts';
import type { Reading } from './connect-field.ts';
import { decimalOf, isoMicros, scaledText, uuidBytes } from './value-text.ts';
import type { RowWriter } from './row-writer.ts';

/** What Debezium sends for a value that PostgreSQL's log left out, since it is stored apart and did not change. */
const PLACEHOLDER = '__debezium_unavailable_value';

const DAYS_TO_2000 = 10_957;
const MS_TO_2000 = 946_684_800_000;
const US_TO_2000 = MS_TO_2000 * 1000;
/** Of PostgreSQL's date: 4714-11-24 BC and 5874897-12-31 (manual, "Date/Time Types"), from 2000-01-01 on. */
const DAYS_MIN = -2_451_545;
const DAYS_MAX = 2_145_031_948;
/** A time stamp further away may stand for infinity, or be beyond what the source could send: about 200,000 years. */
const US_MAX = 6_000_000_000_000_000_000n;
const US_A_DAY = 86_400_000_000;
/** Of MySQL's time: 838:59:59 (manual, "The TIME Type"); a fraction may follow where it is less. */
const US_SPAN_MAX = 3_020_399_000_000;
/**
 * 1583-01-01: where a snapshot reads an earlier time stamp, Debezium takes Julian dates for Gregorian ones and is days
 * off (measured with 3.3.1: 0001-01-01 by two days, 1500-03-01 by one); where it reads the log, it is not.
 */
const US_GREGORIAN = -13_159_238_400_000_000;
type Clock = Extract<Reading, { readonly as: 'clock' | 'span' | 'moment' }>;

/** Bytes of placeholders, for comparing. */
export interface Placeholder {
  readonly text: Buffer;
  readonly base64: Buffer;
}

/** Of `unavailable.value.placeholder`. */
export function placeholderOf(text = PLACEHOLDER): Placeholder {
  const bytes = Buffer.from(text, 'utf8');
  return { text: bytes, base64: Buffer.from(bytes.toString('base64'), 'latin1') };
}

/**
 * Writes the value that `json` took last as a field in its form: the canonical bytes of src/row/portable.ts. What has
 * no certain bytes is written as unread, the placeholder as unchanged where it can be meant. @throws JsonError when it
 * is another kind of value.
 */
export function writeValue(
  json: JsonReader,
  reading: Reading,
  form: string,
  placeholder: Placeholder,
  mayBeUnchanged: boolean,
  out: RowWriter,
): void {
  if (json.kind === 'null') {
    out.null();
    return;
  }
  if (isPlaceholder(json, placeholder)) {
    if (mayBeUnchanged) out.unchanged();
    else out.unread();
    return;
  }
  out.begin();
  if (writeContent(json, reading, form, out)) {
    out.end();
    return;
  }
  out.undo();
  out.unread();
}

function isPlaceholder(json: JsonReader, { text, base64 }: Placeholder): boolean {
  if (json.kind !== 'string') return false;
  const length = json.to - json.from;
  return (length === text.length && json.isText(text)) || (length === base64.length && json.isText(base64));
}

/** False: these bytes are not certain. */
function writeContent(json: JsonReader, reading: Reading, form: string, out: RowWriter): boolean {
  switch (reading.as) {
    case 'boolean':
      if (json.kind !== 'true' && json.kind !== 'false') throw unwanted('a boolean', json);
      out.byte(json.kind === 'true' ? 1 : 0);
      return true;
    case 'integer':
      return writeInteger(json, form, out);
    case 'unwrapped':
      return json.bytes[json.from] !== 0x2d && writeInteger(json, form, out);
    case 'float4':
    case 'float8':
      return writeFloat(json, reading.as, out);
    case 'text':
      return writeText(json, reading.blanks, out);
    case 'bytes':
      out.put(codedBytes(json, reading.code));
      return true;
    case 'scaled':
      out.ascii(decimalOf(codedBytes(json, 'base64'), reading.scale));
      return true;
    case 'scaled-struct':
      return writeScaledStruct(json, out);
    case 'decimal-text':
      return writeDecimalText(json, out);
    case 'days':
      return writeDays(json, out);
    case 'clock':
    case 'span':
      return writeClock(json, reading, out);
    case 'moment':
      return writeMoment(json, reading.unit, out);
    case 'zoned':
      return writeZoned(json, out);
    default:
      return writeUuid(json, out);
  }
}

function writeInteger(json: JsonReader, form: string, out: RowWriter): boolean {
  const small = form === 'decimal' ? null : smallInteger(json);
  if (small !== null) {
    out.int64(small);
    return true;
  }
  const { digits, negative } = wholeNumber(json);
  if (form === 'decimal') {
    out.ascii(digits === '0' ? '0' : `${negative ? '-' : ''}${digits}`);
    return true;
  }
  if (digits.length <= 15) {
    // Exact: every integer of 15 digits is a double.
    const size = Number(digits);
    out.int64(negative ? -size || 0 : size);
    return true;
  }
  const value = negative ? -BigInt(digits) : BigInt(digits);
  if (BigInt.asIntN(64, value) !== value) throw unwanted('an integer of 64 bits', json);
  out.bigInt64(value);
  return true;
}

/** A number of at most nine digits, without a text being made of it; null: another one, or none. */
function smallInteger({ kind, bytes, from, to }: JsonReader): number | null {
  const negative = bytes[from] === 0x2d;
  const first = negative ? from + 1 : from;
  const length = to - first;
  if (kind !== 'number' || length < 1 || length > 9 || (length > 1 && bytes[first] === 0x30)) return null;
  let value = 0;
  for (let at = first; at < to; at += 1) {
    const digit = (bytes[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return null;
    value = value * 10 + digit;
  }
  return negative ? -value || 0 : value;
}

/** The digits of a number without point and exponent. */
function wholeNumber(json: JsonReader): { readonly digits: string; readonly negative: boolean } {
  const text = json.kind === 'number' ? latin1(json) : '';
  const negative = text.startsWith('-');
  const digits = negative ? text.slice(1) : text;
  if (!/^(?:0|[1-9]\d{0,18})$/.test(digits)) throw unwanted('an integer of 64 bits', json);
  return { digits, negative };
}

function writeText(json: JsonReader, blanks: 'kept' | 'padding' | 'unknown', out: RowWriter): boolean {
  demandString(json);
  const { bytes, from } = json;
  let { to } = json;
  if (blanks !== 'kept') {
    // No escape ends in a blank.
    if (blanks === 'unknown' && to > from && bytes[to - 1] === 0x20) return false;
    while (to > from && bytes[to - 1] === 0x20) to -= 1;
  }
  if (json.escaped) out.put(unescaped(bytes, from, to));
  else out.copy(bytes, from, to);
  return true;
}

function codedBytes(json: JsonReader, code: 'base64' | 'base64-url-safe' | 'hex'): Uint8Array {
  demandString(json);
  const text = latin1(json);
  const pattern = code === 'hex' ? HEX : code === 'base64' ? BASE64 : BASE64_URL;
  if (!pattern.test(text)) throw unwanted(code, json);
  return Buffer.from(text, code === 'hex' ? 'hex' : code === 'base64' ? 'base64' : 'base64url');
}

const HEX = /^(?:[\da-fA-F]{2})*$/;
const BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/;
const BASE64_URL = /^[A-Za-z\d_-]*={0,2}$/;

/** `{"scale":2,"value":"base64"}`, in any order. */
function writeScaledStruct(json: JsonReader, out: RowWriter): boolean {
  if (json.kind !== 'object') throw unwanted('a decimal with its scale', json);
  const { at } = json;
  let scale: number | null = null;
  let value: Uint8Array | null = null;
  json.at = json.from;
  json.enter();
  while (json.member()) {
    const name = json.name();
    json.take();
    if (name === 'scale') {
      const { digits, negative } = wholeNumber(json);
      scale = negative ? -Number(digits) : Number(digits);
    } else if (name === 'value') value = codedBytes(json, 'base64');
  }
  json.at = at;
  if (scale === null || value === null) throw unwanted('a decimal with its scale', json);
  if (Math.abs(scale) > 20_000) return false;
  out.ascii(decimalOf(value, scale));
  return true;
}

function writeDecimalText(json: JsonReader, out: RowWriter): boolean {
  demandString(json);
  const text = latin1(json);
  // As PostgreSQL writes it; other words for the infinities are not known to be sent.
  if (text === 'NaN' || text === 'Infinity' || text === '-Infinity') {
    out.ascii(text);
    return true;
  }
  const match = /^(-?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,5}))?$/.exec(text);
  if (match === null) return false;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const scale = fraction.length - Number(exponent);
  if (Math.abs(scale) > 200_000) return false;
  out.ascii(scaledText(sign === '-', whole + fraction, scale));
  return true;
}

function writeDays(json: JsonReader, out: RowWriter): boolean {
  const { digits, negative } = wholeNumber(json);
  const days = (negative ? -Number(digits) : Number(digits)) - DAYS_TO_2000;
  if (days < DAYS_MIN || days > DAYS_MAX) return false;
  out.int32(days);
  return true;
}

function writeClock(json: JsonReader, { as, unit }: Clock, out: RowWriter): boolean {
  const { digits, negative } = wholeNumber(json);
  const size = digits.length > 15 ? Infinity : Number(digits) * (unit === 'ms' ? 1000 : 1);
  if (as === 'clock' ? negative || size > US_A_DAY : size > US_SPAN_MAX) return false;
  out.int64(negative ? -size || 0 : size);
  return true;
}

function writeMoment(json: JsonReader, unit: 'ms' | 'us', out: RowWriter): boolean {
  const { digits, negative } = wholeNumber(json);
  if (digits.length <= 15) {
    const size = negative ? -Number(digits) : Number(digits);
    const micros = unit === 'ms' ? (size - MS_TO_2000) * 1000 : size - US_TO_2000;
    if (micros < US_GREGORIAN) return false;
    if (Number.isSafeInteger(micros)) {
      out.int64(micros);
      return true;
    }
  }
  const size = negative ? -BigInt(digits) : BigInt(digits);
  const micros = (unit === 'ms' ? size * 1000n : size) - BigInt(US_TO_2000);
  if (micros > US_MAX || micros < US_GREGORIAN) return false;
  out.bigInt64(micros);
  return true;
}

function writeZoned(json: JsonReader, out: RowWriter): boolean {
  demandString(json);
  const micros = isoMicros(json.bytes, json.from, json.to);
  if (micros === null || micros < US_GREGORIAN) return false;
  out.bigInt64(micros);
  return true;
}

function writeUuid(json: JsonReader, out: RowWriter): boolean {
  demandString(json);
  const bytes = uuidBytes(latin1(json));
  if (bytes === null) throw unwanted('a uuid', json);
  out.put(bytes);
  return true;
}

function demandString(json: JsonReader): void {
  if (json.kind !== 'string') throw unwanted('a string', json);
}
