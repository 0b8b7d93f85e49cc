import type { SequenceFact, SubscriptionFact } from '../connector/facts.ts';
import {
  APPLIED,
  BOTH_SITES,
  CANDIDATE,
  LOGICAL,
  fail,
  pass,
  readFact,
  readListed,
  unknown,
  unreadParts,
  type Observation,
  type ReadinessInput,
  type Rule,
} from './rule.ts';

const NO_SUBSCRIPTION = 'nothing carries changes to it';

/** Rules for pairs where rows are applied, not the log replayed: subscriptions, and sequences, which do not follow. */
export const APPLY_RULES: readonly Rule[] = [
  {
    code: 'TP-R-SUBSCRIPTION-NONE',
    title: 'something feeds the candidate',
    severity: 'block',
    pairs: LOGICAL,
    reads: CANDIDATE,
    why: 'nothing carries the primary’s changes to this site',
    hint: {
      postgres:
        'check that the candidate’s URL names the right database; create the subscription again if it was dropped',
      mysql:
        'SHOW REPLICA STATUS (SHOW ALL SLAVES STATUS) is empty: replication was reset, or this is another server',
    },
    docs: ['https://www.postgresql.org/docs/current/logical-replication-subscription.html'],
    observe: (input) => {
      const reading = readFact(input, 'candidate', 'subscriptions');
      if (!reading.known) return [unknown('candidate', reading.reason)];
      if (reading.value.length === 0) return [fail('candidate', 'it subscribes to nobody')];
      return [pass('candidate', `its changes come by: ${reading.value.map((one) => one.name).join(', ')}`)];
    },
  },
  {
    code: 'TP-R-SUBSCRIPTION-DISABLED',
    title: 'the stream of changes is switched on',
    severity: { switchover: 'block', failover: 'warn' },
    pairs: LOGICAL,
    reads: CANDIDATE,
    why: 'changes of the primary no longer arrive here',
    hint: {
      postgres: 'ALTER SUBSCRIPTION … ENABLE; if it disabled itself on an error, mend the cause first',
      mysql: 'START REPLICA (START SLAVE on older servers); find out first who stopped it, and why',
    },
    docs: ['https://www.postgresql.org/docs/current/sql-altersubscription.html'],
    observe: eachSubscription((one) =>
      one.enabled ? pass(one.name, 'it is switched on') : fail(one.name, 'it is switched off'),
    ),
  },
  {
    code: 'TP-R-SUBSCRIPTION-WORKER',
    title: 'the apply worker runs',
    severity: { switchover: 'block', failover: 'info' },
    pairs: LOGICAL,
    reads: CANDIDATE,
    why: 'changes of the primary are not being applied',
    hint: {
      postgres: 'see the candidate’s log for why the apply worker ended, and max_logical_replication_workers',
      mysql: 'SHOW REPLICA STATUS says which of the two threads stands, and why',
    },
    docs: ['https://www.postgresql.org/docs/current/logical-replication-monitoring.html'],
    observe: eachSubscription((one) => {
      if (one.workerRunning === null) {
        return unknown(one.name, 'the candidate did not tell whether the apply worker runs');
      }
      return one.workerRunning
        ? pass(one.name, 'its apply worker is running')
        : fail(one.name, 'no apply worker is running');
    }),
  },
  {
    code: 'TP-R-SUBSCRIPTION-ERRORS',
    title: 'no apply error stands in the way',
    severity: { switchover: 'block', failover: 'warn' },
    pairs: LOGICAL,
    reads: CANDIDATE,
    why: 'a change that cannot be applied stops everything behind it',
    hint: {
      postgres: 'the candidate’s log names the row and the conflict; mend it, never skip it blindly',
      mysql:
        'SHOW REPLICA STATUS names the error and the place; mend the row so that it equals the primary’s, never skip it blindly',
    },
    docs: [
      'https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-SUBSCRIPTION-STATS',
    ],
    observe: eachSubscription(observeApplyErrors),
  },
  {
    code: 'TP-R-SUBSCRIPTION-RETRIED',
    title: 'there were no apply errors',
    severity: 'warn',
    pairs: LOGICAL,
    reads: CANDIDATE,
    why: 'errors of the past may have been solved by skipping a transaction or by hand',
    hint: {
      postgres:
        'look through the candidate’s log; pg_stat_reset_subscription_stats() starts the count afresh',
      mysql: 'look through the candidate’s log; compare all tables',
    },
    docs: [
      'https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-SUBSCRIPTION-STATS',
    ],
    observe: eachSubscription((one) => {
      if (one.applyErrors === null) return unknown(one.name, 'the candidate does not count apply errors');
      return one.applyErrors === 0n
        ? pass(one.name, 'no apply error is on record')
        : fail(one.name, `${errorsText(one.applyErrors)} on record`);
    }),
  },
  {
    code: 'TP-R-SUBSCRIPTION-SKIP',
    title: 'no transaction is set to be skipped',
    severity: { switchover: 'block', failover: 'warn' },
    pairs: LOGICAL,
    reads: CANDIDATE,
    why: 'what is left out is missing here for good',
    hint: {
      postgres:
        'ALTER SUBSCRIPTION … SKIP (lsn = NONE), unless leaving it out is what you want; then compare again',
      mysql:
        'SET GLOBAL sql_replica_skip_counter = 0 (sql_slave_skip_counter), unless leaving them out is what you want; then compare again',
    },
    docs: ['https://www.postgresql.org/docs/current/logical-replication-conflicts.html'],
    observe: eachSubscription((one) => {
      if (one.skip === null) return unknown(one.name, 'the candidate did not tell whether a skip is set');
      return one.skip === ''
        ? pass(one.name, 'no transaction is set to be skipped')
        : fail(one.name, `it is set to skip ${one.skip}`);
    }),
  },
  {
    code: 'TP-R-SUBSCRIPTION-TABLES',
    title: 'every table had its first copy',
    severity: 'block',
    pairs: LOGICAL,
    reads: CANDIDATE,
    why: 'until the first copy is finished the table holds only a part of the primary’s rows',
    hint: 'wait for the copy to end; if it hangs, see the candidate’s log and max_sync_workers_per_subscription',
    docs: ['https://www.postgresql.org/docs/current/catalog-pg-subscription-rel.html'],
    observe: observeTablesReady,
  },
  {
    code: 'TP-R-SEQUENCE-DATA',
    title: 'sequences are beyond the data',
    severity: 'block',
    pairs: APPLIED,
    reads: CANDIDATE,
    why: 'the first inserts after the promotion would be given keys that are taken',
    hint: {
      postgres:
        'after the last change is applied: SELECT setval(…) on the candidate to beyond the largest value in the column',
      mysql:
        'ALTER TABLE … AUTO_INCREMENT (ALTER SEQUENCE … RESTART on MariaDB) on the candidate to beyond the largest value in the column',
    },
    docs: ['https://www.postgresql.org/docs/current/logical-replication-restrictions.html'],
    observe: observeSequencesAgainstData,
  },
  {
    code: 'TP-R-SEQUENCE-PRIMARY',
    title: 'sequences are not behind the primary’s',
    severity: { switchover: 'block', failover: 'warn' },
    pairs: LOGICAL,
    reads: BOTH_SITES,
    why: 'numbers that the primary has handed out already would be handed out again',
    hint: {
      postgres:
        'sequences are not replicated with rows: set the candidate’s with setval() as part of the switchover',
      mysql:
        'wait until the replica has caught up; if it stays behind, ALTER SEQUENCE … RESTART on the candidate',
    },
    docs: ['https://www.postgresql.org/docs/current/logical-replication-restrictions.html'],
    observe: observeSequencesAgainstPrimary,
  },
];

