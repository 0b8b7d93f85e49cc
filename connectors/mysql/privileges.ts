import type { Session } from './session.ts';

export interface PrivilegeRow {
  readonly [name: string]: string | null;
  /** `SELECT`, `SHOW_ROUTINE`. */
  readonly privilege: string;
  /** A pattern of database names; null: everything. */
  readonly scope: string | null;
}

/** The account as information_schema writes it: 'user'@'host'. A user's name may hold an @, a host never does. */
export const GRANTEE = `CONCAT('''', LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1),
  '''@''', SUBSTRING_INDEX(CURRENT_USER(), '@', -1), '''')`;

/**
 * What the account itself was granted, on everything or on `database` (a literal or an expression), whether directly or
 * by a pattern. Privileges that come by roles are not among them.
 */
export function readPrivileges(
  session: Session,
  database: 'DATABASE()' | `'mysql'`,
  signal: AbortSignal,
): Promise<PrivilegeRow[]> {
  return session.rows<{ privilege: string; scope: string | null }>(
    `SELECT p.privilege_type AS privilege, NULL AS scope FROM information_schema.user_privileges p
       WHERE p.grantee = ${GRANTEE}
     UNION ALL
     SELECT p.privilege_type, p.table_schema FROM information_schema.schema_privileges p
       WHERE p.grantee = ${GRANTEE} AND ${database} LIKE p.table_schema`,
    [],
    signal,
  );
}
