import type { KafkaMessage } from 'kafkajs';
import type { ChangeEvent, RowChange } from '../../src/connector/changes.ts';
import type { Position } from '../../src/connector/position.ts';
import { type DebeziumDecoder, type DebeziumRecord } from './debezium.ts';
import { JsonError } from './json-error.ts';
import type { FeedNotes } from './feed-notes.ts';
import type { TopicTable } from './layout.ts';
import type { TopicSnapshots } from './topic-snapshots.ts';
import type { Places } from './position.ts';
import { type RecentChange, RecentChanges } from './recent-changes.ts';
import type { RecordSource } from './record-source.ts';

/** A record as it was read from a partition. */
export interface TopicRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: string;
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Milliseconds since 1970, as the producer or the broker set it. */
  readonly timestamp: string;
}

export function recordOf(topic: string, partition: number, message: KafkaMessage): TopicRecord {
  const { offset, key, value, timestamp } = message;
  return { topic, partition, offset, key, value, timestamp };
}

type Change = Extract<DebeziumRecord, { kind: 'change' }>;

/**
 * Makes events of the records of change topics. Records do not say where a transaction ends, so one is what stands
 * together in a partition under one transaction id; it is handed out when another begins or the records at hand end.
 */
export class TopicEvents {
  readonly #decoder: DebeziumDecoder;
  readonly #position: () => Position;
  readonly #notes: FeedNotes;
  readonly #snapshots: TopicSnapshots;
  /** Definitions that were handed out, by table. */
  readonly #defined = new Map<string, TopicTable>();
  /** Tables that a topic was seen to carry. */
  readonly #tablesOf = new Map<string, Set<string>>();
  readonly #recent = new RecentChanges();
  #events: ChangeEvent[] = [];
  #open: { readonly partition: string; readonly id: string; readonly timeUs: bigint } | null = null;

  /** `position`: behind the record that was given last. */
  constructor(
    decoder: DebeziumDecoder,
    position: () => Position,
    { notes, snapshots }: { readonly notes: FeedNotes; readonly snapshots: TopicSnapshots },
  ) {
    this.#decoder = decoder;
    this.#position = position;
    this.#notes = notes;
    this.#snapshots = snapshots;
  }

  /** Before `position` moves behind the record. */
  next(record: TopicRecord): void {
    const partition = `${record.topic}:${record.partition}`;
    let decoded: DebeziumRecord;
    try {
      decoded = this.#decoder.decode(record.key, record.value);
    } catch (error) {
      if (!(error instanceof JsonError)) throw error;
      this.close();
      const place = `topic ${record.topic}, partition ${record.partition}, offset ${record.offset}`;
      this.gap(record.topic, `a record cannot be read (${place}): ${error.message}`);
      return;
    }
    if (decoded.kind === 'nothing') return;
    const { source } = decoded;
    this.#carries(record.topic, source.table);
    this.#note(record, decoded);
    if (this.#isRepeated(partition, decoded, record)) return;
    if (decoded.kind === 'change') this.#defineBefore(decoded, record.topic);
    this.#begin(partition, source, record.offset);
    if (decoded.kind === 'change') this.#change(decoded);
    else this.#truncate(record.topic, source.table);
    this.#snapshots.passed(source.table, source);
  }

  /** A record that was handed out before: what it tells of its table is known again. */
  recall(record: TopicRecord): void {
    try {
      const decoded = this.#decoder.decode(record.key, record.value);
      if (decoded.kind === 'nothing') return;
      const { source } = decoded;
      this.#carries(record.topic, source.table);
      this.#note(record, decoded);
      if (source.snapshot || source.place === null) return;
      const change = recentOf(decoded, source.place, record.key);
      this.#recent.recall(`${record.topic}:${record.partition}`, change);
    } catch (error) {
      // It was told when it was new.
      if (!(error instanceof JsonError)) throw error;
    }
  }

  /** Ends the snapshots that have ended where everything before `places` was given. */
  settle(places: Places): void {
    const ended = this.#snapshots.ended(places);
    if (ended.length === 0) return;
    this.close();
    this.#events.push(...ended);
  }

  /** Ends the transaction that is open, if one is: its records so far are all before `position`. */
  close(): void {
    if (this.#open === null) return;
    const { id, timeUs } = this.#open;
    this.#open = null;
    this.#events.push({ type: 'commit', position: this.#position(), id, committedAtUs: timeUs });
  }

  /** Something of the topic is not to be had. */
  gap(topic: string, reason: string): void {
    this.#snapshots.torn(topic);
    const tables = this.#tablesOf.get(topic);
    this.#events.push({ type: 'gap', reason, tables: tables === undefined ? null : [...tables] });
  }

  idle(): void {
    this.close();
    this.#events.push({ type: 'idle', position: this.#position() });
  }

  /** What has come together. */
  take(): readonly ChangeEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #begin(partition: string, source: RecordSource, offset: string): void {
    const id = source.snapshot
      ? `read:${partition}@${offset}`
      : (source.transaction ?? `${partition}@${offset}`);
    const open = this.#open;
    const goes = source.snapshot ? open?.id.startsWith('read:') === true : open?.id === id;
    if (open !== null && open.partition === partition && goes) return;
    this.close();
    this.#open = { partition, id, timeUs: source.timeUs };
    this.#events.push({ type: 'begin', id, committedAtUs: source.timeUs, origin: null });
  }

  #note({ topic, timestamp }: TopicRecord, decoded: Exclude<DebeziumRecord, { kind: 'nothing' }>): void {
    const { timeUs, snapshot } = decoded.source;
    const table = decoded.kind === 'change' ? { table: decoded.table, topic } : null;
    this.#notes.saw(table, timeUs, !snapshot, timestamp);
  }

