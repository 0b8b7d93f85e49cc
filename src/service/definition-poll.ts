import { throwIfInterrupted } from '../connector/interruption.ts';
import type { SourceTable, WitnessReading } from '../connector/ledger-sites.ts';
import type { PairKind, TableSelection } from '../connector/table.ts';
import { definitionOf, sameDefinition, type Relation } from '../ledger/relation.ts';
import { Exclusive } from './exclusive.ts';
import type { WatchedLedger, WatchSite } from './watched-ledger.ts';
import type { WatchLog } from './watch-log.ts';
import type { Position } from '../connector/position.ts';

interface Pending {
  readonly source: SourceTable;
  /** When the stream has passed it, it brings no rows of an older definition any more. */
  readonly passed: Position;
}

/**
 * Holds the catalog of the primary against what the ledger takes its tables for, since much of what changes rows is not
 * in the log (DESIGN.md section 7). One a connection to the primary.
 */
export class DefinitionPoll {
  readonly #watched: WatchedLedger;
  readonly #primary: WatchSite;
  readonly #selection: TableSelection;
  readonly #pair: PairKind;
  readonly #log: WatchLog;
  readonly #pending = new Map<string, Pending>();
  readonly #turn = new Exclusive();

  constructor(
    watched: WatchedLedger,
    primary: WatchSite,
    selection: TableSelection,
    pair: PairKind,
    log: WatchLog,
  ) {
    this.#watched = watched;
    this.#primary = primary;
    this.#selection = selection;
    this.#pair = pair;
    this.#log = log;
  }

  /**
   * Voids what was redefined, and gives tables that are new their relation as soon as the stream has passed the moment
   * in which they were seen. While a transaction is being taken it waits for its end.
   */
  poll(signal: AbortSignal): Promise<void> {
    // One after the other: an older answer must not come behind a newer one.
    return this.#turn.run(() => this.#poll(signal));
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const before = await this.#primary.witness(signal);
    const tables = await this.#primary.sourceTables(this.#selection, this.#pair, signal);
    const after = await this.#primary.witness(signal);
    // An answer that came when nobody waited any more is older than it looks.
    throwIfInterrupted(signal);
    let voided: Relation[] = [];
    await this.#watched.between(() => {
      voided = this.#watched.ledger.definitions.compare(this.#fingerprints(tables));
      this.#define(tables, after);
    });
    this.#watched.sourceTables = tables;
    this.#write(tables, before);
    this.#watched.polls++;
    for (const { leaf } of voided) this.#tell(leaf, 'redefined: its rows are read anew');
    for (const { leaf, unfollowed } of tables) {
      if (unfollowed !== null) this.#state(leaf, `not followed, so unproven: ${unfollowed}`);
    }
  }

  /** Tables were seen that the stream has not reached yet. */
  get waits(): boolean {
    return this.#pending.size > 0;
  }

  /** Tables that were never selected keep what they have: the publication may hold more than is watched. */
  #fingerprints(tables: readonly SourceTable[]): Map<string, string | null> {
    const { ledger, known } = this.#watched;
    const selected = new Set(known.definitions()?.tables.map(({ id }) => id));
    const found = new Map<string, string | null>();
    for (const { table, fingerprint } of ledger.core.catalog.current()) {
      if (!selected.has(table)) found.set(table, fingerprint);
    }
    for (const source of tables) found.set(source.id, source.unfollowed === null ? source.fingerprint : null);
    return found;
  }

  #define(tables: readonly SourceTable[], after: WitnessReading): void {
    const { ledger } = this.#watched;
    for (const source of tables) {
      if (source.table === null || !this.#isWanted(source)) {
        this.#pending.delete(source.id);
        continue;
      }
      const known = this.#pending.get(source.id);
      const pending =
        known?.source.fingerprint === source.fingerprint ? known : { source, passed: after.position };
      this.#pending.set(source.id, pending);
      if (!this.#watched.hasPassed(pending.passed)) continue;
      ledger.definitions.take(source.table);
      this.#pending.delete(source.id);
    }
  }

  /** Whether the ledger has the table in another form, or not at all. What it has read in full it keeps. */
  #isWanted({ id, table }: SourceTable): boolean {
    if (table === null) return false;
    const { ledger, baseline } = this.#watched;
    const relation = ledger.core.catalog.ofTable(id);
    if (relation === null) return true;
    if (relation.completeFrom !== null || baseline.progress(relation.number) !== null) return false;
    return !sameDefinition(relation, definitionOf(table, relation.number, relation.cause, relation.signed));
  }

  #write(tables: readonly SourceTable[], { position, timeUs }: WitnessReading): void {
    this.#watched.known.writeDefinitions({
      knownUntilUs: timeUs,
      position,
      tables: tables.map(({ id, leaf, root, unfollowed }) => ({ id, leaf, root, unfollowed })),
    });
  }

  #tell(table: string, message: string): void {
    this.#log.tell({
      level: 'warn',
      site: 'primary',
      event: `definition ${table}`,
      message: `${table}: ${message}`,
    });
  }

  #state(table: string, message: string): void {
    this.#log.state({
      level: 'warn',
      site: 'primary',
      event: `table ${table}`,
      message: `${table}: ${message}`,
    });
  }
}
