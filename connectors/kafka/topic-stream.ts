import type { Consumer, EachBatchPayload, Kafka } from 'kafkajs';
import type { ChangeEvent, ChangeStream } from '../../src/connector/changes.ts';
import type { Position } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';
import { BatchQueue } from './batch-queue.ts';
import { DebeziumDecoder, type DecoderOptions } from './debezium.ts';
import { isPassing, kafkaFailure } from './failure.ts';
import { FeedNotes } from './feed-notes.ts';
import { parsePosition, type Place, positionText, recordMark, type Snapshots } from './position.ts';
import { recordOf, TopicEvents } from './topic-events.ts';
import { endsOfTopic, forgetGroup, missingIn } from './topic-group.ts';
import { type PartitionStart, startingPlaces, type TopicLog } from './topic-log.ts';
import { TopicSnapshots } from './topic-snapshots.ts';

export interface TopicStreamOptions {
  /** Topics of changes, by name. */
  readonly topics: readonly string[];
  /** Debezium's heartbeat topic (`__debezium-heartbeat.PREFIX`); null: there is none. */
  readonly heartbeats: string | null;
  /**
   * What the name of the consumer group begins with: each stream is a group of its own, since where it stands is in its
   * position, and a group of a process that was killed keeps its member for a while.
   */
  readonly group: string;
  /** Ends that name. */
  readonly random: () => string;
  readonly decoder: DecoderOptions;
  /** How long the brokers may wait for records, in milliseconds. */
  readonly waitMs: number;
  /** What is learnt beside the changes; absent: nobody wants to know. */
  readonly notes?: FeedNotes;
  /** Called when everything that was there at the start, or came meanwhile, has been handed out. */
  readonly onCaughtUp?: () => void;
}

const HEARTBEAT_EVERY_MS = 3000;
const RESTARTS_MAX = 20;

/**
 * Reads change topics from behind `after` (null: from the oldest record that is there). Throws TP-GAP when records after
 * it are no longer to be had or the topic is another, TP-STREAM-SETUP for topics that do not exist, TP-PERMISSION, TP-AUTH, TP-TLS, TP-UNREACHABLE.
 */
