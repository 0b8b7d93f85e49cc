import kafkajs, { type Admin } from 'kafkajs';
import { TwinproofError } from '../../src/errors.ts';
import { isRefused } from './failure.ts';
import type { Place, Places } from './position.ts';

/** Where the reading of a partition begins. */
export interface PartitionStart {
  readonly partition: number;
  /** What was read so far. */
  readonly place: Place;
  /** The offset to read from: some records early, which tell whether it is still the same log, and what its rows are. */
  readonly readFrom: bigint;
  /** It was read before. */
  readonly resumed: boolean;
  /** Behind the newest record. */
  readonly high: bigint;
}

export interface TopicLog {
  readonly topic: string;
  readonly partitions: readonly PartitionStart[];
  /** Of a key only the newest record is kept: its history is not whole. */
  readonly compacted: boolean;
}

/**
 * Compares what was read of each partition with what is there. @throws TP-STREAM-SETUP for a topic that does not exist,
 * TP-GAP where records behind `stored` are gone, or there are fewer than were read.
 */
export async function startingPlaces(
  admin: Admin,
  topics: readonly string[],
  stored: Places | null,
): Promise<readonly TopicLog[]> {
  const there = new Set(await admin.listTopics());
  const missing = topics.filter((topic) => !there.has(topic));
  if (missing.length > 0) {
    throw new TwinproofError('TP-STREAM-SETUP', {
      message: `no topic ${missing.join(', ')}, or none that may be seen`,
      hint: 'check the names; an ACL for DESCRIBE on a topic is needed to see it',
    });
  }
  const compacted = await compactedTopics(admin, topics);
  return Promise.all(
    topics.map(async (topic) => {
      const offsets = await admin.fetchTopicOffsets(topic);
      const partitions = offsets.map(({ partition, low, high }) => {
        const known = stored === null ? null : (stored.get(`${topic}:${partition}`) ?? NOTHING_READ);
        return startOf(`${topic}:${partition}`, partition, known, { low: BigInt(low), high: BigInt(high) });
      });
      return { topic, partitions, compacted: compacted.has(topic) };
    }),
  );
}

/** Records that are read once more: the newest may be tombstones, which say nothing of their table. */
const LOOK_BACK = 8n;

const NOTHING_READ: Place = { offset: 0n, mark: null };

function startOf(
  name: string,
  partition: number,
  known: Place | null,
  { low, high }: { readonly low: bigint; readonly high: bigint },
): PartitionStart {
  if (known === null) {
    return { partition, place: { offset: low, mark: null }, readFrom: low, resumed: false, high };
  }
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
  const looksBack = mark !== null && offset > low;
  const early = offset - LOOK_BACK > low ? offset - LOOK_BACK : low;
  return { partition, place: known, readFrom: looksBack ? early : offset, resumed: true, high };
}

/** Without the right to see it (DESCRIBE_CONFIGS on a topic) all count as compacted. */
export async function compactedTopics(admin: Admin, topics: readonly string[]): Promise<ReadonlySet<string>> {
  const answer = await admin
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
