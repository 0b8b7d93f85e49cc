import { TwinproofError } from '../../src/errors.ts';
import type { Broker, Cluster, Wish } from './cluster.ts';
import { topicIds } from './metadata.ts';
import { madeAnew } from './topic-log.ts';

/** What topics have to be like for as long as they are read. */
export interface Demanded {
  /** Topics that are read whole, and how many partitions they have: with more the reading ends. */
  readonly whole: ReadonlyMap<string, number>;
  /** Which topics are meant (metadata.ts): with another one of that name it ends. Those of which that is known. */
  readonly ids: ReadonlyMap<string, string>;
}

export class DemandedTopics {
  readonly #demanded: Demanded;

  constructor(demanded: Demanded) {
    this.#demanded = demanded;
  }

  /** A partition that was added since may hold changes already. Throws TP-STREAM-SETUP, retryable. */
  wholeIn(cluster: Cluster): void {
    for (const [topic, partitions] of this.#demanded.whole) {
      const now = cluster.findTopicPartitionMetadata(topic).length;
      if (now <= partitions) continue;
      throw new TwinproofError('TP-STREAM-SETUP', {
        message: `${topic} has ${now} partitions now, and ${partitions} are read`,
        hint: 'the reading begins again, with all of them',
        retryable: true,
      });
    }
  }

  /**
   * To be asked behind a fetch, of the same broker, which learns of a topic before it has its records: so what it gave
   * is of the topic that it names now, or of one before that. Throws TP-GAP for another topic, and errors of kafkajs.
   */
  async sameOn(broker: Broker, wishes: readonly Wish[]): Promise<void> {
    const { ids } = this.#demanded;
    const topics = [...new Set(wishes.map(({ topic }) => topic))].filter((topic) => ids.has(topic));
    for (const [topic, id] of await topicIds(broker, topics)) {
      if (id !== ids.get(topic)) throw madeAnew(topic);
    }
  }
}
