import { digestName } from '../digest/digest.ts';
import type { Leftover } from '../digest/joiner.ts';
import type { Records } from '../digest/records.ts';
import { frameFields } from '../row/stream.ts';
import { bitmapOf } from './buckets.ts';
import { reason } from './reasons.ts';
import { withRetry } from './retry.ts';
import { waitForCandidate } from './settle.ts';
import { readSieved, type Site } from './slice-pass.ts';
import type { Stretch } from './still.ts';
import type { Proven } from './suspect.ts';
import type { TableRun } from './table-run.ts';

/** Each round reads the table three times: a table without a key is settled at a quiet time, or not at all. */
const VALUE_ROUNDS_MAX = 6;
/** A count has no version; each round is a pass over the table, so what goes back and forth seldom meets it twice. */
const VALUE_STRIKES = 2;
const VALUES_MAX = 100_000;
const VALUES_AT_ONCE = 1000;

/** How often a row's value stands in the table, by the value's digest. */
type Counts = ReadonlyMap<string, number>;

/** One value in one round. Pure. */
export function judgeCount(before: number, candidate: number, after: number): 'same' | 'strike' | 'moving' {
  if (candidate === after) return 'same';
  return before === after ? 'strike' : 'moving';
}

/**
 * Judges the rows of a table without a key, where a row is its whole value and equal rows are only counted: at once
 * on sites that stand still, else by reading the values' counts in the order of settling (DESIGN.md section 6).
 */
export async function judgeValues(
  run: TableRun,
  window: Stretch | null,
  bucketCount: number,
  leftovers: Iterable<Leftover>,
): Promise<void> {
  const still = await run.still.holds(window, run.signal);
  const values = new Map<string, { readonly excess: number; readonly bucket: number }>();
  let batch: Proven[] = [];
  for (const { count, first, second } of leftovers) {
    const name = digestName({ first, second });
    if (still) {
      batch.push(provenValue(name, count));
      if (batch.length >= VALUES_AT_ONCE) {
        await run.findings.add(batch, run.signal);
        batch = [];
      }
    } else if (values.size < VALUES_MAX) {
      values.set(name, { excess: count, bucket: Number(first & BigInt(bucketCount - 1)) });
    } else {
      run.tally.unproven(
        reason('TP-HOT-ROWS', run.plan.name, 'too many rows of a table without a key are moving'),
      );
      return;
    }
  }
  await run.findings.add(batch, run.signal);
  if (values.size > 0)
    await settleValues(run, bucketCount, new Map([...values].map(([name, v]) => [name, v.bucket])));
}

async function settleValues(
  run: TableRun,
  bucketCount: number,
  suspects: Map<string, number>,
): Promise<void> {
  const { pair, plan, signal } = run;
  const strikes = new Map<string, number>();
  let before = await countValues(run, 'primary', bucketCount, suspects);
  for (let round = 0; round < VALUE_ROUNDS_MAX && suspects.size > 0; round++) {
    await waitForCandidate(pair, signal);
    const candidate = await countValues(run, 'candidate', bucketCount, suspects);
    const after = await countValues(run, 'primary', bucketCount, suspects);
    const pending = await withRetry(pair, signal, () => pair.primary.commitsPending([], signal));
    const proven: Proven[] = [];
    for (const name of Array.from(suspects.keys())) {
      const [was, has, is] = [before.get(name) ?? 0, candidate.get(name) ?? 0, after.get(name) ?? 0];
      const judgement = judgeCount(was, has, is);
      const count = judgement === 'strike' && pending === 'none' ? (strikes.get(name) ?? 0) + 1 : 0;
      strikes.set(name, count);
      if (judgement === 'same' || count >= VALUE_STRIKES) suspects.delete(name);
      if (count >= VALUE_STRIKES) proven.push(provenValue(name, has - is));
    }
    await run.findings.add(proven, signal);
    before = after;
  }
  if (suspects.size > 0) {
    const message = `${suspects.size} rows of a table without a key kept changing and could not be compared`;
    run.tally.unproven(reason('TP-HOT-ROWS', plan.name, message));
  }
}

/** How often each of the values stands in one site's table. */
async function countValues(
  run: TableRun,
  site: Site,
  bucketCount: number,
  values: ReadonlyMap<string, number>,
): Promise<Counts> {
  const counts = new Map<string, number>();
  const sieve = bitmapOf([...new Set(values.values())], bucketCount);
  const onRecords = (_: Site, records: Records): boolean => {
    for (let row = 0; row < records.count; row++) {
      const name = nameOfRow(records, row);
      if (values.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    return true;
  };
  await readSieved(run, site, { bucketCount, sieve, onRecords, pace: null });
  return counts;
}

function nameOfRow(records: Records, row: number): string {
  const view = new DataView(records.digests.buffer, records.digests.byteOffset + row * 16, 16);
  return digestName({ first: view.getBigUint64(0, true), second: view.getBigUint64(8, true) });
}

/** `excess`: how many more the candidate has. The identity of such a row is its digest. */
function provenValue(name: string, excess: number): Proven {
  return {
    kind: excess > 0 ? 'extra' : 'missing',
    key: frameFields([Buffer.from(name, 'hex')]),
    columns: null,
    count: Math.abs(excess),
  };
}