export async function openTopicStream(
  client: Kafka,
  options: TopicStreamOptions,
  after: Position | null,
  signal: AbortSignal,
): Promise<ChangeStream> {
  const names = options.heartbeats === null ? options.topics : [...options.topics, options.heartbeats];
  const admin = client.admin();
  try {
    await admin.connect();
    signal.throwIfAborted();
    const { clusterId } = await admin.describeCluster();
    const stored = after === null ? null : parsePosition(after);
    if (after !== null && stored === null)
      throw new TwinproofError('TP-BUG', { message: 'no position of topics' });
    if (stored !== null && stored.clusterId !== clusterId) {
      throw new TwinproofError('TP-GAP', {
        message: 'these brokers are another cluster than the ledger was fed from',
      });
    }
    const logs = await startingPlaces(admin, names, stored?.places ?? null);
    const group = `${options.group}-${options.random()}`;
    signal.throwIfAborted();
    const stream = new TopicStream(
      client,
      { ...options, group },
      clusterId,
      logs,
      stored?.snapshots ?? new Map(),
    );
    await stream.start(names, signal);
    return stream;
  } catch (error) {
    signal.throwIfAborted();
    throw kafkaFailure(error);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

class TopicStream implements ChangeStream {
  readonly batches: AsyncIterable<readonly ChangeEvent[]>;
  readonly #client: Kafka;
  readonly #options: TopicStreamOptions;
  readonly #clusterId: string;
  readonly #queue = new BatchQueue();
  readonly #consumer: Consumer;
  readonly #events: TopicEvents;
  readonly #places = new Map<string, Place>();
  readonly #starts = new Map<string, PartitionStart>();
  readonly #compacted: ReadonlySet<string>;
  readonly #snapshots: TopicSnapshots;
  /** Partitions with more to read, as of the last look. */
  readonly #behind = new Set<string>();
  /** Partitions of which it is not known yet whether they are still the log that was read. */
  readonly #unchecked = new Set<string>();
  #restarts = 0;
  #closing: Promise<void> | null = null;
  #stopListening = (): void => undefined;

  constructor(
    client: Kafka,
    options: TopicStreamOptions,
    clusterId: string,
    logs: readonly TopicLog[],
    snapshots: Snapshots,
  ) {
    this.#client = client;
    this.#options = options;
    this.#clusterId = clusterId;
    for (const { topic, partitions } of logs) {
      for (const start of partitions) {
        const name = `${topic}:${start.partition}`;
        this.#starts.set(name, start);
        this.#places.set(name, start.place);
        if (start.high > start.readFrom) this.#behind.add(name);
        if (start.readFrom < start.place.offset) this.#unchecked.add(name);
      }
    }
    this.#compacted = new Set(logs.filter(({ compacted }) => compacted).map(({ topic }) => topic));
    this.#snapshots = new TopicSnapshots(logs, snapshots);
    this.#events = new TopicEvents(new DebeziumDecoder(options.decoder), () => this.#position(), {
      notes: options.notes ?? new FeedNotes(),
      snapshots: this.#snapshots,
    });
    this.#consumer = client.consumer({
      groupId: options.group,
      maxWaitTimeInMs: options.waitMs,
      // What breaks is told; whoever reads the stream decides whether to begin again.
      retry: { retries: 4, initialRetryTime: 200, restartOnFailure: (error) => this.#mayRestart(error) },
    });
    this.batches = { [Symbol.asyncIterator]: () => this.#iterate() };
  }

  async start(names: readonly string[], signal: AbortSignal): Promise<void> {
    const onAbort = (): void => {
      this.#queue.fail(signal.reason);
      void this.close();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#stopListening = () => signal.removeEventListener('abort', onAbort);
    const { CRASH, GROUP_JOIN } = this.#consumer.events;
    this.#consumer.on(CRASH, ({ payload }) => {
      if (!payload.restart) this.#queue.fail(kafkaFailure(payload.error));
    });
    this.#consumer.on(GROUP_JOIN, ({ payload }) => this.#joined(Object.entries(payload.memberAssignment)));
    try {
      await this.#consumer.connect();
      await this.#consumer.subscribe({ topics: [...names], fromBeginning: true });
      await this.#consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: (payload) => this.#take(payload),
      });
      // Nothing may come at all: then this is the only word that everything is read.
      if (this.#behind.size === 0) this.#tellIdle();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** The brokers are busy with the groups' own topic, for a moment: when they started, or when it is made. */
  #mayRestart(error: Error): Promise<boolean> {
    if (!isPassing(error) || this.#restarts >= RESTARTS_MAX) return Promise.resolve(false);
    this.#restarts += 1;
    return Promise.resolve(!this.#queue.ended);
  }

  /** The group has no offsets of its own: it begins where we are. */
  #joined(assigned: readonly (readonly [string, readonly number[]])[]): void {
    const mine = assigned.reduce((sum, [, partitions]) => sum + partitions.length, 0);
    if (mine < this.#places.size) this.#queue.fail(sharedGroup(this.#options.group));
    for (const [topic, partitions] of assigned) {
      for (const partition of partitions) {
        const name = `${topic}:${partition}`;
        const { offset = 0n } = this.#places.get(name) ?? {};
        const from = this.#unchecked.has(name) ? (this.#starts.get(name)?.readFrom ?? offset) : offset;
        this.#consumer.seek({ topic, partition, offset: String(from) });
      }
    }
  }

  /** Brokers keep records for as long as the topic says, whoever has read them. */
  acknowledge(): void {
    // Nobody wants to know.
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.#stopListening();
    this.#queue.end();
    await this.#consumer.disconnect().catch(() => undefined);
    await forgetGroup(this.#client, this.#options.group).catch(() => undefined);
  }

  async *#iterate(): AsyncGenerator<readonly ChangeEvent[]> {
    try {
      for (;;) {
        const batch = await this.#queue.take();
        if (batch === null) return;
        yield batch;
      }
    } finally {
      await this.close();
    }
  }

  #position(): Position {
    return positionText(this.#clusterId, this.#places, this.#snapshots.open);
  }

  #tellIdle(): void {
    this.#idle();
    void this.#queue.put(this.#events.take());
  }

  #idle(): void {
    this.#events.idle();
    // What is looked back at was not handed out anew, and is needed all the same.
    if (this.#unchecked.size === 0) this.#options.onCaughtUp?.();
  }

  async #take(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const { topic, partition } = batch;
    const name = `${topic}:${partition}`;
    const start = this.#starts.get(name);
    if (start === undefined || this.#queue.ended || payload.isStale()) return;
    const isHeartbeat = topic === this.#options.heartbeats;
    for (const message of batch.messages) {
      const offset = BigInt(message.offset);
      const expected = this.#places.get(name)?.offset ?? 0n;
      if (offset < expected) {
        if (offset + 1n === expected) this.#checkMark(name, message);
        if (!isHeartbeat) this.#events.recall(recordOf(topic, partition, message));
        continue;
      }
      if (this.#unchecked.has(name)) return this.#queue.fail(otherLog(name));
      if (offset > expected) await this.#checkHole(topic, partition, expected);
      if (!isHeartbeat) this.#events.next(recordOf(topic, partition, message));
      this.#places.set(name, { offset: offset + 1n, mark: recordMark(message) });
    }
    payload.resolveOffset(batch.lastOffset());
    if (BigInt(batch.highWatermark) > BigInt(batch.lastOffset()) + 1n) this.#behind.add(name);
    else this.#behind.delete(name);
    this.#events.close();
    for (const waiting of new Set(this.#snapshots.waiting))
      this.#snapshots.setEnds(waiting, await endsOfTopic(this.#client, waiting));
    this.#events.settle(this.#places);
    if (this.#behind.size === 0) this.#idle();
    await this.#hand(() => payload.heartbeat());
  }

  /** Gives the events away, staying a member of the group meanwhile. */
  async #hand(heartbeat: () => Promise<void>): Promise<void> {
    const timer = setInterval(() => void heartbeat().catch(() => undefined), HEARTBEAT_EVERY_MS);
    try {
      await this.#queue.put(this.#events.take());
    } finally {
      clearInterval(timer);
    }
    if (!this.#queue.ended) await heartbeat();
  }

  /** The record before the first one that we want is the one we read last, or this is another topic. */
  #checkMark(name: string, message: { readonly timestamp: string; readonly value: Buffer | null }): void {
    const mark = this.#places.get(name)?.mark ?? null;
    if (mark === null || mark === recordMark(message)) this.#unchecked.delete(name);
    else this.#queue.fail(otherLog(name));
  }

  async #checkHole(topic: string, partition: number, offset: bigint): Promise<void> {
    const hole = { topic, partition, offset, compacted: this.#compacted.has(topic) };
    const reason = await missingIn(this.#client, hole);
    this.#events.close();
    if (reason !== null) this.#events.gap(topic, reason);
  }
}

function otherLog(name: string): TwinproofError {
  return new TwinproofError('TP-GAP', {
    message: `${name} does not hold the record that was read there last: the topic was made anew, or its log lost its end`,
    hint: 'see whether somebody deleted the topic, or an unclean leader election cut it off; a new baseline is needed',
  });
}

function sharedGroup(group: string): TwinproofError {
  return new TwinproofError('TP-STREAM-SETUP', {
    message: `somebody else joined the consumer group ${group} and was given partitions of ours`,
    hint: 'the group is for this process alone; the stream is begun again under another name',
    retryable: true,
  });
}
