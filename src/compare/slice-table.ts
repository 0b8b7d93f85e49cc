import { lane, SEED_1 } from '../digest/digest.ts';
import { Joiner, type Leftover } from '../digest/joiner.ts';
import { reason, reasonOfError } from './reasons.ts';
import { MovedRows } from './moved-rows.ts';
import { judgeSuspects } from './range-table.ts';
import { isTableLost } from './retry.ts';
import { bucketCountFor, readBuckets, readSieved, type Site } from './slice-pass.ts';
import { bitmapOf, groupBuckets, mismatchedBuckets, rowsOf } from './buckets.ts';
import type { Stretch } from './still.ts';
import type { Suspect } from './suspect.ts';
import { nameOf } from './suspects.ts';
import type { TableRun } from './table-run.ts';
import { judgeValues } from './value-settling.ts';

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
    const groups = groupBuckets(
      mismatched,
      primary,
      candidate,
      Joiner.capacity(run.pair.limits.joinBytesMax),
    );
    for (const group of groups) await compareBuckets(run, bucketCount, group);
    await moved.settle();
  } catch (error) {
    if (signal.aborted || isTableLost(error)) throw error;
    run.tally.unproven(reasonOfError(error, plan.name));
  }
}

/**
 * Reads both sites. While the primary's log stands still both at once; otherwise the candidate first, to its end, so
 * that the primary's snapshots all start after the candidate's (DESIGN.md section 6). `restart` drops what was read.
 */
async function readBothInOrder<T>(
  run: TableRun,
  read: (site: Site) => Promise<T>,
  restart: () => void = () => undefined,
): Promise<{ readonly primary: T; readonly candidate: T }> {
  const window = run.still.current;
  if (window !== null) {
    const results = await Promise.allSettled([read('primary'), read('candidate')]);
    const [primary, candidate] = results;
    if (primary.status === 'rejected') throw primary.reason;
    if (candidate.status === 'rejected') throw candidate.reason;
    if (await run.still.unmoved(window, run.signal))
      return { primary: primary.value, candidate: candidate.value };
  }
  restart();
  const candidate = await read('candidate');
  return { primary: await read('primary'), candidate };
}

/** The second read, over one group of mismatched buckets. */
async function compareBuckets(run: TableRun, bucketCount: number, group: readonly number[]): Promise<void> {
  const window = run.still.current;
  const sieve = bitmapOf(group, bucketCount);
  const fits = await run.sinks.withJoiner(run.pair.limits.joinBytesMax, async (joiner) => {
    let room = true;
    const restart = (): void => {
      joiner.reset();
      room = true;
    };
    const read = (site: Site): Promise<void> =>
      readSieved(run, site, bucketCount, sieve, (records) => {
        if (room) room = joiner.add(records, site === 'candidate' ? 1 : -1);
      });
    await readBothInOrder(run, read, restart);
    if (room) await judgeLeftovers(run, window, bucketCount, joiner);
    return room;
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
