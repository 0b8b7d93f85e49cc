import type { PairKind, TableDescription } from '../../src/connector/table.ts';
import { type Definition, readDefinitions } from './definitions.ts';
import type { RelationMessage } from './pgoutput-messages.ts';
import type { Session } from './session.ts';
import { type RelationFacts, tableEntry, type TableEntry } from './stream-table.ts';
import { handleOf } from './table.ts';
import { describeTables } from './tables.ts';

export interface Resolved extends TableEntry {
  /** The same as at the table's last appearance in the log: nobody need be told. */
  readonly known: boolean;
}

interface Remembered {
  readonly signature: string;
  readonly entry: TableEntry;
}

/**
 * Finds what the log leaves out of a table's description: its root, its key's order, the forms of its columns. The log
 * tells of the past and the catalog of the present; where they disagree a column or the key is marked as not known.
 *
 * A definition, with its fingerprint, is always read before the description that it stands beside: what changes between
 * the two makes a fingerprint that the next poll contradicts.
 */
export class StreamCatalog {
  readonly #session: Session;
  readonly #publication: string;
  readonly #pair: PairKind;
  readonly #signal: AbortSignal;
  readonly #definitions = new Map<number, Definition>();
  /** By the oid of every piece that holds rows, and of the root. */
  readonly #descriptions = new Map<number, TableDescription>();
  readonly #seen = new Map<number, Remembered>();

  constructor(session: Session, publication: string, pair: PairKind, signal: AbortSignal) {
    this.#session = session;
    this.#publication = publication;
    this.#pair = pair;
    this.#signal = signal;
  }

  /** Reads all definitions at once, so that the first change of each table need not. */
  async load(): Promise<void> {
    this.#definitions.clear();
    this.#descriptions.clear();
    await this.#define(null);
    await this.#describe(() => true);
  }

  /** The log sends a description again whenever anything about the table was touched, even by ANALYZE. */
  async resolve(relation: RelationMessage): Promise<Resolved> {
    const before = this.#seen.get(relation.oid);
    if (before !== undefined || !this.#agrees(relation)) await this.#refresh(relation);
    const entry = tableEntry(relation, this.#facts(relation), this.#pair);
    const signature = JSON.stringify([entry, relation.columns]);
    if (before?.signature === signature) return { ...before.entry, known: true };
    this.#seen.set(relation.oid, { signature, entry });
    return { ...entry, known: false };
  }

  /** Whether the definition that was read at the start is the one that the log speaks of, as far as can be told. */
  #agrees(relation: RelationMessage): boolean {
    const description = this.#descriptions.get(relation.oid);
    if (description === undefined) return false;
    const { columns } = handleOf(description);
    return relation.columns.every(({ name, typeOid }) =>
      columns.some((column) => column.name === name && column.typeOid === typeOid),
    );
  }

  async #refresh(relation: RelationMessage): Promise<void> {
    const old = this.#descriptions.get(relation.oid);
    this.#descriptions.delete(relation.oid);
    this.#definitions.delete(relation.oid);
    await this.#define(relation.oid);
    if (old !== undefined) {
      await this.#describe((schema, table) => schema === old.schema && table === old.table);
    }
    if (!this.#descriptions.has(relation.oid)) await this.load();
  }

  async #define(oid: number | null): Promise<void> {
    const found = await readDefinitions(this.#session, this.#publication, oid, this.#signal);
    for (const definition of found) this.#definitions.set(definition.oid, definition);
  }

  async #describe(selects: (schema: string, table: string) => boolean): Promise<void> {
    for (const description of await describeTables(this.#session, selects, this.#signal)) {
      const handle = handleOf(description);
      this.#descriptions.set(handle.oid, description);
      for (const leaf of handle.leaves) this.#descriptions.set(leaf.oid, description);
    }
  }

  #facts(relation: RelationMessage): RelationFacts {
    const definition = this.#definitions.get(relation.oid);
    return {
      description: definition === undefined ? null : (this.#descriptions.get(relation.oid) ?? null),
      sends: definition?.sends ?? new Set(),
      filtered: definition?.filtered === true,
      fingerprint: definition?.fingerprint ?? null,
    };
  }
}
