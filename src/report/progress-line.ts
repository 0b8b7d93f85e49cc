import type { Progress } from '../compare/result.ts';
import { countOf, durationText, shortNumber } from './quantity.ts';
import { terminalText } from './terminal-text.ts';
import { truncateMiddle, widthOf } from './text-width.ts';

/** Done of the whole, 0 to 1; null when the number of rows is not known. Estimates can be low: never 1 before the end. */
export function fractionOf({ rowsDone, rowsEstimate, tablesDone, tablesTotal }: Progress): number | null {
  if (tablesTotal > 0 && tablesDone >= tablesTotal) return 1;
  if (rowsEstimate <= 0n) return null;
  return Math.min(0.99, Number(rowsDone) / Number(rowsEstimate));
}

/** Thirty days: beyond that the rate is no forecast. */
const TIME_LEFT_MS_MAX = 30 * 86_400_000;

/** Milliseconds to go at the present rate; null when that cannot be told. */
export function timeLeftOf(progress: Progress): number | null {
  const { rowsDone, rowsEstimate, rowsPerSecond, paused } = progress;
  if (paused !== null || rowsPerSecond <= 0 || rowsEstimate <= rowsDone) return null;
  const milliseconds = (Number(rowsEstimate - rowsDone) / rowsPerSecond) * 1_000;
  return milliseconds <= TIME_LEFT_MS_MAX ? milliseconds : null;
}

/** Fixed by the terminal and not by the text, so that the bar does not jump as numbers grow. */
function barWidthFor(width: number): number {
  if (width < 50) return 0;
  return width < 100 ? 14 : 24;
}

/** The bar and what is beside it, in one line of less than `width` columns; what counts most comes first. */
export function barLine(progress: Progress, width: number, unicode: boolean): string {
  const room = width - 1;
  const barWidth = barWidthFor(width);
  let line = barWidth === 0 ? '' : bar(fractionOf(progress), barWidth, unicode);
  for (const part of partsOf(progress, unicode)) {
    const longer = line === '' ? part : `${line}  ${part}`;
    if (widthOf(longer) > room) return line;
    line = longer;
  }
  const left = room - widthOf(line) - 2;
  if (progress.table === null || left < 10) return line;
  return `${line}  ${truncateMiddle(terminalText(progress.table, unicode), left, unicode)}`;
}

function partsOf(progress: Progress, unicode: boolean): readonly string[] {
  const { suspects, differences, paused, rowsDone, rowsPerSecond } = progress;
  const left = timeLeftOf(progress);
  return [
    percent(progress),
    ...(paused === null ? [] : [`paused: ${truncateMiddle(terminalText(paused, unicode), 22, unicode)}`]),
    ...(differences > 0n ? [`${shortNumber(Number(differences))} differ`] : []),
    `${shortNumber(rowsPerSecond)}/s`,
    ...(left === null ? [] : [`${durationText(left)} left`]),
    `${shortNumber(Number(rowsDone))} rows`,
    ...(suspects > 0 ? [countOf(suspects, 'suspect')] : []),
    `${progress.tablesDone}/${progress.tablesTotal} tables`,
  ];
}

function percent(progress: Progress): string {
  const fraction = fractionOf(progress);
  return fraction === null ? ' ?%' : `${String(Math.floor(fraction * 100)).padStart(2)}%`;
}

function bar(fraction: number | null, width: number, unicode: boolean): string {
  const inner = width - 2;
  const done = Math.round((fraction ?? 0) * inner);
  const [full, empty] = unicode ? ['█', '░'] : ['#', '-'];
  return `[${full.repeat(done)}${empty.repeat(inner - done)}]`;
}

/** The same for a log: one line, complete, without a bar. */
export function logLine(progress: Progress, unicode: boolean): string {
  const { table, tablesDone, tablesTotal, rowsDone, rowsEstimate, suspects, differences, paused } = progress;
  const left = timeLeftOf(progress);
  const of = rowsEstimate > 0n ? ` of about ${shortNumber(Number(rowsEstimate))}` : '';
  return [
    `${percent(progress).trim()}, ${shortNumber(Number(rowsDone))}${of} rows`,
    `${tablesDone} of ${countOf(tablesTotal, 'table')}`,
    `${shortNumber(progress.rowsPerSecond)} rows/s`,
    ...(left === null ? [] : [`${durationText(left)} left`]),
    ...(suspects > 0 ? [countOf(suspects, 'suspect')] : []),
    ...(differences > 0n
      ? [`${countOf(differences, 'row')} ${differences === 1n ? 'differs' : 'differ'}`]
      : []),
    ...(table === null ? [] : [`reading ${terminalText(table, unicode)}`]),
    ...(paused === null ? [] : [`paused: ${terminalText(paused, unicode)}`]),
  ].join(', ');
}
