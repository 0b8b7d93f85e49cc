import type { StreamedTable } from '../connector/changes.ts';
import type { Position } from '../connector/position.ts';

/** A key that was changed on the candidate. `since`: what the journal changed from there on is looked at anyway. */
export interface Touched {
  /** BeginEvent.id. */
  readonly transaction: string;
  readonly table: StreamedTable;
  readonly identity: Uint8Array;
  readonly since: number;
}

/** A part of its own log. */
export interface Arrived {
  readonly touched: Touched[];
  /** Tables that lost all their rows, by root. */
  readonly emptied: { readonly transaction: string; readonly root: string }[];
  /** All up to here is in it, or came before. */
  position: Position | null;
  /** ChangeStream.mark of there or of a little before. */
  mark: string | null;
}

function nothing(): Arrived {
  return { touched: [], emptied: [], position: null, mark: null };
}

/**
 * What a candidate's own log has told, on its way to whoever reads the candidate's rows. A commit is in the log before
 * readers see it, for long where it waits for a standby of the candidate's: a row that is read between the two looks as
 * if nothing had been written.
 */
export class Arrivals {
  #coming = nothing();
  #visible = nothing();
  /** How often what had come was forgotten. */
  #forgotten = 0;

  /** Keys that have come and were not taken. */
  get size(): number {
    return this.#coming.touched.length + this.#visible.touched.length;
  }

  /** What the log tells now is to be put in here. */
  get coming(): Arrived {
    return this.#coming;
  }

  /** ChangeStream.mark behind what has come; null: nothing can be said. */
  mark(text: string | null): void {
    if (text !== null) this.#coming.mark = text;
  }

  /**
   * Lets what has come be taken, once readers see it. `visible`: waits for that, of these transactions. `isStrange`:
   * whether somebody else than replication wrote it, so that nobody reads the key but for this. Throws what `visible`
   * throws.
   */
  async show(
    visible: (transactions: ReadonlySet<string>) => Promise<void>,
    isStrange: (touched: Touched) => boolean,
  ): Promise<void> {
    const { touched, emptied, position, mark } = this.#coming;
    this.#coming = nothing();
    const strange = [...emptied, ...touched.filter((one) => isStrange(one))];
    const before = this.#forgotten;
    if (strange.length > 0) await visible(new Set(strange.map(({ transaction }) => transaction)));
    // It will come once more, with what stood before it: a place without that would pass over it.
    if (this.#forgotten !== before) return;
    const shown = this.#visible;
    for (const one of touched) shown.touched.push(one);
    shown.emptied.push(...emptied);
    shown.position = position ?? shown.position;
    shown.mark = mark ?? shown.mark;
  }

  /** Everything that readers see; null: no place of its log was passed since the last time. */
  take(): (Arrived & { readonly position: Position }) | null {
    const { touched, emptied, position, mark } = this.#visible;
    if (position === null) return null;
    this.#visible = { ...nothing(), mark };
    return { touched, emptied, position, mark };
  }

  /** What was not taken is dropped, also what readers do not see yet: the log is to be followed anew from before it. */
  forget(): void {
    this.#forgotten += 1;
    this.#coming = nothing();
    this.#visible = nothing();
  }
}
