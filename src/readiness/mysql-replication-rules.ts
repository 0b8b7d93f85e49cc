import type { ChannelFact, TransactionsFact } from '../connector/facts-mysql.ts';
import { factOf, withBoth, withFact } from './mysql-fact.ts';
import {
  BOTH_SITES,
  CANDIDATE,
  fail,
  LOGICAL,
  MYSQL,
  noneOf,
  pass,
  unknown,
  unreadable,
  type Observation,
  type ReadinessInput,
  type Rule,
  type SiteName,
} from './rule.ts';

const STATUS_DOC = 'https://dev.mysql.com/doc/refman/en/show-replica-status.html';
const MARIADB_STATUS_DOC = 'https://mariadb.com/kb/en/show-replica-status/';

/** ER_MASTER_FATAL_ERROR_READING_BINLOG, which newer versions of MySQL report as MY-013114. */
const LOG_GONE: ReadonlySet<number> = new Set([1236, 13_114]);

/** Rules about the stream of changes into a replica. */
export const MYSQL_REPLICATION_RULES: readonly Rule[] = [
  {
    code: 'TP-R-MY-RECEIVER',
    title: 'the replica receives the primary’s log',
    severity: { switchover: 'block', failover: 'warn' },
    pairs: LOGICAL,
    engines: MYSQL,
    reads: CANDIDATE,
    why: 'what the primary commits no longer reaches this site',
    hint: 'SHOW REPLICA STATUS says why (host, account, TLS, purged log); where the source has purged what is lacking, build the replica anew',
    docs: [STATUS_DOC, MARIADB_STATUS_DOC],
    observe: withFact('candidate', 'channels', observeReceivers),
  },
  {
    code: 'TP-R-MY-APPLIER',
    title: 'the replica applies what it receives',
    severity: 'block',
    pairs: LOGICAL,
    engines: MYSQL,
    reads: CANDIDATE,
    why: 'changes that were received are not in its tables',
    hint: 'if it was stopped by hand, START REPLICA; after an error mend the row so that it equals the primary’s, never skip it blindly',
    docs: [
      STATUS_DOC,
      'https://dev.mysql.com/doc/refman/en/performance-schema-replication-applier-status-by-worker-table.html',
      MARIADB_STATUS_DOC,
    ],
    observe: withFact('candidate', 'channels', (channels) => perChannel(channels, observeApplier)),
  },
  {
    code: 'TP-R-MY-UNAPPLIED',
    title: 'everything received is applied',
    severity: { switchover: 'info', failover: 'block' },
    pairs: LOGICAL,
    engines: MYSQL,
    reads: CANDIDATE,
    why: 'these transactions arrived here and would be thrown away by a promotion',
    hint: 'wait until they are applied; only then stop replication and promote',
    docs: [STATUS_DOC, 'https://mariadb.com/kb/en/gtid/#gtid_slave_pos'],
    observe: withFact('candidate', 'unapplied', (text) => [
      text === ''
        ? pass('candidate', 'nothing that was received waits to be applied')
        : fail('candidate', `received and not applied: ${text}`),
    ]),
  },
  {
    code: 'TP-R-MY-ERRANT',
    title: 'the replica has no transactions of its own',
    severity: { switchover: 'block', failover: 'warn' },
    pairs: LOGICAL,
    engines: MYSQL,
    reads: BOTH_SITES,
    why: 'they were written here and the primary never had them; after a promotion every other replica asks for them, and their rows are nobody’s',
    hint: 'compare all tables; then build the replica anew, or on MySQL give the primary empty transactions of these numbers',
    docs: [
      'https://dev.mysql.com/doc/refman/en/replication-gtids-failover.html',
      'https://mariadb.com/kb/en/gtid/#gtid_binlog_state',
    ],
    observe: observeErrant,
  },
  {
    code: 'TP-R-MY-DELAY',
    title: 'the replica is not told to be late',
    severity: { switchover: 'block', failover: 'warn' },
    pairs: LOGICAL,
    engines: MYSQL,
    reads: CANDIDATE,
    why: 'it lacks what the primary committed in that time, and after its loss has to catch up first',
    hint: 'promote another replica, or stop the applier, set the delay to 0 (SOURCE_DELAY; MASTER_DELAY on MariaDB) and wait until all is applied',
    docs: [
      'https://dev.mysql.com/doc/refman/en/replication-delayed.html',
      'https://mariadb.com/kb/en/delayed-replication/',
    ],
    observe: withFact('candidate', 'channels', (channels) =>
      perChannel(channels, ({ name, delaySeconds }) =>
        delaySeconds === 0
          ? pass(name, 'it applies changes as they come')
          : fail(name, `it applies changes ${delaySeconds} s late on purpose`),
      ),
    ),
  },
  {
    code: 'TP-R-MY-FILTERS',
    title: 'nothing is left out by the replica',
    severity: 'block',
    pairs: LOGICAL,
    engines: MYSQL,
    reads: CANDIDATE,
    why: 'what a filter leaves out is missing here or old, and nothing says so later',
    hint: 'take the filter away and build the replica anew; or exclude those tables from what is certified, and waive this',
    docs: [
      'https://dev.mysql.com/doc/refman/en/replication-rules.html',
      'https://mariadb.com/kb/en/replication-filters/',
    ],
    observe: withFact('candidate', 'channels', (channels) =>
      perChannel(channels, ({ name, filters }) =>
        filters.length === 0
          ? pass(name, 'it has no filters')
          : fail(name, `it is filtered: ${filters.join('; ')}`),
      ),
    ),
  },
  {
    code: 'TP-R-MY-LOG-FILTERS',
    title: 'nothing is left out by the primary’s log',
    severity: 'block',
    pairs: LOGICAL,
    engines: MYSQL,
    reads: ['primary'],
    why: 'what the log leaves out never reaches any replica, nor does a TRUNCATE or ALTER of any table that was run in such a database; a ledger knows no more than the log',
    hint: 'take the filter out of the configuration file and restart the primary; then build the replica anew',
    docs: ['https://dev.mysql.com/doc/refman/en/replication-options-binary-log.html'],
    observe: withFact('primary', 'logFilters', (filters) => observeLogFilters('primary', filters)),
  },
  {
    code: 'TP-R-MY-OWN-LOG-FILTERS',
    title: 'nothing is left out by the candidate’s own log',
    severity: 'block',
    pairs: LOGICAL,
    engines: MYSQL,
    reads: CANDIDATE,
    why: 'what is written to it by others shows in its log alone: a TRUNCATE or ALTER of any table is left out with the database that it was run in, and after the promotion no replica gets what is left out',
    hint: 'take the filter out of the configuration file and restart the candidate',
    docs: ['https://dev.mysql.com/doc/refman/en/replication-options-binary-log.html'],
    observe: withFact('candidate', 'logFilters', (filters) => observeLogFilters('candidate', filters)),
  },
  {
    code: 'TP-R-MY-LENIENT',
    title: 'errors of applying are not passed over',
    severity: 'block',
    pairs: LOGICAL,
    engines: MYSQL,
    reads: CANDIDATE,
    why: 'a change that could not be applied was left out without a word, and the next one will be',
    hint: 'set replica_exec_mode to STRICT and replica_skip_errors to OFF (slave_… on MariaDB), here and in the configuration file; then compare all tables',
    docs: ['https://dev.mysql.com/doc/refman/en/replication-options-replica.html'],
    observe: withFact('candidate', 'variables', observeLeniency),
  },
];

