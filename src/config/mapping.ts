/** The portable forms by name (src/row/portable.ts): what `as:` may ask for. */
export const FORM_NAMES = [
  'boolean',
  'integer',
  'decimal',
  'float4',
  'float8',
  'text',
  'bytes',
  'date',
  'time',
  'datetime',
  'instant',
  'uuid',
] as const;

/** What the configuration says of one column of the primary. Null: nothing. */
export interface ColumnMapping {
  /** Its name on the candidate. */
  readonly name: string | null;
  /** What its values mean, where the types alone do not say: a `tinyint(1)` that is a boolean. */
  readonly as: (typeof FORM_NAMES)[number] | null;
  /** The time zone (IANA name) in which the local times of one site are the instants of the other. */
  readonly zone: string | null;
  /** Blanks at the end of a text do not count: one site pads what the other does not. */
  readonly trim: boolean;
  /** Numbers are equal when they are, rounded to so many digits behind the point; null: exactly. */
  readonly scale: number | null;
}

export const NOTHING_SAID: ColumnMapping = { name: null, as: null, zone: null, trim: false, scale: null };

/**
 * How names of the primary stand for names of the candidate. Tables are written `schema.table` as output shows them,
 * without quotes; columns by the primary's names.
 */
export interface Mapping {
  readonly tables: ReadonlyMap<string, string>;
  readonly columns: ReadonlyMap<string, ReadonlyMap<string, ColumnMapping>>;
}

export const NO_MAPPING: Mapping = { tables: new Map(), columns: new Map() };

export function isEmptyMapping({ tables, columns }: Mapping): boolean {
  return tables.size === 0 && columns.size === 0;
}
