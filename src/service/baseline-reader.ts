import { z } from 'zod';
import type { Range, RowShape } from '../connector/contract.ts';
import { throwIfInterrupted } from '../connector/interruption.ts';
import type { SourceTable } from '../connector/ledger-sites.ts';
import type { PairKind, TableDescription, TableSelection } from '../connector/table.ts';
import { TwinproofError } from '../errors.ts';
import type { BaselineRead, BaselineRow } from '../ledger/baseline.ts';
import type { Relation } from '../ledger/relation.ts';
import { shapeOf } from '../ledger/shape.ts';
import { parseStored } from '../ledger/stored.ts';
import type { DefinitionPoll } from './definition-poll.ts';
import { DigestSink } from './digest-sink.ts';
import type { Pace } from './pace.ts';
import { isOfTable } from './site-errors.ts';
import type { WatchedLedger, WatchSite } from './watched-ledger.ts';
import type { WatchLog } from './watch-log.ts';

/** What one read of the primary may hold: short, so that it holds back no vacuum, and small in memory as digests. */
const PIECE = { kind: 'block', rowsMax: 50_000, bytesMax: 32 * 1024 * 1024 } as const;
const NO_SHAPE_HINT =
  'the table stays unproven until the log brings its rows in the form in which they are read';
/** Last pieces that wait for the look at the definitions that makes them count. */
const HELD_PIECES_MAX = 64;
const HELD_ROWS_MAX = 100_000;

/** `table` and its description's fingerprint when the pieces were cut: a rewrite moves rows from one piece to another. */
const pieceSchema = z.object({
  table: z.string(),
  fingerprint: z.string(),
  kind: z.enum(['block', 'key', 'slice']),
  id: z.string(),
  from: z.string().nullable(),
  to: z.string().nullable(),
  rowsEstimate: z.number(),
});

type Described = ReadonlyMap<string, TableDescription>;

interface Held {
  readonly relation: Relation;
  readonly root: TableDescription;
  readonly read: BaselineRead;
  readonly rows: readonly BaselineRow[];
}

interface Parts {
  readonly watched: WatchedLedger;
  readonly primary: WatchSite;
  readonly selection: TableSelection;
  readonly pair: PairKind;
  readonly poll: DefinitionPoll;
  readonly pace: Pace;
  readonly log: WatchLog;
}

/**
 * Reads every row of the tables whose rows the ledger does not know, piece by piece, while the stream goes on. A piece is
 * remembered by what it reads, so that a baseline is taken up where it stood.
 */
export class BaselineReader {
  readonly #parts: Parts;
  #held: Held[] = [];

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** The relations that are to be read now: each stands in the journal for good, and is what the catalog says. */
  wanted(): { readonly relation: Relation; readonly source: SourceTable }[] {
    const { watched } = this.#parts;
    const { at } = watched.ledger.core.committed.mark;
    return watched.followed().filter(({ relation, source }) => {
      if (relation.completeFrom !== null || relation.keyFields === null || relation.beganAt >= at)
        return false;
      return relation.fingerprint === source.fingerprint && !this.#isRead(relation);
    });
  }

  /** Reads what is wanted. True: it would be good to come again soon. Throws what is not of one table alone. */
  async round(signal: AbortSignal): Promise<boolean> {
    const { watched, primary } = this.#parts;
    const wanted = this.wanted();
    if (wanted.length === 0) return false;
    this.#held = [];
    // The relations must be durable before anything is noted under their numbers.
    await watched.settled(() => undefined);
    await primary.commitsVisible(signal);
    const described = await this.#describe(signal);
    for (const { relation, source } of wanted) {
      await this.#attempt(relation, () => this.#readRelation(relation, source, described, signal));
      const rows = this.#held.reduce((sum, held) => sum + held.rows.length, 0);
      if (this.#held.length >= HELD_PIECES_MAX || rows >= HELD_ROWS_MAX) await this.#storeHeld(signal);
    }
    await this.#storeHeld(signal);
    return true;
  }

  /** To be called when the stream has moved. */
  async advance(): Promise<void> {
    const { watched, log } = this.#parts;
    const { catalog } = watched.ledger.core;
    const begun = catalog
      .current()
      .some((one) => one.completeFrom === null && watched.baseline.progress(one.number) !== null);
    if (!begun || watched.isPlaceless) return;
    const completed = await watched.settled(() => watched.baseline.advance(watched.compare));
    for (const { leaf, number } of completed) {
      const rows = catalog.byNumber(number)?.rows ?? 0;
      const message = `${leaf}: every row is known, ${rows} of them`;
      log.tell({ level: 'info', site: 'primary', event: 'baseline', message });
    }
  }

  #isRead({ number }: Relation): boolean {
    const progress = this.#parts.watched.baseline.progress(number);
    return progress?.expected.every((piece) => piece in progress.pieces) === true;
  }

