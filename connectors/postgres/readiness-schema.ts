import type { ObjectFamily, SchemaObject } from '../../src/connector/facts-postgres.ts';
import type { SessionShare } from '../../src/connector/session-share.ts';
import { USER_SCHEMA } from './readiness-storage.ts';
import type { Session } from './session.ts';

/**
 * What an extension brings is the extension's, and compared as one thing. Looked for by what it depends on: of that there
 * is an index, and by far the most of this catalog is about other things.
 */
function notOfExtension(catalog: string, oid: string): string {
  return `not exists (select from pg_depend x where x.refclassid = 'pg_catalog.pg_extension'::regclass
    and x.classid = 'pg_catalog.${catalog}'::regclass and x.objid = ${oid} and x.deptype = 'e')`;
}

const RELATION = `pg_class c join pg_namespace n on n.oid = c.relnamespace`;
const OWN = `${USER_SCHEMA} and c.relpersistence <> 't' and ${notOfExtension('pg_class', 'c.oid')}`;
const TABLE = `n.nspname || '.' || c.relname`;

/** Only these name columns; for an expression without columns 0 is enough, and nothing has to be looked up (manual, pg_get_expr). */
const ONLY_GENERATED = `case when a.attgenerated <> '' then d.adrelid else 0 end`;

/**
 * One statement a family, each giving the table, the name and the definition. Names of constraints and indexes are not
 * compared, only what they say: sites that were built apart name them apart. Bodies are compared by hash.
 */
const FAMILIES: Readonly<Record<ObjectFamily, string>> = {
  table: `select ${TABLE} as "table", ${TABLE} as name, case when c.relkind = 'p' then 'partitioned'
        when c.relispartition then 'partition of ' || (select rn.nspname || '.' || r.relname from pg_class r
          join pg_namespace rn on rn.oid = r.relnamespace where r.oid = pg_catalog.pg_partition_root(c.oid))
        else '' end as definition
    from ${RELATION} where c.relkind in ('r', 'p') and ${OWN}`,
  column: `select ${TABLE} as "table", ${TABLE} || '.' || a.attname as name,
      pg_catalog.format_type(a.atttypid, a.atttypmod)
        || case when a.attcollation <> t.typcollation then ' collate ' || k.collname else '' end
        || case when a.attnotnull then ' not null' else '' end as definition
    from ${RELATION} join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid left join pg_collation k on k.oid = a.attcollation
    where c.relkind in ('r', 'p') and ${OWN}`,
  default: `select ${TABLE} as "table", ${TABLE} || '.' || a.attname as name,
      case when a.attidentity <> '' then 'identity ' || a.attidentity::text
        else a.attgenerated::text || pg_catalog.pg_get_expr(d.adbin, ${ONLY_GENERATED}) end as definition
    from ${RELATION} join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relkind in ('r', 'p') and (a.attidentity <> '' or d.oid is not null) and ${OWN}`,
  key: constraints(`in ('p', 'u', 'x')`),
  constraint: constraints(`in ('c', 'f')`),
  index: `select ${TABLE} as "table", ${TABLE} || ': '
      || replace(pg_catalog.pg_get_indexdef(i.indexrelid), ' ' || pg_catalog.quote_ident(ic.relname) || ' ON ', ' ON ') as name,
      '' as definition
    from ${RELATION} join pg_index i on i.indrelid = c.oid join pg_class ic on ic.oid = i.indexrelid
    where c.relkind in ('r', 'p', 'm') and ${OWN}
      and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))`,
  trigger: `select ${TABLE} as "table", ${TABLE} || '.' || g.tgname as name,
      g.tgenabled::text || ' ' || pg_catalog.pg_get_triggerdef(g.oid) as definition
    from ${RELATION} join pg_trigger g on g.tgrelid = c.oid and not g.tgisinternal where ${OWN}`,
  view: bodies('v'),
  matview: `select ${TABLE} as "table", ${TABLE} as name,
      case when c.relispopulated then 'populated' else 'not populated' end as definition
    from ${RELATION} where c.relkind = 'm' and ${OWN}`,
  foreign: `select null::text as "table", ${TABLE} as name, '' as definition from ${RELATION}
    where c.relkind = 'f' and ${OWN}`,
  routine: `select null::text as "table",
      n.nspname || '.' || p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')' as name,
      pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', p.prosrc, p.probin, p.prosecdef, p.provolatile,
        pg_catalog.pg_get_function_result(p.oid)), 0)::text as definition
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where ${USER_SCHEMA} and ${notOfExtension('pg_proc', 'p.oid')}`,
  type: `select null::text as "table", n.nspname || '.' || t.typname as name,
      coalesce((select pg_catalog.string_agg(e.enumlabel, ',' order by e.enumsortorder) from pg_enum e
        where e.enumtypid = t.oid), pg_catalog.format_type(t.typbasetype, t.typtypmod)) as definition
    from pg_type t join pg_namespace n on n.oid = t.typnamespace
    where t.typtype in ('e', 'd', 'r') and ${USER_SCHEMA} and ${notOfExtension('pg_type', 't.oid')}`,
  policy: `select ${TABLE} as "table", ${TABLE} as name,
      case when c.relforcerowsecurity then 'forced' else 'enabled' end as definition
    from ${RELATION} where c.relrowsecurity and ${OWN}
    union all select ${TABLE}, ${TABLE} || ': ' || p.polname, pg_catalog.concat_ws(' ', p.polcmd::text, p.polpermissive,
      array(select r.rolname from pg_roles r where r.oid = any(p.polroles) order by 1)::text,
      pg_catalog.pg_get_expr(p.polqual, p.polrelid), '/', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid))
    from ${RELATION} join pg_policy p on p.polrelid = c.oid where ${OWN}`,
  grant: `${grants('relation', `${RELATION} cross join lateral pg_catalog.aclexplode(c.relacl) x`, TABLE, 'c.relowner', `case when c.relkind in ('r', 'p', 'v', 'm', 'f') then ${TABLE} end`, OWN)}
    union all ${grants('schema', `pg_namespace n cross join lateral pg_catalog.aclexplode(n.nspacl) x`, 'n.nspname', 'n.nspowner', 'null::text', USER_SCHEMA)}
    union all ${grants('routine', `pg_proc p join pg_namespace n on n.oid = p.pronamespace cross join lateral pg_catalog.aclexplode(p.proacl) x`, `n.nspname || '.' || p.proname`, 'p.proowner', 'null::text', `${USER_SCHEMA} and ${notOfExtension('pg_proc', 'p.oid')}`)}`,
  extension: `select null::text as "table", e.extname as name, e.extversion as definition from pg_extension e`,
};

