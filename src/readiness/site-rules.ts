import {
  ALL_PAIRS,
  APPLIED,
  BOTH_SITES,
  CANDIDATE,
  PHYSICAL,
  PRIMARY,
  factNamed,
  fail,
  pass,
  readFact,
  unknown,
  type Observation,
  type ReadinessInput,
  type Rule,
  type SiteName,
} from './rule.ts';

/** Rules about what the two sites are: roles, lineage, and what the candidate would lose by becoming the primary. */
export const SITE_RULES: readonly Rule[] = [
  {
    code: 'TP-R-RECOVERY',
    title: 'the candidate is in recovery',
    severity: 'block',
    pairs: PHYSICAL,
    reads: CANDIDATE,
    unwaivable: true,
    why: 'a standby that left recovery no longer follows the primary: it was promoted already, or was never a standby',
    hint: 'find out who promoted it and whether applications write to it; rebuild it as a standby before it counts as a candidate',
    docs: ['https://www.postgresql.org/docs/current/warm-standby-failover.html'],
    observe: (input) =>
      observeFlag(input, 'candidate', 'inRecovery', {
        good: true,
        whenTrue: 'it is in recovery, as a standby should be',
        whenFalse: 'it is not in recovery',
      }),
  },
  {
    code: 'TP-R-PRIMARY-ROLE',
    title: 'the primary is the primary',
    severity: { switchover: 'block', failover: 'info' },
    pairs: PHYSICAL,
    reads: PRIMARY,
    unwaivable: true,
    why: 'what the candidate was compared with is itself a copy, and may be behind the real primary',
    hint: 'give the address of the server that takes writes; if the sites changed roles, swap the two URLs',
    docs: ['https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-RECOVERY-INFO-TABLE'],
    observe: (input) =>
      observeFlag(input, 'primary', 'inRecovery', {
        good: false,
        whenTrue: 'it is in recovery',
        whenFalse: 'it is not in recovery, as a primary should be',
      }),
  },
  {
    code: 'TP-R-REPLAY-PAUSED',
    title: 'replay is not paused',
    severity: 'block',
    pairs: PHYSICAL,
    reads: CANDIDATE,
    why: 'log that arrives is not applied, so the candidate falls behind for as long as the pause lasts',
    hint: 'SELECT pg_wal_replay_resume(); find out first who paused it, and why',
    docs: ['https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-RECOVERY-CONTROL'],
    observe: (input) =>
      observeFlag(input, 'candidate', 'replayPaused', {
        good: false,
        whenTrue: 'replay is paused',
        whenFalse: 'replay is not paused',
      }),
  },
  {
    code: 'TP-R-SECOND-WRITER',
    title: 'only one site takes writes',
    severity: 'block',
    pairs: PHYSICAL,
    reads: CANDIDATE,
    unwaivable: true,
    why: 'two sites take writes at once, and their rows can no longer be told apart from lost or invented ones',
    hint: 'stop the applications that write to it and fence it before anything else; then compare both sites by hand',
    docs: ['https://www.postgresql.org/docs/current/warm-standby-failover.html'],
    observe: observeSecondWriter,
  },
  {
    code: 'TP-R-WRITABLE-SUBSCRIBER',
    title: 'the candidate will take writes',
    severity: 'info',
    pairs: APPLIED,
    reads: CANDIDATE,
    why: 'applications will be refused after the promotion until it takes writes',
    hint: {
      postgres: 'look at default_transaction_read_only before the promotion',
      mysql:
        'SET GLOBAL read_only = OFF (super_read_only too on MySQL) is a part of the promotion, and of the configuration file',
    },
    docs: ['https://www.postgresql.org/docs/current/logical-replication-subscription.html'],
    observe: (input) =>
      observeFlag(input, 'candidate', 'writable', {
        good: true,
        whenTrue:
          'it takes writes, which is normal where rows are applied; who else writes to it is not watched',
        whenFalse: 'it takes no writes',
      }),
  },
  {
    code: 'TP-R-SYSTEM-ID',
    title: 'both sites are of one cluster',
    severity: 'block',
    pairs: PHYSICAL,
    reads: BOTH_SITES,
    unwaivable: true,
    why: 'a standby shares the system identifier of its primary: these two never belonged together',
    hint: 'check both addresses; this candidate is a standby of another server',
    docs: ['https://www.postgresql.org/docs/current/protocol-replication.html'],
    observe: (input) => observeEqual(input, 'systemId', 'system identifier'),
  },
  {
    code: 'TP-R-TIMELINE',
    title: 'both sites are on one timeline',
    severity: 'block',
    pairs: PHYSICAL,
    reads: BOTH_SITES,
    unwaivable: true,
    why: 'one of the two was promoted since they parted, and they may hold different histories',
    hint: 'find the fork in the .history files; rebuild the candidate, or use pg_rewind',
    docs: ['https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-TIMELINES'],
    observe: (input) => observeEqual(input, 'timeline', 'timeline'),
  },
  {
    code: 'TP-R-STABLE-IDENTITY',
    title: 'one server answered as the candidate',
    severity: 'block',
    pairs: ALL_PAIRS,
    reads: CANDIDATE,
    unwaivable: true,
    why: 'the address was answered by two different servers during one run, so the evidence is about neither',
    hint: 'give the address of one server, not a virtual IP, a DNS name that moves or a pooler; then run again',
    docs: ['https://www.postgresql.org/docs/current/protocol-replication.html'],
    observe: (input) => [observeStable(input, 'candidate')],
  },
  {
    code: 'TP-R-STABLE-PRIMARY',
    title: 'one server answered as the primary',
    severity: { switchover: 'block', failover: 'info' },
    pairs: ALL_PAIRS,
    reads: PRIMARY,
    unwaivable: true,
    why: 'the address was answered by two different servers during one run, so the evidence is about neither',
    hint: 'give the address of one server, not a virtual IP, a DNS name that moves or a pooler; then run again',
    docs: ['https://www.postgresql.org/docs/current/protocol-replication.html'],
    observe: (input) => [observeStable(input, 'primary')],
  },
  {
    code: 'TP-R-UNLOGGED',
    title: 'no table is empty after the promotion',
    severity: 'block',
    pairs: ALL_PAIRS,
    reads: CANDIDATE,
    why: {
      postgres: 'an unlogged table is not replicated: it is empty after the promotion',
      mysql: 'its engine keeps no rows: after a restart it is empty',
    },
    hint: {
      postgres:
        'ALTER TABLE … SET LOGGED on the primary, or drop it if the application rebuilds it by itself',
      mysql:
        'ALTER TABLE … ENGINE = InnoDB on the primary, or drop it if the application rebuilds it by itself',
    },
    docs: ['https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-UNLOGGED'],
    observe: observeUnlogged,
  },
  {
    code: 'TP-R-UNREAD',
    title: 'nothing was left unread',
    severity: 'block',
    pairs: ALL_PAIRS,
    reads: BOTH_SITES,
    unwaivable: true,
    why: 'it may hide a reason not to promote',
    hint: 'run `twinproof preflight` to see the missing grants',
    docs: [],
    observe: observeUnread,
  },
];

