import type { ObjectFamily, SchemaObject } from '../../src/connector/facts-postgres.ts';
import type { SessionShare } from '../../src/connector/session-share.ts';
import { readLists } from './lists.ts';
import { constraints, indexes, keys } from './readiness-keys.ts';
import { notOfExtension, OWN, RELATION, TABLE } from './readiness-relation.ts';
import { USER_SCHEMA } from './readiness-storage.ts';
import type { Session } from './session.ts';

/** Only these name columns; for an expression without columns 0 is enough, and nothing has to be looked up (manual, pg_get_expr). */
const ONLY_GENERATED = `case when a.attgenerated <> '' then d.adrelid else 0 end`;

/** Each with what is filled in by itself, if anything: two families, of which there is the most. */
const COLUMNS = `select ${TABLE} as "table", a.attname::text as name,
    pg_catalog.format_type(a.atttypid, a.atttypmod)
      || case when a.attcollation <> t.typcollation then ' collate ' || k.collname else '' end
      || case when a.attnotnull then ' not null' else '' end as definition,
    case when a.attidentity <> '' then 'identity ' || a.attidentity::text when d.oid is not null
      then a.attgenerated::text || pg_catalog.pg_get_expr(d.adbin, ${ONLY_GENERATED}) end as "default"
  from ${RELATION} join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  join pg_type t on t.oid = a.atttypid left join pg_collation k on k.oid = a.attcollation
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where c.relkind in ('r', 'p') and ${OWN}`;

/**
 * One statement a family, each giving the table, the name and the definition. Names of constraints and indexes are not
 * compared, only what they say: sites that were built apart name them apart. Bodies are compared by hash.
 */
const FAMILIES: Readonly<Record<Exclude<ObjectFamily, 'column' | 'default' | Versioned>, string>> = {
  table: `select ${TABLE} as "table", ${TABLE} as name, case when c.relkind = 'p' then 'partitioned'
        when c.relispartition then 'partition of ' || (select rn.nspname || '.' || r.relname from pg_class r
          join pg_namespace rn on rn.oid = r.relnamespace where r.oid = pg_catalog.pg_partition_root(c.oid))
        else '' end as definition
    from ${RELATION} where c.relkind in ('r', 'p') and ${OWN}`,
  trigger: `select ${TABLE} as "table", ${TABLE} || '.' || g.tgname as name,
      g.tgenabled::text || ' ' || pg_catalog.pg_get_triggerdef(g.oid) as definition
    from ${RELATION} join pg_trigger g on g.tgrelid = c.oid and not g.tgisinternal where ${OWN}
    union all select ${TABLE}, 'rule ' || ${TABLE} || '.' || w.rulename,
      'rule ' || w.ev_enabled::text || ' ' || pg_catalog.pg_get_ruledef(w.oid)
    from ${RELATION} join pg_rewrite w on w.ev_class = c.oid and w.rulename <> '_RETURN' where ${OWN}
    union all select null, 'event trigger ' || e.evtname, pg_catalog.concat_ws(' ', 'event', e.evtenabled::text,
      e.evtevent, e.evttags::text, e.evtfoid::regproc::text)
    from pg_event_trigger e where ${notOfExtension('pg_event_trigger', 'e.oid')}`,
  view: bodies('v'),
  matview: `select ${TABLE} as "table", ${TABLE} as name,
      case when c.relispopulated then 'populated' else 'not populated' end as definition
    from ${RELATION} where c.relkind = 'm' and ${OWN}`,
  foreign: `select null::text as "table", ${TABLE} as name, '' as definition from ${RELATION}
    where c.relkind = 'f' and ${OWN}`,
  // What is printed of a body in standard SQL stands on a line of its own.
  routine: `select null::text as "table",
      n.nspname || '.' || p.proname || '(' || pg_catalog.pg_get_function_identity_arguments(p.oid) || ')' as name,
      pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', p.prosrc, p.probin, p.prosecdef, p.provolatile,
        p.proisstrict, p.proconfig::text, l.lanname, pg_catalog.pg_get_function_result(p.oid)), 0)::text
        || coalesce(E'\\n' || pg_catalog.hashtextextended(pg_catalog.pg_get_function_sqlbody(p.oid), 0), '') as definition
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
    where ${USER_SCHEMA} and ${notOfExtension('pg_proc', 'p.oid')}`,
  type: `select null::text as "table", n.nspname || '.' || t.typname as name, case t.typtype
      when 'e' then (select pg_catalog.string_agg(e.enumlabel, ',' order by e.enumsortorder) from pg_enum e
        where e.enumtypid = t.oid)
      when 'd' then pg_catalog.concat_ws(' ', pg_catalog.format_type(t.typbasetype, t.typtypmod),
        case when t.typnotnull then 'not null' end, 'default ' || t.typdefault,
        (select pg_catalog.string_agg(pg_catalog.pg_get_constraintdef(k.oid), ' ' order by k.conname)
          from pg_constraint k where k.contypid = t.oid and k.contype = 'c'))
      when 'r' then (select pg_catalog.format_type(r.rngsubtype, null) from pg_range r where r.rngtypid = t.oid)
      else (select pg_catalog.string_agg(a.attname || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod), ','
        order by a.attnum) from pg_attribute a where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped)
      end as definition
    from pg_type t join pg_namespace n on n.oid = t.typnamespace
    where (t.typtype in ('e', 'd', 'r') or t.typtype = 'c' and exists (select from pg_class c
        where c.oid = t.typrelid and c.relkind = 'c'))
      and ${USER_SCHEMA} and ${notOfExtension('pg_type', 't.oid')}`,
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
  const families = await share.runAll([
    (session) => readColumns(session, signal),
    ...FAMILY_NAMES.map((family) => (session: Session) => readFamily(session, family, signal)),
  ]);
  return families.flat();
}

