import type { Position } from '../connector/position.ts';
import type { Core } from '../ledger/core.ts';
import { RECORD, readIdle, readTransaction, type RawRecord } from '../ledger/record.ts';
import { boundaryOf } from '../ledger/state.ts';

/** Of the one or two records that are looked at each time: a transaction after the other is asked for. */
const READ_BYTES = 4096;

type Compare = Parameters<typeof boundaryOf>[2];

/** Behind every place of the journal: nothing changed there or later. */
export const NOWHERE = Infinity;

/**
 * Where transactions of the primary begin in the journal, asked for in the order in which a candidate applied them. Each
 * record is looked at once.
 */
export class OriginPlaces {
  readonly #core: Core;
  readonly #compare: Compare;
  /** Between two transactions; null: not known yet. */
  #at: number | null = null;

  constructor(core: Core, compare: Compare) {
    this.#core = core;
    this.#compare = compare;
  }

  /**
   * Where the transaction that ends at `position` begins. NOWHERE: the journal does not hold it, or it is asked for out of
   * order. The ledger must have passed the position.
   */
  startOf(position: Position): number {
    if (this.#at === null || this.#at < this.#core.journal.start.at) return this.#leap(position);
    let start = this.#at;
    for (const record of this.#core.journal.scan(this.#at, this.#core.committed.mark.at, READ_BYTES)) {
      const here = endOf(record);
      if (here === null) continue;
      const order = this.#compare(here, position);
      if (order !== 'before' && order !== 'equal') break;
      this.#at = record.end;
      if (order === 'equal' && record.kind === RECORD.commit) return start;
      start = record.end;
    }
    return NOWHERE;
  }

  /** The first one: what lies before it is not looked through. */
  #leap(position: Position): number {
    const answer = boundaryOf(this.#core, position, this.#compare);
    if (answer.kind === 'found') this.#at = answer.boundary;
    return NOWHERE;
  }
}

/** Null: a record that ends nothing. */
function endOf(record: RawRecord): Position | null {
  if (record.kind === RECORD.commit) return readTransaction(record).head.position;
  return record.kind === RECORD.idle ? readIdle(record) : null;
}
