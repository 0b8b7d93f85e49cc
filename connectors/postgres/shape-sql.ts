import type { ColumnRead, RowShape } from '../../src/connector/contract.ts';
import { TwinproofError } from '../../src/errors.ts';
import { nanOnce, portableElement, portableMatch, type PortableRead, portableValue } from './portable.ts';
import { handleOf, type PostgresColumn, type PostgresLeaf, type PostgresTable } from './table.ts';

/** OIDs of built-in types (pg_type.dat): fixed for ever. */
export const OID = { text: 25, tid: 27, float4: 700, float8: 701, bpchar: 1042, bit: 1560 } as const;

/** One column of a shape, with what SQL needs to read it and to look for it. */
export interface ColumnSql {
  readonly column: PostgresColumn;
  readonly text: boolean;
  /** Null: in one of PostgreSQL's own encodings. */
  readonly portable: PortableRead | null;
}

export interface ShapeSql {
  readonly table: PostgresTable;
  readonly columns: readonly ColumnSql[];
  readonly keys: readonly ColumnSql[];
}

/** Resolves a shape against the catalog facts in its table's handle. Throws TP-DEFINITION-CHANGED. */
export function shapeSql(shape: RowShape): ShapeSql {
  const table = handleOf(shape.table);
  const byName = new Map(table.columns.map((column) => [column.name, column]));
  const columns = shape.columns.map((read) => {
    const { name, encoding } = read;
    const column = byName.get(name);
    if (column === undefined) {
      throw new TwinproofError('TP-DEFINITION-CHANGED', {
        message: `${shape.table.name} has no column "${name}"`,
      });
    }
    return { column, text: encoding === 'pg-text', portable: portableRead(read) };
  });
  return { table, columns, keys: shape.identity === 'key' ? columns.slice(0, shape.keyFields) : [] };
}

function portableRead({ name, encoding, form, zone, trim, scale }: ColumnRead): PortableRead | null {
  if (encoding === 'portable' && form !== undefined)
    return { form, zone: zone ?? null, trim: trim ?? false, scale: scale ?? null };
  if (encoding === 'pg-binary' || encoding === 'pg-text') return null;
  throw new TwinproofError('TP-BUG', { message: `column "${name}" cannot be read as ${encoding}` });
}

/** The SELECT list of a shape: the address where that is the identity, then the columns. */
export function selectList(shape: RowShape, sql: ShapeSql): string {
  const list = sql.columns.map((column) => valueOf(column, shape));
  if (shape.identity === 'address') list.unshift(addressOf(sql.table));
  return list.length === 0 ? '1 as nothing' : list.join(', ');
}

/**
 * A value in the form that is canonical for the pair. On logical pairs a NaN may have come through text and so carry
 * another payload: one NaN stands for all.
 */
function valueOf({ column, text, portable }: ColumnSql, shape: RowShape): string {
  const name = column.quotedName;
  if (portable !== null) return portableValue(column, portable);
  if (text) return `${name}::pg_catalog.text`;
  if (shape.pair === 'physical') return name;
  if (column.base.oid === OID.float8) return nanOnce(name, 'float8');
  if (column.base.oid === OID.float4) return nanOnce(name, 'float4');
  return name;
}

/** A row's address as one value: the tuple id, within a partitioned table behind the partition's OID. */
function addressOf(table: PostgresTable): string {
  return table.partitioned ? 'pg_catalog.oidsend(tableoid) || pg_catalog.tidsend(ctid)' : 'ctid';
}

/** `ONLY` for tables with old-style children, which are tables of their own. */
export function fromLeaf(leaf: PostgresLeaf): string {
  return `${leaf.only ? 'only ' : ''}${leaf.qualifiedName}`;
}

/** The table as a whole; a partitioned table stands for all of its partitions. */
export function fromTable(table: PostgresTable): string {
  const leaf = table.leaves[0];
  return table.partitioned || leaf === undefined ? table.qualifiedName : fromLeaf(leaf);
}

/** The type of a parameter that is compared with a column, or of its elements. */
export function parameterOid({ column, text, portable }: ColumnSql): number {
  if (portable !== null) return portableMatch(column, portable).elementOid;
  return text ? OID.text : column.base.oid;
}

/**
 * A key value as such a parameter. Null: NULL, or a value that another engine has and the column cannot hold: no row of
 * this site has it.
 */
export function keyElement({ column, portable }: ColumnSql, value: Uint8Array | null): Uint8Array | null {
  return portable === null || value === null ? value : portableElement(column, portable, value);
}

/** `character` and `bit` without a length mean length 1 in SQL, so these two are named by their internal names. */
function baseTypeName(column: PostgresColumn): string {
  if (column.base.oid === OID.bpchar) return 'pg_catalog.bpchar';
  if (column.base.oid === OID.bit) return 'pg_catalog."bit"';
  return column.base.name;
}

/** Parameter `index`, an array of key values: text stays text, since there is no array of arrays to cast it to. */
export function keyArray(key: ColumnSql, index: number): string {
  if (key.portable !== null) return `$${index}::${portableMatch(key.column, key.portable).arrayType}`;
  return key.text ? `$${index}::pg_catalog.text[]` : `$${index}::${baseTypeName(key.column)}[]`;
}

/** The condition that a column of the table `t` has the value `wanted`, an element of such an array. */
export function keyEquals(key: ColumnSql, wanted: string): string {
  if (key.portable !== null) return `${portableMatch(key.column, key.portable).column} = ${wanted}`;
  const { quotedName, base } = key.column;
  const value = key.text ? `${wanted}::${baseTypeName(key.column)}` : wanted;
  return `t.${quotedName} ${base.equals} ${value}`;
}
