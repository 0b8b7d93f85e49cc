import pLimit from 'p-limit';
import type { Findings } from './findings.ts';
import { checkHeap } from './heap-check.ts';
import { reason, reasonOfError } from './reasons.ts';
import { isTooLarge } from './retry.ts';
import { settle } from './settle.ts';
import type { ShapePair, SitePair } from './site-pair.ts';
import type { Proven } from './suspect.ts';
import type { Tally } from './tally.ts';

/** Absent rows looked for in the heap at once: one pass over the table for all of them. */
const HEAP_BATCH = 20_000;
/** Batches in flight on a pair where each round is a wait: while one waits the servers have nothing to do. */
const TIMED_BATCHES = 4;
/** How often rows may move between an index and a heap look-up before they are called unsettled. */
const MOVES_MAX = 5;

/**
 * The suspects of one table on their way to a judgement. Batches run one after another beside the reading, or a few at
 * once where each has to wait; a reader that finds suspects faster than they settle waits.
 */
export class SettleQueue {
  readonly #pair: SitePair;
  readonly #table: string;
  readonly #shapes: ShapePair;
  readonly #tally: Tally;
  readonly #findings: Findings;
  readonly #signal: AbortSignal;
  readonly #batches: ReturnType<typeof pLimit>;
  #waiting: Uint8Array[] = [];
  #absentees: Proven[] = [];
  #work: Promise<void> = Promise.resolve();
  #queued = 0;

  constructor(
    pair: SitePair,
    table: string,
    shapes: ShapePair,
    tally: Tally,
    findings: Findings,
    signal: AbortSignal,
  ) {
    this.#pair = pair;
    this.#table = table;
    this.#shapes = shapes;
    this.#tally = tally;
    this.#findings = findings;
    this.#signal = signal;
    this.#batches = pLimit(pair.applyWithinMs === null ? 1 : TIMED_BATCHES);
  }

  /** Suspects not settled yet. */
  get size(): number {
    return this.#waiting.length + this.#queued;
  }

  async push(keys: readonly Uint8Array[]): Promise<void> {
    for (const key of keys) this.#waiting.push(key);
    if (this.#waiting.length >= this.#pair.limits.settleBatch) this.#flush();
    if (this.size > this.#pair.limits.suspectsMax) await this.#work;
  }

  /** Takes differences that are proven but for the question whether an index hid the row. */
  async confirm(proven: readonly Proven[]): Promise<void> {
    const byIndex = this.#shapes.primary.identity === 'key';
    const mayBeHidden = (row: Proven): boolean => byIndex && row.kind !== 'changed' && row.columns === null;
    await this.#findings.add(
      proven.filter((row) => !mayBeHidden(row)),
      this.#signal,
    );
    for (const row of proven) if (mayBeHidden(row)) this.#absentees.push(row);
    if (this.#absentees.length >= HEAP_BATCH) await this.#lookIntoHeap();
  }

  /** Settles everything that is left. */
  async drain(): Promise<void> {
    for (let moves = 0; moves <= MOVES_MAX; moves++) {
      this.#flush();
      await this.#work;
      await this.#lookIntoHeap();
      if (this.size === 0) return;
    }
    const message = `${this.size} rows moved faster than they could be looked up`;
    this.#tally.unproven(reason('TP-HOT-ROWS', this.#table, message));
  }

  #flush(): void {
    const size = this.#pair.limits.settleBatch;
    for (let at = 0; at < this.#waiting.length; at += size) {
      const batch = this.#waiting.slice(at, at + size);
      this.#queued += batch.length;
      this.#work = joined(
        this.#work,
        this.#batches(() => this.#settle(batch)),
      );
    }
    this.#waiting = [];
  }

  async #settle(batch: readonly Uint8Array[]): Promise<void> {
    try {
      const settled = await settle(this.#pair, this.#shapes, batch, this.#signal);
      await this.confirm(settled.proven);
      for (const because of ['moving', 'pending'] as const) {
        const rows = settled.unsettled.filter((row) => row.because === because);
        if (rows.length > 0) await this.#noteUnsettled(because, rows);
      }
    } catch (error) {
      if (isTooLarge(error) && batch.length > 1) await this.#settleHalves(batch);
      else this.#tally.unproven(reasonOfError(error, this.#table));
    } finally {
      this.#queued -= batch.length;
    }
  }

  /** Wide rows: as many as were asked for do not fit into memory. */
  async #settleHalves(batch: readonly Uint8Array[]): Promise<void> {
    const middle = batch.length >> 1;
    this.#queued += batch.length;
    await this.#settle(batch.slice(0, middle));
    await this.#settle(batch.slice(middle));
  }

  async #noteUnsettled(
    because: 'moving' | 'pending',
    rows: readonly { readonly key: Uint8Array }[],
  ): Promise<void> {
    const first = rows.slice(0, 3).map(({ key }) => key);
    const texts = await this.#pair.primary.describeKeys(this.#shapes.primary, first, this.#signal);
    const examples = texts.map((text) => Object.values(text).join('/')).join(', ');
    const what =
      because === 'moving'
        ? 'changed too often to be compared'
        : 'differ while a commit is not visible everywhere';
    const code = because === 'moving' ? 'TP-HOT-ROWS' : 'TP-COMMITS-PENDING';
    this.#tally.unproven(reason(code, this.#table, `${rows.length} rows ${what} (key ${examples})`));
  }

  async #lookIntoHeap(): Promise<void> {
    const absentees = this.#absentees.splice(0);
    if (absentees.length === 0) return;
    try {
      const { absent, hidden, moved } = await checkHeap(this.#pair, this.#shapes, absentees, this.#signal);
      await this.#findings.add(absent, this.#signal);
      this.#waiting.push(...moved);
      for (const site of ['primary', 'candidate'] as const) {
        const rows = hidden.filter((row) => row.site === site);
        if (rows.length > 0) {
          const message = `${rows.length} rows on the ${site} are in the table but not in its key's index`;
          this.#tally.broken(reason('TP-INDEX-CORRUPT', this.#table, message));
        }
      }
    } catch (error) {
      this.#tally.unproven(reasonOfError(error, this.#table));
    }
  }
}

async function joined(...work: readonly Promise<void>[]): Promise<void> {
  await Promise.all(work);
}
