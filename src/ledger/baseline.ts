import { z } from 'zod';
import type { Position, PositionOrder } from '../connector/position.ts';
import { TwinproofError } from '../errors.ts';
import type { Core } from './core.ts';
import {
  encodeEntry,
  entryChangedAt,
  entryLongKey,
  entryRow,
  STATE,
  UNKNOWN,
  type RowState,
} from './entry.ts';
import { storedKey } from './key.ts';
import { readTransaction } from './record.ts';
import type { Relation } from './relation.ts';
import { positionSchema } from './stored.ts';
import type { DigestedRow } from './row-digest.ts';

const ROWS_PER_COMMIT = 16_384;

/**
 * Whether a transaction is in what a reading transaction saw: on PostgreSQL, its id is visible in the
 * `pg_current_snapshot()` of the reading transaction on the primary. Opaque here.
 */
export type Visible = (transaction: string) => boolean;

/** One read of a part of a relation on the primary. */
export interface BaselineRead {
  readonly relation: number;
  /** One of the names that `begin` was given. */
  readonly piece: string;
  readonly visible: Visible;
  /** Read on the primary after the snapshot was taken: every transaction visible in it lies at or before. */
  readonly until: Position;
}

export interface BaselineRow {
  readonly identity: Uint8Array;
  readonly row: DigestedRow;
}

const progressSchema = z.object({
  expected: z.array(z.string()),
  pieces: z.record(z.string(), z.object({ until: positionSchema, validFrom: z.int().nullable() })),
});

interface StoredPiece {
  readonly until: Position;
  /** The stream has passed `until` here; null: not yet. */
  readonly validFrom: number | null;
}

/** How far the baseline of a relation is. Pieces that are not named in `pieces` were not read yet. */
export interface BaselineProgress {
  readonly expected: readonly string[];
  readonly pieces: Readonly<Record<string, StoredPiece>>;
}

/**
 * What a row is after it was read: the journal's change stands if its transaction is not in the read, wherever it lies in
 * the log (a commit may lie before the read and not be visible in it, measured); else the read stands, for it holds that
 * change and perhaps later ones, which the stream will bring.
 */
export function settleRead(
  read: RowState,
  known: { readonly row: RowState; readonly transaction: string | null } | null,
  visible: Visible,
): RowState {
  if (known === null || known.transaction === null) return read;
  return visible(known.transaction) ? read : known.row;
}

/** Fills relations with what is read on the primary, piece by piece, while the stream goes on. */
export class Baseline {
  readonly #core: Core;
  readonly #settle: () => Promise<void>;

  /** `settle` brings the index up to the journal: Ledger.settle. */
  constructor(core: Core, settle: () => Promise<void>) {
    this.#core = core;
    this.#settle = settle;
  }

  /** Names the pieces in which a relation will be read; together they must hold every row at any time. */
  begin(number: number, pieces: readonly string[]): void {
    this.#relation(number);
    const progress: BaselineProgress = { expected: pieces, pieces: {} };
    this.#core.guard(() => this.#core.store.transaction(() => this.#write(number, progress)));
  }

  progress(number: number): BaselineProgress | null {
    return this.#core.store.read(name(number), progressSchema);
  }

  /**
   * Takes the rows of one piece, in any order. Throws TP-DEFINITION-CHANGED when the relation has ended meanwhile: begin
   * again with its successor.
   */
  async store(read: BaselineRead, rows: Iterable<BaselineRow>): Promise<void> {
    await this.#settle();
    const relation = this.#relation(read.relation);
    const progress = this.progress(read.relation);
    if (progress?.expected.includes(read.piece) !== true) {
      throw new TwinproofError('TP-BUG', { message: `the baseline has no piece ${read.piece}` });
    }
    const seen = new Map<number, boolean>();
    let some: BaselineRow[] = [];
    for (const row of rows) {
      some.push(row);
      if (some.length < ROWS_PER_COMMIT) continue;
      this.#commit(relation, read, some, seen, null);
      some = [];
    }
    const pieces = { ...progress.pieces, [read.piece]: { until: read.until, validFrom: null } };
    this.#commit(relation, read, some, seen, { ...progress, pieces });
  }

