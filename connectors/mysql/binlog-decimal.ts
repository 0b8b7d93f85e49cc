/**
 * Packed decimals (MySQL manual, "Precision Math", "DECIMAL Data Type Characteristics"; strings/decimal.cc, bin2decimal):
 * nine digits a group in 4 bytes, big endian, the digits left over on either side in as many bytes as they need; a
 * negative number has every bit inverted, then the first bit is inverted.
 */
const GROUP_DIGITS = 9;
const GROUP_BYTES = 4;
const BYTES_OF_DIGITS = [0, 1, 1, 2, 2, 3, 3, 4, 4, 4] as const;

const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;

/** How many bytes a decimal takes. */
export function decimalBytes(precision: number, scale: number): number {
  const whole = precision - scale;
  return sideBytes(whole) + sideBytes(scale);
}

function sideBytes(digits: number): number {
  const groups = Math.trunc(digits / GROUP_DIGITS);
  return groups * GROUP_BYTES + (BYTES_OF_DIGITS[digits - groups * GROUP_DIGITS] ?? 0);
}

/** At most so many characters: sign, 65 digits, point, and a zero in front. */
export const DECIMAL_CHARACTERS_MAX = 68;

/**
 * Writes the number as the server prints it, all digits of its scale, at least one in front of the point; with
 * `zerofill` all of its precision. Returns where the text ends.
 */
export function writeDecimal(
  bytes: Uint8Array,
  from: number,
  precision: number,
  scale: number,
  zerofill: boolean,
  target: Uint8Array,
  start: number,
): number {
  const negative = ((bytes[from] ?? 0) & 0x80) === 0;
  const mask = negative ? 0xff : 0;
  const whole = precision - scale;
  let at = start;
  if (negative) target[at++] = MINUS;
  const digitsAt = at;
  let source = from;
  const odd = whole % GROUP_DIGITS;
  let flip = 0x80;
  const group = (digits: number): void => {
    const size = BYTES_OF_DIGITS[digits] ?? 0;
    let value = 0;
    for (let index = 0; index < size; index += 1) {
      value = value * 256 + (((bytes[source] ?? 0) ^ mask ^ flip) & 0xff);
      flip = 0;
      source += 1;
    }
    for (let place = at + digits - 1; place >= at; place -= 1) {
      target[place] = ZERO + (value % 10);
      value = Math.trunc(value / 10);
    }
    at += digits;
  };
  if (odd > 0) group(odd);
  for (let left = whole - odd; left > 0; left -= GROUP_DIGITS) group(GROUP_DIGITS);
  if (!zerofill) at = withoutZeros(target, digitsAt, at);
  if (at === digitsAt) target[at++] = ZERO;
  if (scale === 0) return at;
  target[at++] = POINT;
  let left = scale;
  for (; left >= GROUP_DIGITS; left -= GROUP_DIGITS) group(GROUP_DIGITS);
  if (left > 0) group(left);
  return at;
}

/** Moves the digits over the zeros in front of them; the answer is where they end. */
function withoutZeros(target: Uint8Array, start: number, end: number): number {
  let first = start;
  while (first < end && target[first] === ZERO) first += 1;
  if (first > start) target.copyWithin(start, first, end);
  return end - (first - start);
}
