import type { ReadinessFacts } from '../../src/connector/facts.ts';
import type { TableDescription } from '../../src/connector/table.ts';
import type { NotedTable, UntiedTransactions } from './feed-notes.ts';
import type { TopicTable } from './layout.ts';
import type { BesideTopics } from './topic-names.ts';

/** An entry of the list of what is not proven: code, subject, message. */
type NotTold = readonly [string, string, string];

/** What topics never tell. */
const NOT_TOLD: readonly NotTold[] = [
  [
    'TP-N-TOPIC-ORDER',
    'records on their way',
    'a change that had not reached its partition when the connector ended, while a later one had reached another, is not known: neither counted nor bounded',
  ],
  [
    'TP-N-TOPIC-DEFINITIONS',
    'what the connector leaves out',
    'redefinitions that rewrite rows (ALTER TYPE … USING, ADD COLUMN … DEFAULT), operations that the connector skips (skipped.operations), and tables, columns and rows that its filters and transformations leave out, mask or cut off are not in the topics',
  ],
  [
    'TP-N-TOPIC-SOURCE',
    'the primary itself',
    'the database was not asked for anything: that the topics are of this database, and which rows its snapshot read, is the connector’s word',
  ],
];

/** What the topics do not tell, or did not. Pure. */
export function notTold(
  { transactions }: BesideTopics,
  untied: UntiedTransactions | null,
): readonly NotTold[] {
  const entry = (message: string): NotTold => ['TP-N-TOPIC-TRANSACTIONS', 'transactions', message];
  if (transactions === null) {
    return [
      ...NOT_TOLD,
      entry(
        'the topics do not say where transactions end (provide.transaction.metadata): one that wrote to several tables or partitions counts once for each, and the candidate may have parts of it',
      ),
    ];
  }
  if (untied === null) return NOT_TOLD;
  return [
    ...NOT_TOLD,
    entry(
      `${untied.times} times records were not followed by the rest of their transaction in time, and count by themselves: last, ${untied.reason}`,
    ),
  ];
}

/** Why the changes of a table do not tell what its rows are; null: they do. Pure. */
export function whyUnfollowed({ table: { leaf, keyFields }, engine }: NotedTable): string | null {
  if (engine === 'postgres' && /[^ -~]/.test(leaf)) {
    // PgOutputMessageDecoder makes a character of each byte (measured with 3.3.1: changes of 주문 never came).
    return 'Debezium takes names of PostgreSQL beyond ASCII for others in the log: its changes do not come under this one';
  }
  return keyFields === null ? 'its records have no key, or one that cannot be compared' : null;
}

/** A table as the topics have it: columns in portable forms, and no rows to be read. */
export function descriptionOf(table: TopicTable): TableDescription {
  const { leaf, columns, keyFields, fingerprint } = table;
  const dot = leaf.indexOf('.');
  return {
    name: leaf,
    schema: leaf.slice(0, dot),
    table: leaf.slice(dot + 1),
    columns: columns.map(({ name, type, form }) => ({
      name,
      type,
      baseType: type,
      encodings: { physical: null, logical: null, 'cross-engine': form === null ? null : 'portable' },
      ...(form === null ? {} : { portable: { natural: [form], onRequest: [], inZone: [] } }),
    })),
    key: keyFields === null ? null : columns.slice(0, keyFields).map(({ name }) => name),
    keyOrder: 'local',
    clustered: false,
    rowsEstimate: 0,
    bytesEstimate: 0,
    fingerprint: fingerprint ?? '',
    obstacle: null,
    handle: null,
  };
}

/** Of the database behind the topics nothing is known. */
export function noFacts(): ReadinessFacts {
  return {
    inRecovery: null,
    writable: null,
    replayPaused: null,
    systemId: null,
    timeline: null,
    unloggedTables: null,
    sequences: null,
    subscriptions: null,
    unread: [],
  };
}
