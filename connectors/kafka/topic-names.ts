import type { Admin } from 'kafkajs';
import { selecting } from '../../src/config/selection.ts';
import type { TablePatterns } from '../../src/config/selection.ts';
import { TwinproofError } from '../../src/errors.ts';

/** The topics of one connector that are there now. */
export interface FeedTopics {
  /** `PREFIX.schema.table` of every selected table, in order. */
  readonly changes: readonly string[];
  /** `__debezium-heartbeat.PREFIX`; null: there is none. */
  readonly heartbeats: string | null;
}

/**
 * By the names that Debezium gives to topics ("Topic names" in the documentation of each connector). Throws
 * TP-STREAM-SETUP when no topic of a selected table is there.
 */
export async function readFeedTopics(
  admin: Admin,
  prefix: string,
  tables: TablePatterns,
): Promise<FeedTopics> {
  const names = await admin.listTopics();
  const selects = selecting(tables);
  const changes = names.filter((name) => {
    const table = tableOf(prefix, name);
    return table !== null && selects(table.schema, table.table);
  });
  if (changes.length === 0) {
    throw new TwinproofError('TP-STREAM-SETUP', {
      message: `no topic ${prefix}.schema.table of a selected table, or none that may be seen`,
      hint: 'check the prefix at the end of the URL and `tables` of the system; an ACL for DESCRIBE on a topic is needed to see it',
    });
  }
  const heartbeats = `__debezium-heartbeat.${prefix}`;
  return { changes: changes.sort(), heartbeats: names.includes(heartbeats) ? heartbeats : null };
}

function tableOf(prefix: string, topic: string): { readonly schema: string; readonly table: string } | null {
  if (!topic.startsWith(`${prefix}.`)) return null;
  const name = topic.slice(prefix.length + 1);
  const dot = name.indexOf('.');
  if (dot < 1 || dot === name.length - 1) return null;
  return { schema: name.slice(0, dot), table: name.slice(dot + 1) };
}