/**
 * The catalog of this database, as a promotion needs it: the same on both sites, or something is missing. One statement
 * a family, shared out among the sessions.
 */
export async function readObjects(
  share: SessionShare<Session>,
  signal: AbortSignal,
): Promise<SchemaObject[]> {
  const families = await share.runAll(
    FAMILY_NAMES.map((family) => (session: Session) => readFamily(session, family, signal)),
  );
  return families.flat();
}

/** What a table has comes in one row: taking 80,000 rows apart took longer than the server needs to find them (measured). */
async function readFamily(
  session: Session,
  family: ObjectFamily,
  signal: AbortSignal,
): Promise<SchemaObject[]> {
  const rows = await session.rows<{ table: string | null; names: string; definitions: string }>(
    `select f."table", pg_catalog.json_agg(f.name)::text as names,
       pg_catalog.json_agg(f.definition)::text as definitions
     from (${FAMILIES[family]}) f group by f."table"`,
    [],
    signal,
  );
  return rows.flatMap(({ table, names, definitions }) => {
    const texts = textsOf(definitions);
    return textsOf(names).map((name, index) => ({
      family,
      table,
      name: name ?? '',
      definition: texts[index] ?? '',
    }));
  });
}

function textsOf(json: string): readonly (string | null)[] {
  const texts: readonly (string | null)[] = JSON.parse(json);
  return texts;
}

const FAMILY_NAMES: readonly ObjectFamily[] = [
  'table',
  'column',
  'default',
  'key',
  'constraint',
  'index',
  'trigger',
  'view',
  'matview',
  'foreign',
  'routine',
  'type',
  'policy',
  'grant',
  'extension',
];

function constraints(types: string): string {
  return `select ${TABLE} as "table", ${TABLE} || ': ' || pg_catalog.pg_get_constraintdef(k.oid) as name, '' as definition
    from ${RELATION} join pg_constraint k on k.conrelid = c.oid and k.contype ${types} where ${OWN}`;
}

/** Versions print one view in several ways, so rules compare bodies only between servers of one version. */
function bodies(kind: string): string {
  return `select null::text as "table", ${TABLE} as name,
      pg_catalog.hashtextextended(pg_catalog.pg_get_viewdef(c.oid), 0)::text as definition
    from ${RELATION} where c.relkind = '${kind}' and ${OWN}`;
}

/** What was granted beyond what an owner has anyway. PUBLIC is the role 0. */
function grants(
  kind: string,
  from: string,
  name: string,
  owner: string,
  table: string,
  condition: string,
): string {
  return `select ${table} as "table", x.privilege_type || ' on ${kind} ' || ${name} || ' to '
      || coalesce((select r.rolname from pg_roles r where r.oid = x.grantee), 'PUBLIC') as name,
      case when x.is_grantable then 'with grant option' else '' end as definition
    from ${from} where x.grantee <> ${owner} and ${condition}`;
}
