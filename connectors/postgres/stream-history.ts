import type { HeldTransaction } from '../../src/connector/changes.ts';
import { TwinproofError } from '../../src/errors.ts';
import { formatLsn, type Lsn, parsePosition } from './lsn.ts';

/**
 * What a server tells once more of the log before the place where our store ends, held against what the store has of it.
 * A server that was set back, by a snapshot of its disks or by a disk that had lost what it called written, and that went
 * on from there, has another log at the same positions of the same timeline, and nothing else shows it: whoever goes on at
 * the stored position would keep commits that never were, and never see those that stand in their place.
 */
export class RetoldHistory {
  readonly #held: Iterator<HeldTransaction>;
  /** Where our store ends. */
  readonly #until: Lsn;
  #isOver = false;

  /** `held`: what the store has, from the place where the server begins. */
  constructor(held: Iterable<HeldTransaction>, until: Lsn) {
    this.#held = held[Symbol.iterator]();
    this.#until = until;
  }

  /** Whether a transaction lies before that place. `commit`: the start of its commit record. */
  isRetold(commit: Lsn): boolean {
    return commit < this.#until;
  }

  /** To be called for each of these that changed something. Throws TP-GAP for one that the store does not have. */
  told({ id, committedAtUs }: Pick<HeldTransaction, 'id' | 'committedAtUs'>, end: Lsn): void {
    const next = this.#held.next();
    if (next.done === true) throw rewritten(end);
    const { lsn } = parsePosition(next.value.position);
    // Servers that went on from one state give the same ids, and records of one length end at the same places.
    const isSame = next.value.id === id && next.value.committedAtUs === committedAtUs && lsn === end;
    if (!isSame) throw rewritten(lsn < end ? lsn : end);
  }

  /** To be called when the server is past that place. Throws TP-GAP when the store has more than the server told. */
  over(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const next = this.#held.next();
    if (next.done !== true) throw rewritten(parsePosition(next.value.position).lsn);
  }
}

function rewritten(at: Lsn): TwinproofError {
  return new TwinproofError('TP-GAP', {
    message: `at ${formatLsn(at)} the server has another log than it had: it was set back to an earlier state, or lost the end of its log`,
  });
}
