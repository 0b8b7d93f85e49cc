/** How a column's value becomes bytes (DESIGN.md section 4). */
export type ColumnEncoding = 'pg-binary' | 'pg-text' | 'portable';

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
