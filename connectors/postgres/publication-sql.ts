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
