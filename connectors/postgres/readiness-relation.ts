import { USER_SCHEMA } from './readiness-storage.ts';

/*
 * Parts of the statements that read a database's own relations, as pg_class c in pg_namespace n.
 */

/**
 * What an extension brings is the extension's, and compared as one thing. Looked for by what it depends on: of that there
 * is an index, and by far the most of this catalog is about other things.
 */
export function notOfExtension(catalog: string, oid: string): string {
  return `not exists (select from pg_depend x where x.refclassid = 'pg_catalog.pg_extension'::regclass
    and x.classid = 'pg_catalog.${catalog}'::regclass and x.objid = ${oid} and x.deptype = 'e')`;
}

export const RELATION = `pg_class c join pg_namespace n on n.oid = c.relnamespace`;
export const OWN = `${USER_SCHEMA} and c.relpersistence <> 't' and ${notOfExtension('pg_class', 'c.oid')}`;
/** `schema.table`. */
export const TABLE = `n.nspname || '.' || c.relname`;
