import type {
  PostgresLogicalFacts,
  PublicationFact,
  PublishedTable,
  RoleFact,
  SubscriptionSource,
} from '../../src/connector/facts-postgres.ts';
import type { Reading } from '../../src/connector/reading.ts';
import { ended, type SessionShare } from '../../src/connector/session-share.ts';
import { reading } from './readiness-reading.ts';
import { readObjects } from './readiness-schema.ts';
import { USER_SCHEMA } from './readiness-storage.ts';
import type { Session } from './session.ts';

/**
 * What a site of a logical pair has that does not come with the rows, and how the rows come; what it `publishes` is looked
 * at where somebody asks for it. Throws only when the site is lost or the run aborted.
 */
export async function readLogicalFacts(
  share: SessionShare<Session>,
  publishes: boolean,
  signal: AbortSignal,
): Promise<PostgresLogicalFacts> {
  const [flow, objects] = await ended([
    share.run((session) => readFlow(session, publishes, signal)),
    reading(signal, () => readObjects(share, signal)),
  ]);
  return { ...flow, objects };
}

const NOT_LOOKED_AT: Reading<never> = {
  known: false,
  reason: 'what a candidate publishes itself is not looked at',
};

/** All but the objects of the catalog. */
async function readFlow(
  session: Session,
  publishes: boolean,
  signal: AbortSignal,
): Promise<Omit<PostgresLogicalFacts, 'objects'>> {
  const get = <T>(query: (s: Session, a: AbortSignal) => Promise<T>): Promise<Reading<T>> =>
    reading(signal, () => query(session, signal));
  return {
    subscriptions: await get(readSources),
    publications: await get(readPublications),
    published: publishes ? await get(readPublished) : NOT_LOOKED_AT,
    withoutIdentity: publishes ? await get(readWithoutIdentity) : NOT_LOOKED_AT,
    roles: await get(readRoles),
    largeObjects: await get(readLargeObjects),
    overrides: await get(readOverrides),
    encoding: await get(readEncoding),
  };
}

async function readSources(session: Session, signal: AbortSignal): Promise<SubscriptionSource[]> {
  const rows = await session.rows<Omit<SubscriptionSource, 'tables'> & { readonly tables: string | null }>(
    `select s.subname as name, s.subpublications as publications, s.subslotname as slot,
       (select pg_catalog.json_agg(n.nspname || '.' || c.relname) from pg_subscription_rel r
         join pg_class c on c.oid = r.srrelid join pg_namespace n on n.oid = c.relnamespace
         where r.srsubid = s.oid)::text as tables
     from pg_subscription s join pg_database d on d.oid = s.subdbid
     where d.datname = pg_catalog.current_database() order by 1`,
    [],
    signal,
  );
  return rows.map(({ name, publications, slot, tables }) => {
    const known: readonly string[] = JSON.parse(tables ?? '[]');
    return { name, publications, slot, tables: known };
  });
}

async function readPublications(session: Session, signal: AbortSignal): Promise<PublicationFact[]> {
  return session.rows<{ name: string; leavesOut: readonly string[] }>(
    `select p.pubname as name, array_remove(array[case when not p.pubinsert then 'insert' end,
       case when not p.pubupdate then 'update' end, case when not p.pubdelete then 'delete' end,
       case when not p.pubtruncate then 'truncate' end], null) as "leavesOut"
     from pg_publication p order by 1`,
    [],
    signal,
  );
}

/**
 * What a publication names, and all partitions below it, by the catalogs and not by the view pg_publication_tables, which
 * locks every table that it gives, so that one that somebody redefines holds up the answer. A table of a schema that is
 * published whole has no condition, whatever stands beside it (manual, CREATE PUBLICATION).
 */
