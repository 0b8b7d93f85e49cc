import type { LossJson, VerdictJson } from '../verdict/json.ts';
import type { VerdictWord } from '../verdict/verdict.ts';
import { printable } from './printable.ts';
import { wrap } from './wrap.ts';

export interface VerdictTextOptions {
  /** Columns; less than 40 is taken as 40. */
  readonly width: number;
  readonly colour: boolean;
}

type Reason = VerdictJson['reasons'][number];

const WIDTH_MIN = 40;

/** Word and icon say it without colour: for logs, for paper, for those who see no red. */
const WORDS: Readonly<Record<VerdictWord, { icon: string; colour: string; meaning: string }>> = {
  SAFE: { icon: '✔', colour: '32', meaning: 'the candidate can be promoted, and nothing is lost' },
  SAFE_WITH_LOSS: { icon: '!', colour: '33', meaning: 'the candidate can be promoted, at the loss below' },
  NOT_SAFE: { icon: '✖', colour: '31', meaning: 'do not promote the candidate' },
  UNKNOWN: { icon: '?', colour: '35', meaning: 'it is not proven that the candidate can be promoted' },
};

interface Group {
  readonly title: string;
  readonly icon: string;
  readonly holds: (reason: Reason) => boolean;
}

const GROUPS: readonly Group[] = [
  { title: 'Against promotion', icon: '✖', holds: (reason) => reason.effect === 'not-safe' },
  { title: 'Short of proof', icon: '?', holds: (reason) => reason.effect === 'unknown' },
  { title: 'Accepted by policy', icon: '!', holds: (reason) => reason.effect === 'loss' },
  {
    title: 'Warnings',
    icon: '!',
    holds: (reason) => reason.effect === 'none' && reason.severity !== 'info',
  },
  { title: 'Notes', icon: '·', holds: (reason) => reason.effect === 'none' && reason.severity === 'info' },
];

/**
 * A verdict for a person at 3 a.m.: the answer first, then what is known, then every reason with what to do about it.
 * It takes the JSON form, so that a verdict from a certificate reads the same.
 */
export function verdictText(verdict: VerdictJson, options: VerdictTextOptions): string {
  const width = Math.max(WIDTH_MIN, options.width);
  const word = WORDS[verdict.verdict];
  const heading = wrap(`${word.icon} ${verdict.verdict}: ${word.meaning} (${verdict.mode})`, width, '', '  ');
  const lines = [
    ...heading.map((line) => (options.colour ? `\u001b[1;${word.colour}m${line}\u001b[0m` : line)),
    '',
    ...field('integrity', integrityWords(verdict), width),
    ...lossLines(verdict, width),
    ...GROUPS.flatMap((group) => groupLines(verdict, group, width)),
    ...notProvenLines(verdict, width),
    '',
    ...field('decided', printable(verdict.decidedAt), width),
    ...field('expires', `${printable(verdict.expiresAt)}; after that it says nothing`, width),
  ];
  return `${lines.join('\n')}\n`;
}

function field(name: string, text: string, width: number): readonly string[] {
  return wrap(text, width, `  ${name.padEnd(11)}`, ' '.repeat(13));
}

function integrityWords({ integrity, coverage }: VerdictJson): string {
  const excluded = coverage.excluded.length === 0 ? '' : `, ${coverage.excluded.length} excluded`;
  return `${integrity} (${coverage.compared} of ${coverage.tables} tables compared${excluded})`;
}

function lossLines({ loss, rpo }: VerdictJson, width: number): readonly string[] {
  const bound = loss.kind === 'bounded' && rpo.boundMs !== null ? `, at most ${seconds(rpo.boundMs)}` : '';
  const objective = rpo.objectiveMs === null ? 'no objective set' : `objective ${seconds(rpo.objectiveMs)}`;
  const lines = [...field('loss', `${loss.kind}${bound} (${objective})`, width)];
  if (loss.kind !== 'none' && loss.transactions !== null) {
    lines.push(...field('known lost', lostWords(loss), width));
  }
  if (loss.witnessedUntil !== null) {
    lines.push(...field('primary', `last seen at ${printable(loss.witnessedUntil)}`, width));
  }
  if (loss.tail !== null && (loss.tail.ms !== 0 || loss.tail.bytes !== '0')) {
    const size = loss.tail.bytes === null ? 'unknown size' : `${printable(loss.tail.bytes)} bytes`;
    const span = loss.tail.ms === null ? 'unknown time' : seconds(loss.tail.ms);
    lines.push(...field('tail', `${size}, ${span}: on the candidate, never seen by the ledger`, width));
  }
  return lines;
}

function lostWords(loss: LossJson): string {
  const counts = [
    `${loss.transactions} transactions`,
    `${loss.changes ?? 'unknown'} changes`,
    `${loss.keys ?? 'unknown'} keys`,
  ].join(', ');
  return printable(`${counts}; committed from ${loss.firstCommitAt ?? '?'} to ${loss.lastCommitAt ?? '?'}`);
}

function groupLines({ reasons }: VerdictJson, group: Group, width: number): readonly string[] {
  const held = reasons.filter((reason) => group.holds(reason));
  if (held.length === 0) return [];
  const body = held.flatMap((reason) => reasonLines(reason, group.icon, width));
  return ['', `${group.title} (${held.length})`].concat(body);
}

function reasonLines(reason: Reason, icon: string, width: number): readonly string[] {
  const lines = [
    ...wrap(printable(`${reason.subject} [${reason.code}]`), width, `  ${icon} `, '    '),
    ...wrap(printable(reason.message), width, '    ', '    '),
  ];
  if (reason.hint !== '') lines.push(...wrap(printable(reason.hint), width, '    → ', '      '));
  return lines;
}

function notProvenLines({ notProven }: VerdictJson, width: number): readonly string[] {
  if (notProven.length === 0) return [];
  return [
    '',
    `Not proven (${notProven.length})`,
    ...notProven.flatMap(({ subject, message, decidedBy }) => {
      const by = decidedBy === null ? '' : ` (left out by ${decidedBy})`;
      return wrap(printable(`${subject}: ${message}${by}`), width, '  - ', '    ');
    }),
  ];
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
