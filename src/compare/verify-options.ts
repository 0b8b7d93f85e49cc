import type { Mapping } from '../config/mapping.ts';
import type { Connector } from '../connector/contract.ts';
import type { Identity } from '../connector/identity.ts';
import type { PairKind, TableSelection } from '../connector/table.ts';
import type { CheckpointData } from './checkpoint.ts';
import type { DifferenceListener } from './findings.ts';
import type { Progress } from './result.ts';
import type { RangeReader } from './range-reader.ts';
import type { Limits } from './site-pair.ts';
import type { ThrottleOptions } from './throttle.ts';
import type { Timing } from './timing.ts';

export interface VerifyOptions {
  readonly primary: Connector;
  readonly candidate: Connector;
  readonly selection: TableSelection;
  readonly limits: Limits;
  readonly throttle: ThrottleOptions;
  readonly timing: Timing;
  /** Aborting ends the run early with a partial result; the reason is a TwinproofError. */
  readonly signal: AbortSignal;
  readonly showValues: boolean;
  readonly onDifference: DifferenceListener | null;
  readonly onProgress: ((progress: Progress) => void) | null;
  /** What names of the primary are on the candidate, and what columns mean. Absent: nothing is mapped. */
  readonly mapping?: Mapping;
  /** How long at most a change takes to reach a candidate of another engine. Absent: DEFAULT_APPLY_WITHIN_MS. */
  readonly applyWithinMs?: number;
  /** Reads ranges; absent: in this thread, over the two connectors. */
  readonly reader?: RangeReader;
  /** What earlier runs proved, and where to keep what this one proves. */
  readonly checkpoint: CheckpointStore | null;
}

export interface CheckpointStore {
  /** Called once both sites and the scope are known. Throws TP-STATE for a state of other sites or another scope. */
  load(subject: CheckpointSubject): Promise<CheckpointData>;
  save(data: CheckpointData): Promise<void>;
}

/** What a state is about: it is of no use for anything else. */
export interface CheckpointSubject {
  readonly primary: Identity;
  readonly candidate: Identity;
  readonly pair: PairKind;
  readonly selection: TableSelection;
}
