import { z } from 'zod';
import { TwinproofError } from '../errors.ts';
import { KIND } from './change-record.ts';
import type { Core } from './core.ts';
import type { ProvenRange } from './coverage.ts';
import { DirtyList, type DirtyKey } from './dirty-list.ts';
import { entryChangedAt } from './entry.ts';
import { storedFromFields } from './key.ts';
import { RangeProofs, type RangeProof } from './range-proofs.ts';
import { changesOf, RECORD, type RawRecord } from './record.ts';
import { type Boundary, boundaryAt } from './state.ts';

const KEYS_PER_COMMIT = 16_384;

const candidateSchema = z.object({
  number: z.int(),
  name: z.string(),
  incarnation: z.string(),
  since: z.int(),
  cursor: z.int(),
});

/**
 * A candidate as the ledger knows it. Its dirty keys are those in the store's dirty list and those that the journal
 * changed from `cursor` on: so intake writes nothing a candidate, and a key is written down only if it was looked at and
 * could not be proven.
 */
export interface Candidate {
  readonly number: number;
  readonly name: string;
  /** Timeline, storage, start: whatever tells this candidate from a clone of it. Opaque here. */
  readonly incarnation: string;
  /** Nothing before this place of the journal is in the dirty list: a proof as of an earlier commit says nothing. */
  readonly since: number;
  readonly cursor: number;
}

export interface DirtyBatch {
  readonly candidate: Candidate;
  /** Up to here of the journal. */
  readonly to: number;
  readonly keys: readonly DirtyKey[];
}

/** That a key was read equal to the ledger's state as of a boundary. */
export interface CleanKey {
  readonly stored: Buffer;
  readonly boundary: Boundary;
}

/** The candidates of a ledger: who they are, what may differ on them, and what was proven of them. */
export class Candidates {
  readonly #core: Core;
  readonly #dirty: DirtyList;
  readonly #proofs: RangeProofs;

  constructor(core: Core) {
    this.#core = core;
    this.#dirty = new DirtyList(core.store);
    this.#proofs = new RangeProofs(core.store);
  }

  list(): Candidate[] {
    return this.#core.store.list('candidate:', candidateSchema).map(({ value }) => value);
  }

  byName(name: string): Candidate | null {
    return this.#core.store.read(`candidate:${name}`, candidateSchema);
  }

