import type { Session } from './session.ts';

/**
 * The catalog queries behind describeTables: a handful for the whole database, none per table. Oids and counts that
 * may exceed 2^53 come as text; the rest fits a number.
 */

export interface RelationRow {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly qualified: string;
  /** r table, p partitioned table, m materialized view, f foreign table. */
  readonly kind: string;
  readonly persistence: string;
  readonly partition: boolean;
  readonly parents: readonly number[];
  readonly filenode: number;
  readonly toast: number;
  readonly pages: number;
  readonly tuples: number;
  readonly populated: boolean;
  readonly security: string;
  readonly securityActive: boolean;
  /** Null: the table has gone while the catalog was read. */
  readonly readable: boolean | null;
  readonly schemaUsable: boolean;
  /** State of the first copy in every subscription that has the table: `r` is ready. */
  readonly copies: readonly string[];
}

/** `pg_` schemas are the server's own: the catalog, TOAST and temporary tables. */
const RELATIONS = `
select c.oid::int8::float8 as oid, n.nspname as schema, c.relname as name,
  pg_catalog.format('%I.%I', n.nspname, c.relname) as qualified,
  c.relkind as kind, c.relpersistence as persistence, c.relispartition as partition,
  coalesce((select array_agg(i.inhparent::int8::float8 order by i.inhseqno)
    from pg_inherits i where i.inhrelid = c.oid), '{}') as parents,
  c.relfilenode::int8::float8 as filenode, c.reltoastrelid::int8::float8 as toast,
  c.relpages as pages, c.reltuples::float8 as tuples, c.relispopulated as populated,
  c.relrowsecurity::text || c.relforcerowsecurity::text as security,
  case when c.relrowsecurity then pg_catalog.row_security_active(c.oid) else false end as "securityActive",
  pg_catalog.has_table_privilege(c.oid, 'SELECT') as readable,
  pg_catalog.has_schema_privilege(n.oid, 'USAGE') as "schemaUsable",
  coalesce((select array_agg(s.srsubstate::text) from pg_subscription_rel s where s.srrelid = c.oid), '{}') as copies
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'm', 'f') and c.relpersistence <> 't'
  and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'`;

export async function readRelations(session: Session, signal: AbortSignal): Promise<RelationRow[]> {
  return session.rows<RelationRow>(RELATIONS, [], signal);
}

export interface SizeRow {
  readonly oid: number;
  /** Bytes of the main fork; null when the relation has gone. */
  readonly main: number | null;
  readonly toast: number | null;
}

/** Relations of this database, TOAST included, to which somebody has or wants exclusive access. */
const LOCKED = `array(select l.relation from pg_locks l where l.locktype = 'relation' and l.mode = 'AccessExclusiveLock'
  and l.database = (select d.oid from pg_database d where d.datname = pg_catalog.current_database()))`;

/**
 * Sizes on disk, in bytes, but not of relations that somebody has locked: to look takes a share lock for a moment. One
 * that is locked just then is waited for, up to lock_timeout.
 */
export async function readSizes(
  session: Session,
  oids: readonly number[],
  signal: AbortSignal,
): Promise<SizeRow[]> {
  return session.rows<SizeRow>(
    `select c.oid::int8::float8 as oid, pg_catalog.pg_relation_size(c.oid)::float8 as main,
       case when c.reltoastrelid = 0 then 0 else pg_catalog.pg_relation_size(c.reltoastrelid) end::float8 as toast
     from pg_class c where c.oid = any($1::oid[]) and c.oid <> all(${LOCKED}) and c.reltoastrelid <> all(${LOCKED})`,
    [oids],
    signal,
  );
}

export interface ColumnRow {
  readonly relation: number;
  readonly attnum: number;
  readonly name: string;
  readonly quoted: string;
  readonly type: string;
  readonly typeOid: number;
  readonly collation: number;
  /** Declared NOT NULL and, since version 18 allows otherwise, validated. */
  readonly notNull: boolean;
  readonly generated: string;
  readonly identity: string;
}

