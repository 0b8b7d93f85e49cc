import type { ReadinessFacts } from '../connector/facts.ts';
import type { PublishedTable, SchemaObject, SubscriptionSource } from '../connector/facts-postgres.ts';
import type { Reading } from '../connector/reading.ts';
import {
  BOTH_SITES,
  fail,
  judged,
  judgedBoth,
  LOGICAL,
  noneOf,
  pass,
  POSTGRES,
  readOwn,
  unknown,
  unreadable,
  type Observation,
  type ReadinessInput,
  type Rule,
} from './rule.ts';
import { objectsOf } from './schema-objects.ts';

const MANUAL = 'https://www.postgresql.org/docs/current';

/** Rules about what the publications bring, and what they leave out. */
export const POSTGRES_PUBLICATION_RULES: readonly Rule[] = [
  {
    code: 'TP-R-PG-UNPUBLISHED',
    title: 'every table is published to the candidate',
    severity: 'block',
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'its changes do not reach this site',
    hint: 'ALTER PUBLICATION … ADD TABLE on the primary, then ALTER SUBSCRIPTION … REFRESH PUBLICATION; or leave the table out of the scope',
    docs: [`${MANUAL}/logical-replication-publication.html`],
    observe: observeUnpublished,
  },
  {
    code: 'TP-R-PG-UNSUBSCRIBED',
    title: 'every published table is in the subscription',
    severity: 'block',
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'it was published after the subscription was made, and nothing of it reaches this site',
    hint: 'ALTER SUBSCRIPTION … REFRESH PUBLICATION on the candidate, which copies its rows; then compare them',
    docs: [`${MANUAL}/sql-altersubscription.html`],
    observe: observeUnsubscribed,
  },
  {
    code: 'TP-R-PG-PUBLICATION-OPERATIONS',
    title: 'publications leave no kind of change out',
    severity: 'block',
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'the primary’s rows are changed in ways that this site never hears of',
    hint: "ALTER PUBLICATION … SET (publish = 'insert, update, delete, truncate'), then compare the rows again",
    docs: [`${MANUAL}/sql-createpublication.html`],
    observe: observeOperations,
  },
  {
    code: 'TP-R-PG-ROW-FILTER',
    title: 'publications filter no rows',
    severity: 'block',
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'rows that do not match the filter are not on this site',
    hint: 'ALTER PUBLICATION … SET TABLE without WHERE; or waive it if the rest is not wanted there',
    docs: [`${MANUAL}/logical-replication-row-filter.html`],
    observe: (input) =>
      observePublished(
        input,
        ({ rowFilter }) => rowFilter,
        'publishes only some of its rows',
        'no rows are filtered',
      ),
  },
  {
    code: 'TP-R-PG-COLUMN-LIST',
    title: 'publications leave out no columns',
    severity: 'block',
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'the other columns are empty or stale on this site',
    hint: 'ALTER PUBLICATION … SET TABLE without a column list; or waive it if the rest is not wanted there',
    docs: [`${MANUAL}/logical-replication-col-lists.html`],
    observe: (input) =>
      observePublished(
        input,
        ({ columnList }) => columnList,
        'publishes a list of its columns',
        'no columns are left out',
      ),
  },
  {
    code: 'TP-R-PG-REPLICA-IDENTITY',
    title: 'every published table has a replica identity',
    severity: { switchover: 'block', failover: 'warn' },
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'its updates and deletes fail on the primary, or are not told to this site',
    hint: 'add a primary key, or ALTER TABLE … REPLICA IDENTITY FULL, on the primary',
    docs: [`${MANUAL}/logical-replication-publication.html#LOGICAL-REPLICATION-PUBLICATION-REPLICA-IDENTITY`],
    observe: observeIdentity,
  },
];

/** The publications that the candidate is subscribed to, or why that is not known. */
function subscribed(
  input: ReadinessInput,
  observe: (publications: ReadonlySet<string>) => readonly Observation[],
): readonly Observation[] {
  return judged(
    input,
    'candidate',
    ({ postgres }) => postgres?.logical?.subscriptions,
    (subscriptions) => {
      if (subscriptions.length === 0) return [unknown('candidate', 'there is no subscription to look at')];
      return observe(new Set(subscriptions.flatMap(({ publications }) => publications)));
    },
  );
}

function observeUnpublished(input: ReadinessInput): readonly Observation[] {
  return subscribed(input, (publications) =>
    judged(
      input,
      'primary',
      ({ postgres }) => postgres?.logical?.published,
      (published) => {
        const objects = readOwn(input, 'primary', ({ postgres }) => postgres?.logical?.objects);
        if (!objects.known) return [unreadable('primary', objects)];
        const reached = new Set(
          published.filter(({ publication }) => publications.has(publication)).map(({ table }) => table),
        );
        const tables = objectsOf(objects.value, 'table').filter(
          ({ name, definition }) => definition !== 'partitioned' && inScope(input, name),
        );
        // A leaf that is published as its root is under the root's name there.
        const absent = tables.filter(
          ({ name, definition }) => !reached.has(name) && !reached.has(rootOf(definition)),
        );
        return noneOf(
          absent.map(({ name }) => fail(name, 'it is in no publication that the candidate is subscribed to')),
          `all of its ${tables.length} tables in scope are published to the candidate`,
          'primary',
        );
      },
    ),
  );
}

