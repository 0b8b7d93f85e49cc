import pLimit from 'p-limit';
import { SinkPool } from '../digest/sink-pool.ts';
import { TwinproofError } from '../errors.ts';
import type { Checkpoint } from './checkpoint.ts';
import { Findings } from './findings.ts';
import { LocalRangeReader, type RangeReader } from './range-reader.ts';
import { compareByRanges } from './range-table.ts';
import { reasonOfError } from './reasons.ts';
import { isSiteLost } from './retry.ts';
import type { Progress, TableResult } from './result.ts';
import type { TablePlan } from './scope.ts';
import { SettleQueue } from './settle-queue.ts';
import type { SitePair } from './site-pair.ts';
import { compareBySlices } from './slice-table.ts';
import { StillWindow } from './still.ts';
import { Tally } from './tally.ts';
import { Throttle } from './throttle.ts';
import type { VerifyOptions } from './verify-options.ts';

const PROGRESS_EVERY_MS = 250;
const CHECKPOINT_EVERY_MS = 2000;

/** Runs the comparison of many tables within one bound on reads, and keeps account of it. */
export class TableComparison {
  readonly #pair: SitePair;
  readonly #options: VerifyOptions;
  readonly #checkpoint: Checkpoint;
  readonly #slots: ReturnType<typeof pLimit>;
  readonly #reader: RangeReader;
  readonly #sinks = new SinkPool();
  readonly #still: StillWindow;
  readonly #throttle: Throttle;
  readonly #tallies = new Map<string, Tally>();
  readonly #finished = new Map<string, TableResult>();
  readonly #queues = new Map<string, SettleQueue>();
  readonly #startedAtMs: number;
  readonly #rowsEstimate: bigint;
  readonly #tablesTotal: number;
  #tablesDone = 0;
  #rowsDone = 0n;
  #progressAtMs = -Infinity;
  #savedAtMs: number;
  #table: string | null = null;
  #lost: TwinproofError | null = null;
  bytesRead = 0n;

  constructor(pair: SitePair, plans: readonly TablePlan[], checkpoint: Checkpoint, options: VerifyOptions) {
    this.#pair = pair;
    this.#options = options;
    this.#checkpoint = checkpoint;
    this.#reader = options.reader ?? new LocalRangeReader(pair.primary, pair.candidate);
    this.#slots = pLimit(pair.limits.jobs);
    this.#still = new StillWindow(pair);
    this.#throttle = new Throttle(options.throttle, pair, () => this.#report(true));
    this.#startedAtMs = pair.timing.now();
    this.#savedAtMs = this.#startedAtMs;
    this.#rowsEstimate = plans.reduce((sum, { rowsEstimate }) => sum + BigInt(Math.round(rowsEstimate)), 0n);
    this.#tablesTotal = plans.length;
  }

  /** Compares tables, several at a time. Throws only when interrupted or when a site is lost. */
  async run(plans: readonly TablePlan[]): Promise<TableResult[]> {
    const { signal } = this.#options;
    await this.#still.open(signal);
    const tables = pLimit(this.#pair.limits.jobs);
    const results = await Promise.allSettled(plans.map((plan) => tables(() => this.#compareTable(plan))));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  }

  /** A finished result; of a table whose comparison did not end, differences count and sameness does not. */
  known(table: string): TableResult | null {
    const finished = this.#finished.get(table);
    if (finished !== undefined) return finished;
    const result = this.#tallies.get(table)?.result();
    return result?.outcome === 'different' ? result : null;
  }

  forget(table: string): void {
    this.#checkpoint.forget(table);
    this.#finished.delete(table);
    this.#tablesDone--;
  }

  async saveCheckpoint(): Promise<void> {
    const { checkpoint } = this.#options;
    const changes = checkpoint === null ? null : this.#checkpoint.takeChanges();
    if (checkpoint !== null && changes !== null) await checkpoint.save(changes);
  }

  async #compareTable(plan: TablePlan): Promise<TableResult> {
    const { signal, onDifference, showValues } = this.#options;
    signal.throwIfAborted();
    if (this.#lost !== null) throw this.#lost;
    const pair = this.#pair;
    const tally = new Tally(plan, pair.limits.samplesMax);
    const findings = new Findings(pair, plan.name, plan.shapes, tally, { onDifference, showValues });
    const settling = new SettleQueue(pair, plan.name, plan.shapes, tally, findings, signal);
    this.#tallies.set(plan.name, tally);
    this.#queues.set(plan.name, settling);
    this.#table = plan.name;
    const run = {
      pair,
      plan,
      tally,
      findings,
      settling,
      still: this.#still,
      reader: this.#reader,
      sinks: this.#sinks,
      slots: this.#slots,
      throttle: this.#throttle,
      checkpoint: this.#checkpoint,
      onRows: (rows: bigint, bytes: number): void => this.#count(rows, bytes),
      signal,
    };
    try {
      if (plan.method === 'slice') await compareBySlices(run);
      else await compareByRanges(run);
      await settling.drain();
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof TwinproofError) || error.code === 'TP-OUTPUT') throw error;
      // The tables that are left would each wait for the site in vain.
      if (isSiteLost(error)) throw (this.#lost ??= error);
      tally.unproven(reasonOfError(error, plan.name));
    }
    signal.throwIfAborted();
    this.#queues.delete(plan.name);
    this.#tablesDone++;
    await this.#saveNowAndThen();
    this.#report(true);
    const result = tally.result();
    this.#finished.set(plan.name, result);
    return result;
  }

  #count(rows: bigint, bytes: number): void {
    this.#rowsDone += rows;
    this.bytesRead += BigInt(bytes);
    this.#report(false);
    void this.#saveNowAndThen().catch(() => undefined);
  }

  async #saveNowAndThen(): Promise<void> {
    const now = this.#pair.timing.now();
    if (now - this.#savedAtMs < CHECKPOINT_EVERY_MS) return;
    this.#savedAtMs = now;
    await this.saveCheckpoint();
  }

  #report(always: boolean): void {
    const now = this.#pair.timing.now();
    if (this.#options.onProgress === null || (!always && now - this.#progressAtMs < PROGRESS_EVERY_MS))
      return;
    this.#progressAtMs = now;
    const seconds = Math.max(0.001, (now - this.#startedAtMs) / 1000);
    let suspects = 0;
    for (const queue of this.#queues.values()) suspects += queue.size;
    let differences = 0n;
    for (const tally of this.#tallies.values()) differences += tally.differences;
    const progress: Progress = {
      table: this.#table,
      tablesDone: this.#tablesDone,
      tablesTotal: this.#tablesTotal,
      rowsDone: this.#rowsDone,
      rowsEstimate: this.#rowsEstimate,
      rowsPerSecond: Number(this.#rowsDone) / seconds,
      suspects,
      differences,
      paused: this.#throttle.paused,
    };
    this.#options.onProgress(progress);
  }
}
