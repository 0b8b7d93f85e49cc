import type { Bracket, Contains } from '../connector/ledger-sites.ts';
import type { Position, PositionOrder } from '../connector/position.ts';
import { KIND } from './change-record.ts';
import type { Core } from './core.ts';
import { ABSENT, entryChangedAt, STATE, UNKNOWN, type RowState } from './entry.ts';
import { storedKey } from './key.ts';
import { readTransaction, RECORD } from './record.ts';
import type { Relation } from './relation.ts';
import { endsOf } from './candidate-check-places.ts';
import { boundaryAt, StateAt, type Boundary, type StatedRow } from './state.ts';

type Compare = (a: Position, b: Position) => PositionOrder;

/** Of one or two records: the end of a transaction is asked for again and again. */
const READ_BYTES = 4096;

/**
 * Why a row can be neither clean nor different. `no position`: the candidate did not say what the read contains.
 * `another history`, `before the window`: the ledger has nothing to hold against it. `not known`: the ledger does not
 * know the row at some commit in question. `beyond`: it is as the ledger has it at no commit, and the read reaches behind
 * the ledger's end. `tail`: the same, and it was written by a transaction behind that end.
 */
export type UnknownWhy =
  'no position' | 'another history' | 'before the window' | 'not known' | 'beyond' | 'tail';

/** `missing`: the candidate lacks the row; `extra`: the primary does. */
export type RowDifference = 'missing' | 'extra' | 'changed';

export type Judgement =
  | { readonly kind: 'clean'; readonly boundary: Boundary }
  | { readonly kind: 'different'; readonly difference: RowDifference }
  | { readonly kind: 'unknown'; readonly why: UnknownWhy };

/**
 * A row as it was read on a candidate, digested. `writer`: the transaction that wrote it, and whether it had ended at the
 * ledger's witness of the primary (null: not known); null where a candidate's transactions are its own.
 */
export interface ReadRow {
  readonly digest: Uint8Array;
  readonly writer: { readonly id: string; readonly ended: 'before' | 'since' | null } | null;
}

/** The part of the journal that a bracket covers: the read shows the state at some boundary from `low` to `high`. */
export interface View {
  readonly low: Boundary;
  readonly high: Boundary;
  /** Commits that the ledger has not seen may be in the read as well. */
  readonly beyond: boolean;
  /** Which transactions behind `low` the read has. Absent: all up to some boundary, and none behind it. */
  readonly contains?: Contains | undefined;
}

/**
 * Finds a bracket in the journal. The first commit behind `atMost` may be in the read, for a commit can be visible before
 * the position passes it (measured). `rested`: the candidate stood at `atMost` long enough since for that one to have
 * passed, had there been one.
 */
export function viewOf(
  core: Core,
  bracket: Bracket | null,
  compare: Compare,
  rested = false,
): View | UnknownWhy {
  if (bracket === null) return 'no position';
  const { from, to } = endsOf(core, bracket, compare);
  if (from.kind === 'incomparable' || to.kind === 'incomparable') return 'another history';
  if (from.kind === 'pruned') return 'before the window';
  const head = boundaryAt(core.committed.mark.at);
  const { contains } = bracket;
  const low = from.kind === 'found' ? from.boundary : head;
  if (to.kind === 'ahead') return { low, high: head, beyond: true, contains };
  const next = nextCommit(core, to.kind === 'found' ? to.boundary : core.journal.start.at);
  if (next !== null) return { low, high: next > low ? next : low, beyond: false, contains };
  return { low, high: head, beyond: !rested, contains };
}

/**
 * The same view of a candidate that is known to have reached `floor` before. A subscriber whose worker has ended tells
 * only the last commit that it applied, and nothing of what it had passed since.
 */
export function atLeast(view: View, floor: Boundary | null): View {
  if (floor === null) return view;
  const { low, high } = view;
  return { ...view, low: low > floor ? low : floor, high: high > floor ? high : floor };
}

/** Behind the first commit from a boundary on; null: the ledger has none. */
function nextCommit(core: Core, from: number): Boundary | null {
  for (const record of core.journal.scan(from, core.committed.mark.at, READ_BYTES)) {
    if (record.kind === RECORD.commit) return boundaryAt(record.end);
  }
  return null;
}

