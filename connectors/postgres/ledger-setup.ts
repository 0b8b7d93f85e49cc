import { selecting } from '../../src/config/selection.ts';
import type { StreamSettings } from '../../src/config/stream.ts';
import type { LedgerSetup } from '../../src/connector/ledger-sites.ts';
import type { TableSelection } from '../../src/connector/table.ts';
import { readSetupFacts, streamSetup } from './replication-setup.ts';
import { readStreamFacts } from './replication-slot.ts';
import type { Session } from './session.ts';

interface RoleRow {
  readonly quoted: string;
  readonly exists: boolean;
  readonly superuser: boolean;
  readonly replicates: boolean;
  readonly bypasses: boolean;
  readonly stats: boolean;
  readonly origins: boolean;
  readonly subscribes: boolean;
  readonly database: string;
}

/** `$1`: the role; null: that of this connection. A privilege of a role that does not exist cannot be asked for. */
const ROLE = `
select pg_catalog.quote_ident(w.name) as quoted, r.oid is not null as exists, coalesce(r.rolsuper, false) as superuser,
  coalesce(r.rolreplication, false) as replicates, coalesce(r.rolbypassrls, false) as bypasses,
  case when r.oid is null then false else pg_catalog.pg_has_role(r.oid, 'pg_read_all_stats', 'usage') end as stats,
  case when r.oid is null then false else pg_catalog.has_function_privilege(r.oid,
    'pg_catalog.pg_show_replication_origin_status()', 'EXECUTE') end as origins,
  exists (select from pg_subscription u join pg_database d on d.oid = u.subdbid
    where d.datname = pg_catalog.current_database()) as subscribes,
  pg_catalog.current_database()::text as database
from (select coalesce($1, current_user::text) as name) w left join pg_roles r on r.rolname = w.name`;

interface RelationRow {
  readonly schema: string;
  readonly table: string;
  readonly quotedSchema: string;
  readonly qualified: string;
  readonly usable: boolean;
  readonly readable: boolean;
  readonly secured: boolean;
  readonly rootSchema: string;
  readonly rootTable: string;
}

const RELATIONS = `
select n.nspname as schema, c.relname as "table", pg_catalog.quote_ident(n.nspname) as "quotedSchema",
  pg_catalog.format('%I.%I', n.nspname, c.relname) as qualified,
  case when r.oid is null then false else pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE') end as usable,
  case when r.oid is null then false
    else coalesce(pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT'), false) end as readable,
  c.relrowsecurity as secured, rn.nspname as "rootSchema", root.relname as "rootTable"
from pg_class c join pg_namespace n on n.oid = c.relnamespace
join pg_class root on root.oid = coalesce(pg_catalog.pg_partition_root(c.oid)::oid, c.oid)
join pg_namespace rn on rn.oid = root.relnamespace
left join pg_roles r on r.rolname = coalesce($1, current_user::text)
where c.relkind in ('r', 'p', 'm') and c.relpersistence <> 't' and n.nspname !~ '^pg_'
  and n.nspname <> 'information_schema' order by 1, 2`;

/**
 * What a role needs, so that the log can be streamed and tables be read, as SQL for a superuser: the role, its grants, the
 * publication, the slot. Nothing for a standby, which has it all from its primary.
 */
export async function readLedgerSetup(
  session: Session,
  settings: StreamSettings,
  selection: TableSelection,
  role: string | null,
  signal: AbortSignal,
): Promise<LedgerSetup> {
  const facts = await readStreamFacts(session, settings, signal);
  if (facts.inRecovery) return { sql: '', findings: [] };
  const selects = selecting(selection);
  const [found] = await session.rows<RoleRow>(ROLE, [role], signal);
  const relations = await session.rows<RelationRow>(RELATIONS, [role], signal);
  const selected = relations.filter(({ rootSchema, rootTable }) => selects(rootSchema, rootTable));
  const names = new Set(selected.map(nameOf));
  const setup = await readSetupFacts(session, facts, settings, (name) => names.has(name), signal);
  if (found === undefined) return { sql: '', findings: [] };
  const { sql, findings } = streamSetup(
    { ...setup, quotedRole: found.quoted, mayReplicate: true },
    settings,
    settings.allowUnboundedWal,
  );
  const statements = [...roleSql(found), ...(found.superuser ? [] : grantSql(found, relations, names))];
  if (sql !== '') statements.push(sql);
  return { sql: statements.join('\n'), findings };
}

function nameOf({ schema, table }: RelationRow): string {
  return `${schema}.${table}`;
}

function roleSql(role: RoleRow): readonly string[] {
  if (role.superuser) return [];
  const sql: string[] = [];
  if (!role.exists) {
    sql.push(
      '-- its password: run \\password, or let pg_hba.conf say how else it logs in, also for replication',
      `CREATE ROLE ${role.quoted} LOGIN REPLICATION;`,
    );
  } else if (!role.replicates) sql.push(`ALTER ROLE ${role.quoted} REPLICATION;`);
  if (!role.stats) sql.push(`GRANT pg_read_all_stats TO ${role.quoted};`);
  if (role.subscribes && !role.origins) {
    sql.push(`GRANT EXECUTE ON FUNCTION pg_catalog.pg_show_replication_origin_status() TO ${role.quoted};`);
  }
  return sql;
}

/** Whole schemas where all of their tables are in scope, else table by table. */
function grantSql(
  role: RoleRow,
  relations: readonly RelationRow[],
  scope: ReadonlySet<string>,
): readonly string[] {
  const sql: string[] = [];
  const selected = relations.filter((row) => scope.has(nameOf(row)));
  for (const schema of new Set(selected.map((row) => row.quotedSchema))) {
    const wanted = selected.filter((row) => row.quotedSchema === schema);
    const closed = wanted.filter(({ readable }) => !readable);
    if (wanted.some(({ usable }) => !usable)) sql.push(`GRANT USAGE ON SCHEMA ${schema} TO ${role.quoted};`);
    if (closed.length > 0 && relations.every((row) => row.quotedSchema !== schema || closed.includes(row))) {
      sql.push(`GRANT SELECT ON ALL TABLES IN SCHEMA ${schema} TO ${role.quoted};`);
    } else {
      for (const { qualified } of closed) sql.push(`GRANT SELECT ON ${qualified} TO ${role.quoted};`);
    }
  }
  if (!role.bypasses && selected.some(({ secured }) => secured)) {
    sql.push(`ALTER ROLE ${role.quoted} BYPASSRLS;`);
  }
  return sql;
}
