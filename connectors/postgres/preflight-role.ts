import type { Finding, Severity } from '../../src/connector/identity.ts';
import { isExcess, type Need, neededBy, type PreflightOptions } from '../../src/connector/preflight.ts';
import type { Session } from './session.ts';

/** What the role of a session may do on its server. */
export interface SiteRole {
  readonly role: string;
  readonly quoted: string;
  readonly superuser: boolean;
  readonly replicates: boolean;
  readonly bypasses: boolean;
  readonly createsRoles: boolean;
  readonly createsDatabases: boolean;
  readonly stats: boolean;
  readonly settings: boolean;
  /** Names of functions that it may execute, and those that were granted to itself. */
  readonly functions: readonly string[];
  readonly ownFunctions: readonly string[];
  /** Roles that were granted to itself. */
  readonly memberships: readonly string[];
  readonly inRecovery: boolean;
  readonly subscribes: boolean;
  /** Schema of the extension amcheck, quoted; null: it is not installed. */
  readonly amcheck: string | null;
  /** Sequences whose last value it may not see, and their schemas. */
  readonly sequences: number;
  readonly sequenceSchemas: readonly string[];
}

const ORIGINS = 'pg_show_replication_origin_status';
const AMCHECK = 'bt_index_check';
const FILES = ['pg_show_all_file_settings', 'pg_hba_file_rules', 'pg_ident_file_mappings'];

/** `$1`: names of functions. Version 14 has no pg_ident_file_mappings. */
const ROLE = `
select r.rolname::text as role, pg_catalog.quote_ident(r.rolname) as quoted, r.rolsuper as superuser,
  r.rolreplication as replicates, r.rolbypassrls as bypasses, r.rolcreaterole as "createsRoles",
  r.rolcreatedb as "createsDatabases",
  pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') as stats,
  pg_catalog.pg_has_role('pg_read_all_settings', 'USAGE') as settings,
  array(select p.proname::text from pg_proc p where p.proname = any($1)
    and pg_catalog.has_function_privilege(p.oid, 'EXECUTE') order by 1) as functions,
  array(select p.proname::text from pg_proc p cross join lateral pg_catalog.aclexplode(p.proacl) x
    where p.proname = any($1) and x.grantee = r.oid order by 1) as "ownFunctions",
  array(select g.rolname::text from pg_auth_members m join pg_roles g on g.oid = m.roleid
    where m.member = r.oid order by 1) as memberships,
  pg_catalog.pg_is_in_recovery() as "inRecovery",
  exists (select from pg_subscription u join pg_database d on d.oid = u.subdbid
    where d.datname = pg_catalog.current_database()) as subscribes,
  (select pg_catalog.quote_ident(n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace
    where e.extname = 'amcheck') as amcheck,
  q.sequences, q."sequenceSchemas"
from (select count(*)::int4 as sequences,
    coalesce(array_agg(distinct pg_catalog.quote_ident(n.nspname)), '{}') as "sequenceSchemas"
  from pg_sequence p join pg_class c on c.oid = p.seqrelid join pg_namespace n on n.oid = c.relnamespace
  where c.relpersistence <> 't' and n.nspname !~ '^pg_'
    and not pg_catalog.has_sequence_privilege(p.seqrelid, 'SELECT')) q, pg_roles r where r.rolname = current_user`;

export async function readRole(session: Session, signal: AbortSignal): Promise<SiteRole | null> {
  const [row] = await session.rows<SiteRole>(ROLE, [[ORIGINS, AMCHECK, ...FILES]], signal);
  return row ?? null;
}

/** Something that can be granted, and what comes of its lack. */
interface Privilege extends Need {
  readonly code: string;
  readonly severity: Severity;
  /** What of it is there to be had and is not held, as it stands in a GRANT; nothing: all is well. */
  readonly missing: (role: SiteRole, session: Session) => readonly string[];
  readonly message: string;
  readonly hint: string;
  /** What of it was granted to the role itself, as it stands in a REVOKE. */
  readonly own: (role: SiteRole) => readonly string[];
}

const execute = (name: string): string => `EXECUTE ON FUNCTION pg_catalog.${name}()`;

