/** `5,000,000`, the same in every locale. */
export function countText(count: bigint | number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 row`, `2 rows`. */
export function countOf(count: bigint | number, noun: string, plural = `${noun}s`): string {
  return `${countText(count)} ${BigInt(count) === 1n ? noun : plural}`;
}

/** A count that came as text, since it may pass 2^53; null is unknown. */
export function writtenCount(count: string | null, noun: string): string {
  return count === null ? `unknown ${noun}s` : countOf(BigInt(count), noun);
}

/** Two units at most: `450 ms`, `12.3 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function durationText(milliseconds: number): string {
  const ms = Math.max(0, Math.round(milliseconds));
  if (ms < 1_000) return `${ms} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return twoUnits(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.round(seconds / 60);
  if (minutes < 1_440) return twoUnits(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
  const hours = Math.round(minutes / 60);
  return twoUnits(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

function twoUnits(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

const THOUSANDS = ['', 'k', 'M', 'G', 'T', 'P'] as const;

/** Three digits and a decimal prefix: `950`, `12.3k`, `1.20M`. */
export function shortNumber(value: number): string {
  let step = 0;
  let scaled = Math.max(0, value);
  while (scaled >= 999.5 && step < THOUSANDS.length - 1) {
    scaled /= 1_000;
    step += 1;
  }
  if (step === 0) return String(Math.round(scaled));
  const digits = scaled >= 99.95 ? 0 : scaled >= 9.995 ? 1 : 2;
  return `${scaled.toFixed(digits)}${THOUSANDS[step] ?? ''}`;
}

/** Decimal units: `950 B`, `1.20 MB`. */
export function bytesText(bytes: bigint | number): string {
  return shortNumber(Number(bytes)).replace(/[a-zA-Z]*$/, (prefix) => ` ${prefix}B`);
}

/** `2026-03-01 03:04:05 UTC`: whole seconds, for people; JSON has the milliseconds. */
export function timeText(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
