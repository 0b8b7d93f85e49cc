import type { AppliedReading, HeadReading, Position } from '../connector/position.ts';
import { withRetry } from './retry.ts';
import type { SitePair } from './site-pair.ts';

/**
 * A stretch of time in which nothing was committed on the primary. Two reads that both lie within it saw one and the
 * same state, so a row in which they differ is a difference at once, without reading it again.
 *
 * Proof. At the window's opening the head is h and quiet: every commit up to h is visible on the primary, and nothing
 * else is in its log. Then the candidate has applied h. If after both reads the head is h and quiet again, nothing was
 * committed in between, not even invisibly: the primary's read shows the state at h, and the candidate, which cannot
 * have more than the primary's log, shows the state at h too.
 */
export class StillWindow {
  readonly #pair: SitePair;
  #head: Position | null = null;

  constructor(pair: SitePair) {
    this.#pair = pair;
  }

  /** Names the window that a read beginning now lies in; null when the sites are moving. */
  get current(): Position | null {
    return this.#head;
  }

  /** Tries to open a window; on moving sites there is none. */
  async open(signal: AbortSignal): Promise<void> {
    this.#head = null;
    const { head, quiet } = await this.#readHead(signal);
    if (quiet !== true) return;
    const { applied } = await this.#readApplied(signal);
    if (applied === null) return;
    const order = this.#pair.candidate.comparePositions(applied, head);
    if (order === 'equal' || order === 'after') this.#head = head;
  }

  /** Whether reads that began in `window` and have ended by now saw one state. Opens the next window if not. */
  async holds(window: Position | null, signal: AbortSignal): Promise<boolean> {
    if (window === null || window !== this.#head) return false;
    const { head, quiet } = await this.#readHead(signal);
    if (quiet === true && this.#pair.primary.comparePositions(head, window) === 'equal') return true;
    if (this.#head === window) await this.open(signal);
    return false;
  }

  #readHead(signal: AbortSignal): Promise<HeadReading> {
    return withRetry(this.#pair, signal, () => this.#pair.primary.head(signal));
  }

  #readApplied(signal: AbortSignal): Promise<AppliedReading> {
    return withRetry(this.#pair, signal, () => this.#pair.candidate.applied(signal));
  }
}
