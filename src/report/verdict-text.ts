import type { ArchivedJson, LossJson, TableLossJson, VerdictJson } from '../verdict/json.ts';
import type { VerdictWord } from '../verdict/verdict.ts';
import type { Style } from './colour.ts';
import { Page, type TextOptions } from './page.ts';
import { bytesText, countOf, countText, durationText, writtenCount } from './quantity.ts';
import { groupReasons, subjectsText } from './reason-list.ts';

const TABLES_SHOWN_MAX = 10;
const SAID_FROM_MS = 120_000;

type Reason = VerdictJson['reasons'][number];
type Icon = keyof Page['icons'];

/** Word and icon say it without colour: for logs, for paper, for those who see no red. */
const WORDS: Readonly<Record<VerdictWord, { icon: Icon; style: Style; meaning: string }>> = {
  SAFE: { icon: 'same', style: 'green', meaning: 'the candidate can be promoted, and nothing is lost' },
  SAFE_WITH_LOSS: {
    icon: 'warn',
    style: 'yellow',
    meaning: 'the candidate can be promoted, at the loss below',
  },
  NOT_SAFE: { icon: 'different', style: 'red', meaning: 'do not promote the candidate' },
  UNKNOWN: {
    icon: 'unproven',
    style: 'yellow',
    meaning: 'it is not proven that the candidate can be promoted',
  },
};

interface Group {
  readonly title: string;
  readonly icon: Icon;
  readonly style: Style;
  readonly holds: (reason: Reason) => boolean;
}

const GROUPS: readonly Group[] = [
  { title: 'Against promotion', icon: 'block', style: 'red', holds: ({ effect }) => effect === 'not-safe' },
  { title: 'Short of proof', icon: 'unproven', style: 'yellow', holds: ({ effect }) => effect === 'unknown' },
  { title: 'Accepted by policy', icon: 'warn', style: 'yellow', holds: ({ effect }) => effect === 'loss' },
  {
    title: 'Warnings',
    icon: 'warn',
    style: 'yellow',
    holds: ({ effect, severity }) => effect === 'none' && severity !== 'info',
  },
  {
    title: 'Notes',
    icon: 'info',
    style: 'dim',
    holds: ({ effect, severity }) => effect === 'none' && severity === 'info',
  },
];

export interface VerdictTextOptions extends TextOptions {
  /** The candidate's name, where it has one. */
  readonly title?: string;
}

/**
 * A verdict for a person at 3 a.m.: the answer first, then what is known, then every reason with what to do about it.
 * It takes the JSON form, so that a verdict from a certificate reads the same.
 */
export function verdictText(verdict: VerdictJson, options: VerdictTextOptions): string {
  const page = new Page(options);
  const all = options.showAllTables ?? false;
  const { icon, style, meaning } = WORDS[verdict.verdict];
  const title = options.title === undefined ? '' : `${options.title}: `;
  page.paragraph(`${title}${meaning} (${verdict.mode})`, {
    first: `${page.paint('bold', page.paint(style, `${page.icons[icon]} ${verdict.verdict}`))}  `,
    rest: '  ',
    style: 'bold',
  });
  page.line();
  page.fact('integrity', integrityWords(verdict));
  writeLoss(page, verdict);
  for (const group of GROUPS) writeGroup(page, group, verdict.reasons, all);
  writeNotProven(page, verdict);
  page.line();
  page.fact('decided', verdict.decidedAt);
  page.fact('expires', `${verdict.expiresAt}; after that it says nothing`);
  return page.toString();
}

function integrityWords({ integrity, coverage }: VerdictJson): string {
  const excluded = coverage.excluded.length === 0 ? '' : `, ${coverage.excluded.length} excluded`;
  const tables = countOf(coverage.tables, 'table');
  return `${integrity} (${countText(coverage.compared)} of ${tables} compared${excluded})`;
}

