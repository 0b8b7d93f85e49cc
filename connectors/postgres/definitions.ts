import { createHash } from 'node:crypto';
import type { RelationMessage, ReplicaIdentity } from './pgoutput-messages.ts';
import { isPublished, isSchemaPublished, LINE, membership, narrows, unlisted } from './publication-sql.ts';
import type { Session } from './session.ts';

/** A relation that holds rows, as the catalog has it now, and what the publication makes of it. */
export interface Definition {
  readonly oid: number;
  /** `schema.table` of the relation, and of the topmost partitioned table above it. */
  readonly leaf: string;
  readonly rootSchema: string;
  readonly rootTable: string;
  /** What the log would say of it. */
  readonly relation: RelationMessage;
  /** Columns whose types have a send function: the others come as text. */
  readonly sends: ReadonlySet<string>;
  /** The publication has it as a table of its own. */
  readonly published: boolean;
  /** The publication leaves out rows by a condition. */
  readonly filtered: boolean;
  /** Why its changes do not come with the log; null: they do. */
  readonly unfollowed: string | null;
  readonly fingerprint: string;
}

type ColumnRow = readonly [
  name: string,
  typeOid: number,
  typeModifier: number,
  key: boolean,
  sends: boolean,
  made: boolean,
];

interface DefinitionRow {
  readonly oid: number;
  readonly schema: string;
  readonly name: string;
  readonly kind: string;
  readonly persistence: string;
  readonly identity: ReplicaIdentity;
  readonly rootSchema: string;
  readonly rootTable: string;
  readonly columns: readonly ColumnRow[] | null;
  readonly published: boolean;
  readonly filtered: boolean;
  /** What makes the fingerprint, beside the above. */
  readonly storage: readonly string[];
}

/** A fingerprint tells versions of one definition apart, not forgeries. */
const FINGERPRINT_DIGITS = 32;

/**
 * One row a relation that holds rows. `storage` changes with everything that changes rows, or leaves changes out, without
 * a word in the log: every ALTER of a column writes its pg_attribute row anew, also one whose type stays (USING); to
 * attach and detach changes the line of ancestors; to drop from a publication and to add again makes a new
 * pg_publication_rel row; a table that was unlogged for a while was written anew. Otherwise the file is not in it, so that
 * TRUNCATE, which is logged, and VACUUM FULL, which changes no row, leave it as it is (unlisted says where they do not).
 *
 * A condition and a list of columns are those of the table itself, and count for nothing where its schema is published.
 * Which columns the log has: those of the list; without one all but the generated ones, from version 18 on the stored
 * ones of these too if the publication says so. The replica identity is the primary key unless that is deferrable
 * (manual, "Replica Identity").
 */
function definitionsQuery(versionNumber: number): string {
  const own = narrows(versionNumber)
    ? `select m.prattrs::int2[] as columns, m.prqual is not null as filtered from pg_publication_rel m
         where m.prpubid = pub.oid and m.prrelid = c.oid and not ${isSchemaPublished(versionNumber, 'c.relnamespace')}`
    : `select null::int2[] as columns, false as filtered where false`;
  const generated = versionNumber >= 180_000 ? `a.attgenerated = 's' and pub.pubgencols = 's'` : 'false';
  return `
select c.oid::int8::float8 as oid, n.nspname as schema, c.relname as name, c.relkind as kind,
  c.relpersistence as persistence, c.relreplident as identity, rn.nspname as "rootSchema", r.relname as "rootTable",
  (select json_agg(json_build_array(a.attname, a.atttypid::int8, a.atttypmod, k.key, t.typsend <> 0,
      greatest(t.oid, t.typelem)::oid::int8 >= 16384) order by a.attnum)
    from pg_attribute a join pg_type t on t.oid = a.atttypid
    cross join lateral (select c.relreplident = 'f' or exists (select from pg_index i where i.indrelid = c.oid
      and case c.relreplident when 'd' then i.indisprimary and i.indimmediate when 'i' then i.indisreplident end
      and a.attnum = any((i.indkey::int2[])[0:i.indnkeyatts - 1])) as key) k
    where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
      and case when own.columns is null then a.attgenerated = '' or (${generated})
        else a.attnum = any(own.columns) end) as columns,
  ${isPublished(versionNumber, 'l.line')} as published,
  coalesce(own.filtered, false) as filtered,
  array(select x.oid || ' ' || x.relnamespace || ' ' || x.relname from unnest(l.line) with ordinality as o(oid, at)
      join pg_class x on x.oid = o.oid order by o.at)
    || array(select a.attnum || ':' || a.xmin from pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0 order by a.attnum)
    || array(select i.indrelid || ' ' || i.indkey::text || ' ' || i.indnkeyatts || i.indisprimary || i.indisreplident
        || i.indimmediate || i.indisvalid
      from pg_index i where i.indrelid in (c.oid, l.root) and i.indisunique and i.indpred is null order by 1)
    || ${membership(versionNumber, 'l.line')} || ${unlisted('c')} as storage
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join pg_publication pub on pub.pubname = $1
cross join lateral (select coalesce(pg_catalog.pg_partition_root(c.oid)::oid, c.oid) as root, ${LINE} as line) l
left join lateral (${own}) own on true
join pg_class r on r.oid = l.root join pg_namespace rn on rn.oid = r.relnamespace
where c.relkind in ('r', 'm', 'f') and c.relpersistence <> 't' and n.nspname !~ '^pg_'
  and n.nspname <> 'information_schema' and ($2::oid is null or c.oid = $2::oid)
order by n.nspname, c.relname`;
}