/** No subscription at all is the failure of a rule of its own; the others then know nothing. */
function eachSubscription(
  observe: (one: SubscriptionFact) => Observation,
): (input: ReadinessInput) => readonly Observation[] {
  return (input) => {
    const reading = readFact(input, 'candidate', 'subscriptions');
    if (!reading.known) return [unknown('candidate', reading.reason)];
    if (reading.value.length === 0) return [unknown('candidate', NO_SUBSCRIPTION)];
    return reading.value.map(observe);
  };
}

function errorsText(count: bigint): string {
  return count === 1n ? '1 apply error is' : `${count} apply errors are`;
}

/** A running worker has got past its errors, so their number (not counted before PostgreSQL 15) does not matter then. */
function observeApplyErrors(one: SubscriptionFact): Observation {
  if (one.workerRunning === true) return pass(one.name, 'its apply worker is running');
  if (one.applyErrors === null) return unknown(one.name, 'the candidate does not count apply errors');
  if (one.applyErrors === 0n) return pass(one.name, 'no apply error is on record');
  return one.workerRunning === null
    ? unknown(one.name, `${errorsText(one.applyErrors)} on record, and whether the worker runs is not known`)
    : fail(
        one.name,
        `the apply worker is down after ${one.applyErrors} apply ${one.applyErrors === 1n ? 'error' : 'errors'}`,
      );
}

