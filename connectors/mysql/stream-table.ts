import type { StreamedColumn, StreamedTable } from '../../src/connector/changes.ts';
import type { PairKind, TableDescription } from '../../src/connector/table.ts';
import {
  type ColumnHints,
  columnStep,
  commaIn,
  NO_HINTS,
  type RowPlan,
  UNREADABLE_PLAN,
} from './binlog-plan.ts';
import type { LogColumn, TableMap } from './binlog-table-map.ts';
import { FIELD_TYPE } from './field-type.ts';
import type { Definition } from './definitions.ts';
import { handleOf, type MysqlColumn } from './table.ts';

/** A table of the stream, and how its rows are read. */
export interface TableEntry {
  readonly table: StreamedTable;
  readonly plan: RowPlan;
}

type Described = Pick<Definition, 'id' | 'leaf' | 'fingerprint' | 'description'>;

/** What a definition event says of a table whose form has not changed since. Pure. */
export function catalogTable(definition: Described, pair: PairKind): StreamedTable {
  const { id, leaf, fingerprint, description } = definition;
  const columns = inOrder(description).map((name) => columnOf(name, description, pair, false));
  const key = description.key ?? [];
  const keyed = key.length > 0 && columns.slice(0, key.length).every(({ encoding }) => encoding !== null);
  return {
    id,
    leaf,
    root: leaf,
    columns,
    keyFields: keyed ? key.length : null,
    absent: [],
    fingerprint,
  };
}

/**
 * Puts together what the log says of a table as it was, and the catalog as it is. A column of which they say different
 * things is unread; without names of columns, or with a type that is not known, nothing of a row is. Pure.
 */
export function tableEntry(map: TableMap, definition: Described, pair: PairKind): TableEntry {
  const { id, leaf, fingerprint, description } = definition;
  const logged = namedColumns(map);
  const known = new Map(handleOf(description).columns.map((column) => [column.name, column]));
  const steps = map.columns?.map((column) => columnStep(column, hintsOf(known.get(column.name ?? ''))));
  if (logged === null || steps === undefined || !steps.every((step) => step !== null)) {
    const table = { id, leaf, root: leaf, columns: [], keyFields: null, absent: [], fingerprint };
    return { table, plan: UNREADABLE_PLAN };
  }
  const names = inOrder(description).filter((name) => logged.has(name));
  const order = [...names, ...[...logged.keys()].filter((name) => !known.has(name) && !isServers(name))];
  const columns = order.map((name) =>
    columnOf(name, description, pair, !agrees(logged.get(name), known.get(name))),
  );
  const key = description.key ?? [];
  const keyed =
    key.length > 0 && key.every((name, index) => order[index] === name && columns[index]?.encoding !== null);
  const keyFields = keyed ? key.length : null;
  const readable = new Set(columns.flatMap(({ name, encoding }) => (encoding === null ? [] : [name])));
  const places = [...logged.keys()];
  const used = places.map((name) => readable.has(name));
  return {
    table: {
      id,
      leaf,
      root: leaf,
      columns,
      keyFields,
      absent: [...known.keys()].filter((name) => !logged.has(name)),
      fingerprint,
    },
    plan: {
      steps,
      order: order.map((name) => places.indexOf(name)),
      used,
      keyFields,
      straight: used.every((counts, index) => counts && order[index] === places[index]),
    },
  };
}

/** MariaDB makes such a column for each UNIQUE over a long text. The catalog never has it, and the log does. */
export function isServers(name: string): boolean {
  return /^DB_ROW_HASH_\d+$/.test(name);
}

function namedColumns(map: TableMap): Map<string, LogColumn> | null {
  const named = new Map<string, LogColumn>();
  for (const column of map.columns ?? []) if (column.name !== null) named.set(column.name, column);
  return map.columns !== null && named.size === map.columns.length ? named : null;
}

/** The key's columns in its order, then the others. */
function inOrder({ key, columns }: TableDescription): readonly string[] {
  const first = key ?? [];
  return [...first, ...columns.map(({ name }) => name).filter((name) => !first.includes(name))];
}

function columnOf(
  name: string,
  description: TableDescription,
  pair: PairKind,
  stale: boolean,
): StreamedColumn {
  const column = description.columns.find((candidate) => candidate.name === name);
  const wanted = column?.encodings[pair] ?? null;
  return { name, type: column?.type ?? '', encoding: !stale && wanted === 'mysql-binary' ? wanted : null };
}

function hintsOf(column: MysqlColumn | undefined): ColumnHints {
  if (column === undefined) return NO_HINTS;
  const { type, columnType } = column;
  return {
    binary: columnType.startsWith('binary'),
    zerofill: type?.kind === 'decimal' && columnType.includes('zerofill'),
    fraction: /^(?:datetime|timestamp|time)\([1-6]\)/.test(columnType),
    comma: commaIn(type?.characterSet ?? null),
    storage: type?.kind === 'uuid' || type?.kind === 'address' ? type.kind : null,
  };
}

const STRINGS: readonly number[] = [
  FIELD_TYPE.varchar,
  FIELD_TYPE.varString,
  FIELD_TYPE.string,
  FIELD_TYPE.blob,
  FIELD_TYPE.tinyBlob,
  FIELD_TYPE.mediumBlob,
  FIELD_TYPE.longBlob,
];

/** The types that the log has for a type of the catalog, by the word with which that begins. */
const LOGGED: Readonly<Record<string, readonly number[]>> = {
  tinyint: [FIELD_TYPE.tiny],
  smallint: [FIELD_TYPE.short],
  mediumint: [FIELD_TYPE.int24],
  int: [FIELD_TYPE.long],
  bigint: [FIELD_TYPE.longlong],
  year: [FIELD_TYPE.year],
  decimal: [FIELD_TYPE.newdecimal],
  float: [FIELD_TYPE.float],
  double: [FIELD_TYPE.double],
  bit: [FIELD_TYPE.bit],
  enum: [FIELD_TYPE.enum],
  set: [FIELD_TYPE.set],
  date: [FIELD_TYPE.date, FIELD_TYPE.newdate],
  time: [FIELD_TYPE.time2, FIELD_TYPE.time],
  datetime: [FIELD_TYPE.datetime2, FIELD_TYPE.datetime],
  timestamp: [FIELD_TYPE.timestamp2, FIELD_TYPE.timestamp],
  uuid: [FIELD_TYPE.string],
  inet4: [FIELD_TYPE.string],
  inet6: [FIELD_TYPE.string],
  json: [FIELD_TYPE.json, FIELD_TYPE.blob],
  // That of MariaDB is a VARBINARY.
  vector: [FIELD_TYPE.vector, FIELD_TYPE.varchar],
};

/** Whether the log and the catalog speak of the same type, as far as bytes depend on it. */
function agrees(logged: LogColumn | undefined, known: MysqlColumn | undefined): boolean {
  if (logged === undefined || known?.type == null) return false;
  const [word = ''] = /^[a-z0-9]+/.exec(known.columnType) ?? [];
  const types = known.type.kind === 'geometry' ? [FIELD_TYPE.geometry] : (LOGGED[word] ?? STRINGS);
  if (!types.includes(logged.type)) return false;
  switch (known.type.kind) {
    case 'integer':
      return known.type.unsigned === logged.unsigned;
    case 'decimal':
      return known.columnType.startsWith(`decimal(${logged.detail >> 8},${logged.detail & 0xff})`);
    case 'bit':
      return known.columnType === `bit(${logged.detail})`;
    case 'label':
      return logged.labels !== null;
    default:
      return true;
  }
}
