import type { Finding } from '../../src/connector/identity.ts';
import { isLocal } from '../../src/connector/endpoint.ts';
import { NEWEST_VERSION, type Session } from './session.ts';

interface SiteRow {
  readonly role: string;
  readonly quoted: string;
  readonly superuser: boolean;
  readonly stats: boolean;
  readonly inRecovery: boolean;
  readonly subscribes: boolean;
  readonly origins: boolean;
  readonly feedback: boolean;
  readonly delay: string;
  /** Sequences whose last value the role may not see. */
  readonly sequences: number;
  readonly sequenceSchemas: readonly string[];
}

const SITE = `
select current_user::text as role, pg_catalog.quote_ident(current_user) as quoted, r.rolsuper as superuser,
  pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') as stats,
  pg_catalog.pg_is_in_recovery() as "inRecovery",
  exists (select from pg_subscription u join pg_database d on d.oid = u.subdbid
    where d.datname = pg_catalog.current_database()) as subscribes,
  pg_catalog.has_function_privilege('pg_catalog.pg_show_replication_origin_status()', 'EXECUTE') as origins,
  pg_catalog.current_setting('hot_standby_feedback')::bool as feedback,
  pg_catalog.current_setting('max_standby_streaming_delay') as delay, q.sequences, q."sequenceSchemas"
from (select count(*)::int4 as sequences,
    coalesce(array_agg(distinct pg_catalog.quote_ident(n.nspname)), '{}') as "sequenceSchemas"
  from pg_sequence p join pg_class c on c.oid = p.seqrelid join pg_namespace n on n.oid = c.relnamespace
  where c.relpersistence <> 't' and n.nspname !~ '^pg_'
    and not pg_catalog.has_sequence_privilege(p.seqrelid, 'SELECT')) q, pg_roles r where r.rolname = current_user`;

/**
 * What on this site would make evidence unsound, partial or slow. `selects` limits the tables whose grants are
 * looked at. Every statement in `sql` is for a DBA to read and run; nothing here changes anything.
 */
export async function readFindings(
  session: Session,
  selects: (schema: string, table: string) => boolean,
  signal: AbortSignal,
): Promise<Finding[]> {
  const [site] = await session.rows<SiteRow>(SITE, [], signal);
  if (site === undefined) return [];
  return [
    ...sessionFindings(session),
    ...roleFindings(site, session),
    ...standbyFindings(site),
    ...(await grantFindings(session, site, selects, signal)),
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

function roleFindings(site: SiteRow, session: Session): Finding[] {
  const findings: Finding[] = [];
  if (site.superuser) {
    findings.push({
      code: 'TP-P-SUPERUSER',
      severity: 'warn',
      subject: site.role,
      message: `role ${site.role} is a superuser: far more than reading needs`,
      hint: 'use a role of its own that may read and nothing else',
      sql: `CREATE ROLE twinproof LOGIN; GRANT pg_read_all_data, pg_read_all_stats TO twinproof;`,
    });
  }
  if (site.inRecovery && !site.stats) {
    findings.push({
      code: 'TP-P-STATS',
      severity: 'warn',
      subject: site.role,
      message:
        'after a promotion elsewhere this standby’s new timeline is seen only at its next restart point',
      hint: 'the WAL receiver tells it at once to members of pg_read_all_stats',
      sql: `GRANT pg_read_all_stats TO ${site.quoted};`,
    });
  }
  if (site.subscribes && !site.origins) {
    findings.push({
      code: 'TP-P-ORIGINS',
      severity: 'info',
      subject: site.role,
      message: 'how far a stopped subscription has applied cannot be seen, and under load it is seen late',
      hint: `in database ${session.target.database}, as a superuser`,
      sql: `GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_replication_origin_status() TO ${site.quoted};`,
    });
  }
  if (!site.inRecovery && site.sequences > 0) {
    findings.push({
      code: 'TP-P-SEQUENCES',
      severity: 'warn',
      subject: site.role,
      message: `role ${site.role} may not read ${site.sequences} sequences: where rows are applied, a sequence left behind hands out taken keys`,
      hint: 'needed on logical pairs only',
      sql: site.sequenceSchemas
        .map((schema) => `GRANT SELECT ON ALL SEQUENCES IN SCHEMA ${schema} TO ${site.quoted};`)
        .join('\n'),
    });
  }
  return findings;
}

function standbyFindings(site: SiteRow): Finding[] {
  if (!site.inRecovery || site.feedback) return [];
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
}

/** Tables that the role cannot read whole, by schema: one finding each, with the GRANTs. */
async function grantFindings(
  session: Session,
  site: SiteRow,
  selects: (schema: string, table: string) => boolean,
  signal: AbortSignal,
): Promise<Finding[]> {
  const rows = await session.rows<GrantRow>(
    `select n.nspname as schema, c.relname as "table", pg_catalog.quote_ident(n.nspname) as "quotedSchema",
       pg_catalog.format('%I.%I', n.nspname, c.relname) as qualified,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') as usable,
       pg_catalog.has_table_privilege(c.oid, 'SELECT') as readable,
       c.relrowsecurity and pg_catalog.row_security_active(c.oid) as hidden
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't' and n.nspname !~ '^pg_'
       and n.nspname <> 'information_schema' order by 1, 2`,
    [],
    signal,
  );
  const scope = rows.filter((row) => selects(row.schema, row.table));
  const findings: Finding[] = [];
  for (const schema of new Set(scope.map((row) => row.schema))) {
    const tables = scope.filter((row) => row.schema === schema);
    findings.push(...schemaFindings(schema, tables, site));
  }
  const hidden = scope.filter((row) => row.hidden);
  if (hidden.length > 0) {
    findings.push({
      code: 'TP-P-ROW-SECURITY',
      severity: 'block',
      subject: listOf(hidden),
      message: `row-level security would hide rows from role ${site.role}, so these tables cannot be compared`,
      hint: 'the role must bypass it; reading them is then an error no more',
      sql: `ALTER ROLE ${site.quoted} BYPASSRLS;`,
    });
  }
  return findings;
}

function schemaFindings(schema: string, tables: readonly GrantRow[], site: SiteRow): Finding[] {
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
