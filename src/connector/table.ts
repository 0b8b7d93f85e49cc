/** How a column's value becomes bytes (DESIGN.md section 4). */
export type ColumnEncoding = 'pg-binary' | 'pg-text' | 'mysql-binary' | 'portable';

/**
 * What a value is, apart from any engine, in the encoding `portable`; src/row/portable.ts says which bytes each form
 * has, and which form a pair of columns shares.
 */
export type PortableForm =
  | 'boolean'
  | 'integer'
  | 'decimal'
  | 'float4'
  | 'float8'
  | 'text'
  | 'bytes'
  | 'date'
  | 'time'
  | 'datetime'
  | 'instant'
  | 'uuid';

/** The forms that a column can be read in. Best first. */
export interface PortableForms {
  /** Without loss, and meaning what the type says. */
  readonly natural: readonly PortableForm[];
  /** Only where the configuration says that the column means this: a tinyint(1) that is a boolean. */
  readonly onRequest: readonly PortableForm[];
  /** Those of `onRequest` that need a time zone: the instant that a local time was, or the other way round. */
  readonly inZone: readonly PortableForm[];
}

export type PairKind = 'physical' | 'logical' | 'cross-engine';

/** Which tables to look at: patterns over `schema.table`, `*` and `?` as in a shell; exclusion wins. */
export interface TableSelection {
  readonly include: readonly string[];
  readonly exclude: readonly string[];
}

export interface ColumnDescription {
  readonly name: string;
  /** The type as the server prints it, with its modifier: `numeric(12,2)`. */
  readonly type: string;
  /** The type without modifier: two columns compare byte for byte only if these are equal. */
  readonly baseType: string;
  /** The encoding that is canonical on each kind of pair; null: none is, so the table cannot be compared there. */
  readonly encodings: Readonly<Record<PairKind, ColumnEncoding | null>>;
  /** Absent: the column has no portable form. */
  readonly portable?: PortableForms;
}

/** Why a table cannot be compared at all. */
export interface Obstacle {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

export interface TableDescription {
  /** `schema.table`, unquoted, as output shows it. */
  readonly name: string;
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly ColumnDescription[];
  /** Columns of the key by which rows are told apart (primary key, else a unique key without NULLs); null: none. */
  readonly key: readonly string[] | null;
  /** `portable`: the key orders the same on every server of the engine, so key ranges line up. */
  readonly keyOrder: 'portable' | 'local';
  /** The rules that order the key, by name, where there are several: key ranges line up only under the same ones. */
  readonly keyCollation?: string;
  /** Physical order follows key order well enough that a range read by key is sequential. */
  readonly clustered: boolean;
  readonly rowsEstimate: number;
  readonly bytesEstimate: number;
  /** Changes whenever the definition does: columns, storage, parents, policies. */
  readonly fingerprint: string;
  readonly obstacle: Obstacle | null;
  /** Known to the connector that made it, opaque to everyone else. */
  readonly handle: unknown;
}
