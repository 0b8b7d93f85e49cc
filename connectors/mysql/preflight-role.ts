import type { Finding } from '../../src/connector/identity.ts';
import { type Need, neededBy, type PreflightOptions } from '../../src/connector/preflight.ts';
import { TwinproofError } from '../../src/errors.ts';
import { serverErrno } from './failure.ts';
import { readLogPlace } from './positions-log.ts';
import { readPrivileges } from './privileges.ts';
import type { Session } from './session.ts';

/** What the role may not do that a command asked about needs. Privileges that come by roles are tried, not listed. */
export async function privilegeFindings(
  session: Session,
  options: PreflightOptions,
  signal: AbortSignal,
): Promise<Finding[]> {
  const findings = [
    ...(await processFinding(session, signal)),
    ...(await logFinding(session, signal)),
    ...(await eventsFinding(session, signal)),
    ...(await tableFinding(session, signal)),
  ];
  return findings.flatMap((finding) => {
    const commands = neededBy({ commands: finding.commands }, options);
    return commands.length === 0 ? [] : [{ ...finding, commands }];
  });
}

/** Of which it is said what it stands in the way of. */
type PrivilegeFinding = Finding & Need;

/** PROCESS shows InnoDB's transactions. */
async function processFinding(session: Session, signal: AbortSignal): Promise<PrivilegeFinding[]> {
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
      commands: ['verify', 'certify', 'watch', 'readiness'],
    },
  ];
}

/** The end of the log tells what is in it and not yet visible. With GTIDs MySQL tells that to everyone. */
async function logFinding(session: Session, signal: AbortSignal): Promise<PrivilegeFinding[]> {
  if (session.flavor === 'mysql' || (await mayRun(() => readLogPlace(session, signal)))) return [];
  return [
    {
      code: 'TP-P-LOG-PLACE',
      severity: 'warn',
      subject: 'BINLOG MONITOR',
      message: 'whether a commit waits for a replica cannot be seen, so rows that differ stay unproven',
      hint: 'needed on the primary',
      sql: await roleSql(session, 'BINLOG MONITOR', signal),
      commands: ['verify', 'certify', 'watch'],
    },
  ];
}

/** On MariaDB the log's events are read with BINLOG MONITOR, which logFinding asks for. */
async function eventsFinding(session: Session, signal: AbortSignal): Promise<PrivilegeFinding[]> {
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
      commands: ['verify', 'certify'],
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
async function tableFinding(session: Session, signal: AbortSignal): Promise<PrivilegeFinding[]> {
  const rows = await readPrivileges(session, 'DATABASE()', signal);
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
      commands: ['verify', 'certify', 'watch', 'readiness'],
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

/** As it stands in a GRANT. */
export async function readAccount(session: Session, signal: AbortSignal): Promise<string> {
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
