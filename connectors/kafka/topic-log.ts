import kafkajs from 'kafkajs';
import { TwinproofError } from '../../src/errors.ts';
import type { Brokers, ClusterFacts, End } from './brokers.ts';
import { isRefused } from './failure.ts';
import { isAnother, type Place, type Places } from './position.ts';

/** Where the reading of a partition begins. */
export interface PartitionStart {
  readonly partition: number;
  /** What was read so far. */
  readonly place: Place;
  /**
   * The offset to read from: some records early, which tell whether it is still the same log, and what its rows are.
   */
  readonly readFrom: bigint;
  /** It was read before. */
  readonly resumed: boolean;
  /** It came to a topic that was read before it had this partition. */
  readonly grown: boolean;
  /** Behind the newest record. */
  readonly high: bigint;
}

export interface TopicLog {
  readonly topic: string;
  readonly partitions: readonly PartitionStart[];
  /** Of a key only the newest record is kept: its history is not whole. */
  readonly compacted: boolean;
}

export interface WantedTopics {
  readonly topics: readonly string[];
  /** How far each partition was read; null: nothing was. */
  readonly stored: Places | null;
  /**
   * Those that say something of the others; where those were read without them, what they said until now is of no use.
   */
  readonly beside?: ReadonlySet<string>;
}

/**
 * Compares what was read of each partition with what is there. @throws TP-STREAM-SETUP for a topic that does not exist,
 * TP-GAP where records behind `stored` are gone, there are fewer than were read, or a partition is there no more.
 */
export async function startingPlaces(
  brokers: Brokers,
  { topics: there }: Pick<ClusterFacts, 'topics'>,
  { topics, stored, beside = new Set() }: WantedTopics,
): Promise<readonly TopicLog[]> {
  const missing = topics.filter((topic) => !there.has(topic));
  if (missing.length > 0) {
    throw new TwinproofError('TP-STREAM-SETUP', {
      message: `no topic ${missing.join(', ')}, or none that may be seen`,
      hint: 'check the names; an ACL for DESCRIBE on a topic is needed to see it',
    });
  }
  const compacted = await compactedTopics(brokers, topics);
  const ends = [...(await brokers.endsOf(topics)).values()];
  return Promise.all(
    topics.map(async (topic) => {
      const offsets = ends.filter((one) => one.topic === topic);
      const isCompacted = compacted.has(topic);
      const before = storedOf(topic, stored);
      demandAll(topic, before, offsets.length);
      const wasRead = before.size > 0;
      const isNewBeside = stored !== null && !wasRead && beside.has(topic);
      const since = isNewBeside ? await offsetsSince(brokers, topic, stored) : new Map<number, bigint>();
      const partitions = offsets.map((end) => {
        const { partition } = end;
        const unread: Place = { offset: since.get(partition) ?? 0n, mark: null };
        const isNew = stored === null || (!wasRead && !isNewBeside);
        const known = isNew ? null : (before.get(partition) ?? unread);
        const grown = wasRead && !before.has(partition);
        return startOf(`${topic}:${partition}`, { known, grown, isCompacted }, end);
      });
      return { topic, partitions, compacted: isCompacted };
    }),
  );
}

/** Of `topic:partition`. */
export function topicOf(name: string): string {
  return name.slice(0, name.lastIndexOf(':'));
}

function storedOf(topic: string, stored: Places | null): ReadonlyMap<number, Place> {
  const own = [...(stored ?? [])].filter(([name]) => topicOf(name) === topic);
  return new Map(own.map(([name, place]) => [Number(name.slice(topic.length + 1)), place]));
}

/** Topics do not lose partitions. */
function demandAll(topic: string, before: ReadonlyMap<number, Place>, partitions: number): void {
  for (const [partition, { offset }] of before) {
    if (partition >= partitions && offset > 0n) throw otherLog(`${topic}:${partition}`);
  }
}

/** Records that are read once more: the newest may be tombstones, which say nothing of their table. */
export const LOOK_BACK = 8n;

