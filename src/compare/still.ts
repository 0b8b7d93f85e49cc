import { TwinproofError } from '../errors.ts';
import type { AppliedReading, HeadReading, Position } from '../connector/position.ts';
import { withRetry } from './retry.ts';
import type { SitePair } from './site-pair.ts';

/** A stretch of time that began at its making. Two stretches are the same only if they are one object. */
export interface Stretch {
  /** The primary's head, quiet. */
  readonly head: Position;
  /**
   * Only where the candidate cannot tell what it has applied: the head of its own log, quiet, and when both heads had
   * been read. `own` null: it does not tell that either.
   */
  readonly timed: { readonly own: Position | null; readonly sinceMs: number } | null;
}

type StillPair = Pick<SitePair, 'primary' | 'candidate' | 'applyWithinMs' | 'limits' | 'timing'>;

/**
 * A stretch of time in which nothing was committed on the primary. Two reads that both lie within it saw one and the
 * same state, so a row in which they differ is a difference at once, without reading it again.
 *
 * Proof. At the window's opening the head is h and quiet: every commit up to h is visible on the primary, and nothing
 * else is in its log. Then the candidate has applied h. If after both reads the head is h and quiet again, nothing was
 * committed in between, not even invisibly: the primary's read shows the state at h, and the candidate, which cannot
 * have more than the primary's log, shows the state at h too.
 *
 * A candidate of another engine does not tell what it has applied. There the operator says that a change reaches it
 * within a time W. At the window's opening both sites' heads are quiet, h and c. If at W or more after that both are
 * quiet again and still h and c, then neither site changed in all that time: both reads, whenever in it they were made,
 * saw what the sites showed at its end; and by then everything up to h, committed W ago or longer, had reached the
 * candidate. Only a difference has to wait for W; that the primary stood still while both sites were read needs no time.
 */
export class StillWindow {
  readonly #pair: StillPair;
  #stretch: Stretch | null = null;
  /** A wait was in vain: these sites do not stand still for so long, and no further one is tried. */
  #restless = false;

  constructor(pair: StillPair) {
    this.#pair = pair;
  }

  /** The stretch that a read beginning now lies in; null when the sites are moving. */
  get current(): Stretch | null {
    return this.#stretch;
  }

  /** Tries to open a window; on moving sites there is none. */
  async open(signal: AbortSignal): Promise<void> {
    this.#stretch = null;
    const { head, quiet } = await this.#readHead(signal);
    if (quiet !== true) return;
    const { candidate, timing, applyWithinMs } = this.#pair;
    if (applyWithinMs !== null) {
      const own = await this.#readOwnHead(signal);
      this.#stretch = { head, timed: { own, sinceMs: timing.now() } };
      return;
    }
    const { applied } = await this.#readApplied(signal);
    if (applied === null) return;
    const order = candidate.comparePositions(applied, head);
    if (order === 'equal' || order === 'after') this.#stretch = { head, timed: null };
  }

  /** Whether the primary showed one state from the beginning of `stretch` until now. Opens the next window if not. */
  async unmoved(stretch: Stretch | null, signal: AbortSignal): Promise<boolean> {
    if (stretch === null || stretch !== this.#stretch) return false;
    if (await this.#primaryStands(stretch, signal)) return true;
    if (this.#stretch === stretch) await this.open(signal);
    return false;
  }

  /**
   * Whether reads of both sites that began in `stretch` and have ended by now saw one state. Where time has to tell it
   * waits, once in vain at most. Opens the next window if not.
   */
  async holds(stretch: Stretch | null, signal: AbortSignal): Promise<boolean> {
    if (!(await this.unmoved(stretch, signal)) || stretch === null) return false;
    const { timed } = stretch;
    if (timed === null) return true;
    if (timed.own === null) return false;
    const { timing, applyWithinMs } = this.#pair;
    const left = timed.sinceMs + (applyWithinMs ?? 0) - timing.now();
    if (left > 0) {
      if (this.#restless || !(await this.#candidateStands(timed.own, signal))) return false;
      await timing.sleep(left, signal);
    }
    if ((await this.#candidateStands(timed.own, signal)) && (await this.unmoved(stretch, signal)))
      return true;
    if (left > 0) this.#restless = true;
    if (this.#stretch === stretch) await this.open(signal);
    return false;
  }

  async #primaryStands({ head: before }: Stretch, signal: AbortSignal): Promise<boolean> {
    const { head, quiet } = await this.#readHead(signal);
    return quiet === true && this.#pair.primary.comparePositions(head, before) === 'equal';
  }

  async #candidateStands(before: Position, signal: AbortSignal): Promise<boolean> {
    const own = await this.#readOwnHead(signal);
    return own !== null && this.#pair.candidate.comparePositions(own, before) === 'equal';
  }

  /** Null: the candidate keeps no log of its own, or something is going on there. */
  async #readOwnHead(signal: AbortSignal): Promise<Position | null> {
    try {
      const { head, quiet } = await withRetry(this.#pair, signal, () => this.#pair.candidate.head(signal));
      return quiet === true ? head : null;
    } catch (error) {
      signal.throwIfAborted();
      // Not every site has a head to tell: then differences are settled row by row.
      if (error instanceof TwinproofError) return null;
      throw error;
    }
  }

  #readHead(signal: AbortSignal): Promise<HeadReading> {
    return withRetry(this.#pair, signal, () => this.#pair.primary.head(signal));
  }

  #readApplied(signal: AbortSignal): Promise<AppliedReading> {
    return withRetry(this.#pair, signal, () => this.#pair.candidate.applied(signal));
  }
}
