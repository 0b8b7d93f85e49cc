import { isLocal } from '../../src/connector/endpoint.ts';
import { findingFor, type Finding } from '../../src/connector/identity.ts';
import { neededBy, type PreflightOptions, type SiteCommand } from '../../src/connector/preflight.ts';
import { excessFindings } from './preflight-excess.ts';
import { missingFindings, readRole, type SiteRole } from './preflight-role.ts';
import { NEWEST_VERSION, type Session } from './session.ts';

/** Those that read rows. */
const READING: readonly SiteCommand[] = ['verify', 'certify', 'watch'];

/**
 * What on this site would make evidence unsound, partial or slow, and what the role may do too much. `selects` limits the
 * tables whose grants are looked at. Every statement in `sql` is for a DBA to read and run; nothing here changes anything.
 */
export async function readFindings(
  session: Session,
  selects: (schema: string, table: string) => boolean,
  signal: AbortSignal,
  options: PreflightOptions = {},
): Promise<Finding[]> {
  const role = await readRole(session, signal);
  if (role === null) return [];
  const tables = (await readGrants(session, signal)).filter((row) => selects(row.schema, row.table));
  return [
    ...sessionFindings(session),
    ...missingFindings(role, session, options),
    ...(await excessFindings(
      session,
      role,
      tables.some(({ secured }) => secured),
      options,
      signal,
    )),
    ...(await standbyFindings(session, role, signal)),
    ...grantFindings(tables, role, neededBy({ commands: READING }, options)),
  ];
}

function sessionFindings(session: Session): Finding[] {
  const { target, versionNumber, backendPid, key } = session;
  const major = Math.floor(versionNumber / 10_000);
  const findings: Finding[] = [];
  if (major > NEWEST_VERSION) {
    findings.push({
      code: 'TP-P-VERSION',
      severity: 'warn',
      subject: `PostgreSQL ${major}`,
      message: `version ${major} is newer than the newest one that was tested (${NEWEST_VERSION})`,
      hint: 'look for a newer twinproof',
    });
  }
  if (backendPid !== key.processId) {
    findings.push({
      code: 'TP-P-POOLER',
      severity: 'warn',
      subject: target.label,
      message:
        'a connection pooler stands between: settings may not hold, and it may lead elsewhere tomorrow',
      hint: 'connect to the server itself; if that cannot be, pool by session, not by transaction',
    });
  }
  if (target.tls === null && !isLocal(target.host)) {
    findings.push({
      code: 'TP-P-TLS',
      severity: 'warn',
      subject: target.label,
      message: 'rows travel unencrypted, and nothing proves that this is the right server',
      hint: 'leave sslmode=disable out of the URL, or say sslmode=verify-full',
    });
  } else if (target.tls?.rejectUnauthorized === false) {
    findings.push({
      code: 'TP-P-TLS',
      severity: 'warn',
      subject: target.label,
      message: 'rows travel encrypted, but nothing proves that this is the right server',
      hint: 'say sslmode=verify-full and name the authority in sslrootcert',
    });
  }
  return findings;
}

async function standbyFindings(
  session: Session,
  { inRecovery }: SiteRole,
  signal: AbortSignal,
): Promise<Finding[]> {
  if (!inRecovery) return [];
  const [site] = await session.rows<{ feedback: boolean; delay: string }>(
    `select pg_catalog.current_setting('hot_standby_feedback')::bool as feedback,
       pg_catalog.current_setting('max_standby_streaming_delay') as delay`,
    [],
    signal,
  );
  if (site === undefined || site.feedback) return [];
  return [
    {
      code: 'TP-P-CONFLICTS',
      severity: 'info',
      subject: 'hot_standby_feedback',
      message: `it is off: replay may cancel a read that takes longer than max_standby_streaming_delay (${site.delay})`,
      hint: 'reads are short and repeated when that happens; nothing need be changed',
    },
  ];
}

interface GrantRow {
  readonly schema: string;
  readonly table: string;
  readonly quotedSchema: string;
  readonly qualified: string;
  readonly usable: boolean;
  readonly readable: boolean | null;
  readonly hidden: boolean;
  /** Whether it has row-level security at all. */
  readonly secured: boolean;
}

function readGrants(session: Session, signal: AbortSignal): Promise<GrantRow[]> {
  return session.rows<GrantRow>(
    `select n.nspname as schema, c.relname as "table", pg_catalog.quote_ident(n.nspname) as "quotedSchema",
       pg_catalog.format('%I.%I', n.nspname, c.relname) as qualified,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') as usable,
       pg_catalog.has_table_privilege(c.oid, 'SELECT') as readable,
       c.relrowsecurity and pg_catalog.row_security_active(c.oid) as hidden, c.relrowsecurity as secured
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't' and n.nspname !~ '^pg_'
       and n.nspname <> 'information_schema' order by 1, 2`,
    [],
    signal,
  );
}

/** Tables that the role cannot read whole, by schema: one finding each, with the GRANTs. */
function grantFindings(
  tables: readonly GrantRow[],
  role: SiteRole,
  commands: readonly SiteCommand[],
): Finding[] {
  if (commands.length === 0) return [];
  const findings = [...new Set(tables.map(({ schema }) => schema))].flatMap((schema) =>
    schemaFindings(
      schema,
      tables.filter((row) => row.schema === schema),
      role,
    ),
  );
  const hidden = tables.filter((row) => row.hidden);
  if (hidden.length > 0) {
    findings.push({
      code: 'TP-P-ROW-SECURITY',
      severity: 'block',
      subject: listOf(hidden),
      message: `row-level security would hide rows from role ${role.role}, so these tables cannot be compared`,
      hint: 'the role must bypass it; reading them is then an error no more',
      sql: `ALTER ROLE ${role.quoted} BYPASSRLS;`,
    });
  }
  return findings.map((finding) => findingFor(finding, commands));
}

function schemaFindings(schema: string, tables: readonly GrantRow[], site: SiteRole): Finding[] {
  const closed = tables.filter((row) => !row.usable || row.readable === false);
  const [first] = closed;
  if (first === undefined) return [];
  const all = closed.length === tables.length;
  const grants = all
    ? [`GRANT SELECT ON ALL TABLES IN SCHEMA ${first.quotedSchema} TO ${site.quoted};`]
    : closed
        .filter((row) => row.readable === false)
        .map((row) => `GRANT SELECT ON ${row.qualified} TO ${site.quoted};`);
  if (!first.usable) grants.unshift(`GRANT USAGE ON SCHEMA ${first.quotedSchema} TO ${site.quoted};`);
  return [
    {
      code: 'TP-P-GRANT',
      severity: 'block',
      subject: `schema ${schema}`,
      message: `role ${site.role} may not read ${closed.length} of ${tables.length} tables: ${listOf(closed)}`,
      hint: 'run the SQL as the owner, on the primary; on a logical pair on both sites',
      sql: grants.join('\n'),
    },
  ];
}

const LISTED_MAX = 5;

function listOf(tables: readonly GrantRow[]): string {
  const names = tables.slice(0, LISTED_MAX).map((row) => `${row.schema}.${row.table}`);
  return tables.length > LISTED_MAX
    ? `${names.join(', ')} and ${tables.length - LISTED_MAX} more`
    : names.join(', ');
}