/**
 * Judges rows of one table of a candidate, under the name by which the candidate is read: the root of a partitioned
 * table, whose rows the ledger keeps by leaf. Pure over the ledger: it is to be made anew for each view, and asked before
 * the ledger is pruned.
 */
export class TableCheck {
  readonly #core: Core;
  readonly #view: View;
  readonly #states = new Map<Boundary, readonly StateAt[]>();
  readonly #ends = new Map<number, Boundary>();
  /** A record of the transaction that ends there. */
  readonly #records = new Map<Boundary, number>();
  readonly #relations: readonly Relation[];
  /** Where generations begin within the view. */
  #beginnings: readonly Boundary[] | null = null;

  constructor(core: Core, root: string, view: View) {
    this.#core = core;
    this.#view = view;
    this.#relations = core.catalog.all().filter((relation) => rootOf(relation) === root);
  }

  /** `read` null: the candidate has no such row. */
  judge(identity: Uint8Array, read: ReadRow | null): Judgement {
    let last: RowState = UNKNOWN;
    let known = true;
    for (const boundary of this.#candidates(identity)) {
      last = this.stateAt(identity, boundary);
      if (matches(last, read)) return { kind: 'clean', boundary };
      if (last.state === STATE.unknown) known = false;
    }
    if (!known) return { kind: 'unknown', why: 'not known' };
    if (this.#view.beyond) {
      const written = this.#writtenWhen(identity, read);
      if (written !== 'before the end') return { kind: 'unknown', why: written };
    }
    return { kind: 'different', difference: differenceOf(last, read) };
  }

  /** Every row that the table had as of `low` is known: what is not among `expected` was not there. */
  get complete(): boolean {
    const leaves = this.#leaves(this.#view.low);
    return leaves.length > 0 && leaves.every(({ complete }) => complete);
  }

