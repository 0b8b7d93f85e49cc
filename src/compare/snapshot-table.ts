import pLimit from 'p-limit';
import { TwinproofError } from '../errors.ts';
import { Joiner } from '../digest/joiner.ts';
import { withRetry } from './retry.ts';
import { nameOf } from './suspects.ts';
import type { Site } from './slice-pass.ts';
import type { TableRun } from './table-run.ts';

/** Asks for the whole table as one range. */
const WHOLE = { kind: 'slice', rowsMax: Infinity, bytesMax: Infinity } as const;

/** Over all tables: each takes the memory for joining, and the whole of a table is read at once. */
const oneAtATime = pLimit(1);

/** What of a table's run is needed here. */
export type SnapshotRun = Pick<TableRun, 'pair' | 'sinks' | 'slots' | 'throttle' | 'onRows' | 'signal'> & {
  readonly plan: Pick<TableRun['plan'], 'shapes' | 'rowsEstimate'>;
};

/**
 * Reads a table once more, the primary in one statement and so under one snapshot S: no row can move past that reader.
 * The candidate was read to its end before, so each row that it showed it held before S. Rows with equal bytes cancel;
 * the answer is the identities of all others, each once, to be settled. Every row that the primary shows at S was then
 * shown by the candidate, whole, or is settled.
 *
 * All rows of the candidate wait in memory for their twins. Throws TP-RANGE-TOO-LARGE when they do not fit, or when the
 * primary cannot read the table as one range; a statement that is open for long would be in the way of its DDL.
 */
export async function differingAtOnce(run: SnapshotRun): Promise<Uint8Array[]> {
  const { joinBytesMax } = run.pair.limits;
  if (run.plan.rowsEstimate > Joiner.capacity(joinBytesMax)) throw tooLarge();
  return oneAtATime(() =>
    withRetry(run.pair, run.signal, () =>
      run.sinks.withJoiner(joinBytesMax, async (joiner) => {
        await addRows(run, 'candidate', joiner);
        await addRows(run, 'primary', joiner);
        return keysLeft(joiner);
      }),
    ),
  );
}

async function addRows(run: SnapshotRun, site: Site, joiner: Joiner): Promise<void> {
  const { pair, plan, signal } = run;
  const shape = plan.shapes[site];
  const connector = pair[site];
  const ranges = await connector.planRanges(shape, WHOLE, signal);
  if (site === 'primary' && ranges.length !== 1) throw tooLarge();
  const sign = site === 'candidate' ? 1 : -1;
  await run.sinks.with(0, async (sink) => {
    for (const range of ranges) {
      await run.throttle.admit(signal);
      await run.slots(async () => {
        sink.begin('records', shape.keyFields, Infinity, (records) => {
          if (!joiner.add(records, sign)) throw tooLarge();
        });
        await connector.readRange({ shape, range }, sink, signal);
        const { rows } = sink.digest();
        if (!joiner.add(sink.records(), sign)) throw tooLarge();
        run.onRows(0n, sink.bytes);
        if (site === 'primary') run.throttle.spent(rows);
      });
    }
  });
}

/** The identities of rows that did not cancel, each once. */
function keysLeft(joiner: Joiner): Uint8Array[] {
  const keys = new Map<string, Uint8Array>();
  for (const { key } of joiner.leftovers()) keys.set(nameOf(key), key);
  return [...keys.values()];
}

function tooLarge(): TwinproofError {
  return new TwinproofError('TP-RANGE-TOO-LARGE');
}