  async #readRelation(
    relation: Relation,
    source: SourceTable,
    described: Described,
    signal: AbortSignal,
  ): Promise<void> {
    const { watched, primary, pair, pace } = this.#parts;
    const table = described.get(source.root);
    if (table === undefined) throw new TwinproofError('TP-DEFINITION-CHANGED');
    const { shape, problem } = shapeOf(relation, table, pair, 'primary');
    if (shape === null)
      throw new TwinproofError('TP-DEFINITION-CHANGED', { message: problem, hint: NO_SHAPE_HINT });
    const missing = await this.#missing(relation, source, shape, signal);
    for (const [index, { piece, range }] of missing.entries()) {
      await pace.admit(signal);
      const sink = new DigestSink(watched.ledger.digester(), shape.keyFields);
      const { visible, until } = await primary.readSnapshot({ shape, range }, sink, signal);
      throwIfInterrupted(signal);
      pace.spent(sink.rows.length);
      const read = { relation: relation.number, piece, visible, until };
      if (index === missing.length - 1) this.#held.push({ relation, root: table, read, rows: sink.rows });
      else await watched.exclusive.run(() => watched.baseline.store(read, sink.rows));
    }
  }

  async #missing(
    relation: Relation,
    source: SourceTable,
    shape: RowShape,
    signal: AbortSignal,
  ): Promise<{ readonly piece: string; readonly range: Range }[]> {
    const { watched, primary } = this.#parts;
    const { fingerprint } = shape.table;
    let progress = watched.baseline.progress(relation.number);
    if (progress === null || progress.expected.some((piece) => parsed(piece).fingerprint !== fingerprint)) {
      const ranges = await primary.planLeaf(source, shape, PIECE, signal);
      const pieces = ranges.map((range) => pieceOf(range, fingerprint));
      watched.baseline.begin(relation.number, pieces);
      progress = { expected: pieces, pieces: {} };
    }
    const { expected, pieces } = progress;
    return expected.filter((piece) => !(piece in pieces)).map((piece) => ({ piece, range: parsed(piece) }));
  }

  /**
   * A table's last piece counts only if nothing was redefined or rewritten up to now, the reads of all its pieces
   * included: storing it throws for a relation that the look has ended.
   */
  async #storeHeld(signal: AbortSignal): Promise<void> {
    const { watched, poll } = this.#parts;
    if (this.#held.length === 0) return;
    const held = this.#held;
    this.#held = [];
    await poll.poll(signal);
    const described = await this.#describe(signal);
    for (const { relation, root, read, rows } of held) {
      if (described.get(root.name)?.fingerprint !== root.fingerprint) continue;
      await this.#attempt(relation, () => watched.exclusive.run(() => watched.baseline.store(read, rows)));
    }
  }

  async #describe(signal: AbortSignal): Promise<Described> {
    const { primary, selection } = this.#parts;
    const tables = await primary.describeTables(selection, signal);
    return new Map(tables.map((table) => [table.name, table]));
  }

  async #attempt(relation: Relation, action: () => Promise<void>): Promise<void> {
    const { log, watched } = this.#parts;
    const about = { site: 'primary', event: `baseline ${relation.leaf}` } as const;
    try {
      await action();
      watched.unreadable.delete(relation.table);
      log.over({ ...about, level: 'info', message: `${relation.leaf} can be read` });
    } catch (error) {
      if (!isOfTable(error)) throw error;
      watched.unreadable.add(relation.table);
      const { code, message, hint } = error;
      log.state({
        ...about,
        level: 'warn',
        code,
        message: `${relation.leaf} cannot be read: ${message}`,
        hint,
      });
    }
  }
}

function pieceOf({ table, kind, id, from, to, rowsEstimate }: Range, fingerprint: string): string {
  return JSON.stringify({ table, fingerprint, kind, id, from, to, rowsEstimate });
}

function parsed(piece: string): z.infer<typeof pieceSchema> {
  return parseStored(pieceSchema, Buffer.from(piece));
}
