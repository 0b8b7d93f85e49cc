import type { RowShape } from '../../src/connector/contract.ts';
import { TwinproofError } from '../../src/errors.ts';
import { handleOf, type PostgresColumn, type PostgresLeaf, type PostgresTable } from './table.ts';

/** OIDs of built-in types (pg_type.dat): fixed for ever. */
export const OID = { text: 25, tid: 27, float4: 700, float8: 701, bpchar: 1042, bit: 1560 } as const;

/** One column of a shape, with what SQL needs to read it and to look for it. */
export interface ColumnSql {
  readonly column: PostgresColumn;
  readonly text: boolean;
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
  const columns = shape.columns.map(({ name, encoding }) => {
    const column = byName.get(name);
    if (column === undefined) {
      throw new TwinproofError('TP-DEFINITION-CHANGED', {
        message: `${shape.table.name} has no column "${name}"`,
      });
    }
    return { column, text: encoding === 'pg-text' };
  });
  return { table, columns, keys: shape.identity === 'key' ? columns.slice(0, shape.keyFields) : [] };
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
function valueOf({ column, text }: ColumnSql, shape: RowShape): string {
  const name = column.quotedName;
  if (text) return `${name}::pg_catalog.text`;
  if (shape.pair === 'physical') return name;
  if (column.base.oid === OID.float8) return nanOnce(name, 'float8');
  if (column.base.oid === OID.float4) return nanOnce(name, 'float4');
  return name;
}

function nanOnce(name: string, type: string): string {
  return `case when ${name} = 'NaN'::pg_catalog.${type} then 'NaN'::pg_catalog.${type} else ${name} end`;
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
export function parameterOid({ column, text }: ColumnSql): number {
  return text ? OID.text : column.base.oid;
}

/** `character` and `bit` without a length mean length 1 in SQL, so these two are named by their internal names. */
function baseTypeName(column: PostgresColumn): string {
  if (column.base.oid === OID.bpchar) return 'pg_catalog.bpchar';
  if (column.base.oid === OID.bit) return 'pg_catalog."bit"';
  return column.base.name;
}

/** Parameter `index`, an array of key values: text stays text, since there is no array of arrays to cast it to. */
export function keyArray(key: ColumnSql, index: number): string {
  return key.text ? `$${index}::pg_catalog.text[]` : `$${index}::${baseTypeName(key.column)}[]`;
}

/** The condition that a column of the table `t` has the value `wanted`, an element of such an array. */
export function keyEquals(key: ColumnSql, wanted: string): string {
  const { quotedName, base } = key.column;
  const value = key.text ? `${wanted}::${baseTypeName(key.column)}` : wanted;
  return `t.${quotedName} ${base.equals} ${value}`;
}
