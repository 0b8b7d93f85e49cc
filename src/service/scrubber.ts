import type { RowShape } from '../connector/contract.ts';
import { TwinproofError } from '../errors.ts';
import { checkRange, type CheckedKey, type CheckedRange } from '../ledger/candidate-check-keys.ts';
import type { RangeProof } from '../ledger/range-proofs.ts';
import type { ProvenRange } from '../ledger/coverage.ts';
import { identityOf, isHashedKey, RELATION_BYTES } from '../ledger/key.ts';
import type { Relation } from '../ledger/relation.ts';
import type { CandidateSession } from './candidate-session.ts';
import type { WatchedRoot } from './candidate-tables.ts';
import { FullPass } from './full-pass.ts';
import { type Due, isMoreUrgent, nextDue, type PlannedBounds, rowsPerRange } from './scrub-plan.ts';
import { isOfTable } from './site-errors.ts';

const LEAF_ROWS_MIN = 64;
/** A table of which a range could not be judged rests so long. */
const REST_MS = 3000;
/** How small ranges get that hold more than may be read at once. */
const HALVINGS_MAX = 6;
/** Rows of a range that may be put on the dirty list for being unclear. */
const UNCLEAR_MAX = 2000;

/** Proves all of every table, range by range, and again before the proofs get old. */
export class Scrubber {
  readonly #session: CandidateSession;
  /** Renewed when half of the age that the policy allows is over. */
  readonly #renewAfterUs: bigint;
  readonly #restingSinceMs = new Map<string, number>();
  readonly #halvings = new Map<string, number>();
  /** Tables that the candidate refused to read: they rest too, and are not waited for. */
  readonly #refused = new Set<string>();
  /** As they stand in the store, where nobody else writes them: reading them anew for every step would be most of it. */
  readonly #proofs = new Map<number, readonly ProvenRange[]>();
  #pass: FullPass | null = null;

  constructor(session: CandidateSession, maxProofAgeMs: number) {
    this.#session = session;
    this.#renewAfterUs = BigInt(Math.floor(maxProofAgeMs / 2)) * 1000n;
  }