export async function readColumns(
  session: Session,
  oids: readonly number[],
  signal: AbortSignal,
): Promise<ColumnRow[]> {
  return session.rows<ColumnRow>(
    `select a.attrelid::int8::float8 as relation, a.attnum, a.attname as name, pg_catalog.quote_ident(a.attname) as quoted,
       pg_catalog.format_type(a.atttypid, a.atttypmod) as type, a.atttypid::int8::float8 as "typeOid",
       a.attcollation::int8::float8 as collation, a.attgenerated as generated, a.attidentity as identity,
       a.attnotnull and n.conrelid is null as "notNull"
     from pg_attribute a
     left join pg_constraint n on n.conrelid = a.attrelid and n.contype = 'n' and not n.convalidated
       and n.conkey[1] = a.attnum
     where a.attrelid = any($1::oid[]) and a.attnum > 0 and not a.attisdropped
     order by a.attrelid, a.attnum`,
    [oids],
    signal,
  );
}

export interface TypeRow {
  readonly oid: number;
  readonly name: string;
  readonly kind: string;
  readonly builtin: boolean;
  readonly sends: boolean;
  readonly array: boolean;
  readonly parts: readonly number[];
  /** The operator that the type's own btree indexes take for equality; null: it has none, or borrows another type's. */
  readonly equals: string | null;
}

/** 16384 is FirstNormalObjectId: objects below it are made by initdb. */
const TYPES = `
with recursive part(whole, part) as (
    select t.oid, t.typbasetype from pg_type t where t.typbasetype <> 0
    union all select t.oid, t.typelem from pg_type t
      where t.typelem <> 0 and t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc
    union all select r.rngtypid, r.rngsubtype from pg_range r
    union all select r.rngmultitypid, r.rngtypid from pg_range r
    union all select t.oid, a.atttypid from pg_type t join pg_attribute a on a.attrelid = t.typrelid
      where t.typtype = 'c' and a.attnum > 0 and not a.attisdropped
  ), used(oid) as (
    select distinct a.atttypid from pg_attribute a
      where a.attrelid = any($1::oid[]) and a.attnum > 0 and not a.attisdropped
    union select p.part from used u join part p on p.whole = u.oid
  )
select t.oid::int8::float8 as oid, pg_catalog.format_type(t.oid, null) as name, t.typtype as kind,
  t.oid < 16384 and t.typnamespace = 'pg_catalog'::regnamespace as builtin, t.typsend <> 0 as sends,
  t.typelem <> 0 and t.typsubscript = 'pg_catalog.array_subscript_handler'::regproc as array,
  coalesce((select array_agg(p.part::int8::float8) from part p where p.whole = t.oid), '{}') as parts,
  (select pg_catalog.format('operator(%I.%s)', n.nspname, x.oprname)
    from pg_opclass o join pg_am m on m.oid = o.opcmethod and m.amname = 'btree'
    join pg_amop a on a.amopfamily = o.opcfamily and a.amopstrategy = 3
      and a.amoplefttype = o.opcintype and a.amoprighttype = o.opcintype
    join pg_operator x on x.oid = a.amopopr join pg_namespace n on n.oid = x.oprnamespace
    where o.opcintype = t.oid and o.opcdefault and t.oid >= 16384) as equals
from used u join pg_type t on t.oid = u.oid`;

/** Every type that a column of these tables has, and every type within those. */
export async function readTypes(
  session: Session,
  oids: readonly number[],
  signal: AbortSignal,
): Promise<TypeRow[]> {
  return session.rows<TypeRow>(TYPES, [oids], signal);
}

export interface IndexRow {
  readonly relation: number;
  readonly oid: number;
  readonly qualified: string;
  readonly primary: boolean;
  readonly replicaIdentity: boolean;
  readonly attnums: readonly number[];
  /** For each key column: the operator class is the type's default one. */
  readonly defaultOrder: readonly boolean[];
  /** For each key column: its collation compares bytes. */
  readonly byteOrder: readonly boolean[];
}

