import type { Kafka } from 'kafkajs';
import { selecting } from '../../src/config/selection.ts';
import type { TopicSettings } from '../../src/config/topics.ts';
import type { SiteAddress } from '../../src/config/url.ts';
import type { Capabilities } from '../../src/connector/capabilities.ts';
import type { ChangeRequest, ChangeStream, StreamedTable } from '../../src/connector/changes.ts';
import type { Connector, Range } from '../../src/connector/contract.ts';
import type { ReadinessFacts } from '../../src/connector/facts.ts';
import type { Identity } from '../../src/connector/identity.ts';
import type {
  FollowedSource,
  LedgerSite,
  SourceTable,
  WitnessReading,
} from '../../src/connector/ledger-sites.ts';
import type { Position, PositionOrder } from '../../src/connector/position.ts';
import type { PairKind, TableDescription, TableSelection } from '../../src/connector/table.ts';
import { TwinproofError } from '../../src/errors.ts';
import { AdminShare } from './admin-share.ts';
import type { ClusterFacts } from './brokers.ts';
import { kafkaClient } from './client.ts';
import { FeedNotes, type NotedTable } from './feed-notes.ts';
import { TopicsAlone } from './topics-alone.ts';
import { comparePositions } from './position.ts';
import { ceilingAt } from './sink-group.ts';
import { signedKey } from './store-order.ts';
import { descriptionOf, noFacts, notTold } from './topic-facts.ts';
import { topicAddress } from './topic-address.ts';
import { compactedTopics } from './topic-log.ts';
import { type FeedTopics, feedTopics } from './topic-names.ts';
import { notedSources, silentSources } from './topic-sources.ts';
import { openTopicStream } from './topic-stream.ts';

const CAPABILITIES: Capabilities = {
  ranges: false,
  blockRanges: false,
  changes: true,
  totalOrder: false,
  beforeImages: false,
  rowVersions: false,
};
/** How long the brokers may wait for records: what is new is handed out at once. */
const WAIT_MS = 500;
/** How long the first reading of everything is waited for before the question is asked again. */
const CAUGHT_UP_MS = 30_000;

/**
 * A database that is known by the topics alone that Debezium writes of it. `kafka://user@broker:9092/PREFIX`; the
 * password in KAFKA_PASSWORD or the configuration. Throws TP-URL, TP-TLS, and what the brokers answer.
 */
export async function connectTopics(
  address: SiteAddress,
  settings: TopicSettings,
  signal: AbortSignal,
): Promise<TopicPrimary> {
  const { kafka, topic: prefix } = topicAddress(address, process.env);
  const site = new TopicPrimary(await kafkaClient(kafka), prefix, settings);
  try {
    await site.identify(signal);
  } catch (error) {
    await site.close();
    throw error;
  }
  return site;
}

/** One that has read nothing yet knows no table: descriptions come with the stream. */
export class TopicPrimary extends TopicsAlone implements Connector, LedgerSite {
  readonly engine = 'kafka';
  readonly capabilities = CAPABILITIES;
  readonly #client: Kafka;
  readonly #prefix: string;
  readonly #settings: TopicSettings;
  readonly #share: AdminShare;
  readonly #notes = new FeedNotes();
  readonly #caughtUp: Promise<void>;
  #setCaughtUp: () => void = () => undefined;
  #isCaughtUp = false;
  #streamed: FeedTopics | null = null;
  #compacted: ReadonlySet<string> = new Set();
  #known: readonly string[] = [];
  /** Ends the stream. */
  readonly #renewal = new AbortController();