function readPublished(session: Session, signal: AbortSignal): Promise<PublishedTable[]> {
  const narrowed = session.versionNumber >= 150_000;
  const flags = narrowed
    ? `m.prqual is not null and not exists (select from pg_publication_namespace s join pg_class c
         on c.relnamespace = s.pnnspid where s.pnpubid = p.oid and c.oid = m.prrelid), m.prattrs is not null`
    : 'false, false';
  const schemas = narrowed
    ? `union all select p.pubname, c.oid, false, false from pg_publication p
         join pg_publication_namespace s on s.pnpubid = p.oid
         join pg_class c on c.relnamespace = s.pnnspid and c.relkind in ('r', 'p') and c.relpersistence = 'p'`
    : '';
  return session.rows<PublishedTable & Record<string, unknown>>(
    `with recursive named (publication, oid, filtered, listed) as (
       select p.pubname, m.prrelid, ${flags} from pg_publication p join pg_publication_rel m on m.prpubid = p.oid
       ${schemas}
       union all select p.pubname, c.oid, false, false from pg_publication p
         join pg_class c on c.relkind in ('r', 'p') and c.relpersistence = 'p'
         join pg_namespace n on n.oid = c.relnamespace and ${USER_SCHEMA} where p.puballtables
     ), reached as (
       select publication, oid, null::oid as above, filtered, listed from named
       union select r.publication, i.inhrelid, coalesce(r.above, r.oid), false, false
         from reached r join pg_inherits i on i.inhparent = r.oid
         join pg_class c on c.oid = i.inhrelid and c.relispartition
     )
     select r.publication, n.nspname || '.' || c.relname as "table", pg_catalog.bool_or(r.filtered) as "rowFilter",
       pg_catalog.bool_or(r.listed) as "columnList",
       pg_catalog.array_agg(an.nspname || '.' || a.relname) filter (where a.oid is not null) as under
     from reached r join pg_class c on c.oid = r.oid join pg_namespace n on n.oid = c.relnamespace
     left join pg_class a on a.oid = r.above left join pg_namespace an on an.oid = a.relnamespace
     group by 1, 2 order by 1, 2`,
    [],
    signal,
  );
}

/**
 * Manual, "Logical Replication", "Publication": without an identity UPDATE and DELETE of a published table fail. A primary key
 * that may be deferred is none (ALTER TABLE, "REPLICA IDENTITY").
 */
async function readWithoutIdentity(session: Session, signal: AbortSignal): Promise<string[]> {
  const rows = await session.rows<{ name: string }>(
    `select n.nspname || '.' || c.relname as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind = 'r' and c.relpersistence = 'p' and ${USER_SCHEMA} and (c.relreplident = 'n'
       or c.relreplident = 'd' and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary
         and i.indimmediate and i.indisvalid)
       or c.relreplident = 'i' and not exists (select from pg_index i where i.indrelid = c.oid and i.indisreplident))
     order by 1`,
    [],
    signal,
  );
  return rows.map(({ name }) => name);
}

function readRoles(session: Session, signal: AbortSignal): Promise<RoleFact[]> {
  return session.rows<{
    name: string;
    login: boolean;
    superuser: boolean;
    replication: boolean;
    attributes: string;
  }>(
    `select r.rolname as name, r.rolcanlogin as login, r.rolsuper as superuser, r.rolreplication as replication,
       pg_catalog.concat_ws(' ', case when r.rolcanlogin then 'login' end, case when r.rolsuper then 'superuser' end,
         case when r.rolcreatedb then 'createdb' end, case when r.rolcreaterole then 'createrole' end,
         case when not r.rolinherit then 'noinherit' end, case when r.rolreplication then 'replication' end,
         case when r.rolbypassrls then 'bypassrls' end,
         case when r.rolconnlimit >= 0 then 'connection limit ' || r.rolconnlimit end,
         'valid until ' || pg_catalog.to_char(r.rolvaliduntil, 'YYYY-MM-DD HH24:MI'),
         (select 'in ' || pg_catalog.string_agg(g.rolname, ',' order by g.rolname) from pg_auth_members m
           join pg_roles g on g.oid = m.roleid where m.member = r.oid)) as attributes
     from pg_roles r where r.rolname !~ '^pg_' order by 1`,
    [],
    signal,
  );
}

async function readLargeObjects(session: Session, signal: AbortSignal): Promise<string> {
  const [row] = await session.rows<{ count: string }>(
    'select pg_catalog.count(*)::text as count from pg_largeobject_metadata',
    [],
    signal,
  );
  return row?.count ?? '0';
}

/** Settings that hold secrets cannot be set this way; the values are the DBA's own. */
async function readOverrides(session: Session, signal: AbortSignal): Promise<string[]> {
  const rows = await session.rows<{ text: string }>(
    `select pg_catalog.concat_ws(' in ', case when s.setrole <> 0 then 'role ' || r.rolname end,
       case when s.setdatabase <> 0 then 'database ' || d.datname end) || ': ' || pg_catalog.unnest(s.setconfig) as text
     from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole
     left join pg_database d on d.oid = s.setdatabase
     where s.setdatabase = 0 or d.datname = pg_catalog.current_database() order by 1`,
    [],
    signal,
  );
  return rows.map(({ text }) => text);
}

async function readEncoding(
  session: Session,
  signal: AbortSignal,
): Promise<{ encoding: string; locale: string }> {
  const [row] = await session.rows<{ encoding: string; locale: string }>(
    `select pg_catalog.pg_encoding_to_char(d.encoding) as encoding, d.datcollate || '/' || d.datctype as locale
     from pg_database d where d.datname = pg_catalog.current_database()`,
    [],
    signal,
  );
  return row ?? { encoding: '', locale: '' };
}