  #defineBefore({ table, source }: Change, topic: string): void {
    const begins = this.#snapshots.begins(topic, table, source);
    if (begins) this.close();
    if (this.#defined.get(table.leaf) !== table) {
      this.#defined.set(table.leaf, table);
      this.#events.push({ type: 'definition', table });
    }
    if (begins) this.#events.push({ type: 'snapshot', table, part: 'begins' });
  }

  #change({ operation, table, key, before, after }: Change): void {
    // A row that a snapshot read may be known already: it says what the row is, and not that it is new.
    const type: RowChange['type'] = operation === 'read' ? 'update' : operation;
    this.#events.push({ type, table, key, oldKey: null, before, after });
  }

  #truncate(topic: string, name: string): void {
    const table = this.#defined.get(name);
    if (table === undefined)
      this.gap(topic, `${name} was truncated, and nothing is known of its columns yet`);
    else this.#events.push({ type: 'truncate', tables: [table] });
  }

  #carries(topic: string, table: string): void {
    const tables = this.#tablesOf.get(topic);
    if (tables === undefined) this.#tablesOf.set(topic, new Set([table]));
    else tables.add(table);
  }

  /**
   * A connector that starts again sends its last changes once more (at least once). One that goes back to changes that
   * were never seen reads another source: that is a gap, and its changes are taken.
   */
  #isRepeated(
    partition: string,
    decoded: Exclude<DebeziumRecord, { kind: 'nothing' }>,
    record: TopicRecord,
  ): boolean {
    const { source } = decoded;
    if (source.snapshot || source.place === null) return false;
    const found = this.#recent.look(partition, recentOf(decoded, source.place, record.key));
    if (found === 'back') {
      this.close();
      const reason = `the source of topic ${record.topic} went back in its log at offset ${record.offset}`;
      this.gap(record.topic, reason);
    }
    return found === 'repeated';
  }
}

/** Without a key rows of one entry are told apart by what they hold. What it keeps is no view of what was fetched. */
function recentOf(
  decoded: Exclude<DebeziumRecord, { kind: 'nothing' }>,
  place: NonNullable<RecordSource['place']>,
  key: Uint8Array | null,
): RecentChange {
  const { transaction } = decoded.source;
  if (decoded.kind !== 'change') return { place, transaction, operation: decoded.kind, row: null };
  const row = decoded.key ?? key?.slice() ?? decoded.after;
  return { place, transaction, operation: decoded.operation, row };
}
