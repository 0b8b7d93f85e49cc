import type { TableDescription } from '../../src/connector/table.ts';
import { TwinproofError } from '../../src/errors.ts';

/** One physical piece of a table: itself, or a leaf partition. Only these hold rows. */
export interface PostgresLeaf {
  readonly oid: number;
  /** The file's number; a rewrite (TRUNCATE, VACUUM FULL, ALTER TYPE) gives another. */
  readonly relfilenode: number;
  /** Schema and name, quoted by the server: ready to stand in SQL. */
  readonly qualifiedName: string;
  /** `schema.table`, unquoted, as output shows it. */
  readonly name: string;
  /** Whether SELECT must say ONLY: old-style inheritance children are tables of their own. */
  readonly only: boolean;
  /** Blocks of the main fork, from its size on disk and not from pg_class.relpages. */
  readonly blocks: number;
  /** The TOAST table with its index. */
  readonly toastBytes: number;
  readonly rowsEstimate: number;
}

export interface PostgresColumn {
  readonly name: string;
  /** Quoted by the server. */
  readonly quotedName: string;
  readonly attnum: number;
  readonly notNull: boolean;
  readonly typeOid: number;
  /** The type below all domains. */
  readonly base: PostgresType;
}

/** What is known of a type, domains resolved. */
export interface PostgresType {
  readonly oid: number;
  /** Qualified unless in pg_catalog, as format_type prints it: `integer`, `character varying`, `public.citext`. */
  readonly name: string;
  /** pg_type.typtype: b base, c composite, e enum, r range, m multirange, p pseudo. */
  readonly kind: string;
  /** The operator of equality, ready to stand in SQL: extensions have theirs outside pg_catalog. */
  readonly equals: string;
}

/** What `TableDescription.handle` holds for PostgreSQL. */
export interface PostgresTable {
  readonly oid: number;
  readonly qualifiedName: string;
  readonly partitioned: boolean;
  readonly blockSize: number;
  /** The database stores text as it is sent. */
  readonly utf8: boolean;
  /** In the order of their names: the same on both sites. Empty for a partitioned table without partitions. */
  readonly leaves: readonly PostgresLeaf[];
  /** In the order of TableDescription.columns. */
  readonly columns: readonly PostgresColumn[];
  /** The index that carries `key`, quoted by the server; null: no key. Of the root, when partitioned. */
  readonly keyIndex: string | null;
}

/** The handle of a description that this connector made. */
export function handleOf(table: TableDescription): PostgresTable {
  if (!isPostgresTable(table.handle)) {
    throw new TwinproofError('TP-BUG', { message: `${table.name} was not described by this connector` });
  }
  return table.handle;
}

function isPostgresTable(handle: unknown): handle is PostgresTable {
  return typeof handle === 'object' && handle !== null && 'leaves' in handle && 'keyIndex' in handle;
}