/** Of tables that the candidate has; a partition may come under its own name or one above it, into a table that has none. */
function observeUnsubscribed(input: ReadinessInput): readonly Observation[] {
  const own = ({ postgres }: ReadinessFacts): Reading<readonly SchemaObject[]> | undefined =>
    postgres?.logical?.objects;
  return judgedBoth(input, own, own, (theirs, ours) =>
    judgedBoth(
      input,
      ({ postgres }) => postgres?.logical?.published,
      ({ postgres }) => postgres?.logical?.subscriptions,
      (published, subscriptions) => {
        if (subscriptions.length === 0) return [unknown('candidate', 'there is no subscription to look at')];
        const had = new Set(objectsOf(ours, 'table').map(({ name }) => name));
        const wanted = objectsOf(theirs, 'table')
          .filter(({ definition }) => definition !== 'partitioned')
          .filter(({ name, definition }) => had.has(name) || had.has(rootOf(definition)))
          .filter(({ name }) => inScope(input, name));
        const offers = subscriptions.map((one) => offerOf(published, one));
        const absent = wanted.flatMap(({ name }) => {
          const offered = offers.filter(({ brings }) => brings.has(name));
          if (offered.length === 0 || offered.some(({ brings }) => brings.get(name) === true)) return [];
          return [fail(name, `${offered.map((one) => one.name).join(', ')} does not bring it`)];
        });
        return noneOf(absent, 'its subscriptions bring every table that is published to them');
      },
    ),
  );
}

/** Of a partition the name of its root. */
function rootOf(definition: string): string {
  return definition.replace(/^partition of /, '');
}

interface Offer {
  readonly name: string;
  /** Of each table that is published to the subscription: whether it has it, under its name or one above it. */
  readonly brings: ReadonlyMap<string, boolean>;
}

function offerOf(
  published: readonly PublishedTable[],
  { name, publications, tables }: SubscriptionSource,
): Offer {
  const brought = new Set(tables);
  const brings = new Map<string, boolean>();
  for (const { publication, table, under } of published) {
    if (!publications.includes(publication)) continue;
    const has = [table, ...(under ?? [])].some((known) => brought.has(known));
    brings.set(table, has || brings.get(table) === true);
  }
  return { name: `subscription ${name}`, brings };
}

function inScope({ inScope: selects }: ReadinessInput, table: string): boolean {
  return selects === undefined || selects(table);
}

function observeOperations(input: ReadinessInput): readonly Observation[] {
  return subscribed(input, (publications) =>
    judged(
      input,
      'primary',
      ({ postgres }) => postgres?.logical?.publications,
      (found) => {
        const absent = [...publications].filter((name) => !found.some((one) => one.name === name));
        const partial = found.filter(({ name, leavesOut }) => publications.has(name) && leavesOut.length > 0);
        const failed = [
          ...absent.map((name) =>
            fail(
              `publication ${name}`,
              'the candidate is subscribed to it and the primary has none of that name',
            ),
          ),
          ...partial.map(({ name, leavesOut }) =>
            fail(`publication ${name}`, `it does not publish ${leavesOut.join(', ')}`),
          ),
        ];
        return failed.length > 0
          ? failed
          : [pass('primary', 'its publications publish every kind of change')];
      },
    ),
  );
}

function observePublished(
  input: ReadinessInput,
  isBad: (table: PublishedTable) => boolean,
  seen: string,
  sound: string,
): readonly Observation[] {
  return subscribed(input, (publications) =>
    judged(
      input,
      'primary',
      ({ postgres }) => postgres?.logical?.published,
      (published) => {
        const bad = published.filter(
          (one) => publications.has(one.publication) && inScope(input, one.table) && isBad(one),
        );
        return noneOf(
          bad.map(({ table, publication }) => fail(table, `publication ${publication} ${seen}`)),
          sound,
          'primary',
        );
      },
    ),
  );
}

function observeIdentity(input: ReadinessInput): readonly Observation[] {
  return subscribed(input, (publications) =>
    judged(
      input,
      'primary',
      ({ postgres }) => postgres?.logical?.published,
      (published) =>
        judged(
          input,
          'primary',
          ({ postgres }) => postgres?.logical?.withoutIdentity,
          (without) => {
            const reached = new Set(
              published.filter(({ publication }) => publications.has(publication)).map(({ table }) => table),
            );
            const bad = without.filter((table) => reached.has(table) && inScope(input, table));
            return noneOf(
              bad.map((table) => fail(table, 'it has no usable replica identity')),
              'its published tables have a replica identity',
              'primary',
            );
          },
        ),
    ),
  );
}
