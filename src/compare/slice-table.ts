import { lane, SEED_1 } from '../digest/digest.ts';
import { Joiner, type Leftover } from '../digest/joiner.ts';
import type { Records } from '../digest/records.ts';
import { reason, reasonOfError } from './reasons.ts';
import { MovedRows } from './moved-rows.ts';
import { Pace } from './pace.ts';
import { judgeSuspects } from './range-table.ts';
import { isTableLost } from './retry.ts';
import { bucketCountFor, readBuckets, readSieved, type Site } from './slice-pass.ts';
import { bitmapOf, groupBuckets, mismatchedBuckets, rowsOf } from './buckets.ts';
import type { Stretch } from './still.ts';
import type { Suspect } from './suspect.ts';
import { nameOf } from './suspects.ts';
import type { TableRun } from './table-run.ts';
import { judgeValues } from './value-settling.ts';

/** Rows that may wait for their twins while both sites are read side by side. */
const WAITING_ROWS_MAX = 786_432;

/**
 * Compares a table whose order means nothing on the other site: rows fall into buckets by identity, buckets are
 * compared, and only rows of mismatched ones are looked at in a second read, where equal rows cancel.
 */
export async function compareBySlices(run: TableRun): Promise<void> {
  const { plan, signal } = run;
  try {
    const moved = await MovedRows.watch(run);
    const bucketCount = bucketCountFor(plan.rowsEstimate);
    const { primary, candidate } = await readBothInOrder(run, (site) => readBuckets(run, site, bucketCount));
    run.tally.addRows(rowsOf(primary), rowsOf(candidate));
    const mismatched = mismatchedBuckets(primary, candidate);
    if (mismatched.length > 0 && !(await compareSideBySide(run, bucketCount, mismatched))) {
      const capacity = Joiner.capacity(run.pair.limits.joinBytesMax);
      const groups = groupBuckets(mismatched, primary, candidate, capacity);
      for (const group of groups) await compareBuckets(run, bucketCount, group);
    }
    await moved.settle();
  } catch (error) {
    if (signal.aborted || isTableLost(error)) throw error;
    run.tally.unproven(reasonOfError(error, plan.name));
  }
}

interface BothRead<T> {
  readonly primary: T;
  readonly candidate: T;
}

/**
 * Reads both sites. While the primary's log stands still both at once; otherwise the candidate first, to its end, so
 * that the primary's snapshots all start after the candidate's (DESIGN.md section 6). `restart` drops what was read.
 */
async function readBothInOrder<T>(
  run: TableRun,
  read: (site: Site) => Promise<T>,
  restart: () => void = () => undefined,
): Promise<BothRead<T>> {
  const atOnce = await readBothAtOnce(run, read);
  if (atOnce !== null) return atOnce;
  restart();
  const candidate = await read('candidate');
  return { primary: await read('primary'), candidate };
}

/** Null: the primary's log does not stand still, or did not to the end. */
async function readBothAtOnce<T>(
  run: TableRun,
  read: (site: Site) => Promise<T>,
): Promise<BothRead<T> | null> {
  const window = run.still.current;
  if (window === null) return null;
  const [primary, candidate] = await Promise.allSettled([read('primary'), read('candidate')]);
  if (primary.status === 'rejected') throw primary.reason;
  if (candidate.status === 'rejected') throw candidate.reason;
  if (!(await run.still.unmoved(window, run.signal))) return null;
  return { primary: primary.value, candidate: candidate.value };
}

/** Rows of one group of buckets on their way into a joiner, until it has no room. */
class Joining {
  readonly #joiner: Joiner;
  room = true;

  constructor(joiner: Joiner) {
    this.#joiner = joiner;
  }

  restart(): void {
    this.#joiner.reset();
    this.room = true;
  }

  take(site: Site, records: Records): boolean {
    if (this.room) this.room = this.#joiner.add(records, site === 'candidate' ? 1 : -1);
    return this.room;
  }
}

/**
 * The second read, both sites side by side: of two that were written in the same order few rows wait for their twins, so
 * one read is enough however large the table is. False, and nothing is judged: the sites moved, or are in orders so
 * different that the rows which wait do not fit.
 */
