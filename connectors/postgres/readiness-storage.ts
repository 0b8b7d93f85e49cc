import type {
  AgeFact,
  CollationFact,
  DatabaseCount,
  ExtensionFact,
  TablespaceFact,
} from '../../src/connector/facts-postgres.ts';
import type { Session } from './session.ts';

/** Own schemas of the server, as a condition on pg_namespace n. */
export const USER_SCHEMA = `n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`;

/**
 * The databases' own collations (their version is recorded from version 15 on), and those that columns and indexes of
 * this database use: the catalog knows hundreds more, and asking for the version of each takes its time. 100 is the default
 * collation, which is the database's.
 */
export function readCollations(session: Session, signal: AbortSignal): Promise<CollationFact[]> {
  const databases =
    session.versionNumber >= 150_000
      ? `select 'database ' || d.datname as name, d.datcollversion as recorded,
           pg_catalog.pg_database_collation_actual_version(d.oid) as actual
         from pg_database d where d.datallowconn and not d.datistemplate`
      : `select 'database ' || d.datname, null::text, (select pg_catalog.pg_collation_actual_version(c.oid)
           from pg_collation c where c.collprovider = 'c' and c.collcollate = d.datcollate limit 1)
         from pg_database d where d.datallowconn and not d.datistemplate`;
  return session.rows<{ name: string; recorded: string | null; actual: string | null }>(
    `${databases}
     union all
     select 'collation ' || n.nspname || '.' || c.collname, c.collversion,
       pg_catalog.pg_collation_actual_version(c.oid)
     from pg_collation c join pg_namespace n on n.oid = c.collnamespace
     where c.collprovider <> 'd' and c.oid in (
       select a.attcollation from pg_attribute a where a.attrelid >= 16384 and a.attcollation not in (0, 100)
       union select pg_catalog.unnest(i.indcollation) from pg_index i where i.indexrelid >= 16384)
     order by 1`,
    [],
    signal,
  );
}

export async function readInvalidIndexes(session: Session, signal: AbortSignal): Promise<string[]> {
  const rows = await session.rows<{ name: string }>(
    `select n.nspname || '.' || c.relname as name from pg_index i
     join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace
     where not (i.indisvalid and i.indisready and i.indislive) and c.relpersistence <> 't' and ${USER_SCHEMA}
     order by 1`,
    [],
    signal,
  );
  return rows.map(({ name }) => name);
}

/** From version 18 on a constraint may be declared as not enforced, which is somebody's wish. */
export async function readUnvalidated(session: Session, signal: AbortSignal): Promise<string[]> {
  const rows = await session.rows<{ name: string }>(
    `select n.nspname || '.' || r.relname || '.' || c.conname as name from pg_constraint c
     join pg_class r on r.oid = c.conrelid join pg_namespace n on n.oid = r.relnamespace
     where not c.convalidated ${session.versionNumber >= 180_000 ? 'and c.conenforced' : ''} and ${USER_SCHEMA}
     order by 1`,
    [],
    signal,
  );
  return rows.map(({ name }) => name);
}

export function readChecksumFailures(session: Session, signal: AbortSignal): Promise<DatabaseCount[]> {
  return session.rows<{ database: string; count: string }>(
    `select coalesce(d.datname, '(shared)') as database, d.checksum_failures::text as count
     from pg_stat_database d where d.checksum_failures > 0 order by 1`,
    [],
    signal,
  );
}

export function readAges(session: Session, signal: AbortSignal): Promise<AgeFact[]> {
  return session.rows<{ database: string; transactions: number; multixacts: number }>(
    `select d.datname as database, pg_catalog.age(d.datfrozenxid) as transactions,
       pg_catalog.mxid_age(d.datminmxid) as multixacts from pg_database d order by 1`,
    [],
    signal,
  );
}

export function readExtensions(session: Session, signal: AbortSignal): Promise<ExtensionFact[]> {
  return session.rows<{ name: string; version: string; installed: boolean }>(
    `select e.extname as name, e.extversion as version, v.name is not null as installed
     from pg_extension e left join pg_available_extension_versions v on v.name = e.extname and v.version = e.extversion
     order by 1`,
    [],
    signal,
  );
}

/** A folder that is not there is none of an own tablespace to the server, which it says in a warning. */
export function readTablespaces(session: Session, signal: AbortSignal): Promise<TablespaceFact[]> {
  return session.rows<{ name: string; location: string; used: boolean; databases: number }>(
    `select t.spcname as name, pg_catalog.pg_tablespace_location(t.oid) as location,
       exists (select from pg_class c where c.reltablespace = t.oid and c.relkind in ('r', 'i', 'm', 't', 'S'))
         or exists (select from pg_database d where d.dattablespace = t.oid) as used,
       (select pg_catalog.count(*) from pg_catalog.pg_tablespace_databases(t.oid) x)::int4 as databases
     from pg_tablespace t where t.spcname not in ('pg_default', 'pg_global') order by 1`,
    [],
    signal,
  );
}

export function readConflicts(session: Session, signal: AbortSignal): Promise<DatabaseCount[]> {
  return session.rows<{ database: string; count: string }>(
    `select c.datname as database, (c.confl_tablespace + c.confl_lock + c.confl_snapshot + c.confl_bufferpin
       + c.confl_deadlock)::text as count
     from pg_stat_database_conflicts c where c.confl_tablespace + c.confl_lock + c.confl_snapshot
       + c.confl_bufferpin + c.confl_deadlock > 0 order by 1`,
    [],
    signal,
  );
}
