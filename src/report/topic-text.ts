import type { TopicResult } from '../compare/topic-result.ts';
import type { KeyedTally, Tally } from '../compare/topic-side.ts';
import type { TopicFacts } from '../connector/topic-site.ts';
import { Page, type TextOptions } from './page.ts';
import { countOf } from './quantity.ts';
import { terminalJson } from './terminal-text.ts';

export interface TopicRun {
  readonly startedAt: Date;
  readonly finishedAt: Date;
  /** Addresses as they may be printed. */
  readonly primary: string;
  readonly candidate: string;
}

const STYLES = { same: 'green', different: 'red', unproven: 'yellow' } as const;
const REASONS_MAX = 20;

/** The comparison of a topic and its replica as a page for people. */
export function topicText(result: TopicResult, run: TopicRun, options: TextOptions): string {
  const page = new Page(options);
  const { outcome, partitions, groupsCompared, reasons } = result;
  const matched = partitions.reduce((sum, one) => sum + one.matched, 0n);
  page.paragraph(
    `${outcome}: ${countOf(matched, 'record')} equal in ${countOf(partitions.length, 'partition')}`,
    {
      first: `${page.paint(STYLES[outcome], page.icons[outcome])} `,
      style: 'bold',
    },
  );
  page.fact('primary', run.primary);
  page.fact('candidate', run.candidate);
  page.fact(
    'groups',
    `${countOf(groupsCompared, 'group')} on the candidate, ${result.groups.length} beyond their place`,
  );
  for (const reason of reasons.slice(0, REASONS_MAX))
    page.paragraph(reason, { first: `  ${page.icons.info} ` });
  if (reasons.length > REASONS_MAX) page.paragraph(`${reasons.length - REASONS_MAX} more: --format json`);
  return page.toString();
}

/** `twinproof.verify-topic/v1`: one object; counts and offsets are strings. Fields may be added. */
export function topicJson(
  result: TopicResult,
  { startedAt, finishedAt, primary, candidate }: TopicRun,
): string {
  const object = {
    schema: 'twinproof.verify-topic/v1',
    outcome: result.outcome,
    startedAt: startedAt.toISOString(),
    finishedAt: finishedAt.toISOString(),
    primary: { address: primary, ...siteJson(result.primary) },
    candidate: { address: candidate, ...siteJson(result.candidate) },
    partitions: result.partitions.map((one) => ({
      partition: one.partition,
      outcome: one.outcome,
      matched: one.matched.toString(),
      missing: keyedJson(one.missing),
      extra: keyedJson(one.extra),
      repeated: tallyJson(one.repeated),
      takenBack: keyedJson(one.takenBack),
      unclear: keyedJson(one.unclear),
      open: one.open.toString(),
      olderOnPrimary: one.olderOnPrimary.toString(),
      olderOnCandidate: one.olderOnCandidate.toString(),
      behind: one.behind.toString(),
    })),
    groups: {
      compared: result.groupsCompared,
      beyond: result.groups.map(({ group, partition, problem, offset, most }) => ({
        group,
        partition,
        problem,
        offset: offset.toString(),
        most: most.toString(),
      })),
    },
    reasons: result.reasons,
  };
  return `${terminalJson(object)}\n`;
}

function siteJson({ clusterId, topic, partitions, compacted }: TopicFacts): object {
  return { clusterId, topic, partitions: partitions.length, compacted };
}

function tallyJson({ count, offsets }: Tally): object {
  return { count: count.toString(), offsets: offsets.map(String) };
}

/** `keys`: of the first, by offset; null: it has none. */
function keyedJson(tally: KeyedTally): object {
  const keys = [...tally.keys].map(([offset, key]) => [String(offset), key] as const);
  return { ...tallyJson(tally), keys: Object.fromEntries(keys) };
}
