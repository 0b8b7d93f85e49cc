import type { StreamedColumn, StreamedTable } from '../../src/connector/changes.ts';
import type { ColumnEncoding, PairKind, TableDescription } from '../../src/connector/table.ts';
import { FIELD, type RelationMessage } from './pgoutput-messages.ts';
import type { LayoutColumn, RowLayout } from './pgoutput-row.ts';
import { OID } from './shape-sql.ts';
import { handleOf } from './table.ts';

/** What the catalog says now of a table that the log describes as it was then. */
export interface RelationFacts {
  /** Of the topmost partitioned table, or the table itself; null: the catalog does not know it any more. */
  readonly description: TableDescription | null;
  /** Columns whose types have a send function: the others come as text. */
  readonly sends: ReadonlySet<string>;
  /** The publication leaves out rows by a condition. */
  readonly filtered: boolean;
  /** Definition.fingerprint; null: the catalog does not know the table any more. */
  readonly fingerprint: string | null;
}

/** A table of the stream, and how its rows are made. */
export interface TableEntry {
  readonly table: StreamedTable;
  readonly layout: RowLayout;
}

/** Puts the log's description and the catalog's together. Pure. */
export function tableEntry(relation: RelationMessage, facts: RelationFacts, pair: PairKind): TableEntry {
  const { description } = facts;
  const names = relation.columns.map(({ name }) => name);
  const inOrder = description === null ? [] : description.columns.map(({ name }) => name);
  const known = inOrder.filter((name) => names.includes(name));
  const key = facts.filtered ? null : keyOf(relation, description, known);
  const first = key ?? [];
  const order = [...first, ...known, ...names.filter((name) => !inOrder.includes(name))].filter(
    (name, index, all) => all.indexOf(name) === index,
  );
  const columns = order.map((name) => columnOf(name, relation, facts, pair));
  const layout = order.map((name, index) =>
    layoutOf(name, columns[index]?.encoding ?? null, relation, facts),
  );
  const keyed = key !== null && columns.slice(0, key.length).every(({ encoding }) => encoding !== null);
  const keyFields = keyed ? key.length : null;
  const leaf = `${relation.schema === '' ? 'pg_catalog' : relation.schema}.${relation.name}`;
  return {
    table: {
      id: String(relation.oid),
      leaf,
      root: description?.name ?? null,
      columns,
      keyFields,
      absent: inOrder.filter((name) => !names.includes(name)),
      fingerprint: description === null ? null : facts.fingerprint,
    },
    layout: {
      columns: pair === 'physical' ? layout.map((column) => ({ ...column, floatBytes: 0 })) : layout,
      width: relation.columns.length,
      keyFields,
    },
  };
}

/**
 * The key's columns, in order; null: none that the log carries. With the whole old row in the log it is the key of
 * describeTables. Else it must be the replica identity: of a row that is deleted, or whose key changes, the log gives
 * nothing more; where that is another index than the key of describeTables, it is the key here all the same.
 */
function keyOf(
  relation: RelationMessage,
  description: TableDescription | null,
  known: readonly string[],
): readonly string[] | null {
  const key = description?.key ?? null;
  switch (relation.replicaIdentity) {
    case 'n':
      return null;
    case 'f':
      return key !== null && key.every((name) => known.includes(name)) ? key : null;
    default: {
      const identity = relation.columns.filter((column) => column.key).map(({ name }) => name);
      if (identity.length === 0) return null;
      if (key !== null && key.length === identity.length && key.every((name) => identity.includes(name))) {
        return key;
      }
      const ordered = known.filter((name) => identity.includes(name));
      return ordered.length === identity.length ? ordered : identity;
    }
  }
}

function columnOf(
  name: string,
  relation: RelationMessage,
  { description, sends }: RelationFacts,
  pair: PairKind,
): StreamedColumn {
  const column = description?.columns.find((candidate) => candidate.name === name);
  const typeOid = relation.columns.find((candidate) => candidate.name === name)?.typeOid;
  // Of another type now than then: which form the bytes have is not known.
  const stale = description === null || oidOf(description, name) !== typeOid;
  const sent: ColumnEncoding = sends.has(name) ? 'pg-binary' : 'pg-text';
  const wanted = column?.encodings[pair] ?? null;
  return { name, type: column?.type ?? '', encoding: !stale && wanted === sent ? wanted : null };
}

function oidOf(description: TableDescription, name: string): number | undefined {
  return handleOf(description).columns.find((column) => column.name === name)?.typeOid;
}

function layoutOf(
  name: string,
  encoding: ColumnEncoding | null,
  relation: RelationMessage,
  { description }: RelationFacts,
): LayoutColumn {
  const base =
    description === null ? null : handleOf(description).columns.find((column) => column.name === name)?.base;
  const forms: Partial<Record<ColumnEncoding, number>> = { 'pg-binary': FIELD.binary, 'pg-text': FIELD.text };
  return {
    source: relation.columns.findIndex((column) => column.name === name),
    form: encoding === null ? null : (forms[encoding] ?? null),
    floatBytes:
      encoding !== 'pg-binary' ? 0 : base?.oid === OID.float8 ? 8 : base?.oid === OID.float4 ? 4 : 0,
  };
}