  /** Reads what is most urgent. False: nothing is to be done now, or the rate does not allow it yet. */
  async step(signal: AbortSignal): Promise<boolean> {
    // Nobody waits here: what changed is looked at meanwhile.
    if (this.#session.pace.waitMs > 0) return false;
    const next = this.#next();
    if (next === null) return false;
    const { root, shape, due } = next;
    try {
      const done = await this.#read(root, shape, due.bounds, signal);
      this.#refused.delete(root.root);
      if (!done) this.#rest(root.root);
    } catch (error) {
      if (!isOfTable(error)) throw error;
      this.#pass = null;
      // The ledger itself has let go of the rows meanwhile: nothing is wrong with the candidate.
      if (root.relations.every(({ endedAt }) => endedAt === null)) {
        this.#session.tellTable(root.root, error);
        this.#refused.add(root.root);
      }
      this.#rest(root.root);
    }
    return true;
  }

  /** Nothing is left to be proven that can be. */
  get done(): boolean {
    for (const root of this.#session.roots.values()) {
      const shape = this.#session.tables.get(root.root)?.shape ?? null;
      if (shape === null || !root.complete || this.#refused.has(root.root)) continue;
      if (this.due(root)?.provenAtUs === null) return false;
    }
    return true;
  }

  /** Tables of which something is not proven, or not lately. */
  due(root: WatchedRoot): Due | null {
    const nowUs = BigInt(Math.round(this.#session.timing.now() * 1000));
    const proofs = root.relations.map(({ number }) => this.#proofsOf(number));
    return nextDue(proofs, nowUs - this.#renewAfterUs);
  }

  #proofsOf(relation: number): readonly ProvenRange[] {
    const { watched, bound } = this.#session;
    const known = this.#proofs.get(relation) ?? watched.candidates.proofs(bound, relation);
    this.#proofs.set(relation, known);
    return known;
  }

  #next(): { root: WatchedRoot; shape: RowShape; due: Due } | null {
    const session = this.#session;
    let best: { root: WatchedRoot; shape: RowShape; due: Due } | null = null;
    for (const root of session.roots.values()) {
      const shape = session.tables.get(root.root)?.shape ?? null;
      if (shape === null || !this.#isReadable(root)) continue;
      const restingMs = Math.abs(session.timing.now() - (this.#restingSinceMs.get(root.root) ?? -Infinity));
      if (restingMs < REST_MS) continue;
      // A pass that has begun is carried on.
      if (this.#pass?.root === root.root) return { root, shape, due: { bounds: ALL, provenAtUs: null } };
      const due = this.due(root);
      if (due !== null && (best === null || isMoreUrgent(due, best.due))) best = { root, shape, due };
    }
    return best;
  }

  /** Every row of the table is known as of what the candidate has applied, and what was proven would count. */
  #isReadable(root: WatchedRoot): boolean {
    const { applied, bound } = this.#session;
    if (applied === null || !root.complete || applied.boundary < bound.since) return false;
    return root.relations.every(
      ({ completeFrom, endedAt }) =>
        endedAt === null && completeFrom !== null && completeFrom <= applied.boundary,
    );
  }

  /** False: it could not be judged now. */
  async #read(
    root: WatchedRoot,
    shape: RowShape,
    bounds: PlannedBounds,
    signal: AbortSignal,
  ): Promise<boolean> {
    if (this.#pass !== null && this.#pass.root === root.root) return this.#carryOn(this.#pass, signal);
    const [relation] = root.relations;
    if (relation === undefined) return false;
    const from = bounds.from === null ? null : Buffer.from(bounds.from, 'hex');
    const end = bounds.to === null ? null : Buffer.from(bounds.to, 'hex');
    const to = this.#cut(root, from, end);
    const range = this.#session.site.keyRange(shape, identity(from, relation), identity(to, relation));
    if (range === null) return this.#begin(root, shape, signal);
    const table = { root: root.root, shape };
    let checked: Awaited<ReturnType<typeof checkRange>>;
    try {
      checked = await checkRange(
        this.#session.watched.ledger,
        this.#session.site,
        table,
        range,
        { from, to },
        signal,
      );
    } catch (error) {
      if (!(error instanceof TwinproofError) || error.code !== 'TP-RANGE-TOO-LARGE') throw error;
      return this.#smaller(root, shape, signal);
    }
    if (typeof checked === 'string') return false;
    this.#session.pace.spent(checked.rows);
    if (checked.more) return this.#smaller(root, shape, signal);
    return this.#settle(root, shape, checked, { from, to }, signal);
  }

  /** Looks at the suspects once more, and proves the range but for those that stay. */
  async #settle(
    root: WatchedRoot,
    shape: RowShape,
    { boundary, position, suspects }: CheckedRange,
    { from, to }: { readonly from: Buffer | null; readonly to: Buffer | null },
    signal: AbortSignal,
  ): Promise<boolean> {
    const left = await this.#session.confirm(root, shape, suspects, signal);
    const unclear = left.filter(({ judgement }) => judgement.kind === 'unknown');
    // Most likely the candidate is far ahead of the ledger: what has been read can be judged later.
    if (unclear.length > UNCLEAR_MAX) return false;
    await this.#session.demandSame(signal);
    const provenAtUs = BigInt(Math.round(this.#session.timing.now() * 1000));
    this.#prove(root, { from, to, boundary, position, provenAtUs }, left);
    return true;
  }

  #prove(root: WatchedRoot, proof: Omit<RangeProof, 'relation'>, left: readonly CheckedKey[]): void {
    const { watched, bound } = this.#session;
    for (const { number } of root.relations) {
      const except = left
        .map((key) => this.#session.placeOf(root, key.identity))
        .filter((placed) => placed.relation === number)
        .map(({ stored }) => stored);
      this.#proofs.delete(number);
      watched.candidates.prove(bound, { ...proof, relation: number }, except);
    }
  }

  /** Where a range from `from` on ends that holds about as many rows as one may; at most `to`. */
  #cut(root: WatchedRoot, from: Buffer | null, to: Buffer | null): Buffer | null {
    const { core } = this.#session.watched.ledger;
    const rows = root.relations.reduce((sum, relation) => sum + relation.rows, 0);
    const wanted = rowsPerRange(rows) / 2 ** (this.#halvings.get(root.root) ?? 0);
    const offset = Math.max(LEAF_ROWS_MIN, Math.ceil(wanted / root.relations.length));
    let end = to;
    for (const { number } of root.relations) {
      const bounds = { start: storedBound(number, from, 0), end: storedBound(number, to, 1) };
      const [key] = core.store.index.getKeys({ ...bounds, offset, limit: 1 });
      if (key === undefined || isHashedKey(key)) continue;
      const fields = Buffer.from(key.subarray(RELATION_BYTES));
      if (end === null || Buffer.compare(fields, end) < 0) end = fields;
    }
    return end;
  }

  /** Cuts a table finer; where that does not help, because the ledger has few rows there, reads it as a whole. */
  #smaller(root: WatchedRoot, shape: RowShape, signal: AbortSignal): Promise<boolean> {
    const halvings = (this.#halvings.get(root.root) ?? 0) + 1;
    this.#halvings.set(root.root, halvings);
    return halvings > HALVINGS_MAX ? this.#begin(root, shape, signal) : Promise.resolve(true);
  }

  #begin(root: WatchedRoot, shape: RowShape, signal: AbortSignal): Promise<boolean> {
    const { applied } = this.#session;
    if (applied === null) return Promise.resolve(false);
    this.#pass = new FullPass(this.#session, root, shape, applied);
    return this.#carryOn(this.#pass, signal);
  }

  async #carryOn(pass: FullPass, signal: AbortSignal): Promise<boolean> {
    const result = await pass.step(signal);
    if (result === 'more') return true;
    this.#pass = null;
    if (result === 'failed') return false;
    await this.#session.demandSame(signal);
    const { boundary, position } = pass.applied;
    const provenAtUs = BigInt(Math.round(pass.startedAtMs * 1000));
    this.#prove(pass.table, { from: null, to: null, boundary, position, provenAtUs }, result);
    return true;
  }

  #rest(root: string): void {
    this.#restingSinceMs.set(root, this.#session.timing.now());
  }
}

const ALL: PlannedBounds = { from: null, to: null };

function identity(fields: Buffer | null, relation: Relation): Uint8Array | null {
  return fields === null ? null : identityOf(fields, relation.signed);
}

function storedBound(relation: number, fields: Buffer | null, step: number): Buffer {
  const bytes = Buffer.alloc(RELATION_BYTES);
  bytes.writeUInt32BE(relation + (fields === null ? step : 0));
  return fields === null ? bytes : Buffer.concat([bytes, fields]);
}