/** Renaming a label changes the rows that hold it, and is not logged. */
const ENUMS = `select coalesce(string_agg(e.oid || ':' || e.xmin, ',' order by e.oid), '') as labels from pg_enum e`;

interface PublicationRow {
  readonly viaRoot: boolean;
  readonly withheld: readonly string[];
}

const PUBLICATION = `
select p.pubviaroot as "viaRoot", array_remove(array[case when not p.pubinsert then 'insert' end,
  case when not p.pubupdate then 'update' end, case when not p.pubdelete then 'delete' end,
  case when not p.pubtruncate then 'truncate' end], null) as withheld
from pg_publication p where p.pubname = $1`;

/** Every relation that holds rows of this database, or one by its oid. Views of the catalog are those of one moment each. */
export async function readDefinitions(
  session: Session,
  publication: string,
  oid: number | null,
  signal: AbortSignal,
): Promise<readonly Definition[]> {
  const [enums] = await session.rows<{ labels: string }>(ENUMS, [], signal);
  const [found] = await session.rows<PublicationRow>(PUBLICATION, [publication], signal);
  const sql = definitionsQuery(session.versionNumber);
  const rows = await session.rows<DefinitionRow>(sql, [publication, oid], signal);
  return rows.map((row) => definitionOf(row, found ?? null, publication, enums?.labels ?? ''));
}

function definitionOf(
  row: DefinitionRow,
  publication: PublicationRow | null,
  name: string,
  labels: string,
): Definition {
  const columns = row.columns ?? [];
  const { oid, schema, identity, rootSchema, rootTable, published, filtered } = row;
  return {
    oid,
    leaf: `${schema}.${row.name}`,
    rootSchema,
    rootTable,
    relation: {
      kind: 'relation',
      xid: null,
      oid,
      schema,
      name: row.name,
      replicaIdentity: identity,
      columns: columns.map(([column, typeOid, typeModifier, key]) => ({
        name: column,
        typeOid,
        typeModifier,
        key,
      })),
    },
    sends: new Set(columns.filter(([, , , , sends]) => sends).map(([column]) => column)),
    published,
    filtered,
    unfollowed: reasonOf(row, publication, name),
    fingerprint: fingerprintOf(row, labels),
  };
}

function fingerprintOf(row: DefinitionRow, labels: string): string {
  // Types that people made may be, or hold, an enumeration.
  const own = row.columns?.some(([, , , , , made]) => made) === true;
  const { oid, kind, persistence, identity, storage } = row;
  const text = JSON.stringify([oid, kind, persistence, identity, storage, own ? labels : '']);
  return createHash('sha256').update(text).digest('hex').slice(0, FINGERPRINT_DIGITS);
}

function reasonOf(row: DefinitionRow, publication: PublicationRow | null, name: string): string | null {
  if (row.kind === 'f') return 'it is a foreign table: its rows are on another server';
  if (row.kind === 'm') return 'it is a materialized view: its rows do not come with the log';
  if (row.persistence === 'u') return 'it is unlogged';
  if (publication === null) return `publication ${name} does not exist`;
  if (publication.withheld.length > 0)
    return `publication ${name} withholds ${publication.withheld.join(', ')}`;
  if (!row.published) {
    return publication.viaRoot
      ? `publication ${name} does not have it, or hides it behind its root`
      : `publication ${name} does not have it`;
  }
  if (row.filtered) return `publication ${name} leaves out rows of it by a condition`;
  if (row.columns?.some(([, , , key]) => key) === true) return null;
  return 'it has no replica identity: the log does not say which of its rows changed';
}
