import { keyAt } from '../digest/records.ts';
import { reason } from './reasons.ts';
import { isTooLarge, withRetry } from './retry.ts';
import { differingAtOnce } from './snapshot-table.ts';
import type { TableRun } from './table-run.ts';

/**
 * A table that is read under several snapshots can miss a row: one that moves, while the primary is read, from a part
 * that is still to come into a part that was read already. On a logical pair the candidate need not have it at all.
 * So after the reads every row that was written since they began is looked up by key and settled; a row that was not
 * written stood still and was compared in its place.
 *
 * A physical pair needs no such look: wherever the row moves to, the log takes it there on the candidate as well, whole.
 */
export class MovedRows {
  readonly #run: TableRun;
  readonly #window: TableRun['still']['current'];
  readonly #mark: string;

  private constructor(run: TableRun, window: TableRun['still']['current'], mark: string) {
    this.#run = run;
    this.#window = window;
    this.#mark = mark;
  }

  /** To be called before the first read. */
  static async watch(run: TableRun): Promise<MovedRows> {
    const { pair, signal } = run;
    const window = run.still.current;
    const mark = await withRetry(pair, signal, () => pair.primary.markNow(signal));
    return new MovedRows(run, window, mark);
  }

  /** To be called after the last read; what was written meanwhile goes to be settled. */
  async settle(): Promise<void> {
    const { plan, still, tally, signal } = this.#run;
    if (await still.unmoved(this.#window, signal)) return;
    try {
      const keys = await this.#writtenKeys();
      if (plan.shapes.primary.identity === 'key') await this.#run.settling.push(keys.known);
      else if (keys.count > 0n) tally.unproven(reason('TP-HOT-ROWS', plan.name, UNKEYED));
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      await this.#settleMany();
    }
  }

  /** More keys than may be settled one by one. Where no version tells which rows were written, they need not be many. */
  async #settleMany(): Promise<void> {
    const { pair, plan, tally } = this.#run;
    try {
      if (pair.primary.capabilities.rowVersions)
        tally.unproven(reason('TP-HOT-ROWS', plan.name, TOO_MANY_WRITTEN));
      else await this.#run.settling.push(await differingAtOnce(this.#run));
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      tally.unproven(reason('TP-HOT-ROWS', plan.name, TOO_MANY_ROWS));
    }
  }

  #writtenKeys(): Promise<{ readonly count: bigint; readonly known: readonly Uint8Array[] }> {
    const { pair, plan, sinks, signal } = this.#run;
    const shape = plan.shapes.primary;
    return withRetry(pair, signal, () =>
      sinks.with(0, async (sink) => {
        const rowsMax = pair.primary.capabilities.rowVersions ? undefined : pair.limits.movedKeysMax;
        sink.begin(shape.keyFields > 0 ? 'records' : 'sums', shape.keyFields, rowsMax);
        await pair.primary.readWrittenSince(shape, this.#mark, sink, signal);
        const { rows: count } = sink.digest();
        const records = sink.records();
        const known = Array.from({ length: records.count }, (_, row) => keyAt(records, row).slice());
        return { count, known };
      }),
    );
  }
}

const TOO_MANY_WRITTEN = 'too many rows were written while the table was compared';
const TOO_MANY_ROWS =
  'the table was written to while it was compared, and has too many rows to be compared at once';
const UNKEYED =
  'the table has no key and was written to while it was compared: a row may have moved past the reader';
