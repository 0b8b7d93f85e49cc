import type { RowShape } from '../connector/contract.ts';
import type { PortableForm } from '../connector/table.ts';
import { keyFieldsOf } from './stream.ts';

const MICROSECONDS_A_DAY = 86_400_000_000n;
/** Days from 0000-03-01 to 2000-01-01, proleptic Gregorian. */
const DAYS_TO_2000 = 730_425n;
/** Days of 400 years, after which the Gregorian calendar repeats. */
const DAYS_A_CYCLE = 146_097n;

/** A value in a portable form as a person reads it; bytes that are none of the form are shown in hexadecimal. */
export function portableText(bytes: Uint8Array, form: PortableForm): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (form) {
    case 'text':
    case 'decimal':
      return Buffer.from(bytes).toString('utf8');
    case 'boolean':
      return bytes.length === 1 ? String(bytes[0] === 1) : hexText(bytes);
    case 'integer':
      return bytes.length === 8 ? view.getBigInt64(0).toString() : hexText(bytes);
    case 'float4':
      // Nine digits tell every single apart; the shortest of a double would show digits that were never there.
      return bytes.length === 4 ? String(Number(view.getFloat32(0).toPrecision(9))) : hexText(bytes);
    case 'float8':
      return bytes.length === 8 ? String(view.getFloat64(0)) : hexText(bytes);
    case 'date':
      return bytes.length === 4 ? dateText(BigInt(view.getInt32(0))) : hexText(bytes);
    case 'time':
      return bytes.length === 8 ? timeText(view.getBigInt64(0)) : hexText(bytes);
    case 'datetime':
    case 'instant':
      return bytes.length === 8 ? momentText(view.getBigInt64(0), form === 'instant') : hexText(bytes);
    case 'uuid':
      return bytes.length === 16 ? uuidText(bytes) : hexText(bytes);
    default:
      return hexText(bytes);
  }
}

/** The key of a row of a `portable` shape as a person reads it: column name to text. */
export function portableKeyText(shape: RowShape, key: Uint8Array): Readonly<Record<string, string>> {
  const fields = keyFieldsOf(key);
  return Object.fromEntries(
    shape.columns.slice(0, shape.keyFields).map(({ name, form }, index) => {
      const field = fields[index] ?? null;
      return [name, field === null ? 'NULL' : portableText(field, form ?? 'bytes')];
    }),
  );
}

function hexText(bytes: Uint8Array): string {
  return `\\x${Buffer.from(bytes).toString('hex')}`;
}

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

function momentText(microseconds: bigint, isUtc: boolean): string {
  const days = floorDivide(microseconds, MICROSECONDS_A_DAY);
  const rest = microseconds - days * MICROSECONDS_A_DAY;
  return `${dateText(days)} ${timeText(rest)}${isUtc ? '+00' : ''}`;
}

function timeText(microseconds: bigint): string {
  const size = microseconds < 0n ? -microseconds : microseconds;
  const seconds = size / 1_000_000n;
  const parts = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n].map((part) => padded(part, 2));
  const fraction = size % 1_000_000n;
  const digits = fraction === 0n ? '' : `.${padded(fraction, 6).replace(/0+$/, '')}`;
  return `${microseconds < 0n ? '-' : ''}${parts.join(':')}${digits}`;
}

/** By counting years from March, so that the leap day is the last of its year. */
function dateText(daysSince2000: bigint): string {
  const days = daysSince2000 + DAYS_TO_2000;
  const cycle = floorDivide(days, DAYS_A_CYCLE);
  const dayOfCycle = days - cycle * DAYS_A_CYCLE;
  const yearOfCycle =
    (dayOfCycle - dayOfCycle / 1460n + dayOfCycle / 36_524n - dayOfCycle / (DAYS_A_CYCLE - 1n)) / 365n;
  const dayOfYear = dayOfCycle - (365n * yearOfCycle + yearOfCycle / 4n - yearOfCycle / 100n);
  const monthFromMarch = (5n * dayOfYear + 2n) / 153n;
  const day = dayOfYear - (153n * monthFromMarch + 2n) / 5n + 1n;
  const month = monthFromMarch < 10n ? monthFromMarch + 3n : monthFromMarch - 9n;
  const year = cycle * 400n + yearOfCycle + (month <= 2n ? 1n : 0n);
  return `${year < 0n ? '-' : ''}${padded(year < 0n ? -year : year, 4)}-${padded(month, 2)}-${padded(day, 2)}`;
}

function floorDivide(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b < 0n ? quotient - 1n : quotient;
}

function padded(number: bigint, width: number): string {
  return number.toString().padStart(width, '0');
}
