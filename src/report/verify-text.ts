import type { Outcome, SiteResult, VerifyResult } from '../compare/result.ts';
import type { Identity } from '../connector/identity.ts';
import { differencesIn, writeDifferences } from './difference-list.ts';
import { Page, type TextOptions } from './page.ts';
import { bytesText, countOf, countText, durationText, shortNumber, timeText } from './quantity.ts';
import { subjectsText, writeReasons } from './reason-list.ts';
import { OUTCOME_STYLE, writeTableList } from './table-list.ts';

/**
 * A result for a person at 3 a.m.: the answer and what it means, which sites it is about, each table, the rows that
 * differ, why, what was left out, and what to do next.
 */
export function verifyText(result: VerifyResult, options: TextOptions): string {
  const page = new Page(options);
  const all = options.showAllTables ?? false;
  writeOutcome(page, result);
  page.line();
  writeSites(page, result);
  writeTableList(page, result.tables, all);
  writeDifferences(page, result.tables, all);
  writeReasons(page, [...result.reasons, ...result.tables.flatMap(({ reasons }) => reasons)], all);
  writeCoverage(page, result, all);
  writeNextSteps(page, result);
  return page.toString();
}

function writeOutcome(page: Page, result: VerifyResult): void {
  const style = OUTCOME_STYLE[result.outcome];
  const word = `${page.icons[result.outcome]} ${result.outcome.toUpperCase()}`;
  // On one line where it fits: the first line is what gets pasted into the chat.
  page.paragraph(meaningOf(result), {
    first: `${page.paint('bold', page.paint(style, word))}  `,
    rest: '  ',
    style: 'bold',
  });
}

function meaningOf(result: VerifyResult): string {
  const { coverage, tables } = result;
  const unproven = tables.filter(({ outcome }) => outcome === 'unproven').length;
  switch (result.outcome) {
    case 'same':
      return `every row of ${countOf(coverage.compared, 'table')} is the same on both sites, ${
        result.pair === 'cross-engine' ? 'value for value' : 'byte for byte'
      }`;
    case 'different': {
      const differing = tables.filter(({ outcome }) => outcome === 'different');
      const rows = differing.reduce((sum, table) => sum + differencesIn(table), 0n);
      const open = unproven > 0 ? `; ${countOf(unproven, 'table')} could not be judged` : '';
      const what =
        rows > 0n
          ? `${countOf(rows, 'row')} in ${countOf(differing.length, 'table')}`
          : countOf(differing.length, 'table');
      const verb = rows === 1n || (rows === 0n && differing.length === 1) ? 'differs' : 'differ';
      // A finding on the site as a whole can decide the outcome without a single row.
      if (differing.length === 0)
        return 'the candidate is not a faithful copy of the primary; see the reasons';
      return `${what} ${verb}: the candidate is not a faithful copy of the primary${open}`;
    }
    case 'unproven':
      return unproven > 0
        ? `no difference was found, but ${countOf(unproven, 'table')} could not be judged: do not take this for the same`
        : 'it is not known whether the sites hold the same rows: do not take this for the same';
    default:
      return unreachable(result.outcome);
  }
}

function unreachable(outcome: never): never {
  throw new TypeError(`no such outcome: ${String(outcome)}`);
}

function writeSites(page: Page, result: VerifyResult): void {
  const { primary, candidate } = result;
  page.fact('primary', siteText(primary));
  page.fact('', headText(result));
  page.fact('candidate', siteText(candidate));
  page.fact(
    '',
    candidate.position === null ? 'what it has applied is not known' : `applied up to ${candidate.position}`,
  );
  page.fact('pair', result.pair);
}

function siteText({ engine, identity }: SiteResult): string {
  if (identity === null) return `${engine}; it was never reached, so it is not known who it is`;
  return [
    `${engine} ${identity.version} at ${identity.address ?? 'an unknown address'}, database ${identity.database}`,
    `${identity.role}, ${identity.writable ? 'writable' : 'read only'}`,
    `system ${identity.systemId}${timelineText(identity)}`,
  ].join('; ');
}

