import type { Places } from './position.ts';
import type { TopicLog } from './topic-log.ts';

interface Gap {
  readonly topic: string;
  readonly reason: string;
}

/**
 * Topics that have more partitions than when they were read last. Keys go to other partitions from then on, and nothing
 * tells in which order partitions have to be read: until everything that was there when it was noticed has been handed
 * out, an older record of a row may come behind a newer one.
 */
export class TopicGrowth {
  /** By topic: ends of the partitions that it had, as of the beginning. */
  readonly #growing = new Map<string, ReadonlyMap<string, bigint>>();

  constructor(logs: readonly TopicLog[]) {
    for (const { topic, partitions } of logs) {
      if (!partitions.some(({ grown }) => grown)) continue;
      const old = partitions.filter(({ grown }) => !grown);
      this.#growing.set(topic, new Map(old.map(({ partition, high }) => [`${topic}:${partition}`, high])));
    }
  }

  /** Of topics that have grown: what was known of their tables counts no more. */
  get begun(): readonly Gap[] {
    return [...this.#growing.keys()].map(gapOf);
  }

  /** Topics of which everything older than their growth is before `places`, each once. */
  settled(places: Places): readonly Gap[] {
    const found: Gap[] = [];
    for (const [topic, ends] of this.#growing) {
      if (![...ends].every(([name, high]) => (places.get(name)?.offset ?? 0n) >= high)) continue;
      this.#growing.delete(topic);
      found.push(gapOf(topic));
    }
    return found;
  }
}

function gapOf(topic: string): Gap {
  return { topic, reason: `${topic} has more partitions than before: keys went to others` };
}