  /**
   * To be called when the stream has moved: pieces whose every transaction has arrived become valid, and a relation of
   * which all pieces are becomes complete. Returns the relations that became so.
   */
  advance(compare: (a: Position, b: Position) => PositionOrder): Relation[] {
    const { committed, catalog, store } = this.#core;
    const { position } = committed;
    const completed: Relation[] = [];
    if (position === null) return completed;
    for (const relation of catalog.current()) {
      const progress = relation.completeFrom === null ? this.progress(relation.number) : null;
      if (progress === null) continue;
      const pieces = passed(progress, position, committed.mark.at, compare);
      const complete = progress.expected.every((piece) => typeof pieces[piece]?.validFrom === 'number');
      if (complete) relation.completeFrom = committed.mark.at;
      if (complete) completed.push(relation);
      catalog.changed.add(relation);
      this.#core.guard(() =>
        store.transaction(() => {
          this.#write(relation.number, { ...progress, pieces });
          this.#core.writeRelations();
        }),
      );
    }
    return completed;
  }

  #commit(
    relation: Relation,
    read: BaselineRead,
    rows: readonly BaselineRow[],
    seen: Map<number, boolean>,
    progress: BaselineProgress | null,
  ): void {
    // Sorted: neighbours share pages, and a dense file is half the size.
    const keyed = rows.map(({ identity, row }) => ({
      key: storedKey(relation.number, identity, relation.signed),
      row,
    }));
    keyed.sort((a, b) => Buffer.compare(a.key.stored, b.key.stored));
    this.#core.guard(() =>
      this.#core.store.transaction(() => {
        if (relation.endedAt !== null) throw new TwinproofError('TP-DEFINITION-CHANGED');
        for (const { key, row } of keyed) this.#one(key, row, read.visible, seen);
        if (progress !== null) this.#write(relation.number, progress);
        this.#core.writeRelations();
      }),
    );
  }

  #one(
    key: ReturnType<typeof storedKey>,
    read: DigestedRow,
    visible: Visible,
    seen: Map<number, boolean>,
  ): void {
    const row: RowState = read.digest === null ? UNKNOWN : { state: STATE.present, digest: read.digest };
    const entry = this.#core.entry(key.stored);
    const changedAt = entry === undefined ? 0 : entryChangedAt(entry);
    const transaction = changedAt === 0 ? null : this.#transaction(changedAt);
    const known = entry === undefined ? null : { row: entryRow(entry), transaction: transaction?.id ?? null };
    const settled = settleRead(row, known, (id) => {
      const at = transaction?.at ?? 0;
      const answer = seen.get(at) ?? visible(id);
      seen.set(at, answer);
      return answer;
    });
    if (settled !== row) return;
    // The place of the last change stays: another read that does not see its transaction must not win later.
    const long = key.long ?? (entry === undefined ? null : entryLongKey(entry));
    this.#core.put(key.stored, encodeEntry(row, changedAt, read.columns, long), entry);
  }

  /** The transaction that made the change at a place. Null: it has left the window, so every snapshot since sees it. */
  #transaction(changedAt: number): { id: string; at: number } | null {
    const { journal } = this.#core;
    if (changedAt < journal.start.at) return null;
    const { recordAt } = journal.changeAt(changedAt);
    return { id: readTransaction(journal.recordAt(recordAt)).head.id, at: recordAt };
  }

  #relation(number: number): Relation {
    const relation = this.#core.catalog.byNumber(number);
    if (relation === null || relation.endedAt !== null || relation.keyFields === null) {
      throw new TwinproofError('TP-DEFINITION-CHANGED');
    }
    return relation;
  }

  #write(number: number, progress: BaselineProgress): void {
    this.#core.store.write(name(number), progress);
  }
}

function passed(
  progress: BaselineProgress,
  position: Position,
  at: number,
  compare: (a: Position, b: Position) => PositionOrder,
): Record<string, StoredPiece> {
  const pieces: Record<string, StoredPiece> = {};
  for (const [piece, stored] of Object.entries(progress.pieces)) {
    const order = stored.validFrom === null ? compare(position, stored.until) : 'equal';
    const reached = order === 'equal' || order === 'after';
    pieces[piece] = reached ? { ...stored, validFrom: stored.validFrom ?? at } : stored;
  }
  return pieces;
}

function name(number: number): string {
  return `baseline:${number.toString(16).padStart(8, '0')}`;
}