  /**
   * The candidate under this name; all that was proven of it is void if it is another incarnation than it was.
   * `standsAt`: where it stands, when that is behind the journal's end; it may never come further, its primary being gone,
   * and can be proven as of there all the same. What the journal changed since is dirty.
   */
  bind(name: string, incarnation: string, standsAt: Boundary | null = null): Candidate {
    const known = this.byName(name);
    if (known?.incarnation === incarnation) return known;
    const number = known?.number ?? Math.max(0, ...this.list().map((one) => one.number)) + 1;
    const { at } = this.#core.committed.mark;
    const since = Math.min(at, standsAt ?? at);
    const candidate = { number, name, incarnation, since, cursor: since };
    const { store } = this.#core;
    this.#core.guard(() => {
      // The proofs first: whatever is cut off behind them leaves keys too many on the list, and never too few.
      store.transaction(() => {
        this.#proofs.erase(number);
        this.#write(candidate);
      });
      this.#dirty.erase(number);
    });
    return candidate;
  }

  /**
   * The keys that the journal changed next behind the cursor, at least one record, at most about `keysMax`; null: none is
   * left. Only what is durable: a proof must not outlive what it is about. `until`: of those before it, as of a candidate
   * that has applied no more.
   */
  next(candidate: Candidate, keysMax: number, until?: Boundary): DirtyBatch | null {
    const { journal, committed } = this.#core;
    const end = Math.min(journal.durable, committed.mark.at, until ?? Infinity);
    const keys = new Map<string, number>();
    let to = candidate.cursor;
    for (const record of journal.scan(candidate.cursor, end)) {
      collect(record, keys);
      to = record.end;
      if (keys.size >= keysMax) break;
    }
    if (to === candidate.cursor) return null;
    const found = [...keys].map(([name, changedAt]) => ({ stored: Buffer.from(name, 'latin1'), changedAt }));
    return { candidate, to, keys: found };
  }

  /**
   * Moves the cursor behind a batch. Keys that are not among `clean`, or were read as of a commit before their last
   * change, go into the dirty list. The journal's pruning may have written some of them there meanwhile, and later changes.
   */
  settle(batch: DirtyBatch, clean: readonly CleanKey[]): Candidate {
    const candidate = this.#current(batch.candidate);
    const proven = new Map(clean.map(({ stored, boundary }) => [stored.toString('latin1'), boundary]));
    const moved = { ...candidate, cursor: Math.max(candidate.cursor, batch.to) };
    const { store } = this.#core;
    this.#core.guard(() =>
      store.transaction(() => {
        for (const { stored, changedAt } of batch.keys) {
          const boundary = proven.get(stored.toString('latin1'));
          const place = Math.max(changedAt, this.#dirty.placeOf(candidate.number, stored) ?? 0);
          if (boundary !== undefined && boundary > place) this.#dirty.remove(candidate.number, stored);
          else this.#dirty.put(candidate.number, stored, place);
        }
        this.#write(moved);
      }),
    );
    return moved;
  }

  /** Takes keys off the dirty list that were read equal as of a commit behind their last change in it. */
  clean(candidate: Candidate, keys: readonly CleanKey[]): void {
    const { number } = this.#current(candidate);
    const { store } = this.#core;
    this.#core.guard(() =>
      store.transaction(() => {
        for (const { stored, boundary } of keys) {
          const place = this.#dirty.placeOf(number, stored);
          if (place !== null && boundary > place) this.#dirty.remove(number, stored);
        }
      }),
    );
  }

  /**
   * Keys (relation and key in the order of the store) that were changed on the candidate itself: dirty until they are read
   * equal as of a commit that is still to come, or as of a head that was moved on since (Ledger.moveHead). To be called
   * when no read of the candidate is under way.
   */
  suspect(candidate: Candidate, keys: readonly Buffer[]): void {
    const { number } = this.#current(candidate);
    const { store, committed } = this.#core;
    this.#core.guard(() =>
      store.transaction(() => {
        for (const stored of keys) this.#dirty.put(number, stored, committed.mark.at);
      }),
    );
  }

  /** Whether anything was proven of it by ranges. */
  hasProofs({ number }: Candidate): boolean {
    return this.#proofs.any(number);
  }

  /** Every dirty key once: those of the list, in order, then those that the journal changed behind the cursor. */
  *dirty(candidate: Candidate): Generator<DirtyKey> {
    const { journal, committed } = this.#core;
    yield* this.#dirty.all(candidate.number);
    for (const record of journal.scan(candidate.cursor, committed.mark.at)) {
      const keys = new Map<string, number>();
      collect(record, keys);
      for (const [name, changedAt] of keys) {
        const stored = Buffer.from(name, 'latin1');
        const entry = this.#core.entry(stored);
        // At its last change only; listed ones were given.
        if (entry === undefined || entryChangedAt(entry) !== changedAt) continue;
        if (!this.#dirty.has(candidate.number, stored)) yield { stored, changedAt };
      }
    }
  }

  /** Keys of the dirty list in the order of the store, behind `after`; null: from the first one on. */
  listed(candidate: Candidate, after: Buffer | null, limit: number): DirtyKey[] {
    return this.#dirty.page(candidate.number, after, limit);
  }

  /** Keys in the dirty list, and bytes of journal behind the cursor: zero of both means that nothing is dirty. */
  dirtyCounts(candidate: Candidate): { listed: number; bytesBehind: number } {
    const bytesBehind = this.#core.committed.mark.at - candidate.cursor;
    return { listed: this.#dirty.count(candidate.number), bytesBehind };
  }

  /** Writes down what the journal is about to forget, and nothing behind that: a cursor says what a candidate has applied. */
  catchUp(to: number): void {
    for (const candidate of this.list()) {
      let current = candidate;
      while (current.cursor < to) {
        const batch = this.next(current, KEYS_PER_COMMIT, boundaryAt(to));
        if (batch === null) break;
        current = this.settle(batch, []);
      }
    }
  }

  /**
   * A range was equal as of a boundary: all of its keys, none more and none less. What changed since is dirty. Throws
   * RangeError for a boundary before the candidate was bound. `except`: keys of the range (relation and key in the order
   * of the store) of which this is not true; they are dirty from now on, until they are read equal.
   */
  prove(candidate: Candidate, proof: RangeProof, except: readonly Buffer[] = []): void {
    const current = this.#current(candidate);
    const relation = this.#core.catalog.byNumber(proof.relation);
    if (proof.boundary < current.since)
      throw new RangeError('a proof as of a commit before the candidate was bound');
    if (relation === null || relation.endedAt !== null) throw new TwinproofError('TP-DEFINITION-CHANGED');
    if (relation.completeFrom === null || relation.completeFrom > proof.boundary) {
      throw new RangeError('a proof against rows that are not all known');
    }
    const { number } = current;
    const { store } = this.#core;
    this.#core.guard(() =>
      store.transaction(() => {
        for (const { stored, changedAt } of this.#dirty.within(number, proof.relation, proof)) {
          if (changedAt < proof.boundary) this.#dirty.remove(number, stored);
        }
        // Just before the boundary: a read as of the same one may clean them.
        for (const stored of except) {
          if (!this.#dirty.has(number, stored))
            this.#dirty.put(number, stored, Math.max(0, proof.boundary - 1));
        }
        this.#proofs.add(number, proof);
      }),
    );
  }

  proofs(candidate: Candidate, relation: number): ProvenRange[] {
    return this.#proofs.of(candidate.number, relation);
  }

  /** A relation has left the window: so does what was known of it. */
  forget(relation: number): void {
    const { store } = this.#core;
    for (const { number } of this.list()) {
      store.transaction(() => this.#proofs.erase(number, relation));
      this.#dirty.erase(number, relation);
    }
  }

  /** As it stands in the store; pruning may have moved its cursor meanwhile. */
  #current(candidate: Candidate): Candidate {
    const current = this.byName(candidate.name);
    if (current?.incarnation !== candidate.incarnation) {
      throw new TwinproofError('TP-BUG', { message: `candidate ${candidate.name} is another meanwhile` });
    }
    return current;
  }

  #write(candidate: Candidate): void {
    this.#core.store.write(`candidate:${candidate.name}`, candidate);
  }
}

function collect(record: RawRecord, keys: Map<string, number>): void {
  if (record.kind !== RECORD.part && record.kind !== RECORD.commit) return;
  for (const change of changesOf(record)) {
    if (change.kind === KIND.truncate || change.kind === KIND.keyless) continue;
    keys.set(storedFromFields(change.relation, change.fields).stored.toString('latin1'), change.at);
  }
}