function perChannel(
  channels: readonly ChannelFact[],
  observe: (channel: ChannelFact) => Observation,
): readonly Observation[] {
  return channels.length === 0
    ? [unknown('candidate', 'it replicates from nobody')]
    : channels.map((channel) => observe({ ...channel, name: `channel ${channel.name}` }));
}

function observeLogFilters(site: SiteName, filters: readonly string[]): readonly Observation[] {
  return [
    filters.length === 0
      ? pass(site, 'its log leaves nothing out')
      : fail(site, `its log is filtered: ${filters.join('; ')}`),
  ];
}

/** A replica that looks for its source is right to, once the primary is gone, and has nothing to do with it before. */
function observeReceivers(channels: readonly ChannelFact[]): readonly Observation[] {
  return perChannel(channels, ({ name, receiving, receiveErrno }) => {
    if (LOG_GONE.has(receiveErrno)) {
      return fail(
        name,
        `the source can no longer send the log from where this replica stands (error ${receiveErrno})`,
      );
    }
    if (receiving === 'no') {
      return fail(
        name,
        receiveErrno === 0 ? 'receiving is stopped' : `receiving ended with error ${receiveErrno}`,
      );
    }
    return pass(name, receiving === 'yes' ? 'it receives' : 'it is looking for its source');
  });
}