interface FlagWords {
  readonly good: boolean;
  readonly whenTrue: string;
  readonly whenFalse: string;
}

function observeFlag(
  input: ReadinessInput,
  site: SiteName,
  fact: 'inRecovery' | 'writable' | 'replayPaused',
  words: FlagWords,
): readonly Observation[] {
  const reading = readFact(input, site, fact);
  if (!reading.known) return [unknown(site, reading.reason)];
  const seen = reading.value ? words.whenTrue : words.whenFalse;
  return [reading.value === words.good ? pass(site, seen) : fail(site, seen)];
}

/** Either source is enough to convict: the site may have been promoted between the two readings. */
function observeSecondWriter(input: ReadinessInput): readonly Observation[] {
  const reading = readFact(input, 'candidate', 'writable');
  if ((reading.known && reading.value) || input.candidate.identity?.writable === true) {
    return [fail('candidate', 'it takes writes')];
  }
  return [reading.known ? pass('candidate', 'it takes no writes') : unknown('candidate', reading.reason)];
}

function observeEqual(
  input: ReadinessInput,
  fact: 'systemId' | 'timeline',
  word: string,
): readonly Observation[] {
  const primary = readFact(input, 'primary', fact);
  const candidate = readFact(input, 'candidate', fact);
  if (!primary.known) return [unknown('primary', primary.reason)];
  if (!candidate.known) return [unknown('candidate', candidate.reason)];
  return [
    primary.value === candidate.value
      ? pass('candidate', `its ${word} is the primary’s (${primary.value})`)
      : fail('candidate', `its ${word} is ${candidate.value}, the primary’s is ${primary.value}`),
  ];
}

function observeStable(input: ReadinessInput, site: SiteName): Observation {
  const reading = readFact(input, site, 'systemId');
  const { identity } = input[site];
  if (!reading.known) return unknown(site, reading.reason);
  if (identity === null) return unknown(site, `the ${site} was not identified`);
  return identity.systemId === reading.value
    ? pass(site, `it was the same server throughout (${reading.value})`)
    : fail(site, `it was ${identity.systemId} when identified and ${reading.value} when checked`);
}

function observeUnlogged(input: ReadinessInput): readonly Observation[] {
  const reading = readFact(input, 'candidate', 'unloggedTables');
  if (!reading.known) return [unknown('candidate', reading.reason)];
  if (reading.value.length === 0) return [pass('candidate', 'it has no such table')];
  return reading.value.map((table) => fail(table, 'its rows are not kept'));
}

/** What a connector could not read and no rule asks for is still not known. */
function observeUnread(input: ReadinessInput): readonly Observation[] {
  const strays = BOTH_SITES.flatMap((site) =>
    (input[site].facts?.unread ?? [])
      .filter((entry) => factNamed(entry.fact) === null)
      .map((entry) => unknown(site, `${entry.fact} could not be read: ${entry.reason}`)),
  );
  return strays.length > 0 ? strays : [pass('candidate', 'nothing else was left unread')];
}