async function compareSideBySide(
  run: TableRun,
  bucketCount: number,
  mismatched: readonly number[],
): Promise<boolean> {
  const window = run.still.current;
  if (window === null) return false;
  const pace = new Pace();
  const sieve = bitmapOf(mismatched, bucketCount);
  const compared = async (joiner: Joiner): Promise<boolean> => {
    const joining = new Joining(joiner);
    const onRecords = joining.take.bind(joining);
    const unmoved = await readBothAtOnce(run, (site) =>
      readSieved(run, site, { bucketCount, sieve, onRecords, pace }),
    );
    if (!joining.room || unmoved === null) return false;
    await judgeLeftovers(run, window, bucketCount, joiner);
    return true;
  };
  return run.sinks.withJoiner(run.pair.limits.joinBytesMax, compared, WAITING_ROWS_MAX);
}

/** The second read, over one group of mismatched buckets whose rows fit all. */
async function compareBuckets(run: TableRun, bucketCount: number, group: readonly number[]): Promise<void> {
  const window = run.still.current;
  const sieve = bitmapOf(group, bucketCount);
  const fits = await run.sinks.withJoiner(run.pair.limits.joinBytesMax, async (joiner) => {
    const joining = new Joining(joiner);
    const onRecords = joining.take.bind(joining);
    await readBothInOrder(
      run,
      (site) => readSieved(run, site, { bucketCount, sieve, onRecords, pace: null }),
      () => joining.restart(),
    );
    if (joining.room) await judgeLeftovers(run, window, bucketCount, joiner);
    return joining.room;
  });
  if (!fits) await compareHalves(run, bucketCount, group);
}

async function judgeLeftovers(
  run: TableRun,
  window: Stretch | null,
  bucketCount: number,
  joiner: Joiner,
): Promise<void> {
  if (run.plan.shapes.primary.identity === 'value') {
    await judgeValues(run, window, bucketCount, joiner.leftovers());
    return;
  }
  for (const suspects of byBucket(joiner.leftovers(), bucketCount))
    await judgeSuspects(run, window, suspects);
}

/** The rows of a group did not fit: each half alone. */
async function compareHalves(run: TableRun, bucketCount: number, group: readonly number[]): Promise<void> {
  if (group.length < 2) {
    const message = 'too many rows fall into one slice to be compared within the memory allowed';
    run.tally.unproven(reason('TP-READ-FAILED', run.plan.name, message));
    return;
  }
  const middle = group.length >> 1;
  await compareBuckets(run, bucketCount, group.slice(0, middle));
  await compareBuckets(run, bucketCount, group.slice(middle));
}

const SUSPECTS_AT_ONCE = 20_000;

/** Pairs leftovers of one identity: both sides have one, so the row changed; else it is missing or extra. */
function* byBucket(leftovers: Iterable<Leftover>, bucketCount: number): Generator<Suspect[]> {
  // Leftovers come in the order of row digests, so the two versions of a row stand apart; a sort by bucket joins them.
  const rows = [...leftovers].map(({ count, key }) => ({
    bucket: Number(lane(key, SEED_1) & BigInt(bucketCount - 1)),
    count,
    key,
  }));
  rows.sort((a, b) => a.bucket - b.bucket);
  let suspects: Suspect[] = [];
  for (let start = 0; start < rows.length;) {
    const kinds = new Map<string, Suspect>();
    const bucket = rows[start]?.bucket;
    let at = start;
    for (let row = rows[at]; row !== undefined && row.bucket === bucket; row = rows[++at]) {
      const name = nameOf(row.key);
      const kind = kinds.has(name) ? 'changed' : row.count > 0 ? 'extra' : 'missing';
      kinds.set(name, { kind, key: row.key });
    }
    for (const suspect of kinds.values()) suspects.push(suspect);
    if (suspects.length >= SUSPECTS_AT_ONCE) {
      yield suspects;
      suspects = [];
    }
    start = at;
  }
  if (suspects.length > 0) yield suspects;
}
