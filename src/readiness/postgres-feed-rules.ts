import type { PublishedTable } from '../connector/facts-postgres.ts';
import {
  APPLIED,
  BOTH_SITES,
  CANDIDATE,
  fail,
  judged,
  judgedBoth,
  LOGICAL,
  noneOf,
  pass,
  POSTGRES,
  PRIMARY,
  readOwn,
  unknown,
  unreadable,
  type Observation,
  type ReadinessInput,
  type Rule,
} from './rule.ts';

const MANUAL = 'https://www.postgresql.org/docs/current';

/** Rules about what a subscription brings, and what it leaves out. */
export const POSTGRES_FEED_RULES: readonly Rule[] = [
  {
    code: 'TP-R-PG-SUBSCRIPTION-SLOT',
    title: 'the publisher keeps log for the subscription',
    severity: { switchover: 'block', failover: 'info' },
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'changes that were not sent by now never arrive',
    hint: 'the subscription must be made anew, with a new copy of its tables; see max_slot_wal_keep_size',
    docs: [`${MANUAL}/logical-replication-subscription.html#LOGICAL-REPLICATION-SUBSCRIPTION-SLOT`],
    observe: observeSlots,
  },
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
    severity: 'block',
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: BOTH_SITES,
    why: 'its updates and deletes fail on the primary, or are not told to this site',
    hint: 'add a primary key, or ALTER TABLE … REPLICA IDENTITY FULL, on the primary',
    docs: [`${MANUAL}/logical-replication-publication.html#LOGICAL-REPLICATION-PUBLICATION-REPLICA-IDENTITY`],
    observe: observeIdentity,
  },
  {
    code: 'TP-R-PG-LARGE-OBJECTS',
    title: 'no large objects are left behind',
    severity: 'block',
    pairs: LOGICAL,
    engines: POSTGRES,
    reads: PRIMARY,
    why: 'large objects are not replicated with rows: what refers to them finds nothing, or something old',
    hint: 'copy them with pg_dump as part of a switchover, or keep such data in bytea columns',
    docs: [`${MANUAL}/logical-replication-restrictions.html`],
    observe: (input) =>
      judged(
        input,
        'primary',
        ({ postgres }) => postgres?.logical?.largeObjects,
        (count) => [
          count === '0'
            ? pass('primary', 'it holds no large objects')
            : fail('primary', `it holds ${count} large objects`),
        ],
      ),
  },
  {
    code: 'TP-R-PG-LOCAL-WRITERS',
    title: 'nobody writes to the candidate',
    severity: 'block',
    pairs: APPLIED,
    engines: POSTGRES,
    reads: CANDIDATE,
    why: 'rows of its own make the sites differ and stop replication at the first conflict',
    hint: 'end the session and find out whose it is; ALTER DATABASE … SET default_transaction_read_only = on keeps others out until the promotion',
    docs: [`${MANUAL}/logical-replication-conflicts.html`],
    observe: (input) =>
      judged(
        input,
        'candidate',
        ({ postgres }) => postgres?.writers,
        (writers) =>
          noneOf(
            writers.map(({ role, application, database }) =>
              fail(
                `role ${role}`,
                `it is writing in database ${database} (${application === '' ? 'no application name' : application})`,
              ),
            ),
            'no client was writing when it was looked at',
          ),
      ),
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

function observeSlots(input: ReadinessInput): readonly Observation[] {
  return judgedBoth(
    input,
    ({ postgres }) => postgres?.slots,
    ({ postgres }) => postgres?.logical?.subscriptions,
    (slots, subscriptions) => {
      if (subscriptions.length === 0) return [unknown('candidate', 'there is no subscription to look at')];
      return subscriptions.map(({ name, slot }) => {
        const subject = `subscription ${name}`;
        if (slot === null) return fail(subject, 'it has no slot');
        const found = slots.find((one) => one.name === slot);
        if (found === undefined) return fail(subject, `the primary has no slot ${slot}`);
        if (found.walStatus === 'lost' || found.invalidation !== null) {
          return fail(subject, `the primary no longer keeps the log of slot ${slot}`);
        }
        return pass(subject, `the primary keeps its log in slot ${slot}`);
      });
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
        const tables = objects.value.filter(
          ({ family, name, definition }) =>
            family === 'table' && definition !== 'partitioned' && inScope(input, name),
        );
        // A leaf that is published as its root is under the root's name there.
        const absent = tables.filter(
          ({ name, definition }) =>
            !reached.has(name) && !reached.has(definition.replace(/^partition of /, '')),
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
