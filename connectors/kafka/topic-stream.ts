import type { Kafka } from 'kafkajs';
import type { ChangeEvent, ChangeStream } from '../../src/connector/changes.ts';
import type { Position } from '../../src/connector/position.ts';
import { BatchQueue } from './batch-queue.ts';
import { Brokers } from './brokers.ts';
import { DebeziumDecoder, type DecoderOptions } from './debezium.ts';
import { kafkaFailure } from './failure.ts';
import { FeedNotes } from './feed-notes.ts';
import type { FetchedRecords } from './fetch-response.ts';
import { PartitionFetch } from './partition-fetch.ts';
import { PartitionReading } from './partition-reading.ts';
import { PositionWriter } from './position-writer.ts';
import type { Place, Places } from './position.ts';
import { RecordCursor } from './record-batch.ts';
import { TopicEvents } from './topic-events.ts';
import { endsOfTopic, missingIn } from './topic-group.ts';
import { idsOf, otherLog } from './topic-log.ts';
import type { TopicFeed } from './topic-names.ts';
import { TopicRecord } from './topic-record.ts';
import { TopicSnapshots } from './topic-snapshots.ts';
import { startOfStream, type StreamStart } from './topic-start.ts';

export interface TopicStreamOptions {
  /** Topics of changes, by name. */
  readonly topics: readonly string[];
  /**
   * What the names of the topics begin with, and topics that say something of the changes in the others; absent: none
   * do. `known`: tables of which something is known already.
   */
  readonly feed?: TopicFeed;
  readonly decoder: DecoderOptions;
  /** How long the brokers may wait for records, in milliseconds. */
  readonly waitMs: number;
  /** What is learnt beside the changes; absent: nobody wants to know. */
  readonly notes?: FeedNotes;
  /** Called when everything that was there at the start, or came meanwhile, has been handed out. */
  readonly onCaughtUp?: () => void;
}

/**
 * Reads change topics from behind `after` (null: from the oldest record that is there). Throws TP-GAP when records
 * after it are no longer to be had or the topic is another, TP-STREAM-SETUP for topics that do not exist,
 * TP-PERMISSION, TP-AUTH, TP-TLS, TP-UNREACHABLE.
 */
export async function openTopicStream(
  client: Kafka,
  options: TopicStreamOptions,
  after: Position | null,
  signal: AbortSignal,
): Promise<ChangeStream> {
  const { transactions = null, schemas = null } = options.feed?.beside ?? {};
  const beside = [transactions, schemas].filter((topic) => topic !== null);
  const { topics } = options;
  let brokers: Brokers | null = null;
  try {
    brokers = await Brokers.connect(client, 'stable');
    signal.throwIfAborted();
    const start = await startOfStream(brokers, { topics, beside, after }, signal);
    signal.throwIfAborted();
    const stream = new TopicStream(client, options, start);
    await stream.start(signal);
    return stream;
  } catch (error) {
    signal.throwIfAborted();
    throw kafkaFailure(error);
  } finally {
    await brokers?.close();
  }
}

/** How often it is said that nothing more is there: what was witnessed meanwhile counts from then on. */
const IDLE_EVERY_MS = 1000;

class TopicStream implements ChangeStream {
  readonly batches: AsyncIterable<readonly ChangeEvent[]>;
  readonly #client: Kafka;
  readonly #options: TopicStreamOptions;
  readonly #queue = new BatchQueue();
  readonly #fetch: PartitionFetch;
  readonly #events: TopicEvents;
  readonly #readings = new Map<string, PartitionReading>();
  readonly #positions: PositionWriter;
  readonly #compacted: ReadonlySet<string>;
  readonly #snapshots: TopicSnapshots;
  readonly #cursor = new RecordCursor();
  /** Partitions with more to read, as of the last look. */
  readonly #behind = new Set<string>();
  /** Everything was read, and that was not told: records still waited to be handed out. */
  #owesIdle = false;
  #idleAt = -Infinity;
  #closing: Promise<void> | null = null;
  #stopListening = (): void => undefined;

