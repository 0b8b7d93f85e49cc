import { type ColumnMapping, type Mapping, NO_MAPPING } from '../config/mapping.ts';
import type { PairKind, TableDescription } from '../connector/table.ts';
import { reason } from './reasons.ts';
import type { Reason } from './result.ts';

/** A table by the primary's names. */
export interface TablePlace {
  readonly schema: string;
  readonly table: string;
  /** `schema.table` */
  readonly name: string;
}

/** The schema that stands for itself on each site, where the two call it differently; null: none does. */
export interface HomeSchemas {
  readonly primary: string | null;
  readonly candidate: string | null;
}

const NO_HOMES: HomeSchemas = { primary: null, candidate: null };
const NO_COLUMNS: ReadonlyMap<string, ColumnMapping> = new Map();

/**
 * Which table of the candidate stands for which of the primary: by the mapping, else by the same `schema.table`, else
 * by the same name in the two home schemas. What is named in a mapping and is not there is a reason, never ignored.
 */
export class Naming {
  readonly kind: PairKind;
  readonly problems: readonly Reason[];
  readonly #mapping: Mapping;
  /** By the candidate's names. */
  readonly #places: ReadonlyMap<string, TablePlace>;

  constructor(
    kind: PairKind,
    primary: readonly TableDescription[],
    candidate: readonly TableDescription[],
    mapping: Mapping = NO_MAPPING,
    homes: HomeSchemas = NO_HOMES,
  ) {
    this.kind = kind;
    this.#mapping = mapping;
    this.#places = placesOf(primary, candidate, mapping, homes);
    this.problems = problemsOf(kind, primary, mapping);
  }

  /** What the primary calls a table of the candidate; its own name when nothing on the primary corresponds. */
  placeOf(candidate: TableDescription): TablePlace {
    return this.#places.get(candidate.name) ?? candidate;
  }

  /** What the mapping calls a table of the primary on the candidate; null: it says nothing. */
  mappedName(primary: string): string | null {
    return this.#mapping.tables.get(primary) ?? null;
  }

  /** What the mapping says of a table's columns, by the primary's names. */
  columnsOf(primary: string): ReadonlyMap<string, ColumnMapping> {
    return this.#mapping.columns.get(primary) ?? NO_COLUMNS;
  }
}

function placesOf(
  primary: readonly TableDescription[],
  candidate: readonly TableDescription[],
  mapping: Mapping,
  homes: HomeSchemas,
): Map<string, TablePlace> {
  const ours = new Map<string, TablePlace>(primary.map((table) => [table.name, table]));
  const theirs = new Map(candidate.map((table) => [table.name, table]));
  const places = new Map<string, TablePlace>();
  const taken = new Set<string>();
  const give = (name: string, place: TablePlace): void => {
    if (places.has(name) || taken.has(place.name)) return;
    places.set(name, place);
    taken.add(place.name);
  };
  for (const [name, to] of mapping.tables) {
    const place = ours.get(name);
    if (place !== undefined && theirs.has(to)) give(to, place);
    // A table that is mapped elsewhere is not found under its own name as well.
    taken.add(name);
  }
  for (const [name] of theirs) {
    const place = ours.get(name);
    if (place !== undefined) give(name, place);
  }
  const { primary: home, candidate: away } = homes;
  for (const { name, schema, table } of theirs.values()) {
    if (home !== null && schema === away) give(name, { schema: home, table, name: `${home}.${table}` });
    // It corresponds to nothing, yet another table goes by its name: the two must not be taken for one.
    if (taken.has(name)) give(name, { schema, table, name: `${name} (of the candidate)` });
  }
  return places;
}

function problemsOf(
  kind: PairKind,
  primary: readonly TableDescription[],
  mapping: Mapping,
): readonly Reason[] {
  const known = new Set(primary.map(({ name }) => name));
  const named = new Set([...mapping.tables.keys(), ...mapping.columns.keys()]);
  if (kind === 'physical' && named.size > 0) {
    const message =
      'the two sites are copies of one another, block by block: no name of theirs can be mapped';
    return [reason('TP-MAPPING', 'mapping', message)];
  }
  return [...named]
    .filter((name) => !known.has(name))
    .map((name) =>
      reason('TP-MAPPING', name, 'the mapping names this table, which the primary does not have'),
    );
}
