import type { Kafka } from 'kafkajs';
import type { SinkSettings } from '../../src/config/topics.ts';
import type { Position } from '../../src/connector/position.ts';
import { AdminShare } from './admin-share.ts';
import type { Brokers, Ends } from './brokers.ts';
import { ofCoordinators } from './coordinator.ts';
import { parsePosition, type Place, type Places, positionText } from './position.ts';
import { demandStanding } from './standing-log.ts';
import { feedTopics } from './topic-names.ts';

/** How long the list of topics is taken for what it was. */
const TOPICS_MS = 30_000;

interface SinkTopics {
  readonly clusterId: string;
  readonly names: readonly string[];
  readonly atMs: number;
}

/** What the group that writes a candidate has done by now, as bounds in the topics. */
export interface SinkPlace {
  readonly clusterId: string;
  /** Everything before the offsets that it has committed is written. */
  readonly written: Position;
  /** Some records behind those offsets were removed before it read them, or those offsets are of another log. */
  readonly overtaken: boolean;
  /** The ends of the topics as they were after those offsets: nothing behind them was written by then. */
  readonly ceiling: Position;
}

/**
 * The consumer group of a sink, asked by its offsets alone. What it commits it has written; what it has written and not
 * committed lies before the ends of the topics.
 */
export class SinkGroup {
  readonly #client: Kafka;
  readonly #share: AdminShare;
  readonly #settings: SinkSettings;
  readonly #prefix: string;
  readonly #now: () => number;
  #topics: SinkTopics | null = null;

  constructor(client: Kafka, prefix: string, settings: SinkSettings, now: () => number) {
    this.#client = client;
    this.#share = new AdminShare(client);
    this.#prefix = prefix;
    this.#settings = settings;
    this.#now = now;
  }

  get name(): string {
    return this.#settings.group;
  }

  clusterId(signal: AbortSignal): Promise<string> {
    return this.#share.ask(signal, async (_, brokers) => (await this.#names(brokers)).clusterId);
  }

  /**
   * Where it stands. A partition of which it has committed nothing counts from its oldest record on, and so does one
   * whose log ends before what it has committed: that was another log, which lost its end or was deleted.
   */
  place(signal: AbortSignal): Promise<SinkPlace> {
    return this.#share.ask(signal, async (admin, brokers) => {
      const { clusterId, names } = await this.#names(brokers);
      const wanted = { groupId: this.name, topics: [...names] };
      const committed = await ofCoordinators(() => admin.fetchOffsets(wanted), signal);
      const offsets = new Map<string, bigint>(
        committed.flatMap(({ topic, partitions }) =>
          partitions.map(({ partition, offset }) => [`${topic}:${partition}`, BigInt(offset)] as const),
        ),
      );
      const ends = await brokers.endsOf(names);
      const { places, overtaken } = writtenOf(offsets, ends);
      const written = positionText(clusterId, places, new Map(), 'floor');
      return { clusterId, written, overtaken, ceiling: ceilingAt(clusterId, ends) };
    });
  }

  /** The ends of the topics: nothing behind them can be written yet. */
  ceiling(signal: AbortSignal): Promise<Position> {
    return this.#share.ask(signal, async (_, brokers) => {
      const { clusterId, names } = await this.#names(brokers);
      return ceilingAt(clusterId, await brokers.endsOf(names));
    });
  }

  /** Throws TP-GAP where its topics are not what was read up to `position` any more. */
  demandLog(position: Position, signal: AbortSignal): Promise<void> {
    return this.#share.ask(signal, async (_, brokers) => {
      const { names } = await this.#names(brokers);
      const places = parsePosition(position)?.places ?? new Map<string, Place>();
      await demandStanding(this.#client, { places, ends: await brokers.endsOf(names) }, signal);
    });
  }

  /** Whether a member of the group is at work; null: it keeps its offsets without one, or that may not be seen. */
  isRunning(signal: AbortSignal): Promise<boolean | null> {
    return this.#share.ask(signal, async (admin, brokers) => {
      await this.#names(brokers);
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

  async #names(brokers: Brokers): Promise<{ readonly clusterId: string; readonly names: readonly string[] }> {
    const known = this.#topics;
    // Either way, should the clock be set.
    const isFresh = known !== null && Math.abs(this.#now() - known.atMs) < TOPICS_MS;
    const topics = isFresh ? known : await this.#asked(brokers);
    this.#topics = topics;
    await brokers.know(topics.names);
    return topics;
  }

  async #asked(brokers: Brokers): Promise<SinkTopics> {
    const facts = await brokers.facts();
    const { changes } = feedTopics(facts, this.#prefix, this.#settings.topics.tables);
    return { clusterId: facts.clusterId, names: changes, atMs: this.#now() };
  }
}

/** Nobody has anything behind the ends. */
export function ceilingAt(clusterId: string, ends: Ends): Position {
  const places: Places = new Map(
    [...ends].map(([name, { high, topicId }]) => [name, { offset: high, mark: null, topicId }]),
  );
  return positionText(clusterId, places, new Map(), 'ceiling');
}

/** Up to where everything was written, by what was committed (−1: nothing) before `ends` were asked for. Pure. */
export function writtenOf(
  committed: ReadonlyMap<string, bigint>,
  ends: Ends,
): { readonly places: Places; readonly overtaken: boolean } {
  const places = new Map<string, Place>();
  let overtaken = false;
  for (const [name, { low, high, topicId }] of ends) {
    const offset = committed.get(name) ?? -1n;
    const isOfAnother = offset > high;
    if (isOfAnother || (offset >= 0n && offset < low)) overtaken = true;
    places.set(name, { offset: offset < 0n || isOfAnother ? low : offset, mark: null, topicId });
  }
  return { places, overtaken };
}
