import { OWN, RELATION, TABLE } from './readiness-relation.ts';

/*
 * Indexes and constraints in the server's own words, without a call of pg_get_indexdef or pg_get_constraintdef for each:
 * those look up every part by itself and, for indexes and checks, open the table. What is printed when is said by
 * pg_get_indexdef_worker and pg_get_constraintdef_worker in the server's ruleutils.c, the same from 14 to 18.
 */

/**
 * Columns of the index i in their order; null where more has to be said of one: an expression, an operator class that is
 * not the server's own default of exactly that type (of varchar it is that of text), another collation than the column's,
 * DESC, NULLS FIRST, a column that is only included and has no operator class.
 */
const PLAIN_COLUMNS = `case when i.indnatts = 1 then (select pg_catalog.quote_ident(a.attname) ${plainColumn('0')})
    else (select case when pg_catalog.count(*) = i.indnatts
        then pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' order by p) end
      ${plainColumn('p', 'pg_catalog.generate_series(0, i.indnatts - 1) p,')}) end`;

/** The column of the index i at a place, one by itself: by far the most indexes have no more. */
function plainColumn(place: string, places = ''): string {
  return `from ${places} pg_attribute a join pg_opclass o on o.oid < 16384 and o.opcdefault
      and (o.opcintype = a.atttypid or o.opcintype = 'text'::regtype and a.atttypid = 'varchar'::regtype)
    where a.attrelid = i.indrelid and a.attnum = i.indkey[${place}] and o.oid = i.indclass[${place}]
      and i.indcollation[${place}] in (0, a.attcollation) and i.indoption[${place}] = 0`;
}

/** Indexes that belong to no key, without their names. A plain one is put together here, of the others the server is asked. */
export function indexes(versionNumber: number): string {
  return `select ${TABLE} as "table", ${TABLE} || ': ' || coalesce(
      case when m.amname in ('btree', 'hash') and i.indpred is null
          and ic.reloptions is null ${nullsDistinct(versionNumber)}
        then 'CREATE ' || case when i.indisunique then 'UNIQUE ' else '' end || 'INDEX ON '
          || case ic.relkind when 'I' then 'ONLY ' else '' end
          || pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname)
          || ' USING ' || m.amname || ' (' || ${PLAIN_COLUMNS} || ')' end,
      replace(pg_catalog.pg_get_indexdef(i.indexrelid), ' ' || pg_catalog.quote_ident(ic.relname) || ' ON ', ' ON ')
    ) as name, '' as definition
    from ${RELATION} join pg_index i on i.indrelid = c.oid join pg_class ic on ic.oid = i.indexrelid
    join pg_am m on m.oid = ic.relam
    where c.relkind in ('r', 'p', 'm') and ${OWN}
      and not exists (select from pg_constraint k where k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x'))`;
}

/** Of the server's own words of keys those of one column are put together here. WITHOUT OVERLAPS takes two. */
export function keys(versionNumber: number): string {
  return `select ${TABLE} as "table", ${TABLE} || ': ' || coalesce(
      case when k.contype in ('p', 'u') and pg_catalog.cardinality(k.conkey) = 1 and i.indnatts = 1
          and not k.condeferrable ${nullsDistinct(versionNumber)}
        then case k.contype when 'p' then 'PRIMARY KEY (' else 'UNIQUE (' end
          || (select pg_catalog.quote_ident(a.attname) from pg_attribute a
            where a.attrelid = k.conrelid and a.attnum = k.conkey[1]) || ')' end,
      pg_catalog.pg_get_constraintdef(k.oid)) as name, '' as definition
    from ${RELATION} join pg_constraint k on k.conrelid = c.oid and k.contype in ('p', 'u', 'x')
    left join pg_index i on i.indexrelid = k.conindid where ${OWN}`;
}

/** Version 14 has no such choice. */
function nullsDistinct(versionNumber: number): string {
  return versionNumber >= 150_000 ? 'and not i.indnullsnotdistinct' : '';
}

/** Of one column, and of which nothing has to be said but where they point. */
const FOREIGN_KEYS = `select ${TABLE} as "table", ${TABLE} || ': ' || coalesce(
      case when pg_catalog.cardinality(k.conkey) = 1 and k.confmatchtype = 's' and k.confupdtype = 'a'
          and k.confdeltype = 'a' and not k.condeferrable and k.convalidated
        then 'FOREIGN KEY (' || (select pg_catalog.quote_ident(a.attname) from pg_attribute a
            where a.attrelid = k.conrelid and a.attnum = k.conkey[1])
          || ') REFERENCES ' || pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.relname)
          || '(' || (select pg_catalog.quote_ident(a.attname) from pg_attribute a
            where a.attrelid = k.confrelid and a.attnum = k.confkey[1]) || ')' end,
      pg_catalog.pg_get_constraintdef(k.oid)) as name, '' as definition
    from ${RELATION} join pg_constraint k on k.conrelid = c.oid and k.contype = 'f'
    join pg_class t on t.oid = k.confrelid join pg_namespace tn on tn.oid = t.relnamespace where ${OWN}`;

/**
 * Checks and foreign keys. What a check says follows from its expression and the names of its columns: where many tables
 * were made alike, one is printed for all of them. The whole row of a table is of a type of its own.
 */
export function constraints(versionNumber: number): string {
  const enforced = versionNumber >= 180_000 ? 'k.conenforced' : 'true';
  return `with checks as materialized (
      select k.oid, k.conrelid, k.conbin::text as expression, k.convalidated as validated, k.connoinherit as own,
        ${enforced} as enforced,
        case when pg_catalog.cardinality(k.conkey) = 1
          then array(select a.attname from pg_attribute a where a.attrelid = k.conrelid and a.attnum = k.conkey[1])
          else array(select a.attname from pg_attribute a where a.attrelid = k.conrelid and a.attnum = any(k.conkey)
            order by a.attnum) end as columns
      from pg_constraint k where k.contype = 'c' and k.conrelid <> 0),
    texts as materialized (
      select pg_catalog.pg_get_constraintdef(pg_catalog.min(oid::int8)::oid) as text,
        pg_catalog.array_agg(conrelid) as relations
      from checks group by expression, validated, own, enforced, columns)
    select ${TABLE} as "table", ${TABLE} || ': ' || t.text as name, '' as definition
    from texts t cross join lateral pg_catalog.unnest(t.relations) r (oid) join pg_class c on c.oid = r.oid
    join pg_namespace n on n.oid = c.relnamespace where ${OWN}
    union all ${FOREIGN_KEYS}`;
}