/**
 * By partition: the first record that came behind the newest one that was read of any topic; behind all where none did.
 */
async function offsetsSince(
  { admin }: Brokers,
  topic: string,
  stored: Places,
): Promise<ReadonlyMap<number, bigint>> {
  const times = [...stored.values()].map(({ mark }) => Number(mark?.split('.')[0] ?? 0));
  const found = await admin.fetchTopicOffsetsByTimestamp(topic, Math.max(0, ...times) + 1);
  return new Map(found.map(({ partition, offset }) => [partition, BigInt(offset)]));
}

function startOf(
  name: string,
  read: {
    readonly known: Place | null;
    readonly grown: boolean;
    readonly isCompacted: boolean;
  },
  { partition, low, high, topicId }: End,
): PartitionStart {
  const { known, grown, isCompacted } = read;
  if (known === null) {
    const place = { offset: low, mark: null, topicId };
    return { partition, place, readFrom: low, resumed: false, grown, high };
  }
  if (isAnother(known, { topicId })) throw madeAnew(name);
  const { offset, mark } = known;
  if (offset < low) {
    throw new TwinproofError('TP-GAP', {
      message: `records of ${name} from offset ${offset} to ${low} were removed before they were read`,
      hint: 'the retention of the topic was shorter than the time in which nobody read: raise it, and take a new baseline',
    });
  }
  if (offset > high) {
    throw new TwinproofError('TP-GAP', {
      message: `${name} ends at offset ${high}, before ${offset}, up to where it was read: it was made anew, or its log lost its end`,
      hint: 'see whether somebody deleted the topic, or an unclean leader election cut it off; a new baseline is needed',
    });
  }
  // The record that was read last may have been compacted away.
  const looksBack = mark !== null && offset > low && !isCompacted;
  const early = offset - LOOK_BACK > low ? offset - LOOK_BACK : low;
  const readFrom = looksBack ? early : offset;
  const place = { ...known, topicId: topicId ?? known.topicId ?? null };
  return { partition, place, readFrom, resumed: true, grown, high };
}

/** Without the right to see it (DESCRIBE_CONFIGS on a topic) all count as compacted. */
export async function compactedTopics(
  brokers: Brokers,
  topics: readonly string[],
): Promise<ReadonlySet<string>> {
  await brokers.know(topics);
  const answer = await brokers.admin
    .describeConfigs({
      includeSynonyms: false,
      resources: topics.map((name) => ({
        type: kafkajs.ConfigResourceTypes.TOPIC,
        name,
        configNames: ['cleanup.policy'],
      })),
    })
    .catch((error: unknown) => {
      if (isRefused(error)) return null;
      throw error;
    });
  if (answer === null) return new Set(topics);
  const { resources } = answer;
  const isCompacted = (value: string): boolean => value.split(',').some((one) => one.trim() === 'compact');
  return new Set(
    resources
      .filter(({ configEntries }) => configEntries.some(({ configValue }) => isCompacted(configValue)))
      .map(({ resourceName }) => resourceName),
  );
}

/** Which topics are read, as far as the brokers say. */
export function idsOf(logs: readonly TopicLog[]): ReadonlyMap<string, string> {
  return new Map(
    logs.flatMap(({ topic, partitions }) => {
      const id = partitions[0]?.place.topicId;
      return id == null ? [] : [[topic, id] as const];
    }),
  );
}

export function madeAnew(name: string): TwinproofError {
  return new TwinproofError('TP-GAP', {
    message: `${name} is of another topic than the one that was read: that was deleted and made anew under its name`,
    hint: 'see who deleted it (its TopicId is another one); what it held last may never have been read: a new baseline is needed',
  });
}

export function otherLog(name: string): TwinproofError {
  return new TwinproofError('TP-GAP', {
    message: `${name} does not hold the record that was read there last: the topic was made anew, or its log lost its end`,
    hint: 'see whether somebody deleted the topic, or an unclean leader election cut it off; a new baseline is needed',
  });
}