function writeLoss(page: Page, { loss, rpo }: VerdictJson): void {
  const bound = loss.kind === 'bounded' && rpo.boundMs !== null ? `, at most ${seconds(rpo.boundMs)}` : '';
  const objective = rpo.objectiveMs === null ? 'no objective set' : `objective ${seconds(rpo.objectiveMs)}`;
  page.fact('loss', `${loss.kind}${bound} (${objective})`);
  if (loss.kind !== 'none' && loss.transactions !== null) page.fact('known lost', lostWords(loss));
  for (const table of (loss.tables ?? []).slice(0, TABLES_SHOWN_MAX)) page.fact('', tableWords(table));
  const left = (loss.tables ?? []).length - TABLES_SHOWN_MAX;
  if (left > 0) page.fact('', `and ${countOf(left, 'more table')}`);
  if (
    loss.recoverableBytes !== undefined &&
    loss.recoverableBytes !== null &&
    loss.recoverableBytes !== '0'
  ) {
    const size = bytesText(BigInt(loss.recoverableBytes));
    page.fact('recoverable', `${size} of log were received and not applied yet: let them be applied first`);
  }
  const waiting = loss.recoverableTransactions ?? null;
  if (waiting !== null && waiting !== '0') {
    page.fact(
      'recoverable',
      `${writtenCount(waiting, 'transaction')} still to be applied: let the candidate apply first what it can`,
    );
  }
  if (loss.archived !== undefined) page.fact('archived', archivedWords(loss.archived));
  const shutDown = loss.shutDownAt ?? null;
  if (shutDown !== null) page.fact('primary', `shut down in order, last seen at ${shutDown}`);
  else if (loss.witnessedUntil !== null) page.fact('primary', `last seen at ${loss.witnessedUntil}`);
  if (loss.tail !== null && (loss.tail.ms !== 0 || loss.tail.bytes !== '0')) {
    const size = loss.tail.bytes === null ? 'unknown size' : countOf(BigInt(loss.tail.bytes), 'byte');
    const span = loss.tail.ms === null ? 'unknown time' : seconds(loss.tail.ms);
    page.fact('tail', `${size}, ${span}: on the candidate, never seen by the ledger`);
  }
}

function archivedWords({ folder, bytes, transactions, problem }: ArchivedJson): string {
  if (bytes === null) return `not known what ${folder} has: ${problem ?? 'it is of another history'}`;
  if (bytes === '0') return `nothing behind what the candidate has received is in ${folder}`;
  const lost =
    transactions === null || transactions === '0'
      ? ''
      : `; once they are applied, ${writtenCount(transactions, 'known transaction')} fewer ${transactions === '1' ? 'is' : 'are'} lost`;
  return `${bytesText(BigInt(bytes))} of log behind that are in ${folder}: let the standby restore them first${lost}`;
}

function tableWords({ table, inserts, updates, deletes, truncates, keys }: TableLossJson): string {
  const counts = [
    [inserts, 'inserted'],
    [updates, 'updated'],
    [deletes, 'deleted'],
    [truncates, 'truncated'],
  ].filter(([count]) => count !== '0');
  const changes = counts.map(([count = '', word]) => `${countText(BigInt(count))} ${word}`);
  return `${table}: ${changes.join(', ')} (${writtenCount(keys, 'key')})`;
}

function lostWords(loss: LossJson): string {
  const counts = [
    writtenCount(loss.transactions, 'transaction'),
    writtenCount(loss.changes, 'change'),
    writtenCount(loss.keys, 'key'),
  ].join(', ');
  if (loss.transactions === '0') return `nothing of what the ledger saw (${counts})`;
  return `${counts}; committed from ${loss.firstCommitAt ?? '?'} to ${loss.lastCommitAt ?? '?'}`;
}

function writeGroup(page: Page, group: Group, reasons: readonly Reason[], all: boolean): void {
  const held = reasons.filter((reason) => group.holds(reason));
  if (held.length === 0) return;
  page.heading(`${group.title} (${held.length})`);
  for (const { reason, subjects, advice } of groupReasons(held)) {
    const icon = page.paint(group.style, page.icons[group.icon]);
    page.paragraph(`${reason.message} (${reason.code})`, { first: `  ${icon} ` });
    if (subjects.length > 0) page.paragraph(subjectsText(subjects, all), { first: '    ', style: 'dim' });
    if (advice !== '') page.paragraph(advice, { first: `    ${page.icons.next} ` });
  }
}

function writeNotProven(page: Page, { notProven }: VerdictJson): void {
  if (notProven.length === 0) return;
  page.heading(`Not proven (${notProven.length})`);
  for (const { subject, message, decidedBy } of notProven) {
    const by = decidedBy === null ? '' : ` (left out by ${decidedBy})`;
    page.paragraph(`${subject}: ${message}${by}`, { first: '  - ' });
  }
}

/** Exactly, since a bound must not be rounded down; from two minutes on also as people say it. */
function seconds(ms: number): string {
  return ms < SAID_FROM_MS ? `${ms / 1000} s` : `${ms / 1000} s, ${durationText(ms)}`;
}
