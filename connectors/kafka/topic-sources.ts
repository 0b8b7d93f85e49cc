import type { SourceTable } from '../../src/connector/ledger-sites.ts';
import type { NotedTable } from './feed-notes.ts';
import { whyUnfollowed } from './topic-facts.ts';
import { tableOfTopic, topicName } from './topic-names.ts';

/** What is known of the topics, beside what their records told. */
export interface KnownTopics {
  readonly prefix: string;
  /** Of selected tables. */
  readonly topics: readonly string[];
  /** Of a key only the newest record is kept, or whether that is so may not be seen. */
  readonly compacted: ReadonlySet<string>;
  /** Tables (`schema.table`) that were met before. */
  readonly known: readonly string[];
}

/** The tables that the records named, as the newest ones have them. Pure. */
export function notedSources(
  noted: readonly NotedTable[],
  { compacted }: Pick<KnownTopics, 'compacted'>,
): readonly SourceTable[] {
  return noted.map((one) => {
    const { id, leaf, fingerprint } = one.table;
    const unfollowed = compacted.has(one.topic) ? keepsNotAll(one.topic) : whyUnfollowed(one);
    const source = { id, leaf, root: leaf, fingerprint: fingerprint ?? '', unfollowed };
    return { ...source, table: unfollowed === null ? one.table : null };
  });
}

/**
 * A topic of which no record could be read stands for a table of the primary all the same: one that nothing is known of,
 * and that the candidate need not have. It is called as it was met before, or by its topic. Pure.
 */
export function silentSources(
  noted: readonly NotedTable[],
  { prefix, topics, compacted, known }: KnownTopics,
): readonly SourceTable[] {
  const told = new Set(noted.map(({ topic }) => topic));
  return topics
    .filter((topic) => !told.has(topic))
    .map((topic) => {
      const name = tableOfTopic(prefix, topic) ?? topic;
      const met = known.filter((table) => topicName(table) === name);
      const leaf = met.length === 1 ? (met[0] ?? name) : name;
      const unfollowed = compacted.has(topic)
        ? keepsNotAll(topic)
        : `its topic ${topic} holds no record that tells of a table`;
      return { id: `topic ${topic}`, leaf, root: leaf, fingerprint: '', unfollowed, table: null };
    });
}

function keepsNotAll(topic: string): string {
  return `its topic ${topic} is compacted (cleanup.policy), or that may not be seen: not every change is kept`;
}
