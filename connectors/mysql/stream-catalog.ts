import type { StreamedTable } from '../../src/connector/changes.ts';
import type { PairKind } from '../../src/connector/table.ts';
import type { TableMap } from './binlog-table-map.ts';
import { type Definition, readDefinitions } from './definitions.ts';
import type { Session } from './session.ts';
import { CascadeMap, type Cascades } from './stream-cascades.ts';
import { type NameCase, storedName } from './stream-names.ts';
import { catalogTable, isServers, tableEntry, type TableEntry } from './stream-table.ts';

export interface Resolved extends TableEntry {
  /** The same as at the table's last appearance in the log: nobody need be told. */
  readonly known: boolean;
}

interface Remembered {
  readonly signature: string;
  readonly entry: TableEntry;
}

/**
 * Finds what the log leaves out of a table's description: its key, the forms of its columns. The log tells of the past
 * and the catalog of the present; where they disagree a column is marked as not known, and a statement that redefines a
 * table makes a gap for it, whatever was looked up before.
 */
export class StreamCatalog {
  readonly #session: Session;
  readonly #pair: PairKind;
  readonly #signal: AbortSignal;
  /** By `schema.table`; null: looked for, and not there, or not followed. Absent: to be looked up. */
  readonly #definitions = new Map<string, Definition | null>();
  readonly #seen = new Map<string, Remembered>();
  #cascades: CascadeMap | null = null;
  #database = '';
  #nameCase: NameCase = '0';

  constructor(session: Session, pair: PairKind, signal: AbortSignal) {
    this.#session = session;
    this.#pair = pair;
    this.#signal = signal;
  }

  /** The connected database, whose tables are streamed. */
  get database(): string {
    return this.#database;
  }

  /** As the catalog and the log's rows have a name that a statement writes so; null: that cannot be said. */
  storedName(written: string): string | null {
    return storedName(written, this.#nameCase);
  }

  /** Reads all definitions at once, so that the first change of each table need not. */
  async load(): Promise<void> {
    const [here] = await this.#session.rows<{ name: string; nameCase: NameCase }>(
      'select database() as `name`, @@global.lower_case_table_names as `nameCase`',
      [],
      this.#signal,
    );
    this.#database = here?.name ?? '';
    this.#nameCase = here?.nameCase ?? '2';
    await this.#read(() => true);
    await this.#cascadeMap();
  }

  /** Null: a table of another database, or one that is not followed or that the catalog does not know any more. */
  async resolve(map: TableMap): Promise<Resolved | null> {
    if (map.schema !== this.#database) return null;
    const leaf = `${map.schema}.${map.table}`;
    if (!this.#definitions.has(leaf)) await this.#lookUp(leaf, map.table);
    let definition = this.#definitions.get(leaf) ?? null;
    if (definition !== null && !isWhole(map, definition)) {
      await this.#lookUp(leaf, map.table);
      definition = this.#definitions.get(leaf) ?? null;
    }
    if (definition === null) return null;
    const entry = tableEntry(map, definition, this.#pair);
    const signature = JSON.stringify([entry.table, map.columns]);
    const before = this.#seen.get(leaf);
    if (before?.signature === signature) return { ...before.entry, known: true };
    this.#seen.set(leaf, { signature, entry });
    return { ...entry, known: false };
  }

  /** A table as events would name it now; null: it is not followed, or not there. */
  async current(leaf: string): Promise<{ readonly table: StreamedTable; readonly known: boolean } | null> {
    const seen = this.#seen.get(leaf);
    if (seen !== undefined) return { table: seen.entry.table, known: true };
    if (!this.#definitions.has(leaf)) await this.#lookUp(leaf, leaf.slice(this.#database.length + 1));
    const definition = this.#definitions.get(leaf) ?? null;
    return definition === null ? null : { table: catalogTable(definition, this.#pair), known: false };
  }

  /** What follows from changes of a table, of any database, that the log does not show. */
  async cascadesOf(schema: string, table: string): Promise<Cascades> {
    return (await this.#cascadeMap()).of(`${schema}.${table}`);
  }

  /**
   * With the tables that foreign keys change with them. A key may be gone by now over which such a change came: then
   * the table that had it was redefined, and what lies below that is not known either.
   */
  async withBelow(leaves: readonly string[]): Promise<readonly string[]> {
    const maps = [this.#cascades, await CascadeMap.read(this.#session, this.#signal)];
    const below = leaves.flatMap((leaf) => maps.flatMap((map) => map?.below(leaf) ?? []));
    return [...new Set([...leaves, ...below])];
  }

  /** The next look-ups ask the server again. Null: of every table. */
  forget(leaves: readonly string[] | null): void {
    if (leaves === null) this.#definitions.clear();
    for (const leaf of leaves ?? []) this.#definitions.delete(leaf);
    this.#cascades = null;
  }

  async #cascadeMap(): Promise<CascadeMap> {
    this.#cascades ??= await CascadeMap.read(this.#session, this.#signal);
    return this.#cascades;
  }

  async #lookUp(leaf: string, table: string): Promise<void> {
    this.#definitions.set(leaf, null);
    await this.#read((_, name) => name === table);
  }

  async #read(selects: (schema: string, table: string) => boolean): Promise<void> {
    for (const definition of await readDefinitions(this.#session, selects, this.#signal)) {
      this.#definitions.set(definition.leaf, definition.unfollowed === null ? definition : null);
    }
  }
}

/** Whether both have the same columns, as far as names tell. */
function isWhole(map: TableMap, { description }: Definition): boolean {
  const names = new Set(description.columns.map(({ name }) => name));
  return map.columns?.every(({ name }) => name === null || names.has(name) || isServers(name)) ?? true;
}
