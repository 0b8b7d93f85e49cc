import type { Range } from '../connector/contract.ts';
import { TwinproofError } from '../errors.ts';
import { checkIndexes } from './index-check.ts';
import { MovedRows } from './moved-rows.ts';
import { reason, reasonOfError } from './reasons.ts';
import { isTableLost, withRetry } from './retry.ts';
import type { Suspect } from './suspect.ts';
import type { TableRun } from './table-run.ts';

/** Each has cost all its retries; a large table has thousands of ranges. */
const RANGES_LOST_MAX = 3;

type Window = TableRun['still']['current'];

/** Compares a table range by range: block ranges of a physical pair, key ranges of a logical one. */
export async function compareByRanges(run: TableRun): Promise<void> {
  const { pair, plan, signal } = run;
  const { rangeRowsMax: rowsMax, rangeBytesMax: bytesMax } = pair.limits;
  const kind = plan.method === 'key' ? 'key' : 'block';
  const moved = kind === 'key' ? await MovedRows.watch(run) : null;
  const ranges = await withRetry(pair, signal, () =>
    pair.primary.planRanges(plan.shapes.primary, { kind, rowsMax, bytesMax }, signal),
  );
  const open = ranges.filter((range) => {
    const rows = run.checkpoint.proven(plan, range);
    if (rows === null) return true;
    run.tally.addRows(rows, rows);
    return false;
  });
  // Each slot takes the next range when it is free: a plan of a million ranges makes no million promises.
  const queue = open[Symbol.iterator]();
  const failure = new AbortController();
  const worker = async (): Promise<void> => {
    for (let next = queue.next(); next.done !== true && !failure.signal.aborted; next = queue.next()) {
      const range = next.value;
      await run.throttle.admit(signal);
      await run.slots(() => compareOne(run, range));
    }
  };
  // The first failure ends the others' work too, and nothing is left running when it is thrown.
  const fail = (error: unknown): never => {
    failure.abort();
    throw error;
  };
  const workers = Array.from({ length: pair.limits.jobs }, () => worker().catch(fail));
  const failed = (await Promise.allSettled(workers)).find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  await moved?.settle();
}

async function compareOne(run: TableRun, range: Range): Promise<void> {
  const { pair, signal } = run;
  try {
    const { window, suspects } = await withRetry(pair, signal, () => readBoth(run, range));
    if (suspects.length > 0 && !(await judgeSuspects(run, window, suspects)))
      await checkIndexes(run, range, suspects);
  } catch (error) {
    if (error instanceof TwinproofError && error.code === 'TP-RANGE-TOO-LARGE')
      await compareParts(run, range);
    else if (signal.aborted || isTableLost(error)) throw error;
    else giveUpRange(run, error);
  }
}

/** Throws when the table has lost so many ranges to errors that might have passed that they are not about a range. */
function giveUpRange({ tally, plan }: TableRun, error: unknown): void {
  tally.unproven(reasonOfError(error, plan.name));
  if (!(error instanceof TwinproofError) || !error.retryable) return;
  if (tally.reasonsOf(error.code) >= RANGES_LOST_MAX) throw error;
}

async function compareParts(run: TableRun, range: Range): Promise<void> {
  const { pair, plan, signal } = run;
  const parts = await withRetry(pair, signal, () =>
    pair.primary.splitRange(plan.shapes.primary, range, signal),
  );
  if (parts.length < 2) {
    const message = `range ${range.id} holds more rows than allowed and cannot be split`;
    run.tally.unproven(reason('TP-READ-FAILED', plan.name, message));
    return;
  }
  for (const part of parts) await compareOne(run, part);
}

interface WindowedReading {
  readonly window: Window;
  readonly suspects: readonly Suspect[];
}

async function readBoth(run: TableRun, range: Range): Promise<WindowedReading> {
  const { plan } = run;
  const window = run.still.current;
  const { primary, candidate, suspects, bytes } = await run.reader.read(plan.shapes, range, run.signal);
  run.onRows(primary.rows, bytes);
  run.throttle.spent(primary.rows);
  run.tally.addRows(primary.rows, candidate.rows);
  if (suspects.length === 0) run.checkpoint.prove(plan, range, primary.rows);
  return { window, suspects };
}

/** Differences at once if both sites stood still, which is the answer, else suspects to be settled. */
export async function judgeSuspects(
  run: TableRun,
  window: Window,
  suspects: readonly Suspect[],
): Promise<boolean> {
  const { plan, signal } = run;
  const still = await run.still.holds(window, signal);
  if (!still) {
    await run.settling.push(suspects.map(({ key }) => key));
    return false;
  }
  const proven = suspects.map(({ kind, key }) => ({ kind, key, columns: null, count: 1 }));
  // A scan of the table itself cannot be misled by an index; a read in key order can.
  if (plan.method === 'key') await run.settling.confirm(proven);
  else await run.findings.add(proven, signal);
  return true;
}
