import type { Finding } from '../../src/connector/identity.ts';
import { isExcess, type PreflightOptions } from '../../src/connector/preflight.ts';
import { idlePrivileges, type SiteRole } from './preflight-role.ts';
import type { Session } from './session.ts';

/** Roles of the server's own by which data, files or sessions of others can be changed (manual, "Predefined Roles"). */
const POWERS = [
  'pg_checkpoint',
  'pg_create_subscription',
  'pg_execute_server_program',
  'pg_maintain',
  'pg_read_server_files',
  'pg_signal_autovacuum_worker',
  'pg_signal_backend',
  'pg_write_all_data',
  'pg_write_server_files',
];

/** Sources of write privileges that are listed; a role that has more is made anew sooner than mended. */
const LISTED_MAX = 20;

/**
 * What the role may do beyond reading, and beyond what the commands asked about need, with the REVOKE. What every role
 * may do because PUBLIC may is told with the others, since only taking it from PUBLIC helps. Grants on single columns
 * are not looked at.
 */
export async function excessFindings(
  session: Session,
  role: SiteRole,
  secured: boolean,
  options: PreflightOptions,
  signal: AbortSignal,
): Promise<Finding[]> {
  if (role.superuser) return [superuserFinding(role)];
  return [
    ...attributeFindings(role, secured, options),
    ...(await membershipFindings(session, role, signal)),
    ...(await writeFindings(session, role, signal)),
    ...idleFindings(role, options),
  ];
}

function superuserFinding({ role }: SiteRole): Finding {
  return {
    code: 'TP-P-SUPERUSER',
    severity: 'warn',
    subject: role,
    message: `role ${role} is a superuser: far more than reading needs`,
    hint: 'use a role of its own that may read and nothing else',
    sql: `CREATE ROLE twinproof LOGIN; GRANT pg_read_all_data, pg_read_all_stats TO twinproof;`,
  };
}

function attributeFindings(role: SiteRole, secured: boolean, options: PreflightOptions): Finding[] {
  const attributes = [
    role.createsRoles ? 'CREATEROLE' : '',
    role.createsDatabases ? 'CREATEDB' : '',
    role.replicates && isExcess({ commands: ['watch'] }, options) ? 'REPLICATION' : '',
    role.bypasses && !secured ? 'BYPASSRLS' : '',
  ].filter((name) => name !== '');
  if (attributes.length === 0) return [];
  return [
    {
      code: 'TP-P-EXCESS',
      severity: attributes.some((name) => name.startsWith('CREATE')) ? 'warn' : 'info',
      subject: role.role,
      message: `role ${role.role} has attributes that nothing here needs: ${attributes.join(', ')}`,
      hint: role.replicates
        ? 'REPLICATION is for `watch`: it lets the role read all of the log'
        : 'as a superuser',
      sql: `ALTER ROLE ${role.quoted} ${attributes.map((name) => `NO${name}`).join(' ')};`,
    },
  ];
}

/** Roles granted to this one that are, or lead to, a power. */
async function membershipFindings(session: Session, role: SiteRole, signal: AbortSignal): Promise<Finding[]> {
  const rows = await session.rows<{ name: string; quoted: string; powers: readonly string[] }>(
    `select g.rolname as name, pg_catalog.quote_ident(g.rolname) as quoted,
       array(select p.rolname::text from pg_roles p where (p.rolname = any($1) or p.rolsuper or p.rolcreaterole)
         and pg_catalog.pg_has_role(g.oid, p.oid, 'MEMBER') order by 1) as powers
     from pg_auth_members m join pg_roles g on g.oid = m.roleid join pg_roles r on r.oid = m.member
     where r.rolname = current_user order by 1`,
    [POWERS],
    signal,
  );
  return rows
    .filter(({ powers }) => powers.length > 0)
    .map(({ name, quoted, powers }): Finding => ({
      code: 'TP-P-EXCESS',
      severity: 'warn',
      subject: role.role,
      message: `role ${role.role} may do more than read, by its membership in ${name}${powers.includes(name) ? '' : ` (${powers.join(', ')})`}`,
      hint: 'reading needs none of it',
      sql: `REVOKE ${quoted} FROM ${role.quoted};`,
    }));
}

