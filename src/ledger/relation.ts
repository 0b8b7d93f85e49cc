import { z } from 'zod';
import { FORM_NAMES } from '../config/mapping.ts';
import type { StreamedTable } from '../connector/changes.ts';
import type { KeyOrder } from '../connector/ledger-sites.ts';
import type { PortableForm } from '../connector/table.ts';
import { parseStored } from './stored.ts';

const definitionSchema = z.object({
  number: z.int(),
  table: z.string(),
  leaf: z.string(),
  root: z.string().nullable(),
  cause: z.enum(['new', 'truncate', 'definition', 'gap', 'contradiction', 'redo', 'snapshot']),
  columns: z.array(
    z.object({
      name: z.string(),
      type: z.string(),
      encoding: z.string().nullable(),
      form: z.enum(FORM_NAMES).optional(),
    }),
  ),
  absent: z.array(z.string()),
  keyFields: z.int().nullable(),
  signed: z.array(z.union([z.boolean(), z.enum(['little', 'little signed'])])),
  fingerprint: z.string().nullable(),
});

const relationSchema = definitionSchema.extend({
  beganAt: z.int(),
  endedAt: z.int().nullable(),
  completeFrom: z.int().nullable(),
  rows: z.int(),
  sum1: z.string().transform((text) => BigInt(text)),
  sum2: z.string().transform((text) => BigInt(text)),
  unread: z.int(),
});

/**
 * A relation is one generation of one table: its rows share the meaning of their bytes, and what is known of it is known
 * since one moment. A truncation begins the next one, so do a new definition, a gap in the log, a change that cannot be
 * true of what the ledger held, and a snapshot that the log brings.
 */
export type Cause = 'new' | 'truncate' | 'definition' | 'gap' | 'contradiction' | 'redo' | 'snapshot';

/** As it stands in the journal: settled when the generation begins. */
export interface RelationDefinition {
  readonly number: number;
  /** StreamedTable.id. */
  readonly table: string;
  readonly leaf: string;
  readonly root: string | null;
  readonly cause: Cause;
  readonly columns: readonly {
    readonly name: string;
    readonly type: string;
    readonly encoding: string | null;
    /** With the encoding `portable`. */
    readonly form?: PortableForm | undefined;
  }[];
  readonly absent: readonly string[];
  /** Null: the log does not say which row changed, so no row of it is known. */
  readonly keyFields: number | null;
  /** Of each key field: what puts its bytes in order (src/ledger/key.ts). */
  readonly signed: readonly KeyOrder[];
  readonly fingerprint: string | null;
}

/** What is known of it as the index is applied. */
export interface Relation extends RelationDefinition {
  /** Where it begins in the journal, and where its successor does. */
  readonly beganAt: number;
  endedAt: number | null;
  /** From this place of the journal on every row of it is known; null: not yet, or never. */
  completeFrom: number | null;
  /** Rows with a digest, each lane's sum of their digests modulo 2^64, and rows of which only the key is known. */
  rows: number;
  sum1: bigint;
  sum2: bigint;
  unread: number;
}

/** `before`: the generation that ends with it. */
export function newRelation(
  definition: RelationDefinition,
  beganAt: number,
  before: Relation | null,
): Relation {
  // An emptied table is known to be empty. But while not every row of it was read, the definition in hand may be of later
  // than the truncation: rows of before a redefinition that the log does not tell of would be taken for rows of after it.
  const known = definition.cause === 'truncate' && before !== null && before.completeFrom !== null;
  return {
    ...definition,
    beganAt,
    endedAt: null,
    completeFrom: known ? beganAt : null,
    rows: 0,
    sum1: 0n,
    sum2: 0n,
    unread: 0,
  };
}

export function definitionOf(
  table: StreamedTable,
  number: number,
  cause: Cause,
  signed: readonly KeyOrder[],
): RelationDefinition {
  const columns = table.columns.map(({ name, type, encoding, form }) => ({
    name,
    type,
    encoding,
    ...(form == null ? {} : { form }),
  }));
  const { id, leaf, root, absent, keyFields, fingerprint } = table;
  return { number, table: id, leaf, root, cause, columns, absent, keyFields, signed, fingerprint };
}

/** Whether rows of both mean the same, so that what is known of the one is known of the other. */
export function sameDefinition(a: RelationDefinition, b: RelationDefinition): boolean {
  return describe(a) === describe(b);
}

/** What two generations must share: everything but number and cause, in a fixed order. */
function describe(definition: RelationDefinition): string {
  const { table, leaf, root, columns, absent, keyFields, signed, fingerprint } = definition;
  const shape = columns.map(({ name, type, encoding, form }) =>
    form === undefined ? [name, type, encoding] : [name, type, encoding, form],
  );
  return JSON.stringify([table, leaf, root, shape, absent, keyFields, signed, fingerprint]);
}

export function encodeDefinition(definition: RelationDefinition): Buffer {
  return Buffer.from(JSON.stringify(definition));
}

export function decodeDefinition(bytes: Uint8Array): RelationDefinition {
  return parseStored(definitionSchema, bytes);
}

export function encodeRelation(relation: Relation): Buffer {
  return Buffer.from(
    JSON.stringify({ ...relation, sum1: relation.sum1.toString(), sum2: relation.sum2.toString() }),
  );
}

export function decodeRelation(bytes: Uint8Array): Relation {
  return parseStored(relationSchema, bytes);
}
