import { createHash } from 'node:crypto';
import type { DefinerFact, EventFact } from '../../src/connector/facts-mysql.ts';
import { type Need, refused } from './facts-reading.ts';
import { readPrivileges } from './privileges.ts';
import type { Session } from './session.ts';

/** The server's own, which differ between versions. */
const OWN_ACCOUNTS = `'mysql.session', 'mysql.sys', 'mysql.infoschema', 'mariadb.sys', 'PUBLIC'`;

export const ACCOUNTS_NEED: Need = { privileges: 'SELECT (User, Host)', on: 'mysql.user' };

/** Accounts and roles. No more than the two columns are read: the others hold what passwords are checked with. */
export async function readAccounts(session: Session, signal: AbortSignal): Promise<string[]> {
  const rows = await session.rows<{ account: string }>(
    `SELECT CONCAT(u.User, '@', u.Host) AS account FROM mysql.user u
     WHERE u.User NOT IN (${OWN_ACCOUNTS}) ORDER BY 1`,
    [],
    signal,
  );
  return rows.map(({ account }) => account);
}

export const GRANTS_NEED: Need = { privileges: 'SELECT', on: 'mysql.*' };

/** A digest of each account's grants. Those of others are shown only to who may read the whole schema `mysql`. */
export async function readGrants(session: Session, signal: AbortSignal): Promise<Record<string, string>> {
  const own = await readPrivileges(session, `'mysql'`, signal);
  if (!own.some(({ privilege }) => privilege === 'SELECT')) throw refused();
  const rows = await session.rows<{ account: string; granted: string }>(
    `SELECT p.grantee AS account, CONCAT_WS(' ', p.privilege_type, p.is_grantable) AS granted
       FROM information_schema.user_privileges p
     UNION ALL SELECT p.grantee, CONCAT_WS(' ', p.privilege_type, p.is_grantable, p.table_schema)
       FROM information_schema.schema_privileges p
     UNION ALL SELECT p.grantee, CONCAT_WS(' ', p.privilege_type, p.is_grantable, p.table_schema, p.table_name)
       FROM information_schema.table_privileges p
     UNION ALL SELECT p.grantee,
         CONCAT_WS(' ', p.privilege_type, p.is_grantable, p.table_schema, p.table_name, p.column_name)
       FROM information_schema.column_privileges p
     UNION ALL SELECT CONCAT('''', p.user, '''@''', p.host, ''''), CONCAT_WS(' ', p.proc_priv, p.db, p.routine_name)
       FROM mysql.procs_priv p
     UNION ALL ${ROLES[session.flavor]}`,
    [],
    signal,
  );
  const lists = new Map<string, string[]>();
  for (const { account, granted } of rows) {
    const list = lists.get(account);
    if (list === undefined) lists.set(account, [granted]);
    else list.push(granted);
  }
  return Object.fromEntries(
    [...lists]
      .filter(([account]) => !OWN_ACCOUNTS.split(', ').some((name) => account.startsWith(name)))
      .map(([account, granted]) => [account.replaceAll(`'`, ''), digestOf(granted)]),
  );
}

const ROLES = {
  mysql: `SELECT CONCAT('''', e.to_user, '''@''', e.to_host, ''''), CONCAT_WS(' ', e.from_user, e.from_host)
    FROM mysql.role_edges e`,
  mariadb: `SELECT CONCAT('''', m.user, '''@''', m.host, ''''), m.role FROM mysql.roles_mapping m`,
} as const;

function digestOf(granted: readonly string[]): string {
  return createHash('sha256')
    .update([...granted].sort().join('\n'))
    .digest('hex')
    .slice(0, 16);
}

/** To see that a view or routine is there, and who defined it. */
export function definersNeed({ flavor, version }: Session): Need {
  if (flavor === 'mariadb') return { privileges: 'SELECT (db, name, type, definer)', on: 'mysql.proc' };
  return { privileges: version < 80_020 ? 'SELECT' : 'SHOW_ROUTINE', on: '*.*' };
}

const VIEWS = `SELECT CONCAT('view ', v.table_schema, '.', v.table_name) AS object, v.definer AS definer
  FROM information_schema.views v WHERE v.table_schema = DATABASE()`;

export async function readDefiners(session: Session, signal: AbortSignal): Promise<DefinerFact[]> {
  const isMariadb = session.flavor === 'mariadb';
  // MySQL leaves out of the catalog what a role may not see; MariaDB's own table refuses.
  if (!isMariadb) {
    const own = await readPrivileges(session, 'DATABASE()', signal);
    const sees = (privilege: string, scope: string | null): boolean =>
      scope === null && (privilege === 'SHOW_ROUTINE' || privilege === 'SELECT');
    if (!own.some(({ privilege, scope }) => sees(privilege, scope))) throw refused();
  }
  const routines = isMariadb
    ? `SELECT CONCAT(LOWER(p.type), ' ', p.db, '.', p.name), p.definer FROM mysql.proc p WHERE p.db = DATABASE()`
    : `SELECT CONCAT(LOWER(r.routine_type), ' ', r.routine_schema, '.', r.routine_name), r.definer
         FROM information_schema.routines r WHERE r.routine_schema = DATABASE()`;
  return session.rows<{ object: string; definer: string }>(
    `${VIEWS} UNION ALL ${routines} ORDER BY 1`,
    [],
    signal,
  );
}

export async function readTriggers(session: Session, signal: AbortSignal): Promise<DefinerFact[]> {
  const own = await readPrivileges(session, 'DATABASE()', signal);
  if (!own.some(({ privilege }) => privilege === 'TRIGGER')) throw refused();
  return session.rows<{ object: string; definer: string }>(
    `SELECT CONCAT('trigger ', t.trigger_schema, '.', t.trigger_name) AS object, t.definer AS definer
     FROM information_schema.triggers t WHERE t.trigger_schema = DATABASE() ORDER BY 1`,
    [],
    signal,
  );
}

/** SHOW EVENTS refuses where information_schema only hides. */
export async function readEvents(session: Session, signal: AbortSignal): Promise<EventFact[]> {
  const rows = await session.rows<Record<'Db' | 'Name' | 'Definer' | 'Status', string>>(
    'SHOW EVENTS',
    [],
    signal,
  );
  return rows.map(({ Db: schema, Name: name, Definer: definer, Status: status }) => ({
    name: `${schema}.${name}`,
    status: status === 'ENABLED' ? 'enabled' : status === 'DISABLED' ? 'disabled' : 'replica',
    definer,
  }));
}
