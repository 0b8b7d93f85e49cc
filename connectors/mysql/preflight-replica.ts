import type { Finding } from '../../src/connector/identity.ts';
import { parseGtids } from './gtid-list.ts';
import { filterServers, formatGtidSet } from './gtid-set.ts';
import type { MysqlIdentity } from './identity.ts';
import { isOn, readVariables, type Variables } from './identity-variables.ts';
import { readExecuted, type Lineage } from './positions.ts';
import { usesGtids } from './positions-log.ts';
import { nameOfChannel, type Channel } from './relation-channels.ts';
import type { Session } from './session.ts';

const NAMES: readonly string[] = [
  'read_only',
  'super_read_only',
  'slave_exec_mode',
  'replica_exec_mode',
  'slave_skip_errors',
  'replica_skip_errors',
  'sql_slave_skip_counter',
  'sql_replica_skip_counter',
];

/**
 * The source cannot send the log that is asked for: ER_MASTER_FATAL_ERROR_READING_BINLOG, which newer versions of MySQL
 * report by the number it has in the error log, MY-013114.
 */
const LOG_GONE: ReadonlySet<number> = new Set([1236, 13_114]);

/** What of a replica's replication, and of what else may write to it, weakens evidence. */
export async function replicaFindings(
  session: Session,
  identity: MysqlIdentity,
  channels: readonly Channel[],
  lineage: Lineage | null,
  signal: AbortSignal,
): Promise<Finding[]> {
  const variables = await readVariables(session, NAMES, signal);
  return [
    ...writableFindings(variables, session.flavor),
    ...leniencyFindings(variables, channels),
    ...channels.flatMap((channel) => channelFindings(channel, session.flavor)),
    ...(await errantFindings(session, identity, lineage, signal)),
    ...purgedFindings(lineage),
  ];
}

function writableFindings(variables: Variables, flavor: Session['flavor']): Finding[] {
  const names = flavor === 'mysql' ? ['read_only', 'super_read_only'] : ['read_only'];
  const off = names.filter((name) => !isOn(variables, name));
  if (off.length === 0) return [];
  const everyone = !isOn(variables, 'read_only');
  const strongest = names.at(-1) ?? 'read_only';
  return [
    {
      code: 'TP-P-WRITABLE',
      severity: everyone ? 'warn' : 'info',
      subject: off.join(', '),
      message: everyone
        ? 'anybody with write privileges can write to this replica, and what is written here the primary never has'
        : 'administrators can write to this replica',
      hint: 'forbid it, here and in the configuration file',
      sql: `SET GLOBAL ${strongest} = ON;`,
    },
  ];
}

/** Settings that make replication go on where it should stop. */
function leniencyFindings(variables: Variables, channels: readonly Channel[]): Finding[] {
  const either = (name: string): string =>
    variables.get(`replica_${name}`) ?? variables.get(`slave_${name}`) ?? '';
  const found: string[] = [];
  if (either('exec_mode').toUpperCase() === 'IDEMPOTENT') found.push('replica_exec_mode is IDEMPOTENT');
  if (!['', 'OFF'].includes(either('skip_errors').toUpperCase())) {
    found.push(`replica_skip_errors is ${either('skip_errors')}`);
  }
  const counters = ['sql_replica_skip_counter', 'sql_slave_skip_counter'];
  const waiting = [
    ...counters.map((name) => variables.get(name) ?? '0'),
    ...channels.map((channel) => channel.skipCounter),
  ].find((count) => count !== '0' && count !== '');
  if (waiting !== undefined) found.push(`the next ${waiting} events are set to be skipped`);
  if (found.length === 0) return [];
  return [
    {
      code: 'TP-P-SKIPS',
      severity: 'warn',
      subject: 'replication',
      message: `${found.join('; ')}: a change that cannot be applied is left out without a word`,
      hint: 'set replica_exec_mode=STRICT, replica_skip_errors=OFF and no skip counter; then compare all tables',
    },
  ];
}

