import type { Admin, Kafka } from 'kafkajs';
import type { SinkSettings } from '../../src/config/topics.ts';
import type { Position } from '../../src/connector/position.ts';
import { AdminShare } from './admin-share.ts';
import { ofCoordinators } from './coordinator.ts';
import { type Place, type Places, positionText } from './position.ts';
import { readFeedTopics } from './topic-names.ts';

/** How long the list of topics is taken for what it was. */
const TOPICS_MS = 30_000;

/** What the group that writes a candidate has done by now, as bounds in the topics. */
export interface SinkPlace {
  readonly clusterId: string;
  /** Everything before the offsets that it has committed is written. */
  readonly written: Position;
  /** Some records behind those offsets were removed before it read them. */
  readonly overtaken: boolean;
  /** The ends of the topics as they were after those offsets: nothing behind them was written by then. */
  readonly ceiling: Position;
}

/**
 * The consumer group of a sink, asked by its offsets alone. What it commits it has written; what it has written and not
 * committed lies before the ends of the topics.
 */
export class SinkGroup {
  readonly #share: AdminShare;
  readonly #settings: SinkSettings;
  readonly #prefix: string;
  readonly #now: () => number;
  #topics: { readonly clusterId: string; readonly names: readonly string[]; readonly atMs: number } | null =
    null;

  constructor(client: Kafka, prefix: string, settings: SinkSettings, now: () => number) {
    this.#share = new AdminShare(client);
    this.#prefix = prefix;
    this.#settings = settings;
    this.#now = now;
  }

  get name(): string {
    return this.#settings.group;
  }

  clusterId(signal: AbortSignal): Promise<string> {
    return this.#share.ask(signal, async (admin) => (await this.#names(admin)).clusterId);
  }

  /** Where it stands. A partition of which it has committed nothing counts from its oldest record on. */
  place(signal: AbortSignal): Promise<SinkPlace> {
    return this.#share.ask(signal, async (admin) => {
      const { clusterId, names } = await this.#names(admin);
      const committed = await admin.fetchOffsets({ groupId: this.name, topics: [...names] });
      const offsets = new Map<string, bigint>(
        committed.flatMap(({ topic, partitions }) =>
          partitions.map(({ partition, offset }) => [`${topic}:${partition}`, BigInt(offset)] as const),
        ),
      );
      const places = new Map<string, Place>();
      let overtaken = false;
      const ends = await endsOf(admin, names);
      for (const [name, { low }] of ends) {
        // -1: nothing committed.
        const offset = offsets.get(name) ?? -1n;
        if (offset >= 0n && offset < low) overtaken = true;
        places.set(name, { offset: offset < 0n ? low : offset, mark: null });
      }
      const written = positionText(clusterId, places, new Map(), 'floor');
      return { clusterId, written, overtaken, ceiling: ceilingAt(clusterId, ends) };
    });
  }

  /** The ends of the topics: nothing behind them can be written yet. */
  ceiling(signal: AbortSignal): Promise<Position> {
    return this.#share.ask(signal, async (admin) => {
      const { clusterId, names } = await this.#names(admin);
      return ceilingAt(clusterId, await endsOf(admin, names));
    });
  }

  /** Whether a member of the group is at work; null: it keeps its offsets without one, or that may not be seen. */
  isRunning(signal: AbortSignal): Promise<boolean | null> {
    return this.#share.ask(signal, async (admin) => {
      const { groups } = await ofCoordinators(() => admin.describeGroups([this.name]), signal);
      const [group] = groups;
      if (group === undefined) return null;
      if (group.state === 'Stable' || group.state === 'CompletingRebalance') return group.members.length > 0;
      return group.state === 'Empty' || group.state === 'Dead' ? false : null;
    });
  }

  close(): Promise<void> {
    return this.#share.close();
  }

  async #names(admin: Admin): Promise<{ readonly clusterId: string; readonly names: readonly string[] }> {
    const known = this.#topics;
    // Either way, should the clock be set.
    if (known !== null && Math.abs(this.#now() - known.atMs) < TOPICS_MS) return known;
    const { clusterId } = await admin.describeCluster();
    const { changes } = await readFeedTopics(admin, this.#prefix, this.#settings.topics.tables);
    this.#topics = { clusterId, names: changes, atMs: this.#now() };
    return this.#topics;
  }
}

/** `topic:partition` → offset of the oldest record, and behind the newest. */
type Ends = ReadonlyMap<string, { readonly low: bigint; readonly high: bigint }>;

/** Nobody has anything behind the ends. */
export function ceilingAt(clusterId: string, ends: Ends): Position {
  const places: Places = new Map([...ends].map(([name, { high }]) => [name, { offset: high, mark: null }]));
  return positionText(clusterId, places, new Map(), 'ceiling');
}

export async function endsOf(admin: Admin, topics: readonly string[]): Promise<Ends> {
  const ends = new Map<string, { readonly low: bigint; readonly high: bigint }>();
  const found = await Promise.all(
    topics.map(async (topic) => ({ topic, offsets: await admin.fetchTopicOffsets(topic) })),
  );
  for (const { topic, offsets } of found) {
    for (const { partition, low, high } of offsets) {
      ends.set(`${topic}:${partition}`, { low: BigInt(low), high: BigInt(high) });
    }
  }
  return ends;
}
