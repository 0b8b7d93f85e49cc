import type { Outcome, TableResult } from '../compare/result.ts';
import type { Style } from './colour.ts';
import type { Page } from './page.ts';
import { countOf, countText } from './quantity.ts';
import { truncateMiddle, widthOf } from './text-width.ts';

export const OUTCOME_STYLE: Readonly<Record<Outcome, Style>> = {
  same: 'green',
  different: 'red',
  unproven: 'yellow',
};

/** Above this many tables only those that are not `same` are listed. */
const TABLES_LISTED_MAX = 30;
/** Below this many columns a table of tables is a riddle; each one gets its own lines. */
const GRID_WIDTH_MIN = 72;
const FULL_WIDTH_MIN = 110;
const NAME_WIDTH_MIN = 16;

/** Ordered by weight: a reader at 3 a.m. reads the first lines. */
const OUTCOME_ORDER: readonly Outcome[] = ['different', 'unproven', 'same'];

/** The tables and what became of each, as wide as the page allows. */
export function writeTableList(page: Page, tables: readonly TableResult[], all: boolean): void {
  if (tables.length === 0) return;
  const some = !all && tables.length > TABLES_LISTED_MAX;
  const listed = [...(some ? tables.filter(({ outcome }) => outcome !== 'same') : tables)].sort(
    (a, b) => OUTCOME_ORDER.indexOf(a.outcome) - OUTCOME_ORDER.indexOf(b.outcome),
  );
  page.heading(`Tables (${countText(tables.length)})`);
  if (listed.length > 0) {
    if (page.width >= GRID_WIDTH_MIN) writeGrid(page, listed);
    else for (const table of listed) writeLines(page, table);
  }
  const left = tables.length - listed.length;
  if (left > 0) {
    const noun = listed.length > 0 ? 'more table' : 'table';
    page.paragraph(`${countOf(left, noun)}, the same on both sites`, {
      first: `  ${page.paint('green', page.icons.same)} `,
    });
  }
}

interface Column {
  readonly title: string;
  readonly numeric: boolean;
  readonly cell: (table: TableResult) => string;
}

/** A table that was never read has no counts: zeros would look like empty tables. */
const count = (title: string, of: (table: TableResult) => bigint): Column => ({
  title,
  numeric: true,
  cell: (table) => (table.method === 'none' ? '-' : countText(of(table))),
});

const DIFFERENCE_COLUMNS: readonly Column[] = [
  count('missing', ({ differences }) => differences.missing),
  count('extra', ({ differences }) => differences.extra),
  count('changed', ({ differences }) => differences.changed),
];

/** The candidate's rows follow from the others, so a narrow page does without. */
function columnsFor(page: Page): readonly Column[] {
  const primary = (title: string) => count(title, ({ rows }) => rows.primary);
  if (page.width < FULL_WIDTH_MIN) return [primary('rows'), ...DIFFERENCE_COLUMNS];
  const method: Column = {
    title: 'method',
    numeric: false,
    cell: (table) => (table.method === 'none' ? 'not read' : page.safe(`${table.method}, ${table.encoding}`)),
  };
  const candidate = count('candidate', ({ rows }) => rows.candidate);
  return [primary('primary rows'), candidate, ...DIFFERENCE_COLUMNS, method];
}

function writeGrid(page: Page, tables: readonly TableResult[]): void {
  const columns = columnsFor(page);
  const widths = columns.map((column) =>
    Math.max(widthOf(column.title), ...tables.map((table) => widthOf(column.cell(table)))),
  );
  const outcomeWidth = widthOf(page.icons.same) + 1 + 'different'.length;
  const gaps = 2 + 2 * (columns.length + 1);
  const room = page.width - outcomeWidth - gaps - widths.reduce((sum, width) => sum + width, 0);
  const names = tables.map((table) => page.safe(table.table));
  const nameWidth = Math.min(Math.max(5, ...names.map(widthOf)), Math.max(NAME_WIDTH_MIN, room));
  // Counts of 19 digits leave no room for a name: then lines read better than a grid that is too wide.
  if (room < NAME_WIDTH_MIN) {
    for (const table of tables) writeLines(page, table);
    return;
  }
  const layout: { width: number; numeric?: boolean }[] = [
    { width: outcomeWidth },
    { width: nameWidth },
  ].concat(columns.map(({ numeric }, index) => ({ width: widths[index] ?? 0, numeric })));
  // Padded by our own measure: libraries count some characters' columns otherwise, and a line would be too wide.
  const write = (...cells: readonly string[]) => {
    const padded = layout.map(({ width, numeric }, index) => {
      const cell = cells[index] ?? '';
      const blanks = ' '.repeat(Math.max(0, width - widthOf(cell)));
      return numeric === true ? blanks + cell : cell + blanks;
    });
    page.line(`  ${padded.join('  ').trimEnd()}`);
  };
  const title = (text: string) => page.paint('dim', text);
  write(title('outcome'), title('table'), ...columns.map((column) => title(column.title)));
  for (const [index, table] of tables.entries()) {
    const name = truncateMiddle(names[index] ?? '', nameWidth, page.unicode);
    write(outcomeText(page, table.outcome), name, ...columns.map((column) => column.cell(table)));
  }
}

function outcomeText(page: Page, outcome: Outcome): string {
  return page.paint(OUTCOME_STYLE[outcome], `${page.icons[outcome]} ${outcome}`);
}

/** For narrow terminals: the name, then what is to be said, below one another. */
function writeLines(page: Page, table: TableResult): void {
  const mark = `  ${page.paint(OUTCOME_STYLE[table.outcome], page.icons[table.outcome])} `;
  const room = page.width - widthOf(mark);
  page.line(mark + truncateMiddle(page.safe(table.table), room, page.unicode));
  const { rows, differences } = table;
  const equal = rows.primary === rows.candidate;
  const candidate = equal ? '' : `, candidate ${countText(rows.candidate)}`;
  const counts =
    table.method === 'none'
      ? 'not read'
      : `${equal ? '' : 'primary '}${countOf(rows.primary, 'row')}${candidate}`;
  const found = (['missing', 'extra', 'changed'] as const)
    .filter((kind) => differences[kind] > 0n)
    .map((kind) => `${countText(differences[kind])} ${kind}`);
  page.paragraph([table.outcome, counts, ...found].join(', '), { first: ' '.repeat(widthOf(mark)) });
}
