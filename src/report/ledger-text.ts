import type { CheckResult } from '../ledger/check.ts';
import type { LedgerContent } from '../ledger/content.ts';
import type { MirrorProgress, ShownCandidate, ShownLedger, ShownMirror, ShownTable } from '../ledger/show.ts';
import { Page, type TextOptions } from './page.ts';
import { bytesText, countOf, countText, timeText } from './quantity.ts';

const TABLES_LISTED_MAX = 30;

/** A moment in microseconds since 1970 UTC, for people. */
export function momentText(us: bigint | null): string {
  return us === null ? 'never' : timeText(new Date(Number(us / 1000n)));
}

/** Whether every table is known whole, and none by half: what a ledger needs before it can prove anything. */
export function isWhole({ tables, gaps, position }: ShownLedger): boolean {
  return (
    position !== null && gaps.length === 0 && tables.length > 0 && tables.every((table) => isComplete(table))
  );
}

function isComplete({ state, unread }: ShownTable): boolean {
  return state === 'complete' && unread === 0;
}

export function ledgerText(ledger: ShownLedger, options: TextOptions): string {
  const page = new Page(options);
  const good = isWhole(ledger) && ledger.unfollowed.length === 0;
  page.paragraph(headlineOf(ledger), {
    first: `${page.paint(good ? 'green' : 'yellow', page.icons[good ? 'same' : 'unproven'])} `,
    style: 'bold',
  });
  page.line();
  page.fact('system', ledger.system);
  page.fact('primary', `${ledger.source}, rows by ${ledger.digest}`);
  page.fact('position', ledger.position ?? 'nothing was streamed yet');
  const { newestCommitUs } = ledger;
  page.fact(
    'commits',
    newestCommitUs === null ? 'none was seen yet' : `the newest one of ${momentText(newestCommitUs)}`,
  );
  page.fact(
    'witness',
    ledger.witness === null
      ? 'the primary was not seen yet'
      : `everything that the primary committed until ${momentText(ledger.witness.timeUs)} is here`,
  );
  page.fact(
    'journal',
    `${bytesText(ledger.journal.bytes)} in ${countOf(ledger.journal.files, 'file')}${torn(ledger)}`,
  );
  writeOrigins(page, ledger);
  writeTables(page, ledger.tables, options.showAllTables ?? false);
  writeUnfollowed(page, ledger.unfollowed);
  for (const candidate of ledger.candidates) writeCandidate(page, candidate);
  return page.toString();
}

function headlineOf(ledger: ShownLedger): string {
  if (!isWhole(ledger)) return 'this ledger is not complete: see below';
  const { length } = ledger.unfollowed;
  if (length === 0) return 'every table of this ledger is complete';
  return `every table that is followed is complete; ${countOf(length, 'table')} cannot be followed, and so not be proven`;
}

function writeUnfollowed(page: Page, tables: ShownLedger['unfollowed']): void {
  if (tables.length === 0) return;
  page.heading(`Not followed (${countText(tables.length)})`);
  const icon = page.paint('yellow', page.icons.unproven);
  for (const { table, reason } of tables) page.paragraph(`${table}: ${reason}`, { first: `  ${icon} ` });
}

function writeOrigins(page: Page, { rebuilt, mirror }: ShownLedger): void {
  if (rebuilt !== null) {
    const until = `as it was at ${momentText(rebuilt.reachedAtUs)}`;
    page.fact('rebuilt', `from ${rebuilt.from} at ${momentText(rebuilt.atUs)}, ${until}`);
    page.paragraph(
      'nothing that was proven of a candidate before counts here: run `twinproof watch`, which proves them anew, also while the primary is gone',
      { first: `  ${page.icons.next} ` },
    );
  }
  if (mirror !== null) page.fact('mirror', mirrorWords(mirror));
}

function mirrorWords({ progress, trouble }: ShownMirror): string {
  const words = progress === null ? ['it has not begun'] : progressWords(progress);
  if (trouble !== null) words.push(`in trouble since ${momentText(trouble.sinceUs)}: ${trouble.message}`);
  return words.join('; ');
}

