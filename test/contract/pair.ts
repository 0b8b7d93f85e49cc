import type { Connector, RowIdentity, RowShape } from '../../src/connector/contract.ts';
import type { Position } from '../../src/connector/position.ts';
import type { TableDescription } from '../../src/connector/table.ts';
import { quotedPattern } from '../../src/config/selection.ts';
import { frameRow } from '../../src/row/stream.ts';

/** `int8`: signed 64-bit integer, `text`: UTF-8 text, `bytea`: bytes; an engine takes its nearest type. */
export type ContractType = 'int8' | 'text' | 'bytea';

export type ContractValue = bigint | string | Uint8Array | null;

export interface ContractTable {
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly { readonly name: string; readonly type: ContractType }[];
  readonly key: readonly string[] | null;
  readonly rows: readonly (readonly ContractValue[])[];
}

export type TableName = Pick<ContractTable, 'schema' | 'table'>;

/** Column name to value: which rows, or what to set. */
export type ColumnValues = Readonly<Record<string, ContractValue>>;

/** What a pair is and has: checks of what it has not are not made. */
export interface ContractTraits {
  readonly kind: 'physical' | 'logical';
  readonly rowVersions: boolean;
}

/** A replicating pair of servers, and what the checks do to it. Writes are committed when the promise is fulfilled. */
export interface ContractPair {
  readonly kind: 'physical' | 'logical';
  readonly primary: Connector;
  readonly candidate: Connector;
  /** One more connector, to be closed by the check. */
  connect(site: 'primary' | 'candidate'): Promise<Connector>;
  /** A primary that has nothing to do with the pair. */
  readonly unrelated: Connector;
  /** A position of the same engine and another lineage. */
  readonly foreignPosition: Position;
  /** Returns when both sites have the table with its rows, and statistics where plans rest on them. */
  createTable(table: ContractTable): Promise<void>;
  /** Adds a column of NULLs on both sites. */
  addColumn(table: TableName, column: string, type: ContractType): Promise<void>;
  insert(table: TableName, rows: readonly (readonly ContractValue[])[]): Promise<void>;
  update(table: TableName, match: ColumnValues, set: ColumnValues): Promise<void>;
  remove(table: TableName, match: ColumnValues): Promise<void>;
  /** Begins a transaction on the primary that has inserted a row; the answer rolls it back. */
  beginInsert(table: TableName, row: readonly ContractValue[]): Promise<() => Promise<void>>;
  /** Returns when the candidate shows everything that the primary has committed. */
  caughtUp(): Promise<void>;
  /** Range reads still going on, on both servers. */
  openReads(): Promise<number>;
  /** Closes the connectors and ends the servers. */
  dispose(): Promise<void>;
}

export interface Shapes {
  readonly primary: RowShape;
  readonly candidate: RowShape;
}

/** The description of a table that must be there. */
export async function describeTable(connector: Connector, name: TableName): Promise<TableDescription> {
  const selection = { include: [quotedPattern(name.schema, name.table)], exclude: [] };
  const found = await connector.describeTables(selection, signalFor());
  const [description] = found;
  if (description === undefined || found.length > 1) {
    throw new Error(`${found.length} tables are named ${name.schema}.${name.table}`);
  }
  return description;
}

/** What both sites agree on, each with its own description of the table. By default the table's best identity. */
export async function shapesOf(
  pair: Pick<ContractPair, 'kind' | 'primary' | 'candidate'>,
  name: TableName,
  identity?: RowIdentity,
): Promise<Shapes> {
  const primary = await describeTable(pair.primary, name);
  const candidate = await describeTable(pair.candidate, name);
  const keyless = pair.kind === 'physical' ? 'address' : 'value';
  const by = identity ?? (primary.key === null ? keyless : 'key');
  const key = by === 'key' ? (primary.key ?? []) : [];
  const rest = primary.columns.map((column) => column.name).filter((column) => !key.includes(column));
  const columns = [...key, ...rest].map((column) => {
    const encoding = primary.columns.find((other) => other.name === column)?.encodings[pair.kind] ?? null;
    if (encoding === null) throw new Error(`column ${column} has no encoding`);
    return { name: column, encoding };
  });
  const shared = {
    identity: by,
    columns,
    keyFields: by === 'address' ? 1 : key.length,
    pair: pair.kind,
  };
  return { primary: { table: primary, ...shared }, candidate: { table: candidate, ...shared } };
}

/**
 * The row body that a shape makes of values in the table's own column order, without a leading address. Only for the
 * engines' binary encodings: null for another one.
 */
export function expectedBody(
  shape: RowShape,
  table: ContractTable,
  values: readonly ContractValue[],
): Uint8Array | null {
  if (shape.columns.some(({ encoding }) => encoding !== 'pg-binary' && encoding !== 'mysql-binary'))
    return null;
  const fields = shape.columns.map(({ name }) => {
    const value = values[table.columns.findIndex((column) => column.name === name)] ?? null;
    if (value === null || value instanceof Uint8Array) return value;
    if (typeof value === 'string') return new TextEncoder().encode(value);
    return integerBytes(shape, value);
  });
  return frameRow(fields);
}

/** A 64-bit integer as it stands in the stream of a shape: MySQL's protocol is little endian. */
export function integerBytes(shape: RowShape, value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  const littleEndian = shape.columns.some(({ encoding }) => encoding === 'mysql-binary');
  new DataView(bytes.buffer).setBigInt64(0, value, littleEndian);
  return bytes;
}

/** A signal that nobody aborts. */
export function signalFor(): AbortSignal {
  return new AbortController().signal;
}
