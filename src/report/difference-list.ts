import type { Difference, TableResult } from '../compare/result.ts';
import type { Page } from './page.ts';
import { countOf } from './quantity.ts';
import { truncateMiddle } from './text-width.ts';

const SAMPLES_PER_TABLE_MAX = 10;
const SAMPLES_MAX = 60;
/** A key must be seen whole to be of use, but a text key may hold a megabyte. */
const VALUE_WIDTH_MAX = 200;

const KIND_STYLE = { missing: 'red', extra: 'yellow', changed: 'red' } as const;

export function differencesIn({ differences }: TableResult): bigint {
  return differences.missing + differences.extra + differences.changed;
}

/** The rows that differ: kind, key and columns; cell values only where the result has them. */
export function writeDifferences(page: Page, tables: readonly TableResult[], all: boolean): void {
  const holding = tables.filter((table) => differencesIn(table) > 0n || table.samples.length > 0);
  if (holding.length === 0) return;
  page.heading('Rows that differ');
  page.paragraph('missing: the candidate lacks the row; extra: only the candidate has it', {
    first: '  ',
    style: 'dim',
  });
  let left = all ? Number.POSITIVE_INFINITY : SAMPLES_MAX;
  for (const table of holding) {
    const limit = all ? left : Math.min(left, SAMPLES_PER_TABLE_MAX);
    const shown = table.samples.slice(0, limit);
    left -= shown.length;
    page.paragraph(table.table, { first: '  ', style: 'bold' });
    for (const difference of shown) writeDifference(page, difference);
    const hidden = differencesIn(table) - BigInt(shown.length);
    if (hidden > 0n)
      page.paragraph(countOf(hidden, shown.length > 0 ? 'more row' : 'row'), { first: '    ' });
  }
}

function writeDifference(page: Page, difference: Difference): void {
  const { kind, key, columns, values } = difference;
  const shorten = (text: string) => truncateMiddle(text, VALUE_WIDTH_MAX, page.unicode);
  const keyText = Object.entries(key)
    .map(([column, value]) => `${column}=${shorten(page.safe(value))}`)
    .join(', ');
  const columnText = columns === undefined || columns.length === 0 ? '' : `: ${columns.join(', ')}`;
  page.paragraph(`${keyText}${columnText}`, {
    first: `    ${page.paint(KIND_STYLE[kind], kind.padEnd(7))}  `,
  });
  for (const [column, { primary, candidate }] of Object.entries(values ?? {})) {
    const cell = (text: string | null) => (text === null ? 'NULL' : JSON.stringify(shorten(text)));
    page.paragraph(`${column}: primary ${cell(primary)}, candidate ${cell(candidate)}`, { first: '      ' });
  }
}
