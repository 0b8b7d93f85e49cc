import type { TableDescription } from '../../src/connector/table.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { MysqlType } from './columns.ts';

export interface MysqlColumn {
  readonly name: string;
  /** In backticks: ready to stand in SQL. */
  readonly quotedName: string;
  /** Null: a type that this version does not know. */
  readonly type: MysqlType | null;
  /** COLUMN_TYPE, such as `char(36)`. */
  readonly columnType: string;
}

/** An index that holds every row once: what rows are told apart by, or ranges are read along. */
export interface MysqlKey {
  /** In backticks. */
  readonly quotedIndex: string;
  readonly columns: readonly MysqlColumn[];
  /**
   * The leading columns that ranges are cut by: compared by value exactly as the index orders them. Empty: the table is
   * read as one range.
   */
  readonly rangeColumns: readonly MysqlColumn[];
}

/** What `TableDescription.handle` holds for MySQL and MariaDB. */
export interface MysqlTable {
  /** Schema and name in backticks. */
  readonly qualifiedName: string;
  /** In the order of TableDescription.columns. */
  readonly columns: readonly MysqlColumn[];
  /** What TableDescription.key names; null: no key. */
  readonly key: MysqlKey | null;
}

/** The handle of a description that this connector made. */
export function handleOf(table: TableDescription): MysqlTable {
  if (!isMysqlTable(table.handle)) {
    throw new TwinproofError('TP-BUG', { message: `${table.name} was not described by this connector` });
  }
  return table.handle;
}

function isMysqlTable(handle: unknown): handle is MysqlTable {
  return typeof handle === 'object' && handle !== null && 'qualifiedName' in handle && 'key' in handle;
}

/** An identifier from the catalog as it stands in SQL (manual, "Schema Object Names"). */
export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