interface WriteRow {
  readonly schema: string;
  readonly quotedSchema: string;
  readonly sequence: boolean;
  /** Who was granted it, quoted; `PUBLIC`. */
  readonly grantee: string;
  readonly own: boolean;
  readonly owner: boolean;
  /** Roles granted to ours that lead there, quoted. */
  readonly by: readonly string[];
  readonly privileges: readonly string[];
  readonly relations: number;
  readonly example: string;
}

/** The privileges by which rows or numbers can be changed. An owner has them without a grant (acldefault). */
const WRITES = `
select n.nspname as schema, pg_catalog.quote_ident(n.nspname) as "quotedSchema", c.relkind = 'S' as sequence,
  case when x.grantee = 0 then 'PUBLIC' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) end as grantee,
  x.grantee = r.oid as own, x.grantee = c.relowner as owner,
  array(select pg_catalog.quote_ident(g.rolname) from pg_auth_members m join pg_roles g on g.oid = m.roleid
    where m.member = r.oid and x.grantee <> 0 and pg_catalog.pg_has_role(g.oid, x.grantee, 'MEMBER') order by 1) as by,
  array_agg(distinct x.privilege_type order by x.privilege_type) as privileges,
  count(distinct c.oid)::int4 as relations, min(c.relname) as example
from pg_class c join pg_namespace n on n.oid = c.relnamespace
cross join (select o.oid from pg_roles o where o.rolname = current_user) r
cross join lateral pg_catalog.aclexplode(coalesce(c.relacl,
  pg_catalog.acldefault((case c.relkind when 'S' then 's' else 'r' end)::"char", c.relowner))) x
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and c.relpersistence <> 't' and n.nspname !~ '^pg_'
  and n.nspname <> 'information_schema'
  and x.privilege_type in ('INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER', 'MAINTAIN',
    'USAGE')
  and (x.grantee = 0 or pg_catalog.pg_has_role(r.oid, x.grantee, 'USAGE'))
group by 1, 2, 3, 4, 5, 6, 7, r.oid, x.grantee order by 1, 3, 4`;

async function writeFindings(session: Session, role: SiteRole, signal: AbortSignal): Promise<Finding[]> {
  const rows = await session.rows<WriteRow>(WRITES, [], signal);
  return rows.slice(0, LISTED_MAX).map((row): Finding => {
    const { schema, sequence, relations, example, privileges } = row;
    const what = `${relations} ${sequence ? 'sequences' : 'tables'} of schema ${schema} (such as ${example})`;
    return {
      code: 'TP-P-EXCESS',
      severity: 'warn',
      subject: role.role,
      message: row.owner
        ? `role ${role.role} ${row.own ? 'owns' : `owns, by ${row.grantee},`} ${what}, and may change them`
        : `role ${role.role} may change ${what}: ${privileges.join(', ')}${row.own ? '' : `, granted to ${row.grantee}`}`,
      hint:
        row.grantee === 'PUBLIC'
          ? 'everybody may: whoever needs it has to be granted it first'
          : 'reading needs none of it',
      sql: remedyOf(row, role),
    };
  });
}

function remedyOf(
  { owner, own, by, grantee, sequence, quotedSchema, privileges }: WriteRow,
  role: SiteRole,
): string {
  if (!own && grantee !== 'PUBLIC') return by.map((name) => `REVOKE ${name} FROM ${role.quoted};`).join('\n');
  if (owner) return `REASSIGN OWNED BY ${role.quoted} TO …;`;
  const kind = sequence ? 'SEQUENCES' : 'TABLES';
  return `REVOKE ${privileges.join(', ')} ON ALL ${kind} IN SCHEMA ${quotedSchema} FROM ${grantee};`;
}

function idleFindings(role: SiteRole, options: PreflightOptions): Finding[] {
  const idle = [...idlePrivileges(role, options)];
  const reads = isExcess({ commands: ['verify', 'certify', 'watch', 'readiness'] }, options);
  if (reads && role.memberships.includes('pg_read_all_data')) idle.push('pg_read_all_data');
  if (idle.length === 0) return [];
  return [
    {
      code: 'TP-P-EXCESS',
      severity: 'info',
      subject: role.role,
      message: `role ${role.role} has privileges that ${(options.commands ?? []).join(', ')} need not: ${idle.join(', ')}`,
      hint: 'they only let it read',
      sql: idle.map((what) => `REVOKE ${what} FROM ${role.quoted};`).join('\n'),
    },
  ];
}
