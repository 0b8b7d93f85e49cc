import type { CleanKey } from '../ledger/candidates.ts';
import type { DirtyKey } from '../ledger/dirty-list.ts';
import { rootOf } from '../ledger/candidate-check.ts';
import { checkKeys, type CheckedKey } from '../ledger/candidate-check-keys.ts';
import { entryChangedAt, entryLongKey } from '../ledger/entry.ts';
import { identityOf, isHashedKey, RELATION_BYTES, relationOf } from '../ledger/key.ts';
import type { Relation } from '../ledger/relation.ts';
import { type Boundary, boundaryAt } from '../ledger/state.ts';
import type { CandidateSession } from './candidate-session.ts';
import { isOfTable } from './site-errors.ts';
import { timeSlice } from './time-slice.ts';

const KEYS_PER_BATCH = 4000;
/** Keys of the dirty list that are read again in one round. */
const LISTED_PER_ROUND = 4000;

interface PlacedKey {
  readonly stored: Buffer;
  readonly relation: Relation;
  readonly identity: Uint8Array;
}

/** Reads keys of a candidate that may differ, and takes those off its dirty list that are equal. */
export class KeySettler {
  readonly #session: CandidateSession;
  #listedAfter: Buffer | null = null;

  constructor(session: CandidateSession) {
    this.#session = session;
  }

  /**
   * Looks at the keys that the journal changed up to what the candidate has applied. Ends when none is left or the time
   * is over. True: more is left.
   */
  async drain(ms: number, signal: AbortSignal): Promise<boolean> {
    const session = this.#session;
    const isOver = timeSlice(session.timing, ms);
    const { candidates } = session.watched;
    while (session.applied !== null) {
      const batch = candidates.next(session.bound, KEYS_PER_BATCH, session.applied.boundary);
      if (batch === null) return false;
      const clean = await this.#judge(batch.keys, false, signal);
      await session.demandSame(signal);
      session.bound = candidates.settle(batch, clean);
      if (isOver()) return true;
    }
    return false;
  }

  /**
   * Reads some of the dirty list again. True: its end was reached. Keys that were suspected at the ledger's end are equal
   * as of no commit behind that while the primary is at rest: then the end moves on, and the next round reads them anew.
   */
  async recheck(signal: AbortSignal): Promise<boolean> {
    const session = this.#session;
    const { candidates } = session.watched;
    const keys = candidates.listed(session.bound, this.#listedAfter, LISTED_PER_ROUND);
    this.#listedAfter = keys.length < LISTED_PER_ROUND ? null : (keys.at(-1)?.stored ?? null);
    if (keys.length > 0) {
      const head = session.watched.ledger.head();
      const clean = await this.#judge(keys, true, signal);
      await session.demandSame(signal);
      candidates.clean(
        session.bound,
        clean.map((key) => this.#untilChanged(key, head)),
      );
      if (waitsForHead(keys, clean, session.watched.ledger.head())) await session.watched.moveHead();
    }
    return this.#listedAfter === null;
  }

  /**
   * What was read equal as of a commit is equal as of everything behind it that did not change the key. Where the primary is
   * gone nothing more may ever come to the candidate, so that no read of it would be as of the head. `head`: of before the
   * read, for a key that was suspected since is to be read anew.
   */
  #untilChanged({ stored, boundary }: CleanKey, head: Boundary): CleanKey {
    const entry = this.#session.watched.ledger.core.entry(stored);
    const changedAt = entry === undefined ? 0 : entryChangedAt(entry);
    return { stored, boundary: changedAt < boundary && boundary < head ? head : boundary };
  }

  /** Those of the keys that are equal, or of no table in scope. */
  async #judge(keys: readonly DirtyKey[], patient: boolean, signal: AbortSignal): Promise<CleanKey[]> {
    const { core } = this.#session.watched.ledger;
    const clean: CleanKey[] = [];
    const byRoot = new Map<string, PlacedKey[]>();
    for (const { stored } of keys) {
      const relation = core.catalog.byNumber(relationOf(stored));
      const root = relation === null ? null : rootOf(relation);
      if (relation === null || root === null || !this.#session.roots.has(root)) {
        clean.push({ stored, boundary: boundaryAt(core.committed.mark.at) });
        continue;
      }
      const identity = this.#identity(stored, relation);
      if (identity === null) continue;
      const placed = byRoot.get(root) ?? [];
      placed.push({ stored, relation, identity });
      byRoot.set(root, placed);
    }
    for (const [root, placed] of byRoot)
      clean.push(...(await this.#judgeRoot(root, placed, patient, signal)));
    return clean;
  }

  async #judgeRoot(
    root: string,
    keys: readonly PlacedKey[],
    patient: boolean,
    signal: AbortSignal,
  ): Promise<CleanKey[]> {
    const session = this.#session;
    const shape = session.tables.get(root)?.shape ?? null;
    if (shape === null) return [];
    const identities = keys.map(({ identity }) => identity);
    let checked: readonly CheckedKey[];
    try {
      checked = patient
        ? await session.checkPatiently(root, shape, identities, signal)
        : await checkKeys(session.watched.ledger, session.site, { root, shape }, identities, signal);
      session.pace.spent(identities.length);
    } catch (error) {
      if (!isOfTable(error)) throw error;
      session.tellTable(root, error);
      return [];
    }
    const clean: CleanKey[] = [];
    for (const [index, { judgement }] of checked.entries()) {
      const key = keys[index];
      if (key === undefined) continue;
      if (judgement.kind === 'clean') clean.push({ stored: key.stored, boundary: judgement.boundary });
      const fields = key.stored.subarray(RELATION_BYTES);
      const { number } = key.relation;
      if (judgement.kind === 'clean') session.resolved(root, number, fields);
      else if (judgement.kind === 'different' && session.roots.get(root)?.complete === true) {
        session.differs({ table: root, relation: number, fields, kind: judgement.difference }, key.identity);
      }
    }
    return clean;
  }

  /** Null: the store holds only a hash of the key, and no row to take the whole from. */
  #identity(stored: Buffer, relation: Relation): Uint8Array | null {
    const entry = this.#session.watched.ledger.core.entry(stored);
    const long = entry === undefined ? null : entryLongKey(entry);
    if (long === null && isHashedKey(stored)) return null;
    return identityOf(Buffer.from(long ?? stored.subarray(RELATION_BYTES)), relation.signed);
  }
}

/** Whether keys that were read equal stay dirty until the ledger's head is another. */
function waitsForHead(keys: readonly DirtyKey[], clean: readonly CleanKey[], head: Boundary): boolean {
  const equal = new Set(clean.map(({ stored }) => stored));
  return keys.some(({ stored, changedAt }) => changedAt >= head && equal.has(stored));
}