function progressWords({
  topic,
  whole,
  bytesBehind,
  sentAtUs,
  reachedAtUs,
  tablesMissing,
}: MirrorProgress): string[] {
  const behind =
    bytesBehind === 0
      ? 'all of the journal is in it'
      : `${bytesText(bytesBehind)} of journal are not in it yet`;
  const words = [`topic ${topic}, written at ${momentText(sentAtUs)}`, behind];
  const earlier = `a rebuilt ledger would be as this one was at ${momentText(reachedAtUs)}`;
  if (reachedAtUs === null) words.push('NOT WHOLE YET: no ledger can be rebuilt from it');
  else words.push(whole ? earlier : `it is being written anew: until that is whole ${earlier}`);
  if (whole && tablesMissing > 0) {
    words.push(`${countOf(tablesMissing, 'table')} would not be complete in a rebuilt one`);
  }
  return words;
}

function torn({ tornBytes }: ShownLedger): string {
  return tornBytes === 0 ? '' : `; ${bytesText(tornBytes)} at its end are not whole yet`;
}

/** Those that lack something come first, and are always listed. */
function writeTables(page: Page, tables: readonly ShownTable[], all: boolean): void {
  page.heading(`Tables (${countText(tables.length)})`);
  const lacking = tables.filter((table) => !isComplete(table));
  const complete = tables.filter((table) => isComplete(table));
  const listed = all ? complete : complete.slice(0, Math.max(0, TABLES_LISTED_MAX - lacking.length));
  for (const table of [...lacking, ...listed]) {
    const icon = isComplete(table)
      ? page.paint('green', page.icons.same)
      : page.paint('yellow', page.icons.unproven);
    page.paragraph(`${nameOf(table)}: ${wordsOf(table)}`, { first: `  ${icon} ` });
  }
  const left = complete.length - listed.length;
  if (left > 0) page.paragraph(`${countOf(left, 'more table')}, complete`, { first: '    ' });
}

function nameOf({ table, root }: ShownTable): string {
  return root === null || root === table ? table : `${table} (of ${root})`;
}

function wordsOf({ state, rows, unread, cause, pieces }: ShownTable): string {
  const words = [STATE_WORDS[state]];
  if (state === 'reading' && pieces !== null) words.push(`${pieces.valid} of ${pieces.expected} parts`);
  if (state !== 'without key') words.push(countOf(rows, 'row'));
  if (unread > 0) words.push(`${countOf(unread, 'row')} must be read again`);
  if (state !== 'complete' && cause !== 'new') words.push(`begun anew: ${CAUSE_WORDS[cause]}`);
  return words.join(', ');
}

const STATE_WORDS: Readonly<Record<ShownTable['state'], string>> = {
  complete: 'complete',
  reading: 'its rows are being read',
  'not read': 'its rows were not read yet',
  'without key': 'the log does not say which rows change',
};

const CAUSE_WORDS: Readonly<Record<ShownTable['cause'], string>> = {
  new: 'it is new',
  snapshot: 'the log brought a snapshot of it',
  truncate: 'it was truncated',
  definition: 'its definition changed',
  gap: 'the log had a gap',
  contradiction: 'a change contradicted what was known',
  redo: 'it was asked for',
};

function writeCandidate(page: Page, candidate: ShownCandidate): void {
  page.heading(`Candidate ${page.safe(candidate.name)}`);
  const { dirtyListed, bytesBehind, tablesUnproven, oldestProofUs } = candidate;
  page.fact(
    'proven',
    tablesUnproven === 0
      ? `every table above; the oldest proof is of ${momentText(oldestProofUs)}`
      : `not all: of ${countOf(tablesUnproven, 'table')} some rows were never compared`,
  );
  page.fact(
    'to compare',
    `${countOf(dirtyListed, 'row')} listed, and those of ${bytesText(bytesBehind)} of journal`,
  );
}