type Texts = readonly (string | null)[];

async function readTexts(
  session: Session,
  columns: readonly string[],
  statement: string,
  signal: AbortSignal,
): Promise<readonly Texts[]> {
  const lists = await readLists(session, columns, statement, signal);
  return lists.map((list) => list.map((text) => (typeof text === 'string' ? text : null)));
}

async function readColumns(session: Session, signal: AbortSignal): Promise<SchemaObject[]> {
  const parts = ['table', 'name', 'definition', 'default'];
  const [tables = [], names = [], types = [], defaults = []] = await readTexts(
    session,
    parts,
    COLUMNS,
    signal,
  );
  const objects: SchemaObject[] = [];
  for (const [index, column] of names.entries()) {
    const table = tables[index] ?? '';
    const name = `${table}.${column ?? ''}`;
    objects.push({ family: 'column', table, name, definition: types[index] ?? '' });
    const filled = defaults[index] ?? null;
    if (filled !== null) objects.push({ family: 'default', table, name, definition: filled });
  }
  return objects;
}

async function readFamily(
  session: Session,
  family: (typeof FAMILY_NAMES)[number],
  signal: AbortSignal,
): Promise<SchemaObject[]> {
  const statement = statementOf(family, session.versionNumber);
  const parts = ['table', 'name', 'definition'];
  const [tables = [], names = [], texts = []] = await readTexts(session, parts, statement, signal);
  return names.map((name, index) => ({
    family,
    table: tables[index] ?? null,
    name: name ?? '',
    definition: texts[index] ?? '',
  }));
}

/** Statements that differ between versions. */
type Versioned = 'constraint' | 'index' | 'key';

function statementOf(family: (typeof FAMILY_NAMES)[number], versionNumber: number): string {
  if (family === 'constraint') return constraints(versionNumber);
  if (family === 'key') return keys(versionNumber);
  return family === 'index' ? indexes(versionNumber) : FAMILIES[family];
}

/** Those that take longest first. */
const FAMILY_NAMES = [
  'constraint',
  'index',
  'key',
  'table',
  'trigger',
  'view',
  'matview',
  'foreign',
  'routine',
  'type',
  'policy',
  'grant',
  'extension',
] as const satisfies readonly ObjectFamily[];

/** Versions print one view in several ways, so rules compare bodies only between servers of one version. */
function bodies(kind: string): string {
  return `select null::text as "table", ${TABLE} as name,
      pg_catalog.hashtextextended(pg_catalog.concat_ws(' ', pg_catalog.pg_get_viewdef(c.oid), c.reloptions::text), 0)::text
        as definition
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