  /**
   * All rows between two keys (fields in the order of the store; `to` is outside; null: open) that stood or may have stood
   * there as of `low`, leaf by leaf. Whoever reads a range judges those that were not in it as absent; of a key that comes
   * once, a row that is present and has the same digest is clean as of `low`. Throws RangeError unless `complete`.
   */
  *expected(from: Buffer | null, to: Buffer | null): Generator<StatedRow> {
    for (const leaf of this.#leaves(this.#view.low)) yield* leaf.range(from, to);
  }

  /** What the ledger says of a row at a boundary of the view: of the leaf that has it, or absent in all of them. */
  stateAt(identity: Uint8Array, boundary: Boundary): RowState {
    const leaves = this.#leaves(boundary);
    let combined: RowState = ABSENT;
    for (const leaf of leaves) {
      const row = leaf.row(identity);
      if (row.state === STATE.absent) continue;
      // A key of a partitioned table is in one leaf alone.
      if (row.state === STATE.present && combined.state !== STATE.present) combined = row;
      else if (combined.state === STATE.absent) combined = row;
      else if (row.state === STATE.present) return UNKNOWN;
    }
    return leaves.length === 0 ? UNKNOWN : combined;
  }

  /** The generations of the table's leaves that a boundary falls into. */
  #leaves(boundary: Boundary): readonly StateAt[] {
    const known = this.#states.get(boundary);
    if (known !== undefined) return known;
    const leaves = this.#relations
      .filter(({ beganAt, endedAt }) => beganAt < boundary && (endedAt === null || endedAt >= boundary))
      .map((relation) => new StateAt(this.#core, relation, boundary));
    this.#states.set(boundary, leaves);
    return leaves;
  }

  /**
   * The boundaries as of which the row may have been read; there is at least one. Where the read is known to have some
   * transactions and not others, the newest of the former that changed the row: what it wrote must be there.
   */
  #candidates(identity: Uint8Array): readonly Boundary[] {
    const { low, contains } = this.#view;
    const boundaries = this.#boundaries(identity);
    if (contains === undefined || this.#generationBoundaries().length > 0) return [low, ...boundaries];
    const found: Boundary[] = [];
    for (const boundary of boundaries.toReversed()) {
      const there = contains(this.#transactionBefore(boundary));
      if (there !== false) found.unshift(boundary);
      if (there === true) return found;
    }
    return [low, ...found];
  }

  /** The transaction that changed the row and ends at a boundary. */
  #transactionBefore(boundary: Boundary): string {
    const recordAt = this.#records.get(boundary);
    if (recordAt === undefined) throw new RangeError('a boundary behind no change');
    return readTransaction(this.#core.journal.recordAt(recordAt)).head.id;
  }

  /** Every boundary behind `low` at which the row, or all that is known of the table, may have changed; in order. */
  #boundaries(identity: Uint8Array): readonly Boundary[] {
    const { low, high } = this.#view;
    const found = new Set<Boundary>(this.#generationBoundaries());
    for (const relation of this.#relations) {
      if (relation.endedAt !== null && relation.endedAt < low) continue;
      for (const { recordAt, at } of this.#changes(relation, identity)) {
        if (at < low) break;
        if (at < high) found.add(this.#behind(recordAt));
      }
    }
    return [...found].filter((boundary) => boundary <= high).sort((a, b) => a - b);
  }

  #generationBoundaries(): readonly Boundary[] {
    const { low, high } = this.#view;
    this.#beginnings ??= this.#relations
      .filter(({ beganAt }) => beganAt >= low && beganAt < high)
      .map(({ beganAt, cause }) =>
        this.#behind(cause === 'truncate' ? this.#core.journal.changeAt(beganAt).recordAt : beganAt),
      );
    return this.#beginnings;
  }

  /** Changes of a row in one generation, the newest first, as far back as the window goes. */
  *#changes(
    relation: Relation,
    identity: Uint8Array,
  ): Generator<{ readonly at: number; readonly recordAt: number; readonly before: RowState }> {
    const { journal } = this.#core;
    const entry = this.#core.entry(storedKey(relation.number, identity, relation.signed).stored);
    let at = entry === undefined ? 0 : entryChangedAt(entry);
    while (at > 0 && at >= journal.start.at) {
      const change = journal.changeAt(at);
      if (change.kind === KIND.keyless || change.kind === KIND.truncate) return;
      yield change;
      at = change.previous;
    }
  }

  /** The boundary behind the transaction that a record belongs to. */
  #behind(recordAt: number): Boundary {
    const known = this.#ends.get(recordAt);
    if (known !== undefined) return known;
    const end = nextCommit(this.#core, recordAt) ?? boundaryAt(this.#core.committed.mark.at);
    this.#ends.set(recordAt, end);
    this.#records.set(end, recordAt);
    return end;
  }

  /**
   * Whether a row that is as the ledger has it at no commit was written before the ledger's end. It was if its writer had
   * ended at the witness, which lies before that end, or if the journal has its writer's change. It was written behind the
   * end if its writer had not ended at the witness, the journal does not have its change, and the row is no earlier state
   * of itself, as one would be whose later changes the candidate dropped. A row that is not there shows no writer.
   */
  #writtenWhen(identity: Uint8Array, read: ReadRow | null): 'before the end' | 'beyond' | 'tail' {
    const writer = read?.writer ?? null;
    if (writer === null) return 'beyond';
    if (writer.ended === 'before') return 'before the end';
    let stale = false;
    const { journal, committed } = this.#core;
    for (const relation of this.#relations) {
      for (const { at, recordAt, before } of this.#changes(relation, identity)) {
        if (at >= committed.mark.at) continue;
        if (readTransaction(journal.recordAt(recordAt)).head.id === writer.id) return 'before the end';
        if (before.state === STATE.unknown || matches(before, read)) stale = true;
      }
    }
    return stale || writer.ended === null ? 'beyond' : 'tail';
  }
}

/** The name by which a candidate is asked for the rows of a relation. */
export function rootOf(relation: Pick<Relation, 'root' | 'leaf'>): string {
  return relation.root ?? relation.leaf;
}

function matches(row: RowState, read: ReadRow | null): boolean {
  if (read === null) return row.state === STATE.absent;
  return row.state === STATE.present && Buffer.compare(row.digest, read.digest) === 0;
}

function differenceOf(row: RowState, read: ReadRow | null): RowDifference {
  if (read === null) return 'missing';
  return row.state === STATE.absent ? 'extra' : 'changed';
}