  constructor(
    client: Kafka,
    options: TopicStreamOptions,
    { clusterId, logs, snapshots, left, gone }: StreamStart,
  ) {
    this.#client = client;
    this.#options = options;
    for (const { topic, partitions } of logs) {
      for (const start of partitions) {
        const reading = new PartitionReading(topic, start);
        this.#readings.set(reading.name, reading);
        if (start.high > start.readFrom) this.#behind.add(reading.name);
      }
    }
    this.#positions = new PositionWriter(clusterId, new Map([...left, ...this.#readings]));
    this.#compacted = new Set(logs.filter(({ compacted }) => compacted).map(({ topic }) => topic));
    this.#snapshots = new TopicSnapshots(logs, snapshots);
    const position = (handedOut: Places | null): Position =>
      this.#positions.text(this.#snapshots.open, handedOut);
    this.#events = new TopicEvents(new DebeziumDecoder(options.decoder), position, {
      notes: options.notes ?? new FeedNotes(),
      snapshots: this.#snapshots,
      logs,
      gone,
      feed: options.feed,
    });
    const starts = logs.flatMap(({ topic, partitions }) =>
      partitions.map(({ partition, readFrom }) => ({ topic, partition, offset: readFrom })),
    );
    const whole = new Map(logs.map(({ topic, partitions }) => [topic, partitions.length]));
    const { waitMs } = options;
    this.#fetch = new PartitionFetch(client, starts, { waitMs, whole, ids: idsOf(logs) });
    this.batches = { [Symbol.asyncIterator]: () => this.#iterate() };
  }

  async start(signal: AbortSignal): Promise<void> {
    const onAbort = (): void => {
      this.#queue.fail(signal.reason);
      void this.close();
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#stopListening = () => signal.removeEventListener('abort', onAbort);
    try {
      await this.#fetch.open();
    } catch (error) {
      await this.close();
      throw error;
    }
    void this.#read();
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
    await this.#fetch.close();
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

  async #read(): Promise<void> {
    try {
      // Nothing may come at all: then this is the only word that everything is read.
      if (this.#behind.size === 0) {
        this.#idle();
        await this.#queue.put(this.#events.take());
      }
      while (!this.#queue.ended && this.#readings.size > 0) {
        for (const fetched of await this.#fetch.next()) {
          if (!this.#queue.ended) await this.#take(fetched);
        }
        await this.#goOn();
      }
    } catch (error) {
      this.#queue.fail(kafkaFailure(error));
    }
  }

  /** What may be handed out though nothing came. */
  async #goOn(): Promise<void> {
    if (this.#options.feed === undefined) return;
    const now = performance.now();
    this.#events.tick(now);
    const isDue = this.#owesIdle || now - this.#idleAt >= IDLE_EVERY_MS;
    if (isDue && this.#behind.size === 0) this.#idle();
    for (const name of this.#readings.keys()) {
      if (this.#events.holds(name)) this.#fetch.pause(name);
      else this.#fetch.resume(name);
    }
    await this.#queue.put(this.#events.take());
  }

  #idle(): void {
    this.#owesIdle = this.#events.isWaiting;
    if (this.#owesIdle) return;
    this.#idleAt = performance.now();
    this.#events.idle();
    // What is looked back at was not handed out anew, and is needed all the same.
    if ([...this.#readings.values()].every(({ unchecked }) => !unchecked)) this.#options.onCaughtUp?.();
  }

  async #take(fetched: FetchedRecords): Promise<void> {
    const reading = this.#readings.get(fetched.name);
    if (reading === undefined) return;
    const again = fetched.shaken ? this.#again(reading, (low) => reading.again(low), fetched) : false;
    if (!again && fetched.batches.length > 0) {
      this.#positions.begin(reading.name);
      this.#goThrough(fetched, reading);
    }
    if (reading.unchecked || fetched.high > reading.offset) this.#behind.add(reading.name);
    else this.#behind.delete(reading.name);
    if (fetched.batches.length > 0) await this.#handOut();
  }

  async #handOut(): Promise<void> {
    this.#events.close();
    for (const waiting of new Set(this.#snapshots.waiting))
      this.#snapshots.setEnds(waiting, await endsOfTopic(this.#client, waiting));
    this.#events.settle(this.#readings);
    if (this.#behind.size === 0) this.#idle();
    await this.#queue.put(this.#events.take());
  }

  #goThrough(fetched: FetchedRecords, reading: PartitionReading): void {
    const cursor = this.#cursor;
    for (const batch of fetched.batches) {
      if (this.#again(reading, (low) => reading.before(batch, low), fetched)) return;
      const isData = batch.kind === 'data';
      cursor.open(batch);
      while (cursor.next()) {
        const { offset } = cursor;
        if (offset < fetched.from) continue;
        if (offset < reading.offset) {
          const { recalls } = reading;
          if (!reading.isSame(offset, cursor, batch.leaderEpoch)) throw otherLog(reading.name);
          if (isData && recalls) this.#events.recall(new TopicRecord(reading, offset, cursor));
          continue;
        }
        if (reading.unchecked) throw otherLog(reading.name);
        if (offset > reading.offset) this.#hole(reading, offset, fetched.low);
        if (isData) this.#events.next(new TopicRecord(reading, offset, cursor));
        reading.passed(offset, cursor);
        if (!isData) this.#events.passed(reading.name, placeOf(reading));
      }
      // Compaction may have taken the last ones of a batch.
      if (batch.lastOffset >= reading.offset && !reading.unchecked) {
        this.#hole(reading, batch.lastOffset + 1n, fetched.low);
        reading.jump(batch.lastOffset + 1n);
        this.#events.passed(reading.name, placeOf(reading));
      }
    }
  }

  /** Whether it begins again, at records that were read, to see whether they are still there. */
  #again(
    { name, topic }: PartitionReading,
    whence: (low: bigint | null) => bigint | null,
    { low }: FetchedRecords,
  ): boolean {
    // There the record that was read last may be gone.
    const from = this.#compacted.has(topic) ? null : whence(low);
    if (from !== null) this.#fetch.seek(name, from);
    return from !== null;
  }

  #hole({ name, topic, offset: from }: PartitionReading, to: bigint, low: bigint | null): void {
    this.#events.close();
    this.#events.gap(topic, missingIn({ name, from, to, low, compacted: this.#compacted.has(topic) }));
  }
}

function placeOf({ offset, mark, topicId }: PartitionReading): Place {
  return { offset, mark, topicId };
}
