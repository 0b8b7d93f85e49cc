import { selecting } from '../../src/config/selection.ts';
import type { TablePatterns } from '../../src/config/selection.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { ClusterFacts } from './brokers.ts';

/** The topics of one connector that are there now. */
export interface FeedTopics {
  /** `PREFIX.schema.table` of every selected table, in order. */
  readonly changes: readonly string[];
  /** How many partitions each of these has. */
  readonly partitions: ReadonlyMap<string, number>;
  readonly beside: BesideTopics;
}

/** Topics that say something of the changes in the others; null: there is none. */
export interface BesideTopics {
  /** `PREFIX.transaction`, where each transaction begins and ends (`provide.transaction.metadata`). */
  readonly transactions: string | null;
  /** `PREFIX`, the statements that redefined tables (`include.schema.changes`; not of PostgreSQL). */
  readonly schemas: string | null;
}

export interface TopicFeed {
  /** What the names of the topics begin with. */
  readonly prefix: string;
  readonly beside: BesideTopics;
  /** Tables (`schema.table`) that were met before. */
  readonly known?: readonly string[];
}

/**
 * By the names that Debezium gives to topics ("Topic names" in the documentation of each connector). Throws
 * TP-STREAM-SETUP when no topic of a selected table is there.
 */
export function feedTopics(
  { topics }: Pick<ClusterFacts, 'topics'>,
  prefix: string,
  tables: TablePatterns,
): FeedTopics {
  const names = [...topics.keys()];
  const { include, exclude } = tables;
  // Exclusion is of the tables themselves: one whose topic is called the same may be wanted.
  const selects = selecting({ include: [...include, ...include.map(inTopics)], exclude });
  const changes = names
    .filter((name) => {
      const table = tableOf(prefix, name);
      return table !== null && selects(table.schema, table.table);
    })
    .sort();
  if (changes.length === 0) {
    throw new TwinproofError('TP-STREAM-SETUP', {
      message: `no topic ${prefix}.schema.table of a selected table, or none that may be seen`,
      hint: 'check the prefix at the end of the URL and `tables` of the system; an ACL for DESCRIBE on a topic is needed to see it',
    });
  }
  return {
    changes,
    partitions: new Map(changes.map((name) => [name, topics.get(name) ?? 0])),
    // Of several partitions nobody would know the order.
    beside: {
      transactions: topics.get(`${prefix}.transaction`) === 1 ? `${prefix}.transaction` : null,
      schemas: topics.has(prefix) ? prefix : null,
    },
  };
}

/**
 * As a topic is named after it: Debezium writes `_` for every character that topics may not have in their names
 * (AbstractTopicNamingStrategy.sanitizedTopicName), so 주문 and 고객 share `__`.
 */
export function topicName(table: string): string {
  return table.replaceAll(/[^\w.-]/g, '_');
}

/** A pattern of tables as one of their topics. */
function inTopics(pattern: string): string {
  return pattern.replaceAll(/[^\w.*?"-]/g, '_');
}

/** `schema.table` that a topic carries by its name, as `topicName` has it; null: it carries none. */
export function tableOfTopic(prefix: string, topic: string): string | null {
  const table = tableOf(prefix, topic);
  return table === null ? null : `${table.schema}.${table.table}`;
}

function tableOf(prefix: string, topic: string): { readonly schema: string; readonly table: string } | null {
  if (!topic.startsWith(`${prefix}.`)) return null;
  const name = topic.slice(prefix.length + 1);
  const dot = name.indexOf('.');
  if (dot < 1 || dot === name.length - 1) return null;
  return { schema: name.slice(0, dot), table: name.slice(dot + 1) };
}
