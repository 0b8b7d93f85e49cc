import type {
  GroupOffset,
  PartitionFacts,
  TakeNamed,
  TopicFacts,
  TopicSite,
} from '../connector/topic-site.ts';
import type { Outcome } from './result.ts';
import type { Timing } from './timing.ts';
import { topicReasons } from './topic-reasons.ts';
import type { GroupFinding, PartitionResult, TopicResult } from './topic-result.ts';
import type { KeyedTally, Tally } from './topic-side.ts';
import { TopicWalk, type WalkResult } from './topic-walk.ts';

export interface TopicVerifyOptions {
  /** How long the candidate may take to get what the primary had at its end, in milliseconds. */
  readonly applyWithinMs: number;
  readonly timing: Timing;
}

const POLL_MS = 100;
/** Of each kind of difference in a partition. */
const KEYS_MAX = 5;
/** Matched records of all partitions together, 20 bytes each. */
const REMEMBERED_ALL = 2 ** 22;

/**
 * Compares a topic with its replica on another cluster, record by record. The candidate's ends are read before the
 * primary's, so everything that the candidate holds up to there must be on the primary. Throws what the sites throw.
 */
export async function verifyTopic(
  primary: TopicSite,
  candidate: TopicSite,
  options: TopicVerifyOptions,
  signal: AbortSignal,
): Promise<TopicResult> {
  const theirGroups = await candidate.groupOffsets(signal);
  const theirs = await candidate.facts(signal);
  const ours = await primary.facts(signal);
  const ourGroups = await primary.groupOffsets(signal);
  const walks = new Map<number, TopicWalk>();
  const remembered = Math.floor(REMEMBERED_ALL / Math.max(ours.partitions.length, 1));
  for (const { partition } of ours.partitions) {
    const wanted = ourGroups.flatMap((one) => (one.partition === partition ? [one.offset] : []));
    const candidateEnd = theirs.partitions.find((one) => one.partition === partition)?.high ?? 0n;
    walks.set(partition, new TopicWalk({ candidateEnd, wanted, remembered }));
  }
  await walkAll(walks, { primary, candidate, ours, theirs }, options, signal);
  const partitions: PartitionResult[] = [];
  for (const [partition, walk] of walks) {
    const result = walk.result();
    const keyed = await withKeys(partition, result, { primary, candidate }, signal);
    partitions.push(Object.assign({ partition, outcome: outcomeOf(result) }, result, keyed));
  }
  const groups = groupFindings(walks, theirs, ourGroups, theirGroups);
  const reasons = topicReasons({ primary: ours, candidate: theirs, partitions, groups });
  return {
    outcome: overall(partitions, ours, theirs, groups),
    primary: ours,
    candidate: theirs,
    partitions,
    groupsCompared: new Set(theirGroups.map(({ group }) => group)).size,
    groups,
    reasons,
  };
}

interface Sites {
  readonly primary: TopicSite;
  readonly candidate: TopicSite;
  readonly ours: TopicFacts;
  readonly theirs: TopicFacts;
}

/** How far a site was read: partitions that have not come to an end yet. */
class Reached {
  readonly #left: Map<number, bigint>;

  constructor(partitions: readonly PartitionFacts[], endOf: (one: PartitionFacts) => bigint) {
    this.#left = new Map(partitions.map((one) => [one.partition, endOf(one)]));
  }

  passed(partition: number, behind: bigint): void {
    const end = this.#left.get(partition);
    if (end !== undefined && behind >= end) this.#left.delete(partition);
  }

  lacks(partition: number): boolean {
    return this.#left.has(partition);
  }

  get all(): boolean {
    return this.#left.size === 0;
  }
}

async function walkAll(
  walks: ReadonlyMap<number, TopicWalk>,
  { primary, candidate, ours, theirs }: Sites,
  { applyWithinMs, timing }: TopicVerifyOptions,
  signal: AbortSignal,
): Promise<void> {
  const enough = new AbortController();
  const stop = AbortSignal.any([signal, enough.signal]);
  const taking =
    (site: 'primary' | 'candidate', reached: readonly Reached[]): TakeNamed =>
    (partition, records, behind) => {
      for (const one of reached) one.passed(partition, behind);
      const walk = walks.get(partition);
      if (site === 'primary' && records.length === 0) walk?.begins(behind);
      walk?.feed(site, records);
      return walk === undefined || walk.hungry(site) ? null : untilHungry(walk, site, timing, stop);
    };
  const wait = (isDone: () => boolean, isLate: () => boolean): Promise<void> =>
    patience({ isDone, isLate, ms: applyWithinMs }, timing, stop);
  const readable = new Reached(ours.partitions, ({ high }) => high);
  const written = new Reached(ours.partitions, (one) => one.written);
  const got = new Reached(theirs.partitions, ({ high }) => high);
  const ends = new Map(ours.partitions.map((one) => [one.partition, one.written]));
  const endless = new Map(theirs.partitions.map(({ partition }) => [partition, 2n ** 63n]));
  const readings = [
    candidate.read(endless, taking('candidate', [got]), stop),
    primary.read(ends, taking('primary', [readable, written]), stop),
  ];
  // Else the other would be waited for, for ever.
  for (const reading of readings) reading.catch(() => enough.abort());
  try {
    // What stands in an open transaction may be on the candidate, and may yet be taken back.
    await wait(
      () => written.all,
      () => readable.all,
    );
    for (const [partition, walk] of walks) walk.end('primary', written.lacks(partition));
    // What is below its end the candidate has; only for what it is still to get is there a limit.
    await wait(
      () => got.all && [...walks.values()].every(({ pending }) => pending === 0),
      () => got.all,
    );
  } finally {
    enough.abort();
    await Promise.allSettled(readings);
  }
  await Promise.all(readings);
  signal.throwIfAborted();
  for (const walk of walks.values()) walk.end('candidate');
}

