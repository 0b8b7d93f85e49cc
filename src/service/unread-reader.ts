import type { FoundRow, RowShape } from '../connector/contract.ts';
import type { SnapshotReading } from '../connector/ledger-sites.ts';
import type { PairKind, TableDescription, TableSelection } from '../connector/table.ts';
import { entryChangedAt } from '../ledger/entry.ts';
import { storedKey } from '../ledger/key.ts';
import { readTransaction } from '../ledger/record.ts';
import type { Relation } from '../ledger/relation.ts';
import { shapeOf } from '../ledger/shape.ts';
import { isOfTable } from './site-errors.ts';
import type { WatchedLedger, WatchSite } from './watched-ledger.ts';

const KEYS_PER_ROUND = 5000;
const KEYS_PER_READ = 1000;

/** Reads rows again of which the stream said only that they changed, and not to what. */
export class UnreadReader {
  readonly #watched: WatchedLedger;
  readonly #primary: WatchSite;
  readonly #selection: TableSelection;
  readonly #pair: PairKind;

  constructor(watched: WatchedLedger, primary: WatchSite, selection: TableSelection, pair: PairKind) {
    this.#watched = watched;
    this.#primary = primary;
    this.#selection = selection;
    this.#pair = pair;
  }

  /** Puts in what the stream has passed, then reads some of what is left. Returns how many rows were resolved. */
  async round(signal: AbortSignal): Promise<number> {
    const { unread, ledger, compare } = this.#watched;
    // What waits in memory for the index may be to be read as well.
    if (ledger.core.pending.size === 0 && !unread.any) return 0;
    const found = await this.#watched.settled(() => ({
      resolved: unread.advance(compare),
      keys: unread.next(KEYS_PER_ROUND),
    }));
    if (found.keys.length === 0) return found.resolved;
    const tables = await this.#primary.describeTables(this.#selection, signal);
    for (const number of new Set(found.keys.map((key) => key.relation))) {
      const relation = ledger.core.catalog.byNumber(number);
      const keys = found.keys.filter((key) => key.relation === number);
      const identities = keys.map(({ identity }) => identity);
      if (relation !== null) await this.#read(relation, identities, tables, signal);
    }
    return found.resolved;
  }

  async #read(
    relation: Relation,
    identities: readonly Uint8Array[],
    tables: readonly TableDescription[],
    signal: AbortSignal,
  ): Promise<void> {
    const table = tables.find(({ name }) => name === relation.root);
    const shape = table === undefined ? null : shapeOf(relation, table, this.#pair, 'primary').shape;
    if (shape === null) return;
    for (let start = 0; start < identities.length; start += KEYS_PER_READ) {
      const keys = identities.slice(start, start + KEYS_PER_READ);
      try {
        await this.#readSome(relation, shape, keys, signal);
      } catch (error) {
        if (!isOfTable(error)) throw error;
        return;
      }
    }
  }

  async #readSome(
    relation: Relation,
    shape: RowShape,
    keys: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<void> {
    const { rows, snapshot } = await this.#primary.readRowsSnapshot(shape, keys, signal);
    for (const row of rows) this.#offer(relation, row, snapshot);
  }

  /**
   * Only a read that has seen the key's last change may stand for it: one that has not is of an older state. The stream
   * will have passed the read before it is put in.
   */
  #offer(relation: Relation, found: FoundRow, snapshot: SnapshotReading): void {
    const { ledger, unread } = this.#watched;
    const { journal } = ledger.core;
    const entry = ledger.core.entry(storedKey(relation.number, found.key, relation.signed).stored);
    const changedAt = entry === undefined ? 0 : entryChangedAt(entry);
    if (changedAt >= journal.start.at) {
      const { recordAt } = journal.changeAt(changedAt);
      if (!snapshot.visible(readTransaction(journal.recordAt(recordAt)).head.id)) return;
    }
    const row = ledger.digester().row(found.row, null);
    unread.offer(relation.number, { identity: found.key, row }, snapshot.until);
  }
}
