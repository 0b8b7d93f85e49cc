import type { SinkPool } from '../digest/sink-pool.ts';
import type { Checkpoint } from './checkpoint.ts';
import type { Findings } from './findings.ts';
import type { RangeReader } from './range-reader.ts';
import type { TablePlan } from './scope.ts';
import type { SettleQueue } from './settle-queue.ts';
import type { SitePair } from './site-pair.ts';
import type { StillWindow } from './still.ts';
import type { Tally } from './tally.ts';
import type { Throttle } from './throttle.ts';

/** Runs something when one of the bounded places for reading is free. */
export type Slots = <T>(work: () => Promise<T>) => Promise<T>;

/** Everything that comparing one table needs. */
export interface TableRun {
  readonly pair: SitePair;
  readonly plan: TablePlan;
  readonly tally: Tally;
  readonly findings: Findings;
  readonly settling: SettleQueue;
  readonly still: StillWindow;
  readonly reader: RangeReader;
  readonly sinks: SinkPool;
  /** Pairs of reads in flight, over all tables. */
  readonly slots: Slots;
  readonly throttle: Throttle;
  readonly checkpoint: Checkpoint;
  readonly onRows: (rows: bigint, bytes: number) => void;
  readonly signal: AbortSignal;
}
