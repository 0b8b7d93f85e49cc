const DAYS_TO_2000 = 730_425;
const US_A_SECOND = 1_000_000n;
const ZERO = 0x30;

/** Two's complement, big endian, divided by 10^scale, as the form `decimal` writes it. */
export function decimalOf(unscaled: Uint8Array, scale: number): string {
  const value = unscaledOf(unscaled);
  const negative = value < 0;
  const digits = (negative ? -value : value).toString();
  return scaledText(negative, digits, scale);
}

/** An exact integer, as a number where it fits. */
function unscaledOf(bytes: Uint8Array): number | bigint {
  const { length } = bytes;
  if (length === 0) return 0;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, length);
  if (length <= 6) return buffer.readIntBE(0, length);
  const size = BigInt(`0x${buffer.toString('hex')}`);
  return BigInt.asIntN(length * 8, size);
}

/**
 * Digits with the point `scale` places from the right: no leading zeros but one before the point, no trailing zeros
 * behind it, `0` for every zero (src/row/portable.ts).
 */
export function scaledText(negative: boolean, digits: string, scale: number): string {
  const padded = scale > 0 ? digits.padStart(scale + 1, '0') : digits + '0'.repeat(-scale);
  const point = scale > 0 ? padded.length - scale : padded.length;
  const whole = padded.slice(0, point).replace(/^0+(?=\d)/, '');
  const fraction = padded.slice(point).replace(/0+$/, '');
  if (whole === '0' && fraction === '') return '0';
  return `${negative ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

/**
 * Microseconds since 2000-01-01 UTC of `2024-07-01T09:00:00.123456Z`. Null: another zone, another year than of four
 * digits (an infinity may be sent as such), more digits of a second.
 */
export function isoMicros(bytes: Uint8Array, from: number, to: number): bigint | null {
  const length = to - from;
  if (length < 20 || bytes[to - 1] !== 0x5a) return null;
  for (const [at, byte] of PUNCTUATION) if (bytes[from + at] !== byte) return null;
  const year = digitsAt(bytes, from, 4);
  const month = digitsAt(bytes, from + 5, 2);
  const day = digitsAt(bytes, from + 8, 2);
  const hour = digitsAt(bytes, from + 11, 2);
  const minute = digitsAt(bytes, from + 14, 2);
  const second = digitsAt(bytes, from + 17, 2);
  const fraction = fractionAt(bytes, from + 19, to - 1);
  const isValid = month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour <= 23 && minute <= 59;
  if (!isValid || second > 59 || Number.isNaN(year + hour + minute + second + fraction)) return null;
  const seconds = ((daysSince2000(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
  // Beyond the safe integers from the year 2285 on.
  return BigInt(seconds) * US_A_SECOND + BigInt(fraction);
}

/** `-` `-` `T` `:` `:` */
const PUNCTUATION: readonly (readonly [number, number])[] = [
  [4, 0x2d],
  [7, 0x2d],
  [10, 0x54],
  [13, 0x3a],
  [16, 0x3a],
];

/** NaN: not all are digits. */
function digitsAt(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i += 1) {
    const digit = (bytes[i] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return NaN;
    value = value * 10 + digit;
  }
  return value;
}

/** Microseconds of `.123`; 0 where nothing stands; NaN where something else does, or more than they can hold. */
function fractionAt(bytes: Uint8Array, from: number, to: number): number {
  if (from === to) return 0;
  const count = to - from - 1;
  if (bytes[from] !== 0x2e || count < 1 || count > 9) return NaN;
  const used = Math.min(count, 6);
  const value = digitsAt(bytes, from + 1, used) * 10 ** (6 - used);
  return count > 6 && digitsAt(bytes, from + 7, count - 6) !== 0 ? NaN : value;
}

/** Proleptic Gregorian, by counting years from March, so that the leap day is the last of its year. */
function daysSince2000(year: number, month: number, day: number): number {
  const fromMarch = month > 2 ? month - 3 : month + 9;
  const counted = month > 2 ? year : year - 1;
  const cycle = Math.floor(counted / 400);
  const yearOfCycle = counted - cycle * 400;
  const dayOfYear = Math.floor((153 * fromMarch + 2) / 5) + day - 1;
  const dayOfCycle =
    yearOfCycle * 365 + Math.floor(yearOfCycle / 4) - Math.floor(yearOfCycle / 100) + dayOfYear;
  return cycle * 146_097 + dayOfCycle - DAYS_TO_2000;
}

/** Null: no uuid. */
export function uuidBytes(text: string): Uint8Array | null {
  if (!/^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text)) return null;
  return Buffer.from(text.replaceAll('-', ''), 'hex');
}
