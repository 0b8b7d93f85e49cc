import type { FoundRow, RowShape } from '../../src/connector/contract.ts';
import { TwinproofError } from '../../src/errors.ts';
import { frameFields, int32At, keyFieldsOf } from '../../src/row/stream.ts';
import { binaryArray, type BinaryParameter } from './messages.ts';
import {
  fromLeaf,
  fromTable,
  keyArray,
  keyElement,
  keyEquals,
  OID,
  parameterOid,
  selectList,
  type ShapeSql,
  shapeSql,
} from './shape-sql.ts';

/** A query for some rows by identity. Its rows begin with VERSION_FIELDS fields that are not the row's. */
export interface PointQuery {
  readonly sql: string;
  readonly parameters: readonly BinaryParameter[];
}

/** ctid, xmin and xmax lead every row of a point query. */
const VERSION_FIELDS = 3;
const VERSION = 't.ctid, t.xmin, t.xmax';

/** The queries that find rows by identity: one, or one a leaf where the identity is an address. */
export function pointQueries(shape: RowShape, keys: readonly Uint8Array[]): PointQuery[] {
  if (shape.identity === 'value') {
    throw new TwinproofError('TP-BUG', {
      message: `${shape.table.name} has no identity to look rows up by`,
    });
  }
  const sql = shapeSql(shape);
  return shape.identity === 'key' ? [keyQuery(shape, sql, keys)] : addressQueries(shape, sql, keys);
}

function keyQuery(shape: RowShape, sql: ShapeSql, keys: readonly Uint8Array[]): PointQuery {
  const columns = keyColumns(sql, keys);
  const parameters = sql.keys.map((key, index) => ({
    typeOid: 0,
    value: binaryArray(parameterOid(key), columns[index] ?? []),
  }));
  const list = prefixed(selectList(shape, sql));
  const [single] = sql.keys;
  if (single !== undefined && sql.keys.length === 1 && !single.text) {
    const condition = keyEquals(single, `any(${keyArray(single, 1)})`);
    return { sql: `select ${list} from ${fromTable(sql.table)} as t where ${condition}`, parameters };
  }
  const arrays = sql.keys.map((key, index) => keyArray(key, index + 1)).join(', ');
  const names = sql.keys.map((_, index) => wantedName(index)).join(', ');
  const matches = sql.keys.map((key, index) => keyEquals(key, `wanted.${wantedName(index)}`)).join(' and ');
  return {
    sql: `select ${list} from unnest(${arrays}) as wanted(${names}) join ${fromTable(sql.table)} as t on ${matches}`,
    parameters,
  };
}

/** The key values by column, as the arrays of a query want them. Keys that no row can have here are left out. */
function keyColumns(sql: ShapeSql, keys: readonly Uint8Array[]): (Uint8Array | null)[][] {
  const columns = sql.keys.map((): (Uint8Array | null)[] => []);
  for (const key of keys) {
    const fields = keyFieldsOf(key);
    const elements = sql.keys.map((column, index) => keyElement(column, fields[index] ?? null));
    if (sql.keys.some(({ portable }, index) => portable !== null && elements[index] === null)) continue;
    for (const [index, column] of columns.entries()) column.push(elements[index] ?? null);
  }
  return columns;
}

/** A name that no column of a table is likely to have: the list of columns stands without a prefix. */
function wantedName(index: number): string {
  return `"twinproof wanted ${index}"`;
}

function prefixed(list: string): string {
  return `${VERSION}, ${list}`;
}

function addressQueries(shape: RowShape, sql: ShapeSql, keys: readonly Uint8Array[]): PointQuery[] {
  const byLeaf = new Map<number, Uint8Array[]>();
  const single = sql.table.leaves[0];
  for (const key of keys) {
    const [address] = keyFieldsOf(key);
    if (address === undefined || address === null) continue;
    const oid = sql.table.partitioned ? Buffer.from(address).readUInt32BE(0) : (single?.oid ?? 0);
    const tid = sql.table.partitioned ? address.subarray(4) : address;
    byLeaf.set(oid, [...(byLeaf.get(oid) ?? []), tid]);
  }
  const queries: PointQuery[] = [];
  for (const [oid, tids] of byLeaf) {
    const leaf = sql.table.leaves.find((candidate) => candidate.oid === oid);
    if (leaf === undefined) continue;
    queries.push({
      sql: `select ${prefixed(selectList(shape, sql))} from ${fromLeaf(leaf)} as t where t.ctid = any($1::pg_catalog.tid[])`,
      parameters: [{ typeOid: 0, value: binaryArray(OID.tid, tids) }],
    });
  }
  return queries;
}

