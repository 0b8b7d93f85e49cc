import { isYes, shown, withBoth, withFact } from './mysql-fact.ts';
import {
  APPLIED,
  BOTH_SITES,
  CANDIDATE,
  fail,
  LOGICAL,
  MYSQL,
  noneOf,
  pass,
  type Observation,
  type Rule,
} from './rule.ts';

type Variables = Readonly<Record<string, string>>;

/** Rules about how the candidate's server is set up to be a primary. */
export const MYSQL_SERVER_RULES: readonly Rule[] = [
  {
    code: 'TP-R-MY-WRITABLE',
    title: 'nobody but replication writes to the replica',
    severity: 'block',
    pairs: LOGICAL,
    engines: MYSQL,
    reads: CANDIDATE,
    why: 'two sites take writes, and what is written here the primary never has',
    hint: 'SET GLOBAL read_only = ON (super_read_only on MySQL), here and in the configuration file; then compare all tables',
    docs: ['https://dev.mysql.com/doc/refman/en/server-system-variables.html#sysvar_read_only'],
    observe: withFact('candidate', 'variables', ({ read_only: value }) => [
      isYes(value)
        ? pass('candidate', 'it refuses writes (read_only)')
        : fail('candidate', 'read_only is off: whoever has write privileges can write to it'),
    ]),
  },
  {
    code: 'TP-R-MY-SUPER-WRITABLE',
    title: 'administrators do not write to the replica either',
    severity: 'warn',
    pairs: LOGICAL,
    engines: ['mysql'],
    reads: CANDIDATE,
    why: 'scripts and people with administrative accounts can write to it by mistake',
    hint: 'SET GLOBAL super_read_only = ON, here and in the configuration file',
    docs: ['https://dev.mysql.com/doc/refman/en/server-system-variables.html#sysvar_super_read_only'],
    observe: withFact('candidate', 'variables', ({ super_read_only: value }) => [
      isYes(value)
        ? pass('candidate', 'it refuses writes of administrators too')
        : fail('candidate', 'super_read_only is off'),
    ]),
  },
  {
    code: 'TP-R-MY-LOG',
    title: 'the candidate logs what it applies',
    severity: { switchover: 'block', failover: 'warn' },
    pairs: APPLIED,
    engines: MYSQL,
    reads: CANDIDATE,
    why: 'after the promotion nothing can replicate from it, and there is no recovery to a point in time',
    hint: 'set log_bin and log_replica_updates (log_slave_updates on MariaDB) in the configuration file and restart it',
    docs: ['https://dev.mysql.com/doc/refman/en/replication-options-binary-log.html'],
    observe: withFact('candidate', 'variables', observeLog),
  },
  {
    code: 'TP-R-MY-GTID',
    title: 'both sites number every transaction',
    severity: { switchover: 'warn', failover: 'info' },
    pairs: LOGICAL,
    engines: MYSQL,
    reads: BOTH_SITES,
    why: 'after the promotion the other replicas, and the old primary, cannot find their place by themselves',
    hint: 'turn GTIDs on, one step at a time, on every server; on MariaDB CHANGE MASTER TO MASTER_USE_GTID = slave_pos',
    docs: [
      'https://dev.mysql.com/doc/refman/en/replication-mode-change-online-enable-gtids.html',
      'https://mariadb.com/kb/en/gtid/',
    ],
    observe: (input) => [
      ...withBoth('variables', observeGtidMode)(input),
      ...withFact('candidate', 'channels', (channels) =>
        channels
          .filter(({ byGtid }) => !byGtid)
          .map(({ name }) => fail(`channel ${name}`, 'it asks for the log by file and offset')),
      )(input),
    ],
  },
  {
    code: 'TP-R-MY-ROW-LOG',
    title: 'the candidate logs whole rows',
    severity: 'warn',
    pairs: APPLIED,
    engines: MYSQL,
    reads: CANDIDATE,
    why: 'once it is the primary, replicas may do something else than it did, and readers of the log lack columns',
    hint: 'SET GLOBAL binlog_format = ROW, binlog_row_image = FULL, here and in the configuration file',
    docs: ['https://dev.mysql.com/doc/refman/en/replication-options-binary-log.html#sysvar_binlog_row_image'],
    observe: withFact('candidate', 'variables', (variables) =>
      noneOf(
        [...unlike(variables, 'binlog_format', 'ROW'), ...unlike(variables, 'binlog_row_image', 'FULL')],
        'it logs rows, and every column of them',
      ),
    ),
  },
  {
    code: 'TP-R-MY-DURABILITY',
    title: 'a commit survives a crash of the candidate',
    severity: 'warn',
    pairs: APPLIED,
    engines: MYSQL,
    reads: CANDIDATE,
    why: 'once it is the primary, a crash of its machine loses commits that applications saw succeed',
    hint: 'SET GLOBAL sync_binlog = 1, innodb_flush_log_at_trx_commit = 1 before the promotion, and in the configuration file',
    docs: [
      'https://dev.mysql.com/doc/refman/en/replication-options-binary-log.html#sysvar_sync_binlog',
      'https://dev.mysql.com/doc/refman/en/innodb-parameters.html#sysvar_innodb_flush_log_at_trx_commit',
    ],
    observe: withFact('candidate', 'variables', (variables) =>
      noneOf(
        [
          ...unlike(variables, 'sync_binlog', '1'),
          ...unlike(variables, 'innodb_flush_log_at_trx_commit', '1'),
        ],
        'log and data are flushed at every commit',
      ),
    ),
  },
  {
    code: 'TP-R-MY-SEMISYNC',
    title: 'the primary still waits for a replica',
    severity: { switchover: 'info', failover: 'warn' },
    pairs: LOGICAL,
    engines: MYSQL,
    reads: ['primary'],
    why: 'semi-synchronous replication has fallen back to asynchronous: commits since then may be on no other site',
    hint: 'see why no replica acknowledges in time; until then a loss of nothing cannot be claimed',
    docs: [
      'https://dev.mysql.com/doc/refman/en/replication-semisync-monitoring.html',
      'https://mariadb.com/kb/en/semisynchronous-replication/',
    ],
    observe: (input) => [
      ...withFact('primary', 'variables', (variables) =>
        isYes(variables['rpl_semi_sync_source_enabled'])
          ? withFact('primary', 'status', (status) => [
              isYes(status['rpl_semi_sync_source_status'])
                ? pass('primary', 'its commits wait for a replica')
                : fail('primary', 'its commits should wait for a replica, and do not'),
            ])(input)
          : [pass('primary', 'its commits are not meant to wait for a replica')],
      )(input),
    ],
  },
  {
    code: 'TP-R-MY-SEMISYNC-NEXT',
    title: 'the candidate would wait for a replica as the primary does',
    severity: 'warn',
    pairs: LOGICAL,
    engines: MYSQL,
    reads: BOTH_SITES,
    why: 'after the promotion commits would no longer wait for another site',
    hint: 'install the plugin of the source on the candidate and set rpl_semi_sync_source_enabled (…_master_… on MariaDB) as on the primary',
    docs: ['https://dev.mysql.com/doc/refman/en/replication-semisync-installation.html'],
    observe: withBoth('variables', (primary, candidate) => {
      const name = 'rpl_semi_sync_source_enabled';
      if (!isYes(primary[name])) return [pass('candidate', 'the primary does not wait for a replica')];
      return [
        isYes(candidate[name])
          ? pass('candidate', 'it is set up to wait for a replica')
          : fail('candidate', `${name} is ${shown(candidate[name])} here and on at the primary`),
      ];
    }),
  },
  {
    code: 'TP-R-MY-SERVER-ID',
    title: 'the servers have numbers of their own',
    severity: { switchover: 'block', failover: 'warn' },
    pairs: LOGICAL,
    engines: MYSQL,
    reads: BOTH_SITES,
    why: 'a server ignores changes that carry its own number: replication between the two, in either direction, stops or loses changes',
    hint: 'give each server a server_id of its own; a copied data folder also needs a new auto.cnf',
    docs: ['https://dev.mysql.com/doc/refman/en/replication-options.html#sysvar_server_id'],
    observe: withBoth('variables', (primary, candidate) =>
      noneOf(
        ['server_id', 'server_uuid']
          .filter((name) => primary[name] !== undefined && primary[name] === candidate[name])
          .map((name) => fail('candidate', `its ${name} is the primary’s (${shown(candidate[name])})`)),
        'server_id differs from the primary’s',
      ),
    ),
  },
  {
    code: 'TP-R-MY-VERSION',
    title: 'the candidate runs the primary’s version',
    severity: 'warn',
    pairs: LOGICAL,
    engines: MYSQL,
    reads: BOTH_SITES,
    why: 'a newer server cannot be followed by the old primary, so there is no way back; on an older one features may be missing',
    hint: 'bring both sites to one version before the day',
    docs: ['https://dev.mysql.com/doc/refman/en/replication-compatibility.html'],
    observe: withBoth('variables', observeVersion),
  },
];

