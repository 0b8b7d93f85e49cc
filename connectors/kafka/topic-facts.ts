import type { ReadinessFacts } from '../../src/connector/facts.ts';
import type { TableDescription } from '../../src/connector/table.ts';
import type { TopicTable } from './layout.ts';

/** What topics never tell, for the list of what is not proven: code, subject, message. */
export const NOT_TOLD: readonly (readonly [string, string, string])[] = [
  [
    'TP-N-TOPIC-ORDER',
    'records on their way',
    'a change that had not reached its partition when the connector ended, while a later one had reached another, is not known: neither counted nor bounded',
  ],
  [
    'TP-N-TOPIC-DEFINITIONS',
    'what the connector leaves out',
    'redefinitions that rewrite rows (ALTER TYPE … USING, ADD COLUMN … DEFAULT), truncations that the connector skips (skipped.operations), and tables, columns and rows that its filters and transformations leave out are not in the topics',
  ],
  [
    'TP-N-TOPIC-SOURCE',
    'the primary itself',
    'the database was not asked for anything: that the topics are of this database, and which rows its snapshot read, is the connector’s word',
  ],
];

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