/** Unique btree indexes that every row is in and that always hold. The vectors are text: oids with blanks between. */
const INDEXES = `
select i.indrelid::int8::float8 as relation, i.indexrelid::int8::float8 as oid,
  pg_catalog.format('%I.%I', n.nspname, c.relname) as qualified,
  i.indisprimary as primary, i.indisreplident as "replicaIdentity", i.indnkeyatts as "keyCount",
  i.indkey::text as attnums, i.indcollation::text as collations, i.indclass::text as classes
from pg_index i
join pg_class c on c.oid = i.indexrelid
join pg_namespace n on n.oid = c.relnamespace
join pg_am m on m.oid = c.relam and m.amname = 'btree'
where i.indrelid = any($1::oid[]) and i.indisunique and i.indisvalid and i.indisready and i.indislive
  and (i.indimmediate or i.indisprimary) and i.indpred is null and i.indexprs is null`;

/**
 * What orders alike on every server: default operator classes, and collations that compare bytes (`C`, `POSIX`, and
 * the built-in provider of version 17). The database's own collation goes by oid 100. Rows of pg_database pass
 * through jsonb because the provider's column came with version 15.
 */
const ORDERS = `
select coalesce((select string_agg(o.oid::text, ' ') from pg_opclass o where o.opcdefault), '') as classes,
  coalesce((select string_agg(b.oid::text, ' ') from (
    select c.oid from pg_collation c
      where (c.collprovider = 'c' and c.collcollate in ('C', 'POSIX')) or c.collprovider = 'b'
    union all select 100::oid from pg_database d
      where d.datname = pg_catalog.current_database() and
        case coalesce(to_jsonb(d) ->> 'datlocprovider', 'c')
          when 'c' then d.datcollate in ('C', 'POSIX') else to_jsonb(d) ->> 'datlocprovider' = 'b' end
  ) b), '') as collations`;

interface IndexVectors {
  readonly relation: number;
  readonly oid: number;
  readonly qualified: string;
  readonly primary: boolean;
  readonly replicaIdentity: boolean;
  readonly keyCount: number;
  readonly attnums: string;
  readonly collations: string;
  readonly classes: string;
}

export async function readIndexes(
  session: Session,
  oids: readonly number[],
  signal: AbortSignal,
): Promise<IndexRow[]> {
  const [orders] = await session.rows<{ classes: string; collations: string }>(ORDERS, [], signal);
  const classes = new Set(orders?.classes.split(' '));
  const collations = new Set(orders?.collations.split(' '));
  const rows = await session.rows<IndexVectors>(INDEXES, [oids], signal);
  // Behind the key columns stand those that are only INCLUDEd; the other two vectors are for key columns alone.
  return rows.map((row) => ({
    relation: row.relation,
    oid: row.oid,
    qualified: row.qualified,
    primary: row.primary,
    replicaIdentity: row.replicaIdentity,
    attnums: row.attnums.split(' ').slice(0, row.keyCount).map(Number),
    defaultOrder: row.classes.split(' ').map((oid) => classes.has(oid)),
    byteOrder: row.collations.split(' ').map((oid) => collations.has(oid)),
  }));
}

export interface CorrelationRow {
  readonly oid: number;
  readonly correlation: number | null;
}

/** How well physical order follows a column (pg_stats.correlation); absent where the role may not see it. */
export async function readCorrelations(
  session: Session,
  columns: readonly { readonly oid: number; readonly column: string }[],
  signal: AbortSignal,
): Promise<CorrelationRow[]> {
  return session.rows<CorrelationRow>(
    `select w.oid::int8::float8 as oid, s.correlation::float8 as correlation
     from rows from (pg_catalog.unnest($1::oid[]), pg_catalog.unnest($2::name[])) as w(oid, attname)
     join pg_class c on c.oid = w.oid join pg_namespace n on n.oid = c.relnamespace
     join pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname and s.attname = w.attname
       and not s.inherited`,
    [columns.map(({ oid }) => oid), columns.map(({ column }) => column)],
    signal,
  );
}