function observeTablesReady(input: ReadinessInput): readonly Observation[] {
  const reading = readFact(input, 'candidate', 'subscriptions');
  if (!reading.known) return [unknown('candidate', reading.reason)];
  if (reading.value.length === 0) return [unknown('candidate', NO_SUBSCRIPTION)];
  const waiting = reading.value.flatMap((one) =>
    one.tablesNotReady.map((table) =>
      fail(table, `subscription ${one.name} has not finished its first copy`),
    ),
  );
  return waiting.length > 0 ? waiting : [pass('candidate', 'every subscribed table had its first copy')];
}

/**
 * Sequences are judged one by one, so that one that may not be read does not hide another that is behind. The next
 * value counts, not the last: two sites may share one number range by increments of two.
 */
function observeSequencesAgainstData(input: ReadinessInput): readonly Observation[] {
  const reading = readListed(input, 'candidate', 'sequences');
  if (!reading.known) return [unknown('candidate', reading.reason)];
  const holes = unreadParts(input, 'candidate', 'sequences');
  const unread = new Set(holes.map(({ name }) => name));
  const observations = [
    ...holes.map(({ name, reason }) => unknown(name, reason)),
    ...reading.value.filter(({ name }) => !unread.has(name)).flatMap(observeAgainstData),
  ];
  return observations.length > 0
    ? observations
    : [pass('candidate', 'no sequence feeds a column whose values it could be behind')];
}

function observeAgainstData(sequence: SequenceFact): readonly Observation[] {
  const { name, lastValue, increment, ownedBy, dataExtreme } = sequence;
  if (ownedBy === null || dataExtreme === null) return [];
  if (lastValue === null) return [unknown(name, 'the candidate did not tell its last value')];
  const next = lastValue + increment;
  return [
    isAhead(sequence, next, dataExtreme)
      ? pass(name, `its next value ${next} is beyond those in ${ownedBy}`)
      : fail(name, `its next value is ${next}, and ${ownedBy} holds ${dataExtreme} already`),
  ];
}

/** A part that was not read and is in the list has a last value, or null for it; only one that is absent is a hole. */
function observeSequencesAgainstPrimary(input: ReadinessInput): readonly Observation[] {
  const primary = readListed(input, 'primary', 'sequences');
  const candidate = readListed(input, 'candidate', 'sequences');
  if (!primary.known) return [unknown('primary', primary.reason)];
  if (!candidate.known) return [unknown('candidate', candidate.reason)];
  const theirs = new Map(primary.value.map((sequence) => [sequence.name, sequence]));
  const ours = new Map(candidate.value.map((sequence) => [sequence.name, sequence]));
  const holes = [
    ...unreadParts(input, 'primary', 'sequences').filter(({ name }) => !theirs.has(name)),
    ...unreadParts(input, 'candidate', 'sequences').filter(({ name }) => !ours.has(name)),
  ];
  const unread = new Set(holes.map(({ name }) => name));
  const observations = [
    ...holes.map(({ name, reason }) => unknown(name, reason)),
    ...primary.value
      .filter(({ name }) => !unread.has(name))
      .map((sequence) => compareSequences(sequence, ours.get(sequence.name))),
  ];
  return observations.length > 0 ? observations : [pass('primary', 'it has no sequences')];
}

function compareSequences(theirs: SequenceFact, ours: SequenceFact | undefined): Observation {
  const { name } = theirs;
  if (ours === undefined) return fail(name, 'the candidate has no such sequence');
  if (theirs.lastValue === null) return unknown(name, 'the primary did not tell its last value');
  if (ours.lastValue === null) return unknown(name, 'the candidate did not tell its last value');
  const seen = `it stands at ${ours.lastValue}, the primary’s at ${theirs.lastValue}`;
  return ours.lastValue === theirs.lastValue || isAhead(theirs, ours.lastValue, theirs.lastValue)
    ? pass(name, seen)
    : fail(name, seen);
}

function isAhead(sequence: SequenceFact, a: bigint, b: bigint): boolean {
  return sequence.increment < 0n ? a < b : a > b;
}
