import { TwinproofError } from '../errors.ts';

const MILLISECONDS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Ten years: anything longer is a slip of the finger, and timers would overflow. */
const LONGEST_MS = 3_650 * 86_400_000;

export const DURATION_HINT = 'write a whole number and its unit: 250ms, 30s, 5m, 24h or 7d';

/** `30s` in milliseconds; null when it is not a duration. A bare number is none: nobody can tell its unit. */
export function durationOf(text: string): number | null {
  const match = /^([0-9]{1,15})(ms|s|m|h|d)$/.exec(text);
  const unit = MILLISECONDS[match?.[2] ?? ''];
  if (match === null || unit === undefined) return null;
  const milliseconds = Number(match[1]) * unit;
  return milliseconds <= LONGEST_MS ? milliseconds : null;
}

/** The shortest text that durationOf reads as so many milliseconds. */
export function durationWords(milliseconds: number): string {
  const units = Object.entries(MILLISECONDS).toReversed();
  const [unit, size] = units.find(([, one]) => milliseconds % one === 0) ?? ['ms', 1];
  return `${milliseconds / size}${unit}`;
}

/**
 * A duration from the command line in milliseconds.
 *
 * @param subject What it is for, such as `--timeout`; it opens the message.
 * @throws TwinproofError TP-USAGE
 */
export function parseDuration(text: string, subject: string): number {
  const milliseconds = durationOf(text);
  if (milliseconds === null) {
    throw new TwinproofError('TP-USAGE', {
      message: `${subject}: ${JSON.stringify(text)} is not a duration`,
      hint: DURATION_HINT,
    });
  }
  return milliseconds;
}
