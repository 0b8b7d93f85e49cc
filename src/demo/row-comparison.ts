import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { Page } from '../report/page.ts';
import { widthOf } from '../report/text-width.ts';
import type { BrokenRow, FoundRow, Match } from './broken-row.ts';

const INDENT = '   ';
const GAP = '   ';

const lineSchema = z.object({
  table: z.string(),
  kind: z.enum(['missing', 'extra', 'changed']),
  key: z.record(z.string(), z.string()),
  columns: z.array(z.string()).default([]),
});

/** What `verify --differences` wrote. */
export async function readFindings(file: string): Promise<readonly FoundRow[]> {
  const text = await readFile(file, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => lineSchema.parse(JSON.parse(line)));
}

/** The rows that were broken beside the rows that were found, each with a mark. */
export function writeComparison(page: Page, matches: readonly Match[]): void {
  const cells = matches.map((match) => ({
    row: rowText(match.broken ?? match.found),
    done: match.broken?.done ?? 'nothing was done to it',
    found: match.found === null ? 'not found' : foundText(match.found),
    good: match.broken !== null && match.found !== null,
  }));
  const titles = { row: 'row', done: 'what was broken', found: 'what was found' };
  const widest = (name: 'row' | 'done' | 'found'): number =>
    Math.max(widthOf(titles[name]), ...cells.map((cell) => widthOf(page.safe(cell[name]))));
  const [row, done] = [widest('row'), widest('done')];
  const mark = (good: boolean): string =>
    good ? page.paint('green', page.icons.same) : page.paint('red', page.icons.different);
  const whole = INDENT.length + row + done + 2 * GAP.length + 2 + widest('found');
  if (whole > page.width) {
    for (const cell of cells) {
      page.paragraph(`${cell.row}: ${cell.done}`, { first: INDENT });
      page.paragraph(`found: ${cell.found}`, { first: `${INDENT}  ${mark(cell.good)} ` });
    }
    return;
  }
  const title = `${pad(titles.row, row)}${GAP}${pad(titles.done, done)}${GAP}  ${titles.found}`;
  page.line(INDENT + page.paint('dim', title));
  for (const cell of cells) {
    const left = `${pad(page.safe(cell.row), row)}${GAP}${pad(page.safe(cell.done), done)}`;
    page.line(`${INDENT}${left}${GAP}${mark(cell.good)} ${page.safe(cell.found)}`);
  }
}

function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

/** Without schema and with the first eight digits of a uuid: this is for eyes; the whole key was compared. */
function rowText(row: BrokenRow | FoundRow | null): string {
  if (row === null) return '';
  const [id = ''] = Object.values(row.key);
  return `${row.table.replace(/^public\./, '')} ${id.length === 36 ? `${id.slice(0, 8)}...` : id}`;
}

function foundText({ kind, columns }: FoundRow): string {
  return columns.length === 0 ? kind : `${kind}: ${columns.join(', ')}`;
}