function observeApplier({ name, applying, applyErrno, workers }: ChannelFact): Observation {
  const detail = workers.length === 0 ? '' : ` (${workers.join('; ')})`;
  if (applyErrno !== 0 || workers.length > 0) {
    return fail(name, `a change could not be applied: error ${applyErrno}${detail}`);
  }
  return applying ? pass(name, 'it applies') : fail(name, 'applying is stopped');
}

/**
 * The primary's own transactions, and those it gets from others, may have reached the candidate after the primary was
 * asked: of these only the candidate's own count.
 */
function observeErrant(input: ReadinessInput): readonly Observation[] {
  const channels = factOf(input, 'primary', 'channels');
  if (!channels.known) return [unreadable('primary', channels)];
  const followsOthers = channels.value.length > 0;
  const observe = withBoth('transactions', (theirs, ours) => {
    const [primary, candidate] = [namesOf(input, 'primary'), namesOf(input, 'candidate')];
    const tells = input.candidate.identity?.engine === 'mariadb' ? lastBeyond : beyond;
    const found = ours
      .filter(({ server }) => !primary.has(server) && (!followsOthers || candidate.has(server)))
      .flatMap((one) => tells(one, theirs));
    return found.length === 0
      ? [pass('candidate', 'it has no transactions that the primary lacks')]
      : [fail('candidate', `it has transactions that the primary lacks: ${found.join('; ')}`)];
  });
  return observe(input);
}

/** By what GTIDs name a server. */
function namesOf(input: ReadinessInput, site: SiteName): ReadonlySet<string> {
  const variables = factOf(input, site, 'variables');
  const { server_id: id, server_uuid: uuid } = variables.known ? variables.value : {};
  return new Set([id, uuid?.toLowerCase()].filter((name) => name !== undefined));
}

/** What of these transactions is not among the others, as `source:first-last`. Both are in order and do not overlap. */
function beyond({ source, ranges }: TransactionsFact, others: readonly TransactionsFact[]): string[] {
  const there = others.find((one) => one.source === source)?.ranges ?? [];
  return ranges.flatMap(([from, to]) => {
    const missing: string[] = [];
    let next = BigInt(from);
    const last = BigInt(to);
    for (const [first, end] of there) {
      if (BigInt(end) < next || BigInt(first) > last) continue;
      if (BigInt(first) > next) missing.push(`${source}:${next}-${BigInt(first) - 1n}`);
      next = BigInt(end) + 1n;
    }
    return next > last ? missing : [...missing, `${source}:${next}-${last}`];
  });
}

/**
 * MariaDB's log tells the last transaction of each server in each domain, and numbers of a domain are counted on by all
 * of its servers: which ones were before that, or how many, nothing tells.
 */
function lastBeyond(ours: TransactionsFact, others: readonly TransactionsFact[]): string[] {
  const { source, server } = ours;
  const last = lastOf(ours);
  const known = others.filter((one) => one.source === source).map(lastOf);
  const shared = known.reduce((most, one) => (one > most ? one : most), 0n);
  if (last <= shared) return [];
  const since = shared === 0n ? '' : ` (the primary has those up to ${source}-${shared})`;
  return [
    `${source}-${last}${since}, the last one of server_id ${server}; how many came before it is not told`,
  ];
}

function lastOf({ ranges }: TransactionsFact): bigint {
  return ranges.reduce((most, [, last]) => (BigInt(last) > most ? BigInt(last) : most), 0n);
}

/** Values of MySQL, and MariaDB's under its names (MySQL manual, "Replica Server Options and Variables"). */
function observeLeniency(variables: Readonly<Record<string, string>>): readonly Observation[] {
  const { replica_exec_mode: mode = '', replica_skip_errors: skipped = '' } = variables;
  const found: Observation[] = [];
  if (mode.toUpperCase() === 'IDEMPOTENT') {
    found.push(
      fail(
        'candidate',
        'replica_exec_mode is IDEMPOTENT: rows that are missing or there already are no error',
      ),
    );
  }
  if (!['', 'OFF', '0'].includes(skipped.toUpperCase())) {
    found.push(fail('candidate', `errors are skipped: replica_skip_errors is ${skipped}`));
  }
  return noneOf(found, 'a change that cannot be applied stops replication');
}
