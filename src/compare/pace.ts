type Site = 'primary' | 'candidate';

/** The share of a table by which one site's readers may be ahead of the other's. */
const LEAD_MAX = 0.02;

/**
 * Keeps two readings of one table side by side, each in its site's own order: rows that were written in the same order
 * then stand near one another, and few wait for their twins. Neither waits for one that ended, by failure too.
 */
export class Pace {
  readonly #done: Record<Site, number> = { primary: 0, candidate: 0 };
  #waiting: (() => void)[] = [];

  /** Ends when `site`, of whose pieces this share is done, may go on. */
  async keep(site: Site, share: number): Promise<void> {
    this.#advance(site, share);
    const other = site === 'primary' ? 'candidate' : 'primary';
    while (this.#done[site] - this.#done[other] > LEAD_MAX) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** `site` is read to its end, or will not be. */
  end(site: Site): void {
    this.#advance(site, 1);
  }

  #advance(site: Site, share: number): void {
    this.#done[site] = Math.max(this.#done[site], share);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
