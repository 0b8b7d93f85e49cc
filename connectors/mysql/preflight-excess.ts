import type { Finding } from '../../src/connector/identity.ts';
import { isExcess, type PreflightOptions, type SiteCommand } from '../../src/connector/preflight.ts';
import { readAccount } from './preflight-role.ts';
import { GRANTEE } from './privileges.ts';
import type { Session } from './session.ts';

const READING: readonly SiteCommand[] = ['verify', 'certify', 'watch', 'readiness'];
const JUDGING: readonly SiteCommand[] = ['certify', 'readiness'];
const ALL: readonly SiteCommand[] = ['verify', 'certify', 'watch', 'lag', 'readiness'];

/**
 * Privileges by the names of information_schema that some command has a use for, and which. EVENT and TRIGGER let the
 * account make such things too; there is no lesser way to see those of others.
 */
const USES: ReadonlyMap<string, readonly SiteCommand[]> = new Map([
  ['USAGE', ALL],
  ['SHOW DATABASES', ALL],
  ['REPLICATION CLIENT', ALL],
  ['BINLOG MONITOR', ALL],
  ['SLAVE MONITOR', ALL],
  ['REPLICA MONITOR', ALL],
  ['SELECT', READING],
  ['SHOW VIEW', READING],
  ['PROCESS', READING],
  ['REPLICATION SLAVE', ['verify', 'certify', 'watch']],
  ['SHOW_ROUTINE', JUDGING],
  ['SHOW CREATE ROUTINE', JUDGING],
  ['EVENT', JUDGING],
  ['TRIGGER', JUDGING],
  ['XA_RECOVER_ADMIN', JUDGING],
]);

/** An account with more than these is made anew sooner than mended. */
const LISTED_MAX = 12;

type ExcessRow = Readonly<Record<'privilege' | 'place', string>>;

/**
 * What the account itself was granted beyond what the commands asked about have a use for: on everything, on databases
 * and on tables. Privileges that come by roles, and those on single columns, are not looked at.
 */
export async function excessFindings(
  session: Session,
  options: PreflightOptions,
  signal: AbortSignal,
): Promise<Finding[]> {
  const account = await readAccount(session, signal);
  const rows = await session.rows<ExcessRow>(
    `SELECT p.privilege_type AS privilege, '*.*' AS place FROM information_schema.user_privileges p
       WHERE p.grantee = ${GRANTEE}
     UNION ALL SELECT p.privilege_type, CONCAT('\`', REPLACE(p.table_schema, '\`', '\`\`'), '\`.*')
       FROM information_schema.schema_privileges p WHERE p.grantee = ${GRANTEE}
     UNION ALL SELECT p.privilege_type, CONCAT('\`', REPLACE(p.table_schema, '\`', '\`\`'), '\`.\`',
         REPLACE(p.table_name, '\`', '\`\`'), '\`')
       FROM information_schema.table_privileges p WHERE p.grantee = ${GRANTEE}
     ORDER BY 2, 1`,
    [],
    signal,
  );
  const excess = rows.filter(({ privilege }) => isUseless(privilege, options));
  if (excess.some(({ privilege }) => privilege === 'SUPER') || excess.length > LISTED_MAX) {
    return [newAccount(account, excess)];
  }
  const places = [...new Set(excess.map(({ place }) => place))];
  return places.map((place) => {
    const names = excess.filter((row) => row.place === place).map(({ privilege }) => privilege);
    const changes = names.some((name) => !USES.has(name));
    return {
      code: 'TP-P-EXCESS',
      severity: changes ? 'warn' : 'info',
      subject: account,
      message: `account ${account} may do more on ${place} than is needed: ${names.join(', ')}`,
      hint: changes ? 'reading needs none of it' : 'it only lets the account see more',
      sql: `REVOKE ${names.join(', ')} ON ${place} FROM ${account};`,
    };
  });
}

function isUseless(privilege: string, options: PreflightOptions): boolean {
  const commands = USES.get(privilege.toUpperCase());
  return commands === undefined || isExcess({ commands }, options);
}

function newAccount(account: string, excess: readonly ExcessRow[]): Finding {
  const names = [...new Set(excess.map(({ privilege }) => privilege))];
  const listed = names.slice(0, LISTED_MAX).join(', ');
  const more = names.length > LISTED_MAX ? ` and ${names.length - LISTED_MAX} more` : '';
  return {
    code: 'TP-P-SUPERUSER',
    severity: 'warn',
    subject: account,
    message: `account ${account} may do far more than read: ${listed}${more}`,
    hint: 'use an account of its own that may read and nothing else',
    sql: `CREATE USER twinproof IDENTIFIED BY '…';\nGRANT SELECT, SHOW VIEW ON \`…\`.* TO twinproof;`,
  };
}