  constructor(client: Kafka, prefix: string, settings: TopicSettings) {
    super();
    this.#client = client;
    this.#prefix = prefix;
    this.#settings = settings;
    this.#share = new AdminShare(client);
    this.#caughtUp = new Promise((resolve) => {
      this.#setCaughtUp = () => {
        this.#isCaughtUp = true;
        resolve();
      };
    });
  }

  identify(signal: AbortSignal): Promise<Identity> {
    const prefix = this.#prefix;
    return this.#share.ask(signal, async (_, asked) => {
      const { clusterId, brokers } = await asked.facts();
      return {
        engine: this.engine,
        version: '',
        systemId: clusterId,
        instance: `${clusterId}/${prefix}`,
        timeline: null,
        role: 'primary',
        writable: true,
        database: prefix,
        databases: [prefix],
        address: brokers.join(','),
        // Brokers tell no time; what the ledger has to know is when it asked.
        serverTime: new Date().toISOString(),
      };
    });
  }

  async describeTables(selection: TableSelection, signal: AbortSignal): Promise<readonly TableDescription[]> {
    await this.#untilCaughtUp(signal);
    return this.#selected(selection).map(({ table }) => descriptionOf(table));
  }

  comparePositions(a: Position, b: Position): PositionOrder {
    return comparePositions(a, b);
  }

  readiness(): Promise<ReadinessFacts> {
    return Promise.resolve(noFacts());
  }

  async streamChanges(
    { after, pair, known = [] }: ChangeRequest,
    signal: AbortSignal,
  ): Promise<ChangeStream> {
    if (pair !== 'cross-engine') throw new TwinproofError('TP-BUG', { message: `a ${pair} pair of topics` });
    const topics = await this.#topics(signal);
    this.#compacted = await this.#share.ask(signal, (_, brokers) => compactedTopics(brokers, topics.changes));
    this.#streamed = topics;
    this.#known = known;
    const { decimals, times, binary, dates, columns, wholeBefore, placeholder } = this.#settings;
    const options = {
      topics: topics.changes,
      feed: { prefix: this.#prefix, beside: topics.beside, known },
      decoder: {
        settings: { decimals, times, binary, dates },
        declared: columns,
        beforeImages: wholeBefore,
        placeholder,
      },
      waitMs: WAIT_MS,
      notes: this.#notes,
      onCaughtUp: this.#setCaughtUp,
    };
    return openTopicStream(this.#client, options, after, AbortSignal.any([signal, this.#renewal.signal]));
  }

  /** `notTold` is for the list of what is not proven. */
  async followedSource(signal: AbortSignal): Promise<FollowedSource> {
    const { systemId, database } = await this.identify(signal);
    const { beside } = await this.#topics(signal);
    return {
      engine: this.engine,
      systemId,
      timeline: null,
      details: {
        prefix: database,
        heldBackBy: '',
        notTold: JSON.stringify(notTold(beside, this.#notes.untiedTransactions)),
      },
    };
  }

  signedKey(table: StreamedTable): readonly boolean[] {
    return signedKey(table);
  }

  /**
   * As their newest records have them, and those of which no record tells. A topic or a partition that came since the
   * stream began ends it, for it has to be streamed from its beginning.
   */
  async sourceTables(
    selection: TableSelection,
    _pair: PairKind,
    signal: AbortSignal,
  ): Promise<readonly SourceTable[]> {
    await this.#untilCaughtUp(signal);
    const topics = await this.#topics(signal);
    const renewed = this.#streamed === null ? null : outgrown(this.#streamed, topics);
    if (renewed !== null) {
      this.#renewal.abort(renewed);
      throw renewed;
    }
    const { changes } = this.#streamed ?? topics;
    const about = { prefix: this.#prefix, topics: changes, compacted: this.#compacted, known: this.#known };
    return [...notedSources(this.#selected(selection), about), ...silentSources(this.#notes.tables, about)];
  }

  /**
   * The ends of the topics, and when the newest change that was read was committed, on the database's clock: the
   * connector hands changes on in the order of the database's log, so every one committed before lies before that.
   */
  async witness(signal: AbortSignal): Promise<WitnessReading> {
    const timeUs = this.#notes.newestUs ?? 0n;
    const deliveryMs = this.#notes.delivery?.ms;
    const position = await this.#share.ask(signal, async (_, brokers) => {
      const facts = await brokers.facts();
      // A bound: what else the stream reads does not count. What stands in a producer's open transaction was written
      // before what was read elsewhere, perhaps.
      return ceilingAt(facts.clusterId, await brokers.endsOf(this.#feed(facts).changes));
    });
    return { position, timeUs, past: true, deliveryMs };
  }

  commitsVisible(): Promise<void> {
    return Promise.resolve();
  }

  /** Rows come with a snapshot in the topics, or not at all. */
  planLeaf({ leaf }: SourceTable): Promise<readonly Range[]> {
    return Promise.reject(
      new TwinproofError('TP-QUERY', {
        message: `the topics have not brought a whole snapshot of ${leaf}`,
        hint: 'let the connector make one (snapshot.mode, or a blocking snapshot by signal): the database itself is not read',
      }),
    );
  }

  close(): Promise<void> {
    return this.#share.close();
  }

  #selected(selection: TableSelection): readonly NotedTable[] {
    const selects = selecting(selection);
    return this.#notes.tables.filter(({ table }) => {
      const { schema, table: name } = descriptionOf(table);
      return selects(schema, name);
    });
  }

  #topics(signal: AbortSignal): Promise<FeedTopics> {
    return this.#share.ask(signal, async (_, brokers) => this.#feed(await brokers.facts()));
  }

  #feed(facts: ClusterFacts): FeedTopics {
    return feedTopics(facts, this.#prefix, this.#settings.tables);
  }

  async #untilCaughtUp(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    // Tables are asked for every few seconds for as long as `watch` runs: nothing must hang on its signal for each
    // time.
    if (this.#isCaughtUp) return;
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), CAUGHT_UP_MS);
    try {
      await Promise.race([this.#caughtUp, aborted(AbortSignal.any([signal, late.signal]))]);
    } finally {
      clearTimeout(timer);
    }
    signal.throwIfAborted();
    if (!late.signal.aborted) return;
    throw new TwinproofError('TP-CONNECTION-LOST', {
      message: 'the topics were not read to their ends yet',
      hint: 'tables are known when they were: with much to read that takes a while',
      retryable: true,
    });
  }
}

/** Why what is streamed is not all that there is any more; null: it is. Pure. */
function outgrown(streamed: FeedTopics, { changes, partitions, beside }: FeedTopics): TwinproofError | null {
  const added = [...changes, beside.transactions, beside.schemas].find(
    (topic) => topic !== null && !isStreamed(streamed, topic),
  );
  const grown = changes.find((topic) => (partitions.get(topic) ?? 0) > (streamed.partitions.get(topic) ?? 0));
  if (added == null && grown === undefined) return null;
  const message = added == null ? `${grown} has more partitions than before` : `${added} is a new topic`;
  return new TwinproofError('TP-STREAM-SETUP', {
    message: `${message}: the stream begins again with it`,
    hint: 'nothing is to be done: the rows of a table are known when a snapshot of it has come',
    retryable: true,
  });
}

function isStreamed({ changes, beside }: FeedTopics, topic: string): boolean {
  return changes.includes(topic) || beside.transactions === topic || beside.schemas === topic;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
