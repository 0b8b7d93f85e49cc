import type { TopicFacts } from '../connector/topic-site.ts';
import type { Outcome } from './result.ts';
import type { KeyedTally } from './topic-side.ts';
import type { WalkResult } from './topic-walk.ts';

export interface PartitionResult extends WalkResult {
  readonly partition: number;
  readonly outcome: Outcome;
  readonly missing: KeyedTally;
  readonly extra: KeyedTally;
  readonly takenBack: KeyedTally;
  readonly unclear: KeyedTally;
}

/** A consumer group of the candidate whose place is not that of the primary's group. */
export interface GroupFinding {
  readonly group: string;
  readonly partition: number;
  /** `beyond-end`: behind the last record. `skips`: behind the record that the primary's group reads next. */
  readonly problem: 'beyond-end' | 'skips';
  readonly offset: bigint;
  /** The greatest offset at which nothing would be left out. */
  readonly most: bigint;
}

export interface TopicResult {
  readonly outcome: Outcome;
  readonly primary: TopicFacts;
  readonly candidate: TopicFacts;
  readonly partitions: readonly PartitionResult[];
  /** Groups on the candidate that were compared, and those that would leave records out after a promotion. */
  readonly groupsCompared: number;
  readonly groups: readonly GroupFinding[];
  /** Why something is not proven, or differs, in words. */
  readonly reasons: readonly string[];
}
