import type { RowDifference } from '../ledger/candidate-check.ts';
import type { Known, KnownDifference } from '../ledger/known.ts';

/** What is kept and told by name; beyond that only that there are more. */
const FOUND_MAX = 1000;
/** A second look after this time counts although the definitions could not be read meanwhile. */
const SECOND_LOOK_MS = 10_000;

interface Suspect {
  readonly kind: RowDifference;
  readonly polls: number;
  readonly seenAtMs: number;
}

/** A row that differs, where it is. */
export interface FoundDifference {
  readonly table: string;
  readonly relation: number;
  /** Key fields in the order of the store. */
  readonly fields: Buffer;
  readonly kind: RowDifference;
}

/**
 * Differences of one candidate. A row is called different when it was seen so twice and the primary's definitions were
 * looked at in between: what an ATTACH PARTITION brings is in no log, and must not be an alarm.
 */
export class Differences {
  readonly #known: Known;
  readonly #candidate: string;
  readonly #found = new Map<string, KnownDifference>();
  readonly #suspects = new Map<string, Suspect>();
  #more: boolean;
  #changed = false;

  constructor(known: Known, candidate: string) {
    this.#known = known;
    this.#candidate = candidate;
    const stored = known.differences(candidate);
    for (const difference of stored.found) {
      this.#found.set(`${difference.relation}/${difference.fields}`, difference);
    }
    this.#more = stored.more;
  }

  get count(): number {
    return this.#found.size;
  }

  get more(): boolean {
    return this.#more;
  }

  /** A row was read and differs. True: it is told for the first time. */
  seen(difference: FoundDifference, polls: number, nowMs: number): boolean {
    const { table, relation, kind } = difference;
    const fields = difference.fields.toString('hex');
    const name = `${relation}/${fields}`;
    if (this.#found.has(name)) return false;
    const suspect = this.#suspects.get(name);
    if (suspect?.kind !== kind) {
      if (this.#suspects.size < FOUND_MAX) this.#suspects.set(name, { kind, polls, seenAtMs: nowMs });
      return false;
    }
    if (polls <= suspect.polls && nowMs - suspect.seenAtMs < SECOND_LOOK_MS) return false;
    this.#suspects.delete(name);
    this.#changed = true;
    if (this.#found.size >= FOUND_MAX) {
      this.#more = true;
      return false;
    }
    const firstSeenUs = BigInt(Math.round(suspect.seenAtMs * 1000));
    this.#found.set(name, { table, relation, fields, kind, firstSeenUs });
    return true;
  }

  /** A row was read equal. True: it was told to differ. */
  resolved(relation: number, fields: Buffer): boolean {
    const name = `${relation}/${fields.toString('hex')}`;
    this.#suspects.delete(name);
    const told = this.#found.delete(name);
    if (told) this.#changed = true;
    if (this.#found.size === 0 && this.#more && told) this.#more = false;
    return told;
  }

  /** Another candidate stands under the name: nothing is known of it. */
  forget(): void {
    this.#suspects.clear();
    if (this.#found.size > 0 || this.#more) this.#changed = true;
    this.#found.clear();
    this.#more = false;
  }

  /** Writes down what has changed. */
  save(): void {
    if (!this.#changed) return;
    this.#changed = false;
    this.#known.writeDifferences(this.#candidate, { found: [...this.#found.values()], more: this.#more });
  }
}
