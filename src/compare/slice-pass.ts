import type { Connector, Range, RowShape } from '../connector/contract.ts';
import type { KernelSink } from '../digest/kernel-sink.ts';
import type { Records } from '../digest/records.ts';
import { withRetry } from './retry.ts';
import type { TableRun } from './table-run.ts';

export type Site = 'primary' | 'candidate';

/** Pieces are larger than ranges: they need no rows kept. */
const PIECE_FACTOR = 8;

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
  await eachWorker(run, site, bucketCount, async (pieces, sink) => {
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

/** Reads one site's whole table again; only rows in the buckets of `sieve` come through, a piece at a time. */
export async function readSieved(
  run: TableRun,
  site: Site,
  bucketCount: number,
  sieve: Uint8Array,
  onRecords: (records: Records) => void,
): Promise<void> {
  await eachWorker(run, site, bucketCount, async (pieces, sink) => {
    sink.setSieve(sieve);
    for (const piece of pieces) {
      await readPiece(run, site, piece, sink, 'sieve');
      onRecords(sink.records());
      run.onRows(0n, sink.bytes);
    }
  });
}

/** The readers of one site: each takes the next piece when it is done with one. */
async function eachWorker(
  run: TableRun,
  site: Site,
  bucketCount: number,
  work: (pieces: Iterable<Range>, sink: KernelSink) => Promise<void>,
): Promise<void> {
  const { pair, signal } = run;
  const { rangeRowsMax, rangeBytesMax } = pair.limits;
  const options = {
    kind: 'slice',
    rowsMax: rangeRowsMax * PIECE_FACTOR,
    bytesMax: rangeBytesMax * PIECE_FACTOR,
  } as const;
  const pieces = await withRetry(pair, signal, () =>
    connectorOf(run, site).planRanges(shapeOf(run, site), options, signal),
  );
  const queue = pieces[Symbol.iterator]();
  const workers = Math.min(pair.limits.jobs, Math.max(1, pieces.length));
  const shared: Iterable<Range> = { [Symbol.iterator]: () => ({ next: () => queue.next() }) };
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
