import type { ChangeEvent } from '../../src/connector/changes.ts';
import type { Position } from '../../src/connector/position.ts';
import type { DebeziumDecoder } from './debezium.ts';
import { type Decoded, EventWriter } from './event-writer.ts';
import type { FeedNotes } from './feed-notes.ts';
import { JsonError } from './json-error.ts';
import type { Place, Places } from './position.ts';
import { readSchemaChange, SchemaChanges } from './schema-changes.ts';
import { TopicGrowth } from './topic-growth.ts';
import type { TopicLog } from './topic-log.ts';
import { type BesideTopics, tableOfTopic, type TopicFeed, topicName } from './topic-names.ts';
import { placeBehind, type TopicRecord } from './topic-record.ts';
import type { TopicSnapshots } from './topic-snapshots.ts';
import { TransactionOrder } from './topic-transactions.ts';
import { readTransactionRecord } from './transaction-record.ts';
import type { Waiting } from './waiting-record.ts';

/** A record that is handed out when its transaction is. */
interface WaitingRecord extends Waiting {
  readonly record: TopicRecord;
  readonly decoded: Decoded;
}

export interface TopicEventsParts {
  readonly notes: FeedNotes;
  readonly snapshots: TopicSnapshots;
  readonly logs: readonly TopicLog[];
  /** Topics that were read until now and are not there any more. */
  readonly gone: ReadonlySet<string>;
  /** Absent: nothing is known of what the topics are called. */
  readonly feed: TopicFeed | undefined;
}

/** What a record that waits takes in memory beside its value. */
const RECORD_BYTES = 256;
const NONE: BesideTopics = { transactions: null, schemas: null };

/**
 * Takes records of topics in the order in which they are read, and gives events. Where Debezium's topic of transactions
 * is read, transactions are what that says, and records wait for it.
 */
export class TopicEvents {
  readonly #decoder: DebeziumDecoder;
  readonly #feed: TopicFeed | undefined;
  readonly #beside: BesideTopics;
  readonly #notes: FeedNotes;
  readonly #writer: EventWriter;
  readonly #order: TransactionOrder<WaitingRecord> | null;
  readonly #schemas: SchemaChanges;
  readonly #snapshots: TopicSnapshots;
  readonly #growth: TopicGrowth;
  /** The table that a topic is called after. */
  readonly #named = new Map<string, string>();
  /** Tables that a topic carries. */
  readonly #tables: Map<string, Set<string>>;

  /**
   * `position`: behind the record that was given last; of the partitions in `handedOut`, which is null where nothing
   * ever waits, behind what was handed out.
   */
  constructor(
    decoder: DebeziumDecoder,
    position: (handedOut: Places | null) => Position,
    { notes, snapshots, logs, gone, feed }: TopicEventsParts,
  ) {
    this.#decoder = decoder;
    this.#beside = feed?.beside ?? NONE;
    this.#notes = notes;
    this.#snapshots = snapshots;
    this.#feed = feed;
    this.#tables = new Map();
    for (const { topic } of logs) {
      const [named, ...others] = this.#carriedBy(topic);
      if (named === undefined) continue;
      this.#named.set(topic, named);
      this.#tables.set(topic, new Set([named, ...others]));
    }
    this.#schemas = new SchemaChanges(() => this.#everyTable());
    const here = (): Position => position(this.#order?.handedOut ?? null);
    this.#writer = new EventWriter(here, {
      notes,
      snapshots,
      schemas: this.#schemas,
      tables: this.#tables,
    });
    this.#order = this.#orderOf(logs, notes);
    this.#growth = new TopicGrowth(logs);
    for (const { topic, reason } of this.#growth.begun) this.gap(topic, reason);
    for (const topic of gone) this.#lost(topic);
  }

  /** Records wait for the rest of their transactions. */
  get isWaiting(): boolean {
    return this.#order?.isWaiting === true;
  }

  /** So much of the partition (`topic:partition`) waits that no more of it should be read for now. */
  holds(name: string): boolean {
    return this.#order?.holds(name) === true;
  }

  /** To be called from time to time: nothing waits for ever. */
  tick(nowMs: number): void {
    this.#order?.tick(nowMs);
  }

