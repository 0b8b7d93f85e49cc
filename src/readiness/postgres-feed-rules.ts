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
  unknown,
  type Observation,
  type ReadinessInput,
  type Rule,
} from './rule.ts';

const MANUAL = 'https://www.postgresql.org/docs/current';

/** Rules about a subscription, and about what reaches a subscriber otherwise or not at all. */
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