/** Returns when it is done, `ms` after it was late, or when aborted. */
async function patience(
  { isDone, isLate, ms }: { isDone: () => boolean; isLate: () => boolean; ms: number },
  timing: Timing,
  signal: AbortSignal,
): Promise<void> {
  let until = Infinity;
  while (!signal.aborted && !isDone() && timing.now() <= until) {
    if (until === Infinity && isLate()) until = timing.now() + ms;
    await timing.sleep(POLL_MS, signal).catch(() => undefined);
  }
}

async function untilHungry(
  walk: TopicWalk,
  site: 'primary' | 'candidate',
  timing: Timing,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted && !walk.hungry(site)) {
    await timing.sleep(POLL_MS / 10, signal).catch(() => undefined);
  }
}

/** Whatever goes wrong here leaves keys out; what was found stays. */
async function withKeys(
  partition: number,
  { missing, extra, takenBack, unclear }: WalkResult,
  { primary, candidate }: Pick<Sites, 'primary' | 'candidate'>,
  signal: AbortSignal,
): Promise<Pick<PartitionResult, 'missing' | 'extra' | 'takenBack' | 'unclear'>> {
  const keyed = async (site: TopicSite, { count, offsets }: Tally): Promise<KeyedTally> => {
    const wanted = offsets.slice(0, KEYS_MAX);
    const keys = await site.keysAt(partition, wanted, signal).catch(() => new Map<bigint, string | null>());
    signal.throwIfAborted();
    return { count, offsets, keys };
  };
  return {
    missing: await keyed(primary, missing),
    extra: await keyed(candidate, extra),
    takenBack: await keyed(candidate, takenBack),
    unclear: await keyed(candidate, unclear),
  };
}

function outcomeOf(result: WalkResult): Outcome {
  const { matched, missing, extra, takenBack, unclear, unrelated, open, behind } = result;
  const { olderOnPrimary, olderOnCandidate } = result;
  if (unrelated) return 'unproven';
  if ([missing, extra, takenBack].some(({ count }) => count > 0n)) return 'different';
  const hasNoneInCommon = matched === 0n && olderOnCandidate > 0n;
  const isShort = behind > 0n || open > 0n || unclear.count > 0n || olderOnPrimary > 0n;
  return isShort || hasNoneInCommon ? 'unproven' : 'same';
}

function overall(
  partitions: readonly PartitionResult[],
  ours: TopicFacts,
  theirs: TopicFacts,
  groups: readonly GroupFinding[],
): Outcome {
  const [here, there] = [ours.partitions.length, theirs.partitions.length];
  if (groups.length > 0 || there > here) return 'different';
  // Each cluster compacts in its own time: what is missing here may have been removed there.
  if (ours.compacted || theirs.compacted) return 'unproven';
  if (partitions.some(({ outcome }) => outcome === 'different')) return 'different';
  // Whoever replicates learns of new partitions minutes later.
  if (there < here) return 'unproven';
  return partitions.every(({ outcome }) => outcome === 'same') && partitions.length > 0 ? 'same' : 'unproven';
}

/** A group that reads on behind its place leaves records out; before it, it reads some twice, which is the usual case. */
function groupFindings(
  walks: ReadonlyMap<number, TopicWalk>,
  theirs: TopicFacts,
  ourGroups: readonly GroupOffset[],
  theirGroups: readonly GroupOffset[],
): readonly GroupFinding[] {
  return theirGroups.flatMap(({ group, partition, offset }): GroupFinding[] => {
    const end = theirs.partitions.find((one) => one.partition === partition)?.written;
    if (end === undefined) return [];
    if (offset > end) return [{ group, partition, offset, problem: 'beyond-end', most: end }];
    const own = ourGroups.find((one) => one.group === group && one.partition === partition);
    const walk = walks.get(partition);
    // A copy that came too long ago to be told may be the one to read on from.
    const isKnown = own !== undefined && walk?.result().unclear.count === 0n;
    const most = isKnown ? (walk?.translated(own.offset) ?? null) : null;
    return most !== null && offset > most ? [{ group, partition, offset, problem: 'skips', most }] : [];
  });
}
