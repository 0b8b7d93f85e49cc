import type { PromotionMode } from '../readiness/rule.ts';
import type { ReadinessSummary, ReadyWord } from '../readiness/summary.ts';
import type { Style } from './colour.ts';
import { Page, type TextOptions } from './page.ts';
import { countOf, countText } from './quantity.ts';
import type { ReadinessJson, ReadinessResultJson, ReadinessSiteJson } from './readiness-json.ts';
import { subjectsText } from './reason-list.ts';

type Icon = keyof Page['icons'];

const WORDS: Readonly<Record<ReadyWord, { word: string; icon: Icon; style: Style; meaning: string }>> = {
  ready: {
    word: 'READY',
    icon: 'same',
    style: 'green',
    meaning: 'nothing that was checked stands against it',
  },
  'not-ready': { word: 'NOT READY', icon: 'different', style: 'red', meaning: 'something stands against it' },
  unknown: {
    word: 'UNKNOWN',
    icon: 'unproven',
    style: 'yellow',
    meaning: 'checks that would stand against it could not be made',
  },
};

interface Group {
  readonly title: string;
  readonly icon: Icon;
  readonly style: Style;
  readonly holds: (result: ReadinessResultJson, mode: PromotionMode) => boolean;
}

const GROUPS: readonly Group[] = [
  group('Against promotion', 'block', 'red', 'fail', 'block'),
  group('Could not be checked, and would stand against promotion', 'unproven', 'yellow', 'unknown', 'block'),
  group('Warnings', 'warn', 'yellow', 'fail', 'warn'),
  {
    title: 'Accepted by waiver',
    icon: 'warn',
    style: 'yellow',
    holds: ({ state, waiver }) => state !== 'pass' && waiver !== null,
  },
  group('Notes', 'info', 'dim', 'fail', 'info'),
  {
    title: 'Could not be checked',
    icon: 'info',
    style: 'dim',
    holds: ({ state, severity, waiver }, mode) =>
      state === 'unknown' && severity[mode] !== 'block' && waiver === null,
  },
];

function group(
  title: string,
  icon: Icon,
  style: Style,
  state: ReadinessResultJson['state'],
  weight: 'block' | 'warn' | 'info',
): Group {
  return {
    title,
    icon,
    style,
    holds: (result, mode) =>
      result.state === state && result.severity[mode] === weight && result.waiver === null,
  };
}

/** For a person at 3 a.m.: the answer for the mode asked about and for the other, then what to do, weightiest first. */
export function readinessText(report: ReadinessJson, options: TextOptions): string {
  const page = new Page(options);
  const all = options.showAllTables ?? false;
  const { mode } = report;
  writeAnswer(page, mode, report[mode]);
  page.line();
  const other = mode === 'switchover' ? 'failover' : 'switchover';
  page.fact(other, answerOf(report[other]));
  page.fact('primary', siteWords(report.primary));
  page.fact('candidate', siteWords(report.candidate));
  page.fact('pair', report.pair);
  page.fact('checked', report.checkedAt);
  if (report.refusal !== null) {
    page.paragraph(`the two sites are no pair: ${report.refusal.message} (${report.refusal.code})`, {
      first: `  ${page.paint('red', page.icons.block)} `,
    });
  }
  for (const one of GROUPS) writeGroup(page, one, report, all);
  const passed = report.results.filter(({ state }) => state === 'pass');
  page.heading(`Passed: ${countOf(new Set(passed.map(({ code }) => code)).size, 'rule')}`);
  page.paragraph('rows were not compared: that is `verify` and `certify`', { first: '  ', style: 'dim' });
  return page.toString();
}

function writeAnswer(page: Page, mode: PromotionMode, summary: ReadinessSummary): void {
  const { word, icon, style, meaning } = WORDS[summary.word];
  page.paragraph(`${meaning} (${mode})`, {
    first: `${page.paint('bold', page.paint(style, `${page.icons[icon]} ${word}`))}  `,
    rest: '  ',
    style: 'bold',
  });
}

function answerOf({ word, blocking, unknown, warnings }: ReadinessSummary): string {
  const counts = [
    `${countText(blocking)} against it`,
    `${countText(unknown)} that could not be checked`,
    countOf(warnings, 'warning'),
  ];
  return `${WORDS[word].word} (${counts.join(', ')})`;
}

function siteWords({ site, identity, silence, rememberedAt }: ReadinessSiteJson): string {
  const name = site ?? 'not named';
  const who =
    identity === null
      ? ''
      : `: ${identity.engine} ${identity.version}, ${identity.role}, database ${identity.database}, ${identity.address ?? 'local'}`;
  if (silence === null) return `${name}${who}`;
  const memory = rememberedAt === null ? 'nothing is remembered of it' : `as of ${rememberedAt}${who}`;
  return `${name} did not answer (${silence}); ${memory}`;
}

/**
 * Findings of one rule that say the same of several subjects are told once, and so are checks that could not be made for
 * one reason.
 */
function writeGroup(page: Page, one: Group, { results, mode }: ReadinessJson, all: boolean): void {
  const held = results.filter((result) => one.holds(result, mode));
  if (held.length === 0) return;
  page.heading(`${one.title} (${held.length})`);
  const told = new Map<string, { result: ReadinessResultJson; subjects: Set<string>; codes: Set<string> }>();
  for (const result of held) {
    const { code, state, subject, message, hint } = result;
    const id = JSON.stringify(state === 'unknown' ? [subject, message, hint] : [code, message]);
    const known = told.get(id) ?? { result, subjects: new Set(), codes: new Set() };
    known.subjects.add(subject);
    known.codes.add(code);
    told.set(id, known);
  }
  for (const { result, subjects, codes } of told.values()) {
    const icon = page.paint(one.style, page.icons[one.icon]);
    page.paragraph(`${subjectsText([...subjects], all)}: ${result.message} (${[...codes].join(', ')})`, {
      first: `  ${icon} `,
    });
    for (const line of result.hint.split('\n')) {
      if (line !== '') page.paragraph(line, { first: `    ${page.icons.next} ` });
    }
  }
}
