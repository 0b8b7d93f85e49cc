import { expect, it } from 'vitest';
import type {
  PostgresFacts,
  PostgresLogicalFacts,
  PublishedTable,
  SubscriptionSource,
} from '../../src/connector/facts-postgres.ts';
import { readinessInput, trouble } from './readiness-fixture.ts';
import { known, POSTGRES_PUBLISHER, POSTGRES_SUBSCRIBER } from './readiness-postgres-fixture.ts';

/** A table with two partitions, one of them on the candidate, beside a table that is on the primary only. */
const TABLES: readonly (readonly [string, string])[] = [
  ['public.orders', ''],
  ['public.part', 'partitioned'],
  ['public.part_1', 'partition of public.part'],
  ['public.part_2', 'partition of public.part'],
  ['public.news', ''],
];
const ABSENT = new Set(['public.news', 'public.part_2']);

function withLogical(facts: PostgresFacts, changed: Partial<PostgresLogicalFacts>): PostgresFacts {
  if (facts.logical === undefined) throw new Error('the fixture has changed');
  return { ...facts, logical: { ...facts.logical, ...changed } };
}

function tablesOf(names: readonly (readonly [string, string])[]): PostgresLogicalFacts['objects'] {
  return known(names.map(([name, definition]) => ({ family: 'table', table: name, name, definition })));
}

function table(name: string, publication = 'dr', under?: readonly string[]): PublishedTable {
  return {
    publication,
    table: `public.${name}`,
    rowFilter: false,
    columnList: false,
    ...(under === undefined ? {} : { under }),
  };
}

function subscription(name: string, publication: string, ...tables: readonly string[]): SubscriptionSource {
  return {
    name,
    publications: [publication],
    slot: name,
    tables: tables.map((one) => `public.${one}`),
  };
}

const WHOLE = [
  table('orders'),
  table('part'),
  table('part_1', 'dr', ['public.part']),
  table('part_2', 'dr', ['public.part']),
  table('news'),
];

it.each<[string, readonly PublishedTable[], readonly SubscriptionSource[], found: readonly string[]]>([
  ['all of them', WHOLE, [subscription('dr', 'dr', 'orders', 'part', 'part_1')], []],
  ['a root for its partitions', WHOLE, [subscription('dr', 'dr', 'orders', 'part')], []],
  [
    'partitions without a root, of which one came later',
    WHOLE,
    [subscription('dr', 'dr', 'orders', 'part_2')],
    ['public.part_1'],
  ],
  [
    'one of two subscriptions, which is enough',
    [table('orders'), table('orders', 'more')],
    [subscription('dr', 'dr', 'orders'), subscription('more', 'more')],
    [],
  ],
  [
    'one that nothing is published to',
    [table('orders', 'more')],
    [subscription('dr', 'dr', 'orders'), subscription('more', 'more')],
    ['public.orders'],
  ],
])('a table that is published is subscribed to: %s', (_, published, subscriptions, expected) => {
  const input = readinessInput('logical', {
    primary: {
      postgres: withLogical(POSTGRES_PUBLISHER, { published: known(published), objects: tablesOf(TABLES) }),
    },
    candidate: {
      postgres: withLogical(POSTGRES_SUBSCRIBER, {
        subscriptions: known(subscriptions),
        objects: tablesOf(TABLES.filter(([name]) => !ABSENT.has(name))),
      }),
    },
  });
  const found = trouble(input).filter((text) => text.startsWith('TP-R-PG-UNSUBSCRIBED'));
  expect(found).toEqual(expected.map((name) => `TP-R-PG-UNSUBSCRIBED fail ${name}`));
});
