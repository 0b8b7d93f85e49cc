import type { StreamedTable } from '../connector/changes.ts';
import type { KeyOrder } from '../connector/ledger-sites.ts';
import type { Core } from './core.ts';
import { RECORD } from './record.ts';
import {
  definitionOf,
  encodeDefinition,
  sameDefinition,
  type Cause,
  type Relation,
  type RelationDefinition,
} from './relation.ts';

/** What puts the leading key columns of a table in order: the connector's knowledge. */
export type SignedKey = (table: StreamedTable) => readonly KeyOrder[];

/**
 * Begins generations of tables and writes each beginning into the journal. A generation ends what was known of the rows
 * before it: baseline, and every proof, since proofs are bound to the relation.
 */
export class Definitions {
  readonly #core: Core;
  readonly #signedKey: SignedKey;

  constructor(core: Core, signedKey: SignedKey) {
    this.#core = core;
    this.#signedKey = signedKey;
  }

  /** A definition event: the relation that its rows belong to, a new one if the definition is another than it was. */
  take(table: StreamedTable): Relation {
    const { catalog } = this.#core;
    const before = catalog.ofTable(table.id);
    const given = this.#signedKey(table);
    const signed = Array.from({ length: table.keyFields ?? 0 }, (_, field) => given[field] ?? false);
    const cause: Cause = before === null ? 'new' : 'definition';
    const definition = definitionOf(table, catalog.nextNumber, cause, signed);
    const relation = before !== null && sameDefinition(before, definition) ? before : this.#begin(definition);
    catalog.bind(table, relation);
    return relation;
  }

  /** The same definition, with nothing known of its rows. */
  renew(relation: Relation, cause: Cause): Relation {
    return this.#begin({ ...bare(relation), number: this.#core.catalog.nextNumber, cause });
  }

  /**
   * What the catalog of the primary says now, polled: a fingerprint other than the one that is known means a change that
   * the log may not show (DESIGN.md section 7). Returns the relations that were voided by it.
   */
  compare(fingerprints: ReadonlyMap<string, string | null>): Relation[] {
    const voided: Relation[] = [];
    for (const relation of this.#core.catalog.current()) {
      const now = fingerprints.get(relation.table) ?? null;
      if (now === relation.fingerprint) continue;
      const definition = {
        ...bare(relation),
        number: this.#core.catalog.nextNumber,
        cause: 'definition' as const,
      };
      voided.push(relation);
      this.#begin({ ...definition, fingerprint: now });
    }
    return voided;
  }

  #begin(definition: RelationDefinition): Relation {
    const { journal, catalog } = this.#core;
    const { at } = journal.end;
    journal.append(RECORD.relation, encodeDefinition(definition), null);
    return catalog.begin(definition, at);
  }
}

function bare(relation: Relation): Omit<RelationDefinition, 'number' | 'cause'> {
  const { table, leaf, root, columns, absent, keyFields, signed, fingerprint } = relation;
  return { table, leaf, root, columns, absent, keyFields, signed, fingerprint };
}
