import { HEADER_BYTES, logError, type LogEvent, uint48At } from './binlog-event.ts';
import { DESCRIPTION_AT, isDescribedBy, readTableMap, type TableMap } from './binlog-table-map.ts';
import type { Cascades } from './stream-cascades.ts';
import type { Resolved } from './stream-catalog.ts';
import type { TableEntry } from './stream-table.ts';

/** StreamCatalog, as far as it is needed here. */
export interface TableResolver {
  resolve(map: TableMap): Promise<Resolved | null>;
  cascadesOf(schema: string, table: string): Promise<Cascades>;
}

/** A table as the last TABLE_MAP_EVENT of its number described it. */
export interface MappedTable {
  readonly description: DataView;
  /** Null: it is none of ours. */
  readonly entry: TableEntry | null;
  readonly cascades: Cascades;
}

/** Numbers of tables that are remembered; a server gives new ones all the time. */
const MAPS_MAX = 2000;
/** Ends a statement, and is no table's (MariaDB knowledge base, "Rows_event"). */
const NO_TABLE = 0xff_ff_ff;

/** The numbers under which a log speaks of tables. */
export class TableMaps {
  readonly #catalog: TableResolver;
  readonly #maps = new Map<number, MappedTable>();

  constructor(catalog: TableResolver) {
    this.#catalog = catalog;
  }

  clear(): void {
    this.#maps.clear();
  }

  /** To be called between two transactions: a number that is forgotten within one would be missed. */
  bound(): void {
    if (this.#maps.size > MAPS_MAX) this.#maps.clear();
  }

  /** Whether a TABLE_MAP_EVENT says what is known already. */
  isKnown(event: LogEvent): boolean {
    const known = this.#maps.get(uint48At(event.sent, event.from + HEADER_BYTES));
    return known !== undefined && isDescribedBy(event, known.description);
  }

  /**
   * Takes in what a TABLE_MAP_EVENT says; the event itself is read before this waits. The table; null: it is none of
   * ours.
   */
  async describe({ bytes }: LogEvent): Promise<Resolved | null> {
    const number = uint48At(bytes, HEADER_BYTES);
    // Copied: the event's memory is not kept.
    const description = new DataView(new Uint8Array(bytes.subarray(DESCRIPTION_AT)).buffer);
    const map = readTableMap(bytes);
    const entry = await this.#catalog.resolve(map);
    const cascades = await this.#catalog.cascadesOf(map.schema, map.table);
    this.#maps.set(number, { description, entry, cascades });
    return entry;
  }

  /** The table of an event with rows; null: it has none. Throws TP-STREAM-PROTOCOL for one that was not described. */
  of({ sent, from, to }: LogEvent): MappedTable | null {
    if (to - from < HEADER_BYTES + 6) throw logError('rows without the number of their table');
    const number = uint48At(sent, from + HEADER_BYTES);
    const mapped = this.#maps.get(number);
    if (mapped === undefined && number !== NO_TABLE) throw logError('rows of a table that was not described');
    return mapped ?? null;
  }
}