function channelFindings(channel: Channel, flavor: Session['flavor']): Finding[] {
  const findings: Finding[] = [];
  const name = nameOfChannel(channel);
  const add = (code: string, severity: Finding['severity'], message: string, hint: string): void => {
    findings.push({ code, severity, subject: `channel ${name}`, message, hint });
  };
  const status = flavor === 'mysql' ? 'SHOW REPLICA STATUS' : 'SHOW ALL SLAVES STATUS';
  if (LOG_GONE.has(channel.receiveErrno)) {
    add(
      'TP-P-PURGED',
      'block',
      `the source cannot send the log from where this replica stands (error ${channel.receiveErrno})`,
      'the source purged what this replica lacks, or the replica has what the source lacks: build the replica anew',
    );
  } else if (channel.receiveErrno !== 0) {
    add(
      'TP-P-REPLICATION-ERROR',
      'warn',
      `receiving fails with error ${channel.receiveErrno}`,
      `${status} says more: host, port, account and password, and whether the source runs`,
    );
  }
  if (channel.applyErrno !== 0) {
    add(
      'TP-P-REPLICATION-ERROR',
      'block',
      `a change of the primary could not be applied (error ${channel.applyErrno}); nothing after it is`,
      `${status} names the row; mend it so that it equals the primary’s, never skip it blindly`,
    );
  } else if (!channel.applying || channel.receiving === 'no') {
    const what = [channel.receiving === 'no' ? 'receiving' : '', channel.applying ? '' : 'applying'];
    add(
      'TP-P-REPLICATION-STOPPED',
      'warn',
      `${what.filter((one) => one !== '').join(' and ')} is stopped: this replica falls behind`,
      flavor === 'mysql'
        ? 'START REPLICA, when it is known why it was stopped'
        : 'START SLAVE, when it is known why it was stopped',
    );
  }
  if (channel.delaySeconds > 0) {
    add(
      'TP-P-DELAY',
      'warn',
      `it applies changes ${channel.delaySeconds} s late on purpose`,
      'a comparison waits for the replica to catch up with the primary: use another replica, or take the delay away',
    );
  }
  if (channel.filters.length > 0) {
    add(
      'TP-P-FILTERS',
      'warn',
      `replication is filtered (${channel.filters.join('; ')}): what is left out is missing here`,
      'take the filters away, or exclude those tables',
    );
  }
  return findings;
}

/** Transactions that were written here. Only the primary's set says for certain that it lacks them. */
async function errantFindings(
  session: Session,
  identity: MysqlIdentity,
  lineage: Lineage | null,
  signal: AbortSignal,
): Promise<Finding[]> {
  const hint =
    'compare all tables; then give the primary empty transactions of these GTIDs, or build the replica anew';
  if (lineage !== null) {
    if (lineage.errant === null) return [];
    return [
      {
        code: 'TP-P-ERRANT',
        severity: 'warn',
        subject: lineage.errant,
        message: `the candidate has transactions that the primary does not have: ${lineage.errant}`,
        hint,
      },
    ];
  }
  const own = await readOwnTransactions(session, identity, signal);
  if (own === '') return [];
  return [
    {
      code: 'TP-P-ERRANT',
      severity: 'info',
      subject: own,
      message: `this replica has written transactions of its own: ${own}`,
      hint: 'that is right if it was the primary once, and the present one has them too; verify looks at both sites',
    },
  ];
}

/** GTIDs under the server's own name: a replica's are those that did not come by replication, now or earlier. */
async function readOwnTransactions(
  session: Session,
  identity: MysqlIdentity,
  signal: AbortSignal,
): Promise<string> {
  if (session.flavor === 'mysql') {
    if (!(await usesGtids(session, signal))) return '';
    return formatGtidSet(
      filterServers(await readExecuted(session, signal), (uuid) => uuid === identity.systemId),
    );
  }
  const variables = await readVariables(session, ['gtid_binlog_state'], signal);
  return parseGtids(variables.get('gtid_binlog_state') ?? '')
    .filter(({ server }) => server === BigInt(identity.serverId))
    .map(({ domain, server, sequence }) => `${domain}-${server}-${sequence}`)
    .join(',');
}

function purgedFindings(lineage: Lineage | null): Finding[] {
  if (lineage?.purged == null) return [];
  return [
    {
      code: 'TP-P-PURGED',
      severity: 'block',
      subject: lineage.purged,
      message: `the primary has purged transactions that the candidate lacks: ${lineage.purged}`,
      hint: 'they can no longer be sent: build the replica anew; keep logs longer (binlog_expire_logs_seconds)',
    },
  ];
}
