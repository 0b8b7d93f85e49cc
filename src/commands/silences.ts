import { TwinproofError } from '../errors.ts';
import { inTime } from './in-time.ts';

/** A reading may be long; one of which nothing comes any more, on a connection that is half dead, is given up then. */
const READING_MS_MAX = 60_000;

/** Which sites of a system do not answer at the moment, by their names. */
export class Silences {
  readonly #silent = new Map<string, string>();
  readonly #readings = new Map<string, Set<AbortController>>();

  /** Why it is silent; null: it answers, as far as anybody knows. */
  of(site: string): string | null {
    return this.#silent.get(site) ?? null;
  }

  /**
   * What a look has found; null: the site answered. Whoever is reading a site that has fallen silent is told to give up.
   * True: it was not so before.
   */
  heard(site: string, silence: string | null): boolean {
    if (silence === null) return this.#silent.delete(site);
    const isNew = !this.#silent.has(site);
    this.#silent.set(site, silence);
    const reason = new TwinproofError('TP-TIMEOUT', { message: silence, retryable: true });
    for (const reading of this.#readings.get(site) ?? []) reading.abort(reason);
    return isNew;
  }

  /** Runs `work` on a site for as long as the site answers. Throws TP-TIMEOUT when it does not any more. */
  async reading<T>(site: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const reading = new AbortController();
    const readings = this.#readings.get(site) ?? new Set();
    this.#readings.set(site, readings.add(reading));
    try {
      return await inTime({ ms: READING_MS_MAX, signal, giveUp: reading.signal }, work);
    } finally {
      readings.delete(reading);
    }
  }
}