function observeLog({ log_bin: log, log_replica_updates: updates }: Variables): readonly Observation[] {
  if (!isYes(log)) return [fail('candidate', 'it keeps no binary log')];
  return [
    isYes(updates)
      ? pass('candidate', 'it logs what it applies')
      : fail('candidate', 'log_replica_updates is off: what it applied is not in its log'),
  ];
}

/** MariaDB numbers every transaction and has no such variable. */
function observeGtidMode(primary: Variables, candidate: Variables): readonly Observation[] {
  const found = (['primary', 'candidate'] as const).flatMap((site) => {
    const mode = (site === 'primary' ? primary : candidate)['gtid_mode'];
    return mode === undefined || mode === 'ON' ? [] : [fail(site, `gtid_mode is ${mode}`)];
  });
  return noneOf(found, 'every transaction has a GTID');
}

function unlike(variables: Variables, name: string, good: string): Observation[] {
  const value = variables[name];
  // What a version no longer lets anybody choose is as it should be.
  if (value === undefined || value.toUpperCase() === good) return [];
  return [fail('candidate', `${name} is ${value}`)];
}

function observeVersion(primary: Variables, candidate: Variables): readonly Observation[] {
  const [theirs, ours] = [seriesOf(primary['version']), seriesOf(candidate['version'])];
  const seen = `it runs ${shown(candidate['version'])}, the primary ${shown(primary['version'])}`;
  return [theirs === ours ? pass('candidate', seen) : fail('candidate', seen)];
}

/** Major and minor: within them servers of either flavor replicate in both directions. */
function seriesOf(version = ''): string {
  return /^\d+\.\d+/.exec(version)?.[0] ?? version;
}