/** ctid (6 bytes), xmin and xmax (4 bytes each) behind the column count and their lengths; xmax lies before the row. */
const CTID_AT = 2 + 4;
const XMIN_AT = CTID_AT + 6 + 4;
const XMAX_AT = XMIN_AT + 4 + 4;
const ROW_AT = XMAX_AT + 4;

/** Takes the version off the front of a point query's row, whose memory the answer takes over. */
export function foundRow(body: Uint8Array, shape: RowShape): FoundRow {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const ctid = bytes.toString('hex', CTID_AT, CTID_AT + 6);
  const xmin = int32At(bytes, XMIN_AT) >>> 0;
  const xmax = int32At(bytes, XMAX_AT) >>> 0;
  bytes.writeInt16BE(bytes.readInt16BE(0) - VERSION_FIELDS, ROW_AT - 2);
  // Plain views: those of a Buffer take twice as long to make.
  const row = new Uint8Array(body.buffer, body.byteOffset + ROW_AT - 2, body.length - ROW_AT + 2);
  const writers = xmin === 0 ? [] : [String(xmin)];
  if (xmax !== 0) writers.push(String(xmax));
  return {
    key: new Uint8Array(row.buffer, row.byteOffset + 2, identityEnd(row, shape) - 2),
    row,
    version: `${ctid}/${xmin.toString(16).padStart(8, '0')}`,
    writers,
  };
}

function identityEnd(row: Uint8Array, shape: RowShape): number {
  let at = 2;
  for (let field = 0; field < shape.keyFields; field++) at += 4 + Math.max(0, int32At(row, at));
  return at;
}

/** A query that gives keys as text, in the order asked: one column a key column, all text. */
export function keyTextQuery(
  shape: RowShape,
  keys: readonly Uint8Array[],
): { readonly sql: string; readonly parameters: readonly Buffer[]; readonly names: readonly string[] } {
  const sql = shapeSql(shape);
  const columns = keyColumns(sql, keys);
  const arrays = sql.keys.map((key, index) => keyArray(key, index + 1)).join(', ');
  const names = sql.keys.map((_, index) => `k${index}`);
  return {
    sql: `select ${names.map((name) => `${name}::pg_catalog.text`).join(', ')}
      from unnest(${arrays}) with ordinality as asked(${names.join(', ')}, n) order by n`,
    parameters: sql.keys.map((key, index) => binaryArray(parameterOid(key), columns[index] ?? [])),
    names,
  };
}

/** An address as PostgreSQL writes it: `(block,line)`. */
export function addressText(key: Uint8Array): string {
  const [address] = keyFieldsOf(key);
  const bytes = Buffer.from(address ?? frameFields([]));
  const at = bytes.length - 6;
  return at < 0 ? '' : `(${bytes.readUInt32BE(at)},${bytes.readUInt16BE(at + 4)})`;
}

/**
 * The identities of all rows whose present version was written by transaction `mark` or a later one. Ids wrap around,
 * so ages are compared; a frozen row keeps an id that may be of an earlier round and have a negative age.
 */
export function writtenSinceQuery(shape: RowShape, mark: string): PointQuery {
  const keysOnly = { ...shape, columns: shape.columns.slice(0, shape.keyFields) };
  const sql = shapeSql(keysOnly);
  const xid = Number(BigInt(mark) & 0xffff_ffffn);
  return {
    sql: `select ${selectList(keysOnly, sql)} from ${fromTable(sql.table)}
      where pg_catalog.age(xmin) between 0 and pg_catalog.age('${xid}'::pg_catalog.xid)`,
    parameters: [],
  };
}
