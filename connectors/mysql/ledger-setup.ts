import type { Finding } from '../../src/connector/identity.ts';
import type { LedgerSetup } from '../../src/connector/ledger-sites.ts';
import { TwinproofError } from '../../src/errors.ts';
import { ACCOUNTS_NEED, definersNeed } from './facts-accounts.ts';
import { readVariables } from './identity-variables.ts';
import { streamFindings } from './preflight-log.ts';
import { readAccount } from './preflight-role.ts';
import { readPrivileges } from './privileges.ts';
import { readChannels } from './relation-channels.ts';
import type { Session } from './session.ts';
import { quoted } from './table.ts';

/** A log that is deleted sooner leaves no time to notice that `watch` stands still. */
const RETENTION_MIN_S = 86_400;
const DAY_S = 86_400;

interface Wish {
  /** As a GRANT names them. */
  readonly privileges: readonly string[];
  readonly on: string;
  /** What it lets be read, of one table. */
  readonly columns?: string;
}

/**
 * What an account needs, so that the log can be streamed, tables be read, and `certify` find nothing unread that keeps
 * a verdict from SAFE, as SQL for an administrator, and what of the server's settings stands in the way. Tables are
 * granted by database: grants on single ones hide the others from the catalog. `role` is `name` or `name@host`.
 */
export async function readLedgerSetup(
  session: Session,
  role: string | null,
  signal: AbortSignal,
): Promise<LedgerSetup> {
  const replica = (await readChannels(session, signal)).length > 0;
  const wishes = wishesOf(session, replica);
  const findings = [
    ...(await streamFindings(session, signal)),
    ...(await retentionFindings(session, signal)),
    ...(replica ? await replicaFindings(session, signal) : []),
  ];
  if (role !== null) {
    const account = accountOf(role);
    const sql = [...creation(session, account), ...wishes.map((wish) => grant(wish, account))];
    return { sql: [...where(replica), ...sql].join('\n'), findings };
  }
  const account = await readAccount(session, signal);
  const missing: string[] = [];
  for (const wish of wishes) {
    const lacking = await lackingOf(session, wish, signal);
    if (lacking.length > 0) missing.push(grant({ ...wish, privileges: lacking }, account));
  }
  return { sql: (missing.length === 0 ? [] : [...where(replica), ...missing]).join('\n'), findings };
}

function where(replica: boolean): readonly string[] {
  return replica ? ['-- accounts come here by replication: run this on the primary'] : [];
}

/**
 * Privileges of both flavors by what they are called there (MySQL manual, "Privileges Provided by MySQL"; MariaDB
 * knowledge base, "GRANT"). On a replica also one table: how far the reading snapshot is (MariaDB), and when what was
 * applied last had been committed (MySQL). Accounts, and who defined views and routines, are for readiness.
 */
function wishesOf(session: Session, replica: boolean): readonly Wish[] {
  const { flavor, target } = session;
  const mysql = flavor === 'mysql';
  const definers = definersNeed(session);
  const state = mysql ? ['REPLICATION CLIENT'] : ['BINLOG MONITOR', ...(replica ? ['SLAVE MONITOR'] : [])];
  const place = mysql ? 'performance_schema.replication_applier_status_by_worker' : 'mysql.gtid_slave_pos';
  return [
    {
      privileges: ['PROCESS', 'REPLICATION SLAVE', ...state, ...(mysql ? [definers.privileges] : [])],
      on: '*.*',
    },
    { privileges: ['SELECT', 'SHOW VIEW'], on: `${quoted(target.database)}.*` },
    ...(replica ? [{ privileges: ['SELECT'], on: place }] : []),
    ...[ACCOUNTS_NEED, ...(mysql ? [] : [definers])].map(({ privileges, on }) => ({
      privileges: [privileges],
      on,
      columns: /\((.*)\)/.exec(privileges)?.[1] ?? '1',
    })),
  ];
}

/** Privileges that come by roles are not listed: a table is tried, the others are granted once more. */
async function lackingOf(
  session: Session,
  { privileges, on, columns = '1' }: Wish,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (on === '*.*' || on.endsWith('.*')) {
    const rows = await readPrivileges(session, 'DATABASE()', signal);
    return privileges.filter((name) => !rows.some(({ privilege }) => privilege === name));
  }
  try {
    await session.rows(`SELECT ${columns} FROM ${on} LIMIT 0`, [], signal);
    return [];
  } catch (error) {
    if (!(error instanceof TwinproofError) || error.code !== 'TP-PERMISSION') throw error;
    return privileges;
  }
}

function grant({ privileges, on }: Wish, account: string): string {
  return `GRANT ${privileges.join(', ')} ON ${on} TO ${account};`;
}

/** Names are compared and written as MySQL does: the host is what follows the last @. */
function accountOf(role: string): string {
  const at = role.lastIndexOf('@');
  const [user, host] = at < 0 ? [role, '%'] : [role.slice(0, at), role.slice(at + 1)];
  return `${quoted(user)}@${quoted(host)}`;
}

/** An account that is there already stays as it is. */
function creation({ flavor }: Session, account: string): readonly string[] {
  return flavor === 'mysql'
    ? [
        '-- a new account gets a password that the server makes and prints',
        `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY RANDOM PASSWORD;`,
      ]
    : [
        `-- a new account is locked until it has a password: ALTER USER ${account} IDENTIFIED BY '…' ACCOUNT UNLOCK;`,
        `CREATE USER IF NOT EXISTS ${account} ACCOUNT LOCK;`,
      ];
}

async function retentionFindings(session: Session, signal: AbortSignal): Promise<Finding[]> {
  const names = ['binlog_expire_logs_seconds', 'expire_logs_days'];
  const variables = await readVariables(session, names, signal);
  const seconds = Number(variables.get('binlog_expire_logs_seconds') ?? 0);
  const days = Number(variables.get('expire_logs_days') ?? 0);
  const kept = seconds > 0 ? seconds : days * DAY_S;
  if (kept === 0 || kept >= RETENTION_MIN_S) return [];
  return [
    {
      code: 'TP-P-LOG-RETENTION',
      severity: 'warn',
      subject: 'binlog_expire_logs_seconds',
      message: `the server deletes its log after ${kept} s: a watch that is away for longer has lost what was in it`,
      hint: 'keep a day or more, as far as the disk goes',
      sql: 'SET GLOBAL binlog_expire_logs_seconds = 259200;',
    },
  ];
}

/** A candidate's own log is where writes of others show. */
async function replicaFindings(session: Session, signal: AbortSignal): Promise<Finding[]> {
  const variables = await readVariables(session, ['log_replica_updates', 'log_slave_updates'], signal);
  const name = variables.has('log_replica_updates') ? 'log_replica_updates' : 'log_slave_updates';
  if (variables.get(name)?.toUpperCase() === 'ON') return [];
  return [
    {
      code: 'TP-P-LOG-REPLICA',
      severity: 'block',
      subject: name,
      message:
        'the replica does not log what it applies: its own log says nothing of how far it is, so writes of others to it are not seen',
      hint: `set ${name} = ON in the configuration file and restart the server`,
    },
  ];
}
