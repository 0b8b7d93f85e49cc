import { TwinproofError } from '../errors.ts';

const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

export const SIZE_HINT = 'write a whole number and its unit: 512KiB, 16MB, 20GiB or 1TiB';

/** `20GiB` in bytes; null when it is not a size. A bare number is none: nobody can tell its unit. */
export function sizeOf(text: string): number | null {
  const match = /^([0-9]{1,15})([kKMGT]?i?B)$/.exec(text);
  const unit = BYTES[match?.[2] ?? ''];
  if (match === null || unit === undefined) return null;
  const bytes = Number(match[1]) * unit;
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/**
 * A size from the command line in bytes.
 *
 * @param subject What it is for, such as `--range-size`; it opens the message.
 * @throws TwinproofError TP-USAGE
 */
export function parseSize(text: string, subject: string): number {
  const bytes = sizeOf(text);
  if (bytes === null) {
    throw new TwinproofError('TP-USAGE', {
      message: `${subject}: ${JSON.stringify(text)} is not a size`,
      hint: SIZE_HINT,
    });
  }
  return bytes;
}
