/**
 * Packed decimals (MySQL manual, "Precision Math", "DECIMAL Data Type Characteristics"; strings/decimal.cc,
 * bin2decimal): nine digits a group in 4 bytes, big endian, the digits left over on either side in as many bytes as
 * they need; a negative number has every bit inverted, then the first bit is inverted.
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
  let flip = 0x80;
  for (let left = whole; left > 0; flip = 0) {
    const digits = left % GROUP_DIGITS === 0 ? GROUP_DIGITS : left % GROUP_DIGITS;
    const value = groupAt(bytes, source, digits, mask, flip);
    // Zeros in front are not written.
    const written = zerofill || at > digitsAt ? digits : digitsOf(value, digits);
    putGroup(target, at, written, value);
    source += BYTES_OF_DIGITS[digits] ?? 0;
    at += written;
    left -= digits;
  }
  if (at === digitsAt) target[at++] = ZERO;
  if (scale === 0) return at;
  target[at++] = POINT;
  for (let left = scale; left > 0; flip = 0) {
    const digits = Math.min(left, GROUP_DIGITS);
    putGroup(target, at, digits, groupAt(bytes, source, digits, mask, flip));
    source += BYTES_OF_DIGITS[digits] ?? 0;
    at += digits;
    left -= digits;
  }
  return at;
}

/** The number that a group of so many digits is. */
function groupAt(bytes: Uint8Array, from: number, digits: number, mask: number, flip: number): number {
  const size = BYTES_OF_DIGITS[digits] ?? 0;
  let value = 0;
  for (let index = 0; index < size; index += 1) {
    const inverted = index === 0 ? mask ^ flip : mask;
    value = value * 256 + (((bytes[from + index] ?? 0) ^ inverted) & 0xff);
  }
  return value;
}

function putGroup(target: Uint8Array, at: number, digits: number, value: number): void {
  let place = at + digits;
  let rest = value;
  // Four digits at once: a division of large numbers takes as long as all of a small one's.
  while (place - at > 4) {
    const high = Math.floor(rest / 10_000);
    putSmall(target, place - 4, place, rest - high * 10_000);
    rest = high;
    place -= 4;
  }
  putSmall(target, at, place, rest);
}

/** The digits of a number below 10,000, into the bytes from `at` up to `end`. */
function putSmall(target: Uint8Array, at: number, end: number, value: number): void {
  let rest = value;
  for (let place = end - 1; place >= at; place -= 1) {
    // A tenth, exactly, of any number below 43,699.
    const tenth = (rest * 52_429) >>> 19;
    target[place] = ZERO + (rest - tenth * 10);
    rest = tenth;
  }
}

/** How many digits a number has, 0 for zero; no more than `most`. */
function digitsOf(value: number, most: number): number {
  let digits = 0;
  for (let limit = 1; digits < most && value >= limit; limit *= 10) digits += 1;
  return digits;
}