function timelineText({ timeline }: Identity): string {
  return timeline === null ? '' : `, timeline ${timeline}`;
}

function headText({ primary: { headBefore, position } }: VerifyResult): string {
  if (position === null) return 'its position is not known';
  if (headBefore === null) return `head at ${position}`;
  return headBefore === position
    ? `head at ${position}, not moved while it was read`
    : `head from ${headBefore} to ${position} while it was read`;
}

function writeCoverage(page: Page, result: VerifyResult, all: boolean): void {
  const { coverage, resumed, startedAt, finishedAt } = result;
  page.heading('Coverage');
  const scope = `${countText(coverage.compared)} of ${countOf(coverage.tables, 'table')} in scope compared`;
  page.fact('compared', scope);
  const excluded = new Map<string, string[]>();
  for (const { table, reason } of coverage.excluded) {
    excluded.set(reason, [...(excluded.get(reason) ?? []), table]);
  }
  if (excluded.size === 0) page.fact('excluded', 'nothing');
  for (const [reason, tables] of excluded) {
    page.fact('excluded', `${countOf(tables.length, 'table')}, ${reason}: ${subjectsText(tables, all)}`);
  }
  if (resumed !== null) {
    page.fact(
      'taken over',
      `${countOf(resumed.ranges, 'range')} with ${countOf(resumed.rows, 'row')} from the state file, proven since ${timeText(resumed.provenSince)}`,
    );
  }
  page.fact(
    'time',
    `${timeText(startedAt)}, took ${durationText(elapsedMs(result))}, ended ${timeText(finishedAt)}`,
  );
  page.fact('read', rateText(result));
}

function elapsedMs({ startedAt, finishedAt }: VerifyResult): number {
  return Math.max(0, finishedAt.getTime() - startedAt.getTime());
}

/** Rows are those of the primary, read in this run; bytes are those of both sites. */
function rateText(result: VerifyResult): string {
  const total = result.tables.reduce((sum, { rows }) => sum + rows.primary, 0n);
  const takenOver = result.resumed?.rows ?? 0n;
  const rows = total > takenOver ? total - takenOver : 0n;
  const seconds = elapsedMs(result) / 1_000;
  const amounts = `${countOf(rows, 'row')}, ${bytesText(result.bytesRead)} from both sites`;
  if (seconds <= 0) return amounts;
  const megabytes = Number(result.bytesRead) / 1e6 / seconds;
  return `${amounts}; ${shortNumber(Number(rows) / seconds)} rows/s, ${megabytes.toFixed(1)} MB/s`;
}

function writeNextSteps(page: Page, result: VerifyResult): void {
  page.heading('What to do next');
  for (const step of nextSteps(result)) page.paragraph(step, { first: `  ${page.icons.next} ` });
}

const NEXT_STEPS: Readonly<Record<Outcome, readonly string[]>> = {
  same: [
    'this says that the rows are the same, not that the site can take over: run `twinproof certify` before you promote',
  ],
  different: [
    'do not promote the candidate before you know why its rows differ',
    'give --differences FILE for every row that differs, --show-values for what stands in them',
    'find out who wrote to the candidate or what was not applied; rebuild it if you cannot; then run this again',
  ],
  unproven: [
    'follow the hints under the reasons, then run this again',
    'with --state FILE the next run reads only what is not proven yet',
    'if you must decide now: what is not proven may be lost or wrong',
  ],
};

function nextSteps(result: VerifyResult): readonly string[] {
  const steps = NEXT_STEPS[result.outcome];
  const open = result.tables.some(({ outcome }) => outcome === 'unproven');
  if (result.outcome !== 'different' || !open) return steps;
  return [...steps, 'what could not be judged may differ as well: see the reasons'];
}