const PRIVILEGES: readonly Privilege[] = [
  {
    code: 'TP-P-STATS',
    severity: 'warn',
    commands: ['verify', 'certify', 'watch', 'lag', 'readiness'],
    missing: ({ stats }) => (stats ? [] : ['pg_read_all_stats']),
    own: ({ memberships }) => memberships.filter((name) => name === 'pg_read_all_stats'),
    message:
      'who receives log, who writes, and whether commits wait for a standby cannot be seen; a standby’s new timeline only at its next restart point',
    hint: 'without it no candidate is called safe, and rows that differ may stay unproven',
  },
  {
    code: 'TP-P-SETTINGS',
    severity: 'info',
    commands: ['certify', 'readiness'],
    missing: ({ settings }) => (settings ? [] : ['pg_read_all_settings']),
    own: ({ memberships }) => memberships.filter((name) => name === 'pg_read_all_settings'),
    message: 'preloaded libraries and the room on the disk cannot be looked at',
    hint: 'optional; readiness then says what it did not check',
  },
  {
    code: 'TP-P-FILES',
    severity: 'info',
    commands: ['certify', 'readiness'],
    missing: ({ functions }, { versionNumber }) =>
      FILES.filter((name) => !functions.includes(name))
        .filter((name) => name !== 'pg_ident_file_mappings' || versionNumber >= 150_000)
        .map(execute),
    own: ({ ownFunctions }) => FILES.filter((name) => ownFunctions.includes(name)).map(execute),
    message: 'errors in the configuration files, and in the rules of who may log in, cannot be looked at',
    hint: 'optional; readiness then says what it did not check',
  },
  {
    code: 'TP-P-ORIGINS',
    severity: 'info',
    commands: ['verify', 'certify', 'watch', 'lag'],
    missing: ({ subscribes, functions }) =>
      subscribes && !functions.includes(ORIGINS) ? [execute(ORIGINS)] : [],
    own: ({ ownFunctions }) => (ownFunctions.includes(ORIGINS) ? [execute(ORIGINS)] : []),
    message: 'how far a stopped subscription has applied cannot be seen, and under load it is seen late',
    hint: 'as a superuser, in this database',
  },
  {
    code: 'TP-P-AMCHECK',
    severity: 'info',
    commands: ['readiness'],
    missing: ({ amcheck, functions }) =>
      amcheck === null || functions.includes(AMCHECK)
        ? []
        : [`EXECUTE ON FUNCTION ${amcheck}.${AMCHECK}(regclass, boolean)`],
    own: ({ amcheck, ownFunctions }) =>
      amcheck !== null && ownFunctions.includes(AMCHECK)
        ? [`EXECUTE ON FUNCTION ${amcheck}.${AMCHECK}(regclass, boolean)`]
        : [],
    message: '`readiness --deep` may not check indexes',
    hint: 'optional',
  },
];

/** What the role lacks for the commands asked about. A superuser lacks nothing. */
export function missingFindings(role: SiteRole, session: Session, options: PreflightOptions): Finding[] {
  const findings = PRIVILEGES.flatMap((privilege): Finding[] => {
    const commands = neededBy(privilege, options);
    const missing = commands.length === 0 ? [] : privilege.missing(role, session);
    if (missing.length === 0) return [];
    const { code, severity, message, hint } = privilege;
    const sql = missing.map((what) => `GRANT ${what} TO ${role.quoted};`).join('\n');
    return [{ code, severity, subject: role.role, message, hint, sql, commands }];
  });
  return [...findings, ...sequenceFindings(role, options)];
}

function sequenceFindings(site: SiteRole, options: PreflightOptions): Finding[] {
  const commands = neededBy({ commands: ['certify', 'readiness'] }, options);
  if (commands.length === 0 || site.inRecovery || site.sequences === 0) return [];
  return [
    {
      code: 'TP-P-SEQUENCES',
      severity: 'warn',
      subject: site.role,
      message: `role ${site.role} may not read ${site.sequences} sequences: where rows are applied, a sequence left behind hands out taken keys`,
      hint: 'needed on logical pairs only',
      sql: site.sequenceSchemas
        .map((schema) => `GRANT SELECT ON ALL SEQUENCES IN SCHEMA ${schema} TO ${site.quoted};`)
        .join('\n'),
      commands,
    },
  ];
}

/** Privileges of the kind above that none of the commands asked about needs, as they stand in a REVOKE. */
export function idlePrivileges(role: SiteRole, options: PreflightOptions): readonly string[] {
  return PRIVILEGES.filter((privilege) => isExcess(privilege, options)).flatMap(({ own }) => own(role));
}
