import type { StreamedTable } from '../../src/connector/changes.ts';
import type { Range, RowShape } from '../../src/connector/contract.ts';
import type { KeyOrder } from '../../src/connector/ledger-sites.ts';
import { boundColumns } from './ranges.ts';
import { handleOf, type MysqlColumn } from './table.ts';

/** Integers of fixed width, least byte first on the wire (protocol manual, "Binary Protocol Value"). */
const INTEGER = /^(?:tinyint|smallint|mediumint|int|bigint|year)\b/;
/** Collations by which text is in the order of its bytes, blanks at its end too. */
const BYTEWISE = /^(?:utf8mb4_0900_bin|(?:utf8mb4|utf8mb3|latin1|ascii)_nopad_bin)$/;

/** How the store puts each key column's bytes into the server's order (LedgerPrimary.signedKey). Pure. */
export function signedKey({ columns, keyFields }: StreamedTable): readonly KeyOrder[] {
  return columns.slice(0, keyFields ?? 0).map(({ type, encoding }) => {
    const name = type.toLowerCase();
    if (encoding !== 'mysql-binary' || !INTEGER.test(name)) return false;
    return name.startsWith('year') || /\bunsigned\b/.test(name) ? 'little' : 'little signed';
  });
}

/** The range between two identities, if the server orders this key as the store does. Pure. */
export function keyRange(shape: RowShape, from: Uint8Array | null, to: Uint8Array | null): Range | null {
  if (!isStoreOrder(shape)) return null;
  // An identity is framed as a bound is.
  const [low, high] = [from, to].map((bound) => (bound === null ? null : Buffer.from(bound).toString('hex')));
  return {
    table: shape.table.name,
    kind: 'key',
    id: `${low ?? ''}-${high ?? ''}`,
    from: low ?? null,
    to: high ?? null,
    rowsEstimate: 0,
  };
}

/** The index that the table is read along must be the key by which rows are told apart here, in the same order. */
function isStoreOrder(shape: RowShape): boolean {
  const { columns, keyFields, identity } = shape;
  const keys = columns.slice(0, keyFields);
  if (identity !== 'key' || keys.length === 0) return false;
  const cutBy = handleOf(shape.table).key?.rangeColumns ?? [];
  const bounds = boundColumns(shape, 'key');
  if (bounds.length !== keyFields || cutBy.length < keyFields) return false;
  return keys.every(({ name, encoding }, at) => {
    const column = bounds[at]?.column;
    if (column === undefined || column.name !== name || cutBy[at]?.name !== name) return false;
    return encoding === 'mysql-binary' && isOrdered(column, at === keyFields - 1);
  });
}

function isOrdered({ type, columnType }: MysqlColumn, isLast: boolean): boolean {
  switch (type?.kind) {
    case 'integer':
    case 'year':
      return true;
    // What follows a value of any length in a key would not be compared in its place.
    case 'bytes':
      return columnType.startsWith('binary') || (isLast && columnType.startsWith('varbinary'));
    case 'text':
      return isLast && columnType.startsWith('varchar') && BYTEWISE.test(type.collation ?? '');
    default:
      return false;
  }
}