  /** Before `position` moves behind the record. */
  next(record: TopicRecord): void {
    const { topic } = record;
    if (topic === this.#beside.transactions) this.#transaction(record);
    else if (topic === this.#beside.schemas) this.#schema(record);
    else if (this.#order === null) this.#writer.give(record, this.#decoded(record), false);
    else this.#wait(record, this.#order);
  }

  /** Up to `place` of a partition nothing is to be had any more. */
  passed(name: string, place: Place): void {
    this.#order?.passed(name, place);
  }

  /** A record that was handed out before: what it tells of its table is known again. */
  recall(record: TopicRecord): void {
    const { topic } = record;
    if (topic === this.#beside.transactions || topic === this.#beside.schemas) return;
    this.#writer.recall(record, this.#decoded(record));
  }

  /** Ends the snapshots that have ended where everything before `places` was given. */
  settle(places: Places): void {
    if (this.#order?.isOpen === true) return;
    const given = this.#order === null ? places : new Map([...places, ...this.#order.handedOut]);
    for (const { topic, reason } of this.#growth.settled(given)) this.gap(topic, reason);
    const ended = this.#snapshots.ended(given);
    if (ended.length > 0) this.#writer.push(...ended);
  }

  /** Ends the transaction that is open, if one is, unless the rest of it is awaited. */
  close(): void {
    this.#writer.close();
  }

  /** Something of the topic is not to be had. */
  gap(topic: string, reason: string): void {
    if (topic === this.#beside.transactions) {
      this.#notes.untied(reason);
      return;
    }
    this.#order?.broke(topic);
    this.#writer.close();
    this.#writer.gap(topic, reason);
  }

  idle(): void {
    this.#writer.idle();
  }

  /** What has come together. */
  take(): readonly ChangeEvent[] {
    return this.#writer.take();
  }

  /** Null: there is no topic of transactions, or it has several partitions, of which nobody knows the order. */
  #orderOf(logs: readonly TopicLog[], notes: FeedNotes): TransactionOrder<WaitingRecord> | null {
    const [own, ...more] = namesIn(logs.find(({ topic }) => topic === this.#beside.transactions));
    if (own === undefined || more.length > 0) return null;
    const [topic, place] = own;
    const places = new Map<string, Place>([own]);
    const tables = new Map<string, readonly string[]>();
    for (const log of logs) {
      const table = this.#named.get(log.topic);
      if (table === undefined) continue;
      tables.set(
        table,
        namesIn(log).map(([name]) => name),
      );
      for (const [name, at] of namesIn(log)) places.set(name, at);
    }
    places.set(topic, place);
    const writer = this.#writer;
    return new TransactionOrder<WaitingRecord>(
      { topic, tables, places, notes },
      {
        give: ({ record, decoded }, whole) => writer.give(record, decoded, whole),
        end: () => writer.end(),
        lacks: ({ table, transaction, count }) =>
          this.gap(
            `${this.#feed?.prefix}.${table}`,
            `transaction ${transaction} has ${count} more changes of ${table} than have come to its topic`,
          ),
      },
    );
  }

  #decoded(record: TopicRecord): Decoded {
    try {
      return this.#decoder.decode(record);
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      const { topic, partition, offset } = record;
      const place = `topic ${topic}, partition ${partition}, offset ${offset}`;
      return { kind: 'unreadable', reason: `a record cannot be read (${place}): ${error.message}` };
    }
  }

  #wait(record: TopicRecord, order: TransactionOrder<WaitingRecord>): void {
    const decoded = this.#decoded(record);
    const source = 'source' in decoded ? decoded.source : null;
    order.take({
      record: record.withoutValue(),
      decoded,
      name: record.name,
      place: placeBehind(record),
      table: source === null ? null : (this.#named.get(record.topic) ?? source.table),
      broken: decoded.kind === 'unreadable',
      transaction: 'tied' in decoded && decoded.tied ? decoded.source.transaction : null,
      anywhere: source === null || (source.snapshot && source.snapshotMark === null),
      bytes: record.valueBytes + RECORD_BYTES,
    });
  }

  #transaction(record: TopicRecord): void {
    const { value } = record;
    const told = value === null ? null : readTransactionRecord(value);
    // One that cannot be read is as good as lost.
    if (told === null) this.#order?.passed(record.name, placeBehind(record));
    else this.#order?.told(told, placeBehind(record));
  }

  #schema(record: TopicRecord): void {
    const { value } = record;
    if (value !== null) {
      const change = readSchemaChange(value);
      const tables = change === null ? this.#everyTable() : this.#schemas.voidedBy(change);
      const reason =
        change === null ? 'a record of the schema changes cannot be read' : 'a statement redefined it';
      if (tables.length > 0) this.#writer.voided(tables, reason);
    }
    this.passed(record.name, placeBehind(record));
  }

  /** Nobody knows what stood in it when it was deleted, and was not read. */
  #lost(topic: string): void {
    const tables = this.#carriedBy(topic);
    const reason = `the topic ${topic} is not there any more: what was not read of it is lost`;
    if (tables.length > 0) this.#writer.voided(tables, reason);
    else if (this.#feed === undefined || topic === this.#feed.prefix) this.gap(topic, reason);
  }

  /** Tables whose changes go to a topic of this name, as far as they were met; at least the one that it says. */
  #carriedBy(topic: string): readonly string[] {
    const table = this.#feed === undefined ? null : tableOfTopic(this.#feed.prefix, topic);
    if (table === null) return [];
    return [table, ...(this.#feed?.known ?? []).filter((one) => one !== table && topicName(one) === table)];
  }

  #everyTable(): readonly string[] {
    return [...new Set([...this.#tables.values()].flatMap((tables) => Array.from(tables)))];
  }
}

function namesIn(log: TopicLog | undefined): readonly (readonly [string, Place])[] {
  return (log?.partitions ?? []).map(({ partition, place }) => [`${log?.topic}:${partition}`, place]);
}
