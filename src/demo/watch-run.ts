import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { messageOf, TwinproofError } from '../errors.ts';
import { waitUntil } from './cluster-wait.ts';
import type { CommandResult, DemoIo } from './demo-io.ts';

const LIMIT_MS = 180_000;
const WIDTH = 100;
/** Between two looks at the ledger. */
const LOOK_MS = 150;

const lineSchema = z.object({ event: z.string(), message: z.string() });
const shownSchema = z.object({
  tables: z.array(z.object({ rows: z.coerce.number(), state: z.string() })),
  candidates: z.array(z.object({ tablesUnproven: z.number() })),
});

/** `watch`, running beside the demo. */
export class WatchRun {
  readonly #io: DemoIo;
  readonly #config: string;
  readonly #stop = new AbortController();
  readonly #ended: Promise<CommandResult>;
  /** What it told last, by event. */
  readonly #told: { readonly event: string; readonly message: string }[] = [];
  #failure: unknown = null;

  constructor(io: DemoIo, config: string) {
    this.#io = io;
    this.#config = config;
    const signal = AbortSignal.any([io.signal, this.#stop.signal]);
    const args = ['watch', '--quiet', '--format', 'json', '--config', config];
    this.#ended = io.run(args, WIDTH, { signal, stderr: (text) => this.#take(text) });
    // Whoever waits for something hears of it; until then it is no unhandled rejection.
    this.#ended.catch((error: unknown) => (this.#failure = error));
  }

  /** Waits until the ledger knows every row and has held the candidate against it; the answer is how many rows. */
  async proven(): Promise<number> {
    let rows = 0;
    await this.#until('the candidate is not proven', async () => {
      const shown = await this.#ledger();
      if (shown === null) return false;
      rows = shown.tables.reduce((sum, table) => sum + table.rows, 0);
      const known = shown.tables.length > 0 && shown.tables.every(({ state }) => state === 'complete');
      return known && shown.candidates.some(({ tablesUnproven }) => tablesUnproven === 0);
    });
    return rows;
  }

  /** Null: there is none yet. */
  async #ledger(): Promise<z.infer<typeof shownSchema> | null> {
    try {
      const args = ['ledger', 'show', '--format', 'json', '--config', this.#config];
      return shownSchema.parse(JSON.parse((await this.#io.run(args, WIDTH)).stdout));
    } catch (error) {
      if (error instanceof TwinproofError && error.code === 'TP-LEDGER') return null;
      throw error;
    }
  }

  /** Waits until it has told of so many rows that differ. */
  async different(count: number): Promise<void> {
    await this.#until('watch found nothing', () =>
      Promise.resolve(this.#told.filter(({ event }) => event === 'difference').length >= count),
    );
  }

  /** Ends it; the answer is its exit code. */
  async stop(): Promise<number> {
    this.#stop.abort(new TwinproofError('TP-INTERRUPTED'));
    return (await this.#ended).exitCode;
  }

  async #until(trouble: string, done: () => Promise<boolean>): Promise<void> {
    const check = async (): Promise<boolean> => {
      if (this.#failure !== null) throw this.#failure;
      if (await done()) return true;
      await sleep(LOOK_MS, undefined, { signal: this.#io.signal });
      return false;
    };
    await waitUntil(check, LIMIT_MS, () => `${trouble}: ${this.#told.at(-1)?.message ?? 'it told nothing'}`);
  }

  #take(text: string): void {
    for (const line of text.split('\n')) {
      if (line === '') continue;
      try {
        this.#told.push(lineSchema.parse(JSON.parse(line)));
      } catch (error) {
        this.#told.push({ event: 'other', message: `${line} (${messageOf(error)})` });
      }
    }
  }
}