export function ledgerJson(ledger: ShownLedger): object {
  const { system, source, digest, position, journal, tornBytes, gaps, witness } = ledger;
  return {
    schema: 'twinproof.ledger/v1',
    complete: isWhole(ledger),
    system,
    source,
    digest,
    position,
    newestCommitAt: isoOf(ledger.newestCommitUs),
    witness: witness === null ? null : { position: witness.position, at: isoOf(witness.timeUs) },
    journal,
    tornBytes,
    tables: ledger.tables.map(tableJson),
    unfollowed: ledger.unfollowed,
    gaps,
    candidates: ledger.candidates.map(candidateJson),
    mirror: mirrorJson(ledger.mirror),
    rebuilt:
      ledger.rebuilt === null
        ? null
        : {
            from: ledger.rebuilt.from,
            at: isoOf(ledger.rebuilt.atUs),
            reachedAt: isoOf(ledger.rebuilt.reachedAtUs),
          },
  };
}

function mirrorJson(mirror: ShownMirror | null): object | null {
  if (mirror === null) return null;
  const { progress, trouble } = mirror;
  const told =
    trouble === null ? null : { code: trouble.code, message: trouble.message, since: isoOf(trouble.sinceUs) };
  if (progress === null) return { topic: null, whole: false, trouble: told };
  const { sentAtUs, reachedAtUs, begunAtUs, ...rest } = progress;
  const times = { sentAt: isoOf(sentAtUs), reachedAt: isoOf(reachedAtUs), begunAt: isoOf(begunAtUs) };
  return { ...rest, ...times, trouble: told };
}

function tableJson({ table, root, state, cause, rows, unread, pieces }: ShownTable): object {
  return { table, root, state, cause, rows: String(rows), unread: String(unread), pieces };
}

function candidateJson(candidate: ShownCandidate): object {
  const { name, incarnation, dirtyListed, bytesBehind, tablesUnproven, oldestProofUs } = candidate;
  const oldestProofAt = isoOf(oldestProofUs);
  return { name, incarnation, dirtyListed, bytesBehind, tablesUnproven, oldestProofAt };
}

function isoOf(us: bigint | null): string | null {
  return us === null ? null : new Date(Number(us / 1000n)).toISOString();
}

/** A ledger that was checked: what is wrong with it, and what it holds; null: it went on meanwhile. */
export interface CheckedLedger extends CheckResult {
  readonly content: LedgerContent | null;
}

export function checkText(checked: CheckedLedger, options: TextOptions): string {
  const { problems, records, changes, rows } = checked;
  const page = new Page(options);
  const sound = problems.length === 0;
  page.paragraph(
    sound ? 'the ledger agrees with itself' : 'THE LEDGER IS DAMAGED: nothing may be certified from it',
    {
      first: `${page.paint(sound ? 'green' : 'red', page.icons[sound ? 'same' : 'different'])} `,
      style: 'bold',
    },
  );
  page.line();
  page.fact(
    'checked',
    [countOf(records, 'record'), countOf(changes, 'change'), countOf(rows, 'row')].join(', '),
  );
  for (const problem of problems) page.paragraph(problem, { first: `  ${page.icons.different} ` });
  if (!sound) {
    const hint = 'stop watch, move the ledger aside and let watch begin a new one; see what the disk says';
    page.paragraph(hint, { first: `  ${page.icons.next} ` });
  }
  writeContent(page, checked.content);
  return page.toString();
}

/** Digests that another ledger of the same content has too: one that was rebuilt from the mirror. */
function writeContent(page: Page, content: LedgerContent | null): void {
  page.heading('Content (SHA-256)');
  if (content === null) {
    page.paragraph('the ledger went on while it was read: stop watch to have its digests', { first: '  ' });
    return;
  }
  const { journal, rows, definitions, known } = content;
  page.fact('journal', `${journal.link} from ${journal.start} to ${journal.end}`);
  page.fact('rows', rows);
  page.fact('defined', definitions);
  page.fact('known', known);
}

export function checkJson({ problems, records, changes, rows, content }: CheckedLedger): object {
  return {
    schema: 'twinproof.ledger-check/v1',
    sound: problems.length === 0,
    problems,
    records: String(records),
    changes: String(changes),
    rows: String(rows),
    content,
  };
}
