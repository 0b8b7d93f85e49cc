import type { Connector, Range, RowShape } from '../connector/contract.ts';
import type { KernelSink } from '../digest/kernel-sink.ts';
import type { Records } from '../digest/records.ts';
import type { Pace } from './pace.ts';
import { withRetry } from './retry.ts';
import type { TableRun } from './table-run.ts';

export type Site = 'primary' | 'candidate';

/** Where no rows are kept pieces are larger than ranges. */
const PIECE_FACTORS = { buckets: 8, sieve: 1 } as const;

/**
 * Buckets for a table, three 64-bit words each. 4096 stay in the processor's cache, which is what makes filling them
 * cheap; a table so large that one bucket's rows would crowd the memory for joining gets more.
 */
export function bucketCountFor(rows: number): number {
  return rows > 500_000_000 ? 65_536 : 4096;
}

/** Reads one site's whole table in its own physical pieces; rows fall into buckets by their identity. */
export async function readBuckets(run: TableRun, site: Site, bucketCount: number): Promise<BigUint64Array> {
  const total = new BigUint64Array(bucketCount * 3);
  await eachWorker(run, site, bucketCount, 'buckets', async (pieces, sink) => {
    sink.clearBuckets();
    for (const piece of pieces) {
      await readPiece(run, site, piece, sink, 'buckets');
      sink.settleBuckets();
      const { rows } = sink.digest();
      if (site === 'primary') run.onRows(rows, sink.bytes);
      else run.onRows(0n, sink.bytes);
      if (site === 'primary') run.throttle.spent(rows);
    }
    const part = sink.buckets();
    for (let word = 0; word < total.length; word++) total[word] = (total[word] ?? 0n) + (part[word] ?? 0n);
  });
  return total;
}

export interface SievedRead {
  readonly bucketCount: number;
  /** A bit for each bucket whose rows come through. */
  readonly sieve: Uint8Array;
  /** Takes the rows of one piece. False: no more are wanted, of either site. */
  readonly onRecords: (site: Site, records: Records) => boolean;
  /** Null: this site does not look at the other's progress. */
  readonly pace: Pace | null;
}

/** Reads one site's whole table again; only rows in the buckets of the sieve come through, a piece at a time. */
export async function readSieved(run: TableRun, site: Site, read: SievedRead): Promise<void> {
  const { bucketCount, pace } = read;
  try {
    await eachWorker(run, site, bucketCount, 'sieve', async (pieces, sink) => {
      sink.setSieve(read.sieve);
      for (const piece of pieces) {
        await pace?.keep(site, pieces.share());
        await readPiece(run, site, piece, sink, 'sieve');
        if (!read.onRecords(site, sink.records())) break;
        run.onRows(0n, sink.bytes);
      }
    });
  } finally {
    pace?.end(site);
  }
}

/** What is left of a site's pieces, shared by its readers. */
interface Pieces extends Iterable<Range> {
  /** How much of the whole was given out, from 0 to 1. */
  readonly share: () => number;
}

/** The readers of one site: each takes the next piece when it is done with one. */
async function eachWorker(
  run: TableRun,
  site: Site,
  bucketCount: number,
  mode: keyof typeof PIECE_FACTORS,
  work: (pieces: Pieces, sink: KernelSink) => Promise<void>,
): Promise<void> {
  const { pair, signal } = run;
  const { rangeRowsMax, rangeBytesMax } = pair.limits;
  const options = {
    kind: 'slice',
    rowsMax: rangeRowsMax * PIECE_FACTORS[mode],
    bytesMax: rangeBytesMax * PIECE_FACTORS[mode],
  } as const;
  const pieces = await withRetry(pair, signal, () =>
    connectorOf(run, site).planRanges(shapeOf(run, site), options, signal),
  );
  let given = 0;
  const next = (): IteratorResult<Range, undefined> => {
    const piece = pieces[given];
    if (piece === undefined) return { done: true, value: undefined };
    given++;
    return { done: false, value: piece };
  };
  const shared: Pieces = {
    [Symbol.iterator]: () => ({ next }),
    share: () => given / Math.max(1, pieces.length),
  };
  const workers = Math.min(pair.limits.jobs, Math.max(1, pieces.length));
  const results = await Promise.allSettled(
    Array.from({ length: workers }, () => run.sinks.with(bucketCount, (sink) => work(shared, sink))),
  );
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function readPiece(
  run: TableRun,
  site: Site,
  range: Range,
  sink: KernelSink,
  mode: 'buckets' | 'sieve',
): Promise<void> {
  const { pair, signal } = run;
  const shape = shapeOf(run, site);
  await run.throttle.admit(signal);
  await run.slots(() =>
    withRetry(pair, signal, async () => {
      sink.begin(mode, shape.keyFields);
      await connectorOf(run, site).readRange({ shape, range }, sink, signal);
      sink.digest();
    }),
  );
}

function connectorOf(run: TableRun, site: Site): Connector {
  return run.pair[site];
}

function shapeOf(run: TableRun, site: Site): RowShape {
  return run.plan.shapes[site];
}
