import { serverErrno } from './failure.ts';
import type { Session } from './session.ts';
import { TwinproofError } from '../../src/errors.ts';

/**
 * The catalog queries behind describeTables: a handful for the whole database, none per table. Everything is text.
 *
 * The database is compared with its name twice: information_schema takes names for equal that differ in case only
 * (MariaDB), and the plain comparison is what lets the server look at one database alone.
 */
const HERE = `table_schema = database() and cast(table_schema as binary) = cast(database() as binary)`;

/** ER_TABLEACCESS_DENIED_ERROR, and its kin for a whole database. */
const DENIED: ReadonlySet<number> = new Set([1142, 1044, 1227, 1370]);
/** ER_NO_SUCH_TABLE. */
const NO_SUCH_TABLE = 1146;

export type TableRow = Readonly<
  Record<'name' | 'type' | 'collation', string> &
    Record<'engine' | 'format' | 'tableRows' | 'dataLength' | 'created' | 'options', string | null>
>;

/** Everything in the connected database that information_schema.tables lists. */
export async function readTables(session: Session, signal: AbortSignal): Promise<TableRow[]> {
  return session.rows<TableRow>(
    `select table_name as \`name\`, table_type as \`type\`, engine as \`engine\`, row_format as \`format\`,
       table_rows as \`tableRows\`, data_length as \`dataLength\`, create_time as \`created\`,
       create_options as \`options\`, coalesce(table_collation, '') as \`collation\`
     from information_schema.tables where ${HERE}`,
    [],
    signal,
  );
}

export type ColumnRow = Readonly<
  Record<'table' | 'name' | 'dataType' | 'columnType' | 'nullable' | 'indexed' | 'extra', string> &
    Record<'characterSet' | 'collation' | 'expression' | 'preset', string | null>
>;

/** In their order; invisible and generated ones too. */
export async function readColumns(session: Session, signal: AbortSignal): Promise<ColumnRow[]> {
  return session.rows<ColumnRow>(
    `select table_name as \`table\`, column_name as \`name\`, data_type as \`dataType\`,
       column_type as \`columnType\`, is_nullable as \`nullable\`, column_key as \`indexed\`, extra as \`extra\`,
       character_set_name as \`characterSet\`, collation_name as \`collation\`,
       generation_expression as \`expression\`, column_default as \`preset\`
     from information_schema.columns where ${HERE} order by table_name, ordinal_position`,
    [],
    signal,
  );
}

export type IndexRow = Readonly<
  Record<'table' | 'index' | 'place' | 'unique' | 'type' | 'usable', string> &
    Record<'column' | 'prefix' | 'direction', string | null>
>;

/** Every column of every index, in their order. `usable`: the optimizer may be told to use it. */
export async function readIndexes(session: Session, signal: AbortSignal): Promise<IndexRow[]> {
  // An index over an expression has no column (MySQL); MariaDB calls an invisible index ignored.
  const usable =
    session.flavor === 'mysql' ? `is_visible` : `case ignored when 'NO' then 'YES' else 'NO' end`;
  return session.rows<IndexRow>(
    `select table_name as \`table\`, index_name as \`index\`, seq_in_index as \`place\`,
       case non_unique when 0 then 'YES' else 'NO' end as \`unique\`, index_type as \`type\`,
       ${usable} as \`usable\`, column_name as \`column\`, sub_part as \`prefix\`, collation as \`direction\`
     from information_schema.statistics where ${HERE} order by table_name, index_name, seq_in_index`,
    [],
    signal,
  );
}

/** `scheme` is how the table is cut; `definition` also says when each part was made or rebuilt last. */
export type PartitionRow = Readonly<Record<'table' | 'scheme' | 'definition', string>>;

const SCHEME = `concat_ws('|', partition_name, subpartition_name, partition_method, subpartition_method,
       partition_expression, subpartition_expression, partition_description)`;

export async function readPartitions(session: Session, signal: AbortSignal): Promise<PartitionRow[]> {
  return session.rows<PartitionRow>(
    `select table_name as \`table\`, ${SCHEME} as \`scheme\`, concat_ws('|', ${SCHEME}, create_time) as \`definition\`
     from information_schema.partitions where partition_name is not null and ${HERE}
     order by table_name, partition_ordinal_position, subpartition_ordinal_position`,
    [],
    signal,
  );
}

/**
 * Throws TP-PERMISSION unless the account may read every table of the database. information_schema hides tables on
 * which it has no privilege, so a list made with grants on single tables would be a part of the database that looks
 * like the whole. The server checks privileges before it looks for a table: to somebody who may read the database a
 * table that does not exist is unknown, to anybody else it is forbidden, whether the grant came by a role, by a
 * pattern, or directly.
 */
export async function demandWholeDatabase(session: Session, signal: AbortSignal): Promise<void> {
  try {
    await session.rows('select 1 from `twinproof no such table` limit 0', [], signal);
  } catch (error) {
    const errno = serverErrno(error);
    if (errno === NO_SUCH_TABLE) return;
    if (errno === null || !DENIED.has(errno)) throw error;
    throw new TwinproofError('TP-PERMISSION', {
      message: 'the account may not read the whole database, so tables may be hidden from it',
      hint: 'GRANT SELECT ON database.* (grants on single tables hide the others from the catalog)',
      cause: error,
    });
  }
}
