import type { Finding } from '../../src/connector/identity.ts';
import { TwinproofError } from '../../src/errors.ts';
import { serverErrno } from './failure.ts';
import { readLogPlace } from './positions-log.ts';
import { readPrivileges, type PrivilegeRow } from './privileges.ts';
import type { Session } from './session.ts';

/** Privileges that let a role change data, files or the server: far more than reading needs. */
const EXCESS: ReadonlySet<string> = new Set([
  'SUPER',
  'INSERT',
  'UPDATE',
  'DELETE',
  'DELETE HISTORY',
  'CREATE',
  'DROP',
  'ALTER',
  'FILE',
  'SHUTDOWN',
  'RELOAD',
  'CREATE USER',
  'SYSTEM_VARIABLES_ADMIN',
  'CONNECTION_ADMIN',
  'CONNECTION ADMIN',
  'READ_ONLY ADMIN',
  'BINLOG_ADMIN',
  'BINLOG ADMIN',
  'REPLICATION_SLAVE_ADMIN',
  'REPLICATION SLAVE ADMIN',
]);

/** What the role may do too much, and what it may not do. Privileges that come by roles are tried, not listed. */
export async function privilegeFindings(session: Session, signal: AbortSignal): Promise<Finding[]> {
  const rows = await readPrivileges(session, 'DATABASE()', signal);
  return [
    ...excessFindings(rows, await readAccount(session, signal)),
    ...(await processFinding(session, signal)),
    ...(await logFinding(session, signal)),
    ...(await eventsFinding(session, signal)),
    ...(await tableFinding(session, rows, signal)),
  ];
}

function excessFindings(rows: readonly PrivilegeRow[], account: string): Finding[] {
  const excess = [...new Set(rows.map(({ privilege }) => privilege).filter((name) => EXCESS.has(name)))];
  if (excess.length === 0) return [];
  return [
    {
      code: 'TP-P-SUPERUSER',
      severity: 'warn',
      subject: account,
      message: `account ${account} may do more than read: ${excess.sort().join(', ')}`,
      hint: 'use an account of its own that may read and nothing else',
      sql: `CREATE USER twinproof IDENTIFIED BY '…';\nGRANT SELECT, SHOW VIEW ON \`…\`.* TO twinproof;`,
    },
  ];
}

/** PROCESS shows InnoDB's transactions. */
async function processFinding(session: Session, signal: AbortSignal): Promise<Finding[]> {
  const sql = 'SELECT trx_id FROM information_schema.innodb_trx LIMIT 1';
  if (await mayRun(() => session.rows(sql, [], signal))) return [];
  return [
    {
      code: 'TP-P-PROCESS',
      severity: 'warn',
      subject: 'PROCESS',
      message: 'whether transactions are open on this server cannot be seen, so it never counts as quiet',
      hint: 'needed on the primary: without it no switchover is called safe, and rows that differ are settled slowly',
      sql: await roleSql(session, 'PROCESS', signal),
    },
  ];
}

/** The end of the log tells what is in it and not yet visible. With GTIDs MySQL tells that to everyone. */
async function logFinding(session: Session, signal: AbortSignal): Promise<Finding[]> {
  if (session.flavor === 'mysql' || (await mayRun(() => readLogPlace(session, signal)))) return [];
  return [
    {
      code: 'TP-P-LOG-PLACE',
      severity: 'warn',
      subject: 'BINLOG MONITOR',
      message: 'whether a commit waits for a replica cannot be seen, so rows that differ stay unproven',
      hint: 'needed on the primary',
      sql: await roleSql(session, 'BINLOG MONITOR', signal),
    },
  ];
}

/** On MariaDB the log's events are read with BINLOG MONITOR, which logFinding asks for. */
async function eventsFinding(session: Session, signal: AbortSignal): Promise<Finding[]> {
  if (session.flavor === 'mariadb' || (await mayReadEvents(session, signal))) return [];
  return [
    {
      code: 'TP-P-EVENTS',
      severity: 'info',
      subject: 'REPLICATION SLAVE',
      message:
        'this role may not read the events of the binary log (REPLICATION SLAVE, optional), so a run on a primary that moves cannot prove that a table was not written to meanwhile',
      hint: 'worth it on the primary when tables too large to be settled, or without a key, stay unproven; with it the role can read every change on this server',
      sql: await roleSql(session, 'REPLICATION SLAVE', signal),
    },
  ];
}

async function mayReadEvents(session: Session, signal: AbortSignal): Promise<boolean> {
  try {
    return await mayRun(() => session.rows('SHOW BINLOG EVENTS LIMIT 1', [], signal));
  } catch (error) {
    // ER_ERROR_WHEN_EXECUTING_COMMAND: there is no log to read.
    if (serverErrno(error) === 1220) return true;
    throw error;
  }
}

/** Tables without any privilege are not in the catalog that a role sees: nobody would miss them. */
async function tableFinding(
  session: Session,
  rows: readonly PrivilegeRow[],
  signal: AbortSignal,
): Promise<Finding[]> {
  if (rows.some(({ privilege }) => privilege === 'SELECT')) return [];
  const roles = await session.rows<{ name: string | null }>(
    'SELECT e.role_name AS name FROM information_schema.enabled_roles e',
    [],
    signal,
  );
  if (roles.some(({ name }) => name !== null && name !== 'NONE')) return [];
  const { database } = session.target;
  return [
    {
      code: 'TP-P-GRANT',
      severity: 'warn',
      subject: `database ${database}`,
      message:
        'the role may read single tables only; the server hides all others from it, so they are neither compared nor missed',
      hint: 'grant the whole database, on both sites',
      sql: await roleSql(session, 'SELECT, SHOW VIEW', signal, `${quoted(database)}.*`),
    },
  ];
}

/** A GRANT for the account of this session. */
export async function roleSql(
  session: Session,
  privileges: string,
  signal: AbortSignal,
  on = '*.*',
): Promise<string> {
  return `GRANT ${privileges} ON ${on} TO ${await readAccount(session, signal)};`;
}

async function readAccount(session: Session, signal: AbortSignal): Promise<string> {
  const [row] = await session.rows<{ account: string }>('SELECT CURRENT_USER() AS account', [], signal);
  const [user = '', host = '%'] = (row?.account ?? '').split(/@(?=[^@]*$)/);
  return `${quoted(user)}@${quoted(host)}`;
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

async function mayRun(query: () => Promise<unknown>): Promise<boolean> {
  try {
    await query();
    return true;
  } catch (error) {
    if (error instanceof TwinproofError && error.code === 'TP-PERMISSION') return false;
    throw error;
  }
}
