import type { Range, RowShape } from '../../src/connector/contract.ts';
import type { StreamedTable } from '../../src/connector/changes.ts';
import { handleOf } from './table.ts';

/**
 * Types whose binary form the ledger's store puts into the server's order: two's complement integers of fixed width once
 * their sign is turned, others as they are. Domains are left out by their name, on both sides of the bargain.
 */
const SIGNED = new Set([
  'smallint',
  'integer',
  'bigint',
  'money',
  'date',
  'time without time zone',
  'timestamp without time zone',
  'timestamp with time zone',
]);
const UNSIGNED = new Set(['boolean', 'oid', 'uuid']);
/** Of any length: what follows them in a key would not be compared in its place. Not `character`, whose blanks do not count. */
const LAST = new Set(['bytea', 'text', 'character varying']);
const TEXT = new Set(['text', 'character varying']);

/** Of each key column: whether it is a two's complement integer (LedgerPrimary.signedKey). Pure. */
export function signedKey({ columns, keyFields }: StreamedTable): readonly boolean[] {
  return columns
    .slice(0, keyFields ?? 0)
    .map(({ type, encoding }) => encoding === 'pg-binary' && SIGNED.has(plain(type)));
}

/** The range between two identities, if the server orders this key as the store does. Pure. */
export function keyRange(shape: RowShape, from: Uint8Array | null, to: Uint8Array | null): Range | null {
  if (!isStoreOrder(shape)) return null;
  const bounds = [from, to].map((bound) => (bound === null ? null : Buffer.from(bound).toString('hex')));
  const [low = null, high = null] = bounds;
  return {
    table: shape.table.name,
    kind: 'key',
    id: `${low ?? ''}-${high ?? ''}`,
    from: low,
    to: high,
    rowsEstimate: 0,
  };
}

/** The table must order its key alike everywhere, and that key must be the one that rows are told apart by here. */
function isStoreOrder({ table, columns, keyFields, identity }: RowShape): boolean {
  const keys = columns.slice(0, keyFields);
  if (identity !== 'key' || keys.length === 0 || table.keyOrder !== 'portable') return false;
  if (table.key?.length !== keys.length || !keys.every(({ name }, at) => table.key?.[at] === name))
    return false;
  const types = new Map(table.columns.map(({ name, type }) => [name, plain(type)]));
  const { utf8 } = handleOf(table);
  return keys.every(({ name, encoding }, at) => {
    const type = types.get(name) ?? '';
    if (encoding !== 'pg-binary') return false;
    if (SIGNED.has(type) || UNSIGNED.has(type)) return true;
    // Text comes in UTF-8, and the server compares it as it is stored.
    return at === keys.length - 1 && LAST.has(type) && (utf8 || !TEXT.has(type));
  });
}

/** Without its modifier: `timestamp(3) without time zone`. */
function plain(type: string): string {
  return type.replaceAll(/\([^()]*\)/g, '');
}
