import type { GroupOffset, NamedRecord, TakeNamed, TopicFacts, TopicSite } from '../connector/topic-site.ts';
import type { Outcome } from './result.ts';
import type { Timing } from './timing.ts';
import { TopicWalk, type WalkResult } from './topic-walk.ts';

export interface TopicVerifyOptions {
  /** How long the candidate may take to get what the primary had at its end, in milliseconds. */
  readonly applyWithinMs: number;
  readonly timing: Timing;
}

export interface PartitionResult extends WalkResult {
  readonly partition: number;
  readonly outcome: Outcome;
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

const POLL_MS = 100;

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
  for (const { partition } of ours.partitions) {
    const wanted = ourGroups.flatMap((one) => (one.partition === partition ? [one.offset] : []));
    const end = theirs.partitions.find((one) => one.partition === partition)?.high ?? 0n;
    walks.set(partition, new TopicWalk(end, wanted));
  }
  await walkAll(walks, { primary, candidate, ours, theirs }, options, signal);
  const partitions = [...walks].map(([partition, walk]): PartitionResult => {
    const result = walk.result();
    return Object.assign({ partition, outcome: outcomeOf(result) }, result);
  });
  const groups = groupFindings(walks, theirs, ourGroups, theirGroups);
  const reasons = reasonsOf(ours, theirs, partitions, groups);
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

async function walkAll(
  walks: ReadonlyMap<number, TopicWalk>,
  { primary, candidate, ours, theirs }: Sites,
  { applyWithinMs, timing }: TopicVerifyOptions,
  signal: AbortSignal,
): Promise<void> {
  const enough = new AbortController();
  const taking = (site: 'primary' | 'candidate') => (partition: number, records: readonly NamedRecord[]) => {
    const walk = walks.get(partition);
    walk?.feed(site, records);
    if (walk === undefined || walk.hungry(site)) return null;
    return untilHungry(walk, site, timing, AbortSignal.any([signal, enough.signal]));
  };
  const ends = new Map(ours.partitions.map(({ partition, high }) => [partition, high]));
  const endless = new Map(theirs.partitions.map(({ partition }) => [partition, 2n ** 63n]));
  const reached = new Set(
    theirs.partitions.filter(({ high, low }) => high === low).map((one) => one.partition),
  );
  const takeCandidate: TakeNamed = (partition, records, behind) => {
    const end = theirs.partitions.find((one) => one.partition === partition)?.high ?? 0n;
    if (behind >= end) reached.add(partition);
    return taking('candidate')(partition, records);
  };
  const stop = AbortSignal.any([signal, enough.signal]);
  const reading = candidate.read(endless, takeCandidate, stop);
  // Else the primary would wait for it for ever.
  reading.catch(() => enough.abort());
  try {
    await primary.read(ends, taking('primary'), stop);
    for (const walk of walks.values()) walk.end('primary');
    const late = timing.now() + applyWithinMs;
    const isThrough = (): boolean =>
      reached.size === theirs.partitions.length && [...walks.values()].every(({ pending }) => pending === 0);
    // What is below its end the candidate has; only for what it is still to get is there a limit.
    while (!enough.signal.aborted && !isThrough()) {
      if (reached.size === theirs.partitions.length && timing.now() > late) break;
      await timing.sleep(POLL_MS, signal);
    }
  } finally {
    enough.abort();
    await reading;
  }
  signal.throwIfAborted();
  for (const walk of walks.values()) walk.end('candidate');
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

function outcomeOf({ missing, extra, unrelated, behind, olderOnPrimary }: WalkResult): Outcome {
  if (unrelated) return 'unproven';
  if (missing.count > 0n || extra.count > 0n) return 'different';
  return behind > 0n || olderOnPrimary > 0n ? 'unproven' : 'same';
}

function overall(
  partitions: readonly PartitionResult[],
  ours: TopicFacts,
  theirs: TopicFacts,
  groups: readonly GroupFinding[],
): Outcome {
  if (ours.partitions.length !== theirs.partitions.length) return 'different';
  // Each cluster compacts in its own time: what is missing here may have been removed there.
  if (ours.compacted || theirs.compacted) return 'unproven';
  if (groups.length > 0 || partitions.some(({ outcome }) => outcome === 'different')) return 'different';
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
    const high = theirs.partitions.find((one) => one.partition === partition)?.high;
    if (high === undefined) return [];
    if (offset > high) return [{ group, partition, offset, problem: 'beyond-end', most: high }];
    const own = ourGroups.find((one) => one.group === group && one.partition === partition);
    const most = own === undefined ? null : (walks.get(partition)?.translated(own.offset) ?? null);
    return most !== null && offset > most ? [{ group, partition, offset, problem: 'skips', most }] : [];
  });
}

function reasonsOf(
  ours: TopicFacts,
  theirs: TopicFacts,
  partitions: readonly PartitionResult[],
  groups: readonly GroupFinding[],
): readonly string[] {
  const reasons: string[] = [];
  const [here, there] = [ours.partitions.length, theirs.partitions.length];
  if (here !== there) reasons.push(`the primary’s topic has ${here} partitions and the candidate’s ${there}`);
  if (ours.compacted || theirs.compacted) {
    reasons.push(
      'the topic is compacted, or that may not be seen: each cluster removes records in its own time',
    );
  }
  for (const one of partitions) {
    const at = `partition ${one.partition}`;
    if (one.unrelated) reasons.push(`${at}: no record of one site was found on the other`);
    if (one.missing.count > 0n)
      reasons.push(`${at}: ${one.missing.count} records are missing on the candidate`);
    if (one.extra.count > 0n) reasons.push(`${at}: ${one.extra.count} records are on the candidate only`);
    if (one.repeated.count > 0n)
      reasons.push(`${at}: ${one.repeated.count} records came to the candidate twice`);
    if (one.behind > 0n) reasons.push(`${at}: ${one.behind} records had not come to the candidate in time`);
    if (one.olderOnPrimary > 0n) {
      reasons.push(
        `${at}: the primary keeps ${one.olderOnPrimary} older records that the candidate does not`,
      );
    }
  }
  for (const { group, partition, offset, most } of groups) {
    reasons.push(
      `group ${group}, partition ${partition}: its offset ${offset} on the candidate lies behind ${most}: it would leave records out`,
    );
  }
  return reasons;
}
