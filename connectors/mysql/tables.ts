import { createHash } from 'node:crypto';
import type { ColumnDescription, TableDescription } from '../../src/connector/table.ts';
import {
  type ColumnRow,
  demandWholeDatabase,
  type IndexRow,
  type PartitionRow,
  readColumns,
  readIndexes,
  readPartitions,
  readTables,
  type TableRow,
} from './catalog.ts';
import { baseTypeOf, encodingsOf, portableOf, typeName, typeOf } from './columns.ts';
import { type ChosenKey, chooseKey, compareText } from './keys.ts';
import { obstacleOf } from './obstacles.ts';
import type { Session } from './session.ts';
import { type MysqlColumn, type MysqlTable, quoted } from './table.ts';

/** A fingerprint tells versions of one definition apart, not forgeries. */
const FINGERPRINT_DIGITS = 32;
/** What holds rows. Views hold none, a SEQUENCE (MariaDB) is a counter, temporary tables belong to one session. */
const TABLE_TYPES = new Set(['BASE TABLE', 'SYSTEM VERSIONED']);

/** What the catalog says of one table. */
interface Facts {
  readonly table: TableRow;
  readonly columns: readonly ColumnRow[];
  readonly indexes: readonly IndexRow[];
  readonly partitions: readonly PartitionRow[];
}

/** A table, and what tells versions of its definition apart for those who follow its changes. */
export interface DefinedTable {
  readonly description: TableDescription;
  /** As TableDescription.fingerprint, but the same after a TRUNCATE or a rebuild, which the log shows. */
  readonly definition: string;
}

/**
 * The tables of the connected database that `selects` takes, sorted by name. Others on the server are out of sight: a
 * run is about the database that its URL names, as with every engine. A partitioned table is one table. Throws
 * TP-PERMISSION when some may be hidden from the account.
 */
export async function describeTables(
  session: Session,
  selects: (schema: string, table: string) => boolean,
  signal: AbortSignal,
): Promise<TableDescription[]> {
  return (await readDefinedTables(session, selects, signal)).map(({ description }) => description);
}

/** As describeTables. */
export async function readDefinedTables(
  session: Session,
  selects: (schema: string, table: string) => boolean,
  signal: AbortSignal,
): Promise<DefinedTable[]> {
  await demandWholeDatabase(session, signal);
  const [here] = await session.rows<{ name: string }>('select database() as `name`', [], signal);
  const schema = here?.name ?? '';
  const tables = await readTables(session, signal);
  const columns = groupBy(await readColumns(session, signal));
  const indexes = groupBy(await readIndexes(session, signal));
  const partitions = groupBy(await readPartitions(session, signal));
  return tables
    .filter(({ type, name }) => TABLE_TYPES.has(type) && selects(schema, name))
    .toSorted((a, b) => compareText(a.name, b.name))
    .map((table) => {
      const facts = {
        table,
        columns: columns.get(table.name) ?? [],
        indexes: indexes.get(table.name) ?? [],
        partitions: partitions.get(table.name) ?? [],
      };
      return { description: describe(schema, facts), definition: digestOf(definitionOf(facts, 'lasting')) };
    });
}

function describe(schema: string, facts: Facts): TableDescription {
  const { table } = facts;
  const columns = facts.columns.map(columnOf);
  const key = chooseKey(facts.indexes, facts.columns, columns);
  const handle: MysqlTable = {
    qualifiedName: `${quoted(schema)}.${quoted(table.name)}`,
    columns,
    key,
  };
  const name = `${schema}.${table.name}`;
  return {
    name,
    schema,
    table: table.name,
    columns: facts.columns.map(describeColumn),
    key: key?.columns.map((column) => column.name) ?? null,
    keyOrder: key?.order ?? 'local',
    ...collationOf(key),
    clustered: key?.clustered ?? false,
    rowsEstimate: Number(table.tableRows ?? 0),
    bytesEstimate: Number(table.dataLength ?? 0),
    fingerprint: digestOf(definitionOf(facts, 'stored')),
    obstacle: obstacleOf(name, table),
    handle,
  };
}

/** The collations that decide the order of ranges, by which two sites must agree. */
function collationOf(key: ChosenKey | null): { readonly keyCollation?: string } {
  const names = (key?.rangeColumns ?? []).flatMap(({ type }) => type?.collation ?? []);
  return names.length === 0 ? {} : { keyCollation: names.join() };
}

function columnOf(row: ColumnRow): MysqlColumn {
  return {
    name: row.name,
    quotedName: quoted(row.name),
    type: typeOf(row),
    columnType: row.columnType.toLowerCase(),
  };
}

function describeColumn(row: ColumnRow): ColumnDescription {
  const portable = portableOf(row);
  return {
    name: row.name,
    type: typeName(row),
    baseType: baseTypeOf(row),
    encodings: encodingsOf(row),
    ...(portable === null ? {} : { portable }),
  };
}

/**
 * Of the definition alone: nothing that writing or ANALYZE changes. `stored` has the time of creation too, which is
 * that of the last rebuild, so an ALTER that rewrites the table shows even where its columns stay (on MariaDB a
 * TRUNCATE too).
 */
function definitionOf({ table, columns, indexes, partitions }: Facts, of: 'stored' | 'lasting'): unknown {
  const created = of === 'stored' ? table.created : '';
  return {
    table: [table.type, table.engine, table.format, created, table.options, table.collation],
    columns: columns.map((column) => [
      column.name,
      column.columnType,
      column.characterSet,
      column.collation,
      column.nullable,
      column.extra,
      column.expression,
      column.preset,
    ]),
    indexes: indexes.map((part) => [
      part.index,
      part.place,
      part.column,
      part.prefix,
      part.direction,
      part.unique,
      part.type,
    ]),
    partitions: partitions.map(({ scheme, definition }) => (of === 'stored' ? definition : scheme)),
  };
}

function digestOf(definition: unknown): string {
  return createHash('sha256').update(JSON.stringify(definition)).digest('hex').slice(0, FINGERPRINT_DIGITS);
}

function groupBy<Row extends { readonly table: string }>(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const group = groups.get(row.table);
    if (group === undefined) groups.set(row.table, [row]);
    else group.push(row);
  }
  return groups;
}
