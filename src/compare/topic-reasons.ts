import type { TopicFacts } from '../connector/topic-site.ts';
import type { GroupFinding, PartitionResult, TopicResult } from './topic-result.ts';
import type { KeyedTally, Tally } from './topic-side.ts';

const OFFSETS_MAX = 5;

/** Why the answer is what it is, in words; the same for everything that stands in the result. Pure. */
export function topicReasons({
  primary,
  candidate,
  partitions,
  groups,
}: Pick<TopicResult, 'primary' | 'candidate' | 'partitions' | 'groups'>): readonly string[] {
  return [
    ...ofTopics(primary, candidate),
    ...partitions.flatMap((one) => ofPartition(one).map((text) => `partition ${one.partition}: ${text}`)),
    ...groups.map(ofGroup),
  ];
}

function ofTopics(ours: TopicFacts, theirs: TopicFacts): readonly string[] {
  const reasons: string[] = [];
  const [here, there] = [ours.partitions.length, theirs.partitions.length];
  if (here !== there) reasons.push(`the primary’s topic has ${here} partitions and the candidate’s ${there}`);
  if (ours.compacted || theirs.compacted) {
    reasons.push(
      'the topic is compacted, or that may not be seen: each cluster removes records in its own time',
    );
  }
  return reasons;
}

function ofPartition(one: PartitionResult): readonly string[] {
  const { missing, extra, takenBack, unclear, repeated, open, behind, olderOnPrimary } = one;
  const reasons: string[] = [];
  if (one.unrelated) reasons.push('no record of one site was found on the other');
  if (missing.count > 0n) reasons.push(`${are(missing)} missing on the candidate${at('primary', missing)}`);
  if (extra.count > 0n) reasons.push(`${are(extra)} on the candidate only${at('candidate', extra)}`);
  if (takenBack.count > 0n) {
    reasons.push(
      `${are(takenBack)} on the candidate that a producer on the primary took back${at('candidate', takenBack)}: let the consumer of what replicates read with isolation.level=read_committed`,
    );
  }
  if (repeated.count > 0n) reasons.push(`${counted(repeated.count)} came to the candidate twice`);
  if (unclear.count > 0n) {
    reasons.push(
      `${are(unclear)} on the candidate either twice, too far apart to be told, or on it only${at('candidate', unclear)}`,
    );
  }
  if (open > 0n) {
    reasons.push(
      `${counted(open)} of the candidate cannot be judged yet: on the primary a producer’s transaction is still open (kafka-transactions.sh list and find-hanging tell whose)`,
    );
  }
  if (behind > 0n) reasons.push(`${counted(behind)} had not come to the candidate in time`);
  if (olderOnPrimary > 0n) {
    reasons.push(`the primary keeps ${counted(olderOnPrimary, 'older ')} that the candidate does not`);
  }
  if (one.matched === 0n && one.olderOnCandidate > 0n) {
    reasons.push(
      `the primary keeps none of its records any more: ${counted(one.olderOnCandidate)} of the candidate cannot be compared`,
    );
  }
  return reasons;
}

function ofGroup({ group, partition, offset, most }: GroupFinding): string {
  return `group ${group}, partition ${partition}: its offset ${offset} on the candidate lies behind ${most}: it would leave records out`;
}

function are(tally: Tally): string {
  return `${counted(tally.count)} ${tally.count === 1n ? 'is' : 'are'}`;
}

function counted(count: bigint, kind = ''): string {
  return `${count} ${kind}${count === 1n ? 'record' : 'records'}`;
}

function at(site: 'primary' | 'candidate', { count, offsets, keys }: KeyedTally): string {
  const first = offsets.slice(0, OFFSETS_MAX).map((offset) => {
    const key = keys.get(offset);
    return key === undefined ? `${offset}` : `${offset} ${key === null ? 'without a key' : `key ${key}`}`;
  });
  const more = count > BigInt(OFFSETS_MAX) ? ', …' : '';
  return ` (${count === 1n ? 'offset' : 'offsets'} ${first.join(', ')}${more} on the ${site})`;
}
