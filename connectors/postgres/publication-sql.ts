/**
 * What a publication has, in SQL over its own catalogs (manual, pg_publication_rel, pg_publication_namespace, CREATE
 * PUBLICATION). The view pg_publication_tables opens every table that it names, so that one table which somebody
 * redefines holds up the answer for all; these take no lock on any table.
 *
 * The row of pg_publication must be called `pub` in the query, or be null, and that of the relation in pg_class `c`.
 */

/** Schemas, conditions and lists of columns came with version 15. */
export function narrows(versionNumber: number): boolean {
  return versionNumber >= 150_000;
}

/** Whether `pub` has all tables of a schema. `schema`: an expression that gives its oid. */
export function isSchemaPublished(versionNumber: number, schema: string): string {
  if (!narrows(versionNumber)) return 'false';
  return `exists (select from pg_publication_namespace s where s.pnpubid = pub.oid and s.pnnspid = ${schema})`;
}

/**
 * Whether changes of `c`, which is a table, are published as its own: by its name, by that of a partitioned table above it, or by the schema
 * of either. Where partitions are published through their root, only if no table above it is in the publication.
 * `line`: an expression that gives the oids of `c` and of all tables above it.
 */
export function isPublished(versionNumber: number, line: string): string {
  return `case when pub.oid is null or c.relkind not in ('r', 'p') or c.relpersistence <> 'p' then false
    when pub.puballtables then not (pub.pubviaroot and c.relispartition)
    else (select count(*) > 0 and (not pub.pubviaroot or bool_and(x.oid = c.oid)) from pg_class x
      where x.oid = any(${line}) and (${isSchemaPublished(versionNumber, 'x.relnamespace')}
        or exists (select from pg_publication_rel m where m.prpubid = pub.oid and m.prrelid = x.oid))) end`;
}

/** The oids of `c` and of all tables above it, from itself to the root. */
export const LINE = `coalesce(nullif(array(select pg_catalog.pg_partition_ancestors(c.oid)::oid), '{}'), array[c.oid])`;

/**
 * An array of what makes `pub` have a table, by oid and by who wrote it: what was taken out and put in again, or was
 * changed for a while, is another. `line` as above.
 */
export function membership(versionNumber: number, line: string): string {
  const schemas = narrows(versionNumber)
    ? `select 'n' || s.oid || ':' || s.xmin from pg_publication_namespace s
         where s.pnpubid = pub.oid and s.pnnspid in (select x.relnamespace from pg_class x where x.oid = any(${line}))`
    : `select null where false`;
  return `array(select 'r' || m.oid || ':' || m.xmin from pg_publication_rel m
      where m.prpubid = pub.oid and m.prrelid = any(${line}) order by 1)
    || array(${schemas} order by 1)
    || array(select pub.oid || ':' || pub.xmin where pub.oid is not null)`;
}

/**
 * An array of what changes when a table is written anew because it is made unlogged, or logged again. The server refuses
 * to make a table unlogged that a publication has by its own name, and no other (measured, 14 and 18): of these the array
 * is empty. The table of values out of line is another then, and the same after TRUNCATE and VACUUM FULL; of a table that
 * has none the file number counts. `table`: the name of its row of pg_class in the query.
 */
export function unlisted(table: string): string {
  return `array(select case when ${table}.reltoastrelid <> 0 then 't' || ${table}.reltoastrelid
      else 'f' || ${table}.relfilenode end
    where pub.oid is not null
      and not exists (select from pg_publication_rel m where m.prpubid = pub.oid and m.prrelid = ${table}.oid))`;
}
