import type { ColumnEncoding, PairKind } from '../../src/connector/table.ts';

/** What the catalog says of a type (manual, pg_type). Oids are numbers: they fit 32 bits. */
export interface TypeFacts {
  readonly oid: number;
  /** format_type without modifier: qualified unless in pg_catalog. */
  readonly name: string;
  /** pg_type.typtype: b base, c composite, d domain, e enum, r range, m multirange, p pseudo. */
  readonly kind: string;
  /** Made by initdb, so it means the same on every server of a version. */
  readonly builtin: boolean;
  /** Has a binary output function. Domains, arrays and composites must also be asked about what is inside. */
  readonly sends: boolean;
  /** What is inside: a domain's base, an array's element, a range's bound, a composite's columns. */
  readonly parts: readonly number[];
  /** A true array (not point or name, which can be subscripted too). */
  readonly array: boolean;
}

export type TypeTable = ReadonlyMap<number, TypeFacts>;

export type ColumnEncodings = Readonly<Record<PairKind, ColumnEncoding | null>>;

const NONE: ColumnEncodings = { physical: null, logical: null, 'cross-engine': null };

/** The type below all domains; null when the table of types lacks it (the type was made since). */
export function baseTypeOf<Facts extends TypeFacts>(
  oid: number,
  types: ReadonlyMap<number, Facts>,
): Facts | null {
  let type = types.get(oid);
  while (type?.kind === 'd') type = types.get(type.parts[0] ?? 0);
  return type ?? null;
}

/** The encoding that is canonical for a column of this type on each kind of pair (DESIGN.md section 4). */
export function encodingsOf(oid: number, types: TypeTable): ColumnEncodings {
  const base = baseTypeOf(oid, types);
  if (base === null || base.kind === 'p') return NONE;
  const physical = sendsAll(base.oid, types) ? 'pg-binary' : 'pg-text';
  const logical = physical === 'pg-binary' && isBinaryOnLogical(base, types) ? 'pg-binary' : 'pg-text';
  return { physical, logical, 'cross-engine': null };
}

/**
 * The same for a column of the key, by whose value rows are looked up, many at once: there is no array whose elements
 * are arrays, and unnest takes composites apart, so these two go as text.
 */
export function keyEncodingsOf(oid: number, types: TypeTable): ColumnEncodings {
  const encodings = encodingsOf(oid, types);
  const base = baseTypeOf(oid, types);
  if (encodings.physical === null || base === null || !(base.array || base.kind === 'c')) return encodings;
  return { ...encodings, physical: 'pg-text' };
}

/** Whether the type and all within it have a send function; a composite with one that has none fails at run time. */
function sendsAll(oid: number, types: TypeTable): boolean {
  const type = types.get(oid);
  return type !== undefined && type.sends && type.parts.every((part) => sendsAll(part, types));
}

/**
 * Scalars whose binary form is one and the same for equal values on every server. On a logical pair rows pass through
 * the text form (or through send and receive); a type belongs here only if neither way can change its binary form.
 */
const CANONICAL = new Set([
  'boolean',
  'bytea',
  '"char"',
  'name',
  'bigint',
  'smallint',
  'integer',
  'text',
  'character varying',
  // Sent with its blanks; a cast to text would strip them.
  'character',
  'oid',
  'tid',
  'xid',
  'xid8',
  'cid',
  'bit',
  'bit varying',
  'numeric',
  'money',
  'uuid',
  'date',
  'time without time zone',
  'time with time zone',
  'timestamp without time zone',
  'timestamp with time zone',
  'interval',
  'cidr',
  'inet',
  'macaddr',
  'macaddr8',
  'pg_lsn',
  // Stored and sent as they were written.
  'json',
  'xml',
  'refcursor',
  // Stored parsed; sent as text in canonical order.
  'jsonb',
  'jsonpath',
  // Lexemes are sorted and unique.
  'tsvector',
  // NaN keeps its payload in binary and loses it in text: the reader sends one NaN for all.
  'real',
  'double precision',
]);

/** Bounds of ranges whose binary form is canonical by itself: no float, no collation, nothing user-made. */
const RANGE_BOUNDS = new Set([
  'smallint',
  'integer',
  'bigint',
  'numeric',
  'date',
  'timestamp without time zone',
  'timestamp with time zone',
]);

/**
 * Not binary on a logical pair, with the reason:
 * - arrays: equal arrays can differ in the null flag (x[2] = 5 in {1,NULL,3}), and the element's oid is inside;
 * - composites: the columns' oids are inside;
 * - reg* types, aclitem: an oid stands for a name that has another oid on the other server;
 * - geometric types: floats inside, whose NaN cannot be reached;
 * - tsquery: the tree depends on how the text was bracketed;
 * - types of extensions and users: their text is what replication carries, so only it is sure to survive.
 */
function isBinaryOnLogical(base: TypeFacts, types: TypeTable): boolean {
  if (base.array) return false;
  switch (base.kind) {
    case 'e':
      // The label is sent, not the oid.
      return true;
    case 'r':
      return base.parts.every((part) => {
        const bound = types.get(part);
        return bound !== undefined && bound.kind === 'b' && bound.builtin && RANGE_BOUNDS.has(bound.name);
      });
    case 'm':
      return base.parts.every((part) => {
        const range = types.get(part);
        return range !== undefined && isBinaryOnLogical(range, types);
      });
    case 'b':
      return base.builtin && CANONICAL.has(base.name);
    default:
      return false;
  }
}

/** Types whose order is the same on every server; text types only under a collation that compares bytes. */
const PORTABLE_ORDER = new Set([
  'boolean',
  'smallint',
  'integer',
  'bigint',
  'numeric',
  'oid',
  'uuid',
  'bytea',
  'date',
  'timestamp without time zone',
  'timestamp with time zone',
]);
const TEXT_ORDER = new Set(['text', 'character varying', 'character', 'name']);

/** Whether an index column of this type orders alike everywhere. `byteOrder`: its collation compares bytes. */
export function ordersPortably(oid: number, byteOrder: boolean, types: TypeTable): boolean {
  const base = baseTypeOf(oid, types);
  if (base === null || !base.builtin || base.kind !== 'b') return false;
  return PORTABLE_ORDER.has(base.name) || (TEXT_ORDER.has(base.name) && byteOrder);
}
