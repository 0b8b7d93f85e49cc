import type { ChangeEvent, RowChange } from '../../src/connector/changes.ts';
import type { Position } from '../../src/connector/position.ts';
import type { DebeziumRecord } from './change-record.ts';
import type { FeedNotes, NotedTable } from './feed-notes.ts';
import type { TopicTable } from './layout.ts';
import { type RecentChange, RecentChanges } from './recent-changes.ts';
import type { RecordSource } from './record-source.ts';
import type { SchemaChanges } from './schema-changes.ts';
import type { TopicRecord } from './topic-record.ts';
import type { TopicSnapshots } from './topic-snapshots.ts';

type Told = Exclude<DebeziumRecord, { kind: 'nothing' }>;
type Change = Extract<DebeziumRecord, { kind: 'change' }>;
export type Decoded = DebeziumRecord | { readonly kind: 'unreadable'; readonly reason: string };

export interface EventWriterParts {
  readonly notes: FeedNotes;
  readonly snapshots: TopicSnapshots;
  readonly schemas: SchemaChanges;
  /** Tables that a topic should carry by its name; those that it is seen to carry are added. */
  readonly tables: Map<string, Set<string>>;
}

/** In place of a partition: the records of the open transaction may be of any. */
const EVERYWHERE = '';

/**
 * Makes events of decoded records. A transaction is what is given as one, or else what stands together in a partition
 * under one transaction id, ended when another begins or the records at hand end.
 */
export class EventWriter {
  readonly #position: () => Position;
  readonly #parts: EventWriterParts;
  /** Definitions that were handed out, by table. */
  readonly #defined = new Map<string, TopicTable>();
  readonly #recent = new RecentChanges();
  /** Who told of each table last, by its name. */
  readonly #origins = new Map<string, string>();
  #events: ChangeEvent[] = [];
  /** Of the last change. */
  #noted: NotedTable | null = null;
  #open: { readonly partition: string; readonly id: string; readonly timeUs: bigint } | null = null;

  /** `position`: behind the record that was given last. */
  constructor(position: () => Position, parts: EventWriterParts) {
    this.#position = position;
    this.#parts = parts;
  }

  /** Whole: as a part of the transaction that is put together. False: it tells nothing, or it was there before. */
  give(record: TopicRecord, decoded: Decoded, whole: boolean): boolean {
    if (decoded.kind === 'nothing') return false;
    if (decoded.kind === 'unreadable') {
      this.close();
      this.gap(record.topic, decoded.reason);
      return false;
    }
    const { source } = decoded;
    this.#note(record, decoded);
    this.#demandOneOrigin(source, record);
    if (this.#isRepeated(decoded, record)) return false;
    if (decoded.kind === 'change') this.#defineBefore(decoded, record.topic);
    this.#begin(whole ? EVERYWHERE : record.name, source, record.offset);
    if (decoded.kind === 'change') this.#change(decoded, record.topic);
    else this.#truncate(record.topic, source.table);
    this.#parts.snapshots.passed(source.table, source);
    return true;
  }

  /** A record that was handed out before. */
  recall(record: TopicRecord, decoded: Decoded): void {
    // It was told when it was new.
    if (decoded.kind === 'nothing' || decoded.kind === 'unreadable') return;
    const { source } = decoded;
    this.#note(record, decoded);
    this.#origins.set(source.table, source.origin);
    if (source.snapshot || source.place === null) return;
    this.#recent.recall(record.name, recentOf(decoded, source.place, record));
  }

  /** Ends the transaction that is open, if one is, unless it is put together and the rest of it is awaited. */
  close(): void {
    if (this.#open?.partition !== EVERYWHERE) this.end();
  }

  /** Ends the transaction that is open, if one is: its records so far are all before `position`. */
  end(): void {
    if (this.#open === null) return;
    const { id, timeUs } = this.#open;
    this.#open = null;
    this.#events.push({ type: 'commit', position: this.#position(), id, committedAtUs: timeUs });
  }

  /** Something of the topic is not to be had. */
  gap(topic: string, reason: string): void {
    const tables = this.#parts.tables.get(topic);
    this.#parts.snapshots.lacks(topic, tables ?? []);
    this.#events.push({ type: 'gap', reason, tables: tables === undefined ? null : [...tables] });
  }

  /** What is known of some tables counts no more. */
  voided(tables: readonly string[], reason: string): void {
    this.close();
    for (const [topic, carried] of this.#parts.tables)
      if (tables.some((table) => carried.has(table))) this.#parts.snapshots.torn(topic);
    this.#events.push({ type: 'gap', reason, tables });
  }

  /** Between two transactions. */
  push(...events: readonly ChangeEvent[]): void {
    this.close();
    this.#events.push(...events);
  }

  idle(): void {
    this.push({ type: 'idle', position: this.#position() });
  }

  /** What has come together. */
  take(): readonly ChangeEvent[] {
    const events = this.#events;
    this.#events = [];
    return events;
  }

  #begin(partition: string, source: RecordSource, offset: bigint): void {
    const open = this.#open;
    // One that is put together ends when it is whole.
    if (open !== null && open.partition === EVERYWHERE && partition === EVERYWHERE) return;
    const id = source.snapshot
      ? `read:${partition}@${offset}`
      : (source.transaction ?? `${partition}@${offset}`);
    const goes = source.snapshot ? open?.id.startsWith('read:') === true : open?.id === id;
    if (open !== null && open.partition === partition && goes) return;
    this.end();
    this.#open = { partition, id, timeUs: source.timeUs };
    this.#events.push({ type: 'begin', id, committedAtUs: source.timeUs, origin: null });
  }

  #note({ topic, timestamp }: TopicRecord, decoded: Told): void {
    const { source } = decoded;
    const { tables, notes, schemas } = this.#parts;
    const carried = tables.get(topic);
    if (carried === undefined) tables.set(topic, new Set([source.table]));
    else carried.add(source.table);
    if (decoded.kind === 'change' && (this.#noted?.table !== decoded.table || this.#noted.topic !== topic))
      this.#noted = { table: decoded.table, topic, engine: source.engine };
    const noted = decoded.kind === 'change' ? this.#noted : null;
    notes.saw(noted, source.timeUs, !source.snapshot, timestamp);
    schemas.snapshot(source.table, source);
  }

  /** Rows of two databases that were led into one topic may have equal keys, and then hide one another. */
  #demandOneOrigin({ table, origin }: RecordSource, { topic, offset }: TopicRecord): void {
    const before = this.#origins.get(table);
    if (before === origin) return;
    this.#origins.set(table, origin);
    if (before === undefined) return;
    this.close();
    this.gap(topic, `from offset ${offset} on ${topic} has ${table} of ${origin}, and before of ${before}`);
  }

  #defineBefore({ table, source }: Change, topic: string): void {
    const begins = this.#parts.snapshots.begins(topic, table, source);
    if (begins) this.end();
    if (this.#defined.get(table.leaf) !== table) {
      this.#defined.set(table.leaf, table);
      this.#events.push({ type: 'definition', table });
    }
    if (begins) this.#events.push({ type: 'snapshot', table, part: 'begins' });
  }

  #change({ operation, table, key, before, after, source }: Change, topic: string): void {
    // A row that a snapshot read may be known already: it says what the row is, and not that it is new.
    const type: RowChange['type'] = operation === 'read' ? 'update' : operation;
    // Of several partitions older changes may come between the rows of a snapshot.
    const once = source.snapshotMark !== null && this.#parts.snapshots.partitionsOf(topic) === 1;
    this.#events.push({ type, table, key, oldKey: null, before, after, once });
  }

  #truncate(topic: string, name: string): void {
    const table = this.#defined.get(name);
    if (this.#parts.snapshots.partitionsOf(topic) > 1)
      this.gap(topic, `${name} was truncated, and which rows of its other partitions came later is not told`);
    else if (table === undefined)
      this.gap(topic, `${name} was truncated, and nothing is known of its columns yet`);
    else this.#events.push({ type: 'truncate', tables: [table] });
  }

  /**
   * A connector that starts again sends its last changes once more (at least once). One that goes back to changes that
   * were never seen reads another source: that is a gap, and its changes are taken.
   */
  #isRepeated(decoded: Told, record: TopicRecord): boolean {
    const { source } = decoded;
    if (source.snapshot || source.place === null) return false;
    const found = this.#recent.look(record.name, recentOf(decoded, source.place, record));
    if (found === 'back') {
      this.close();
      const reason = `the source of topic ${record.topic} went back in its log at offset ${record.offset}`;
      this.gap(record.topic, reason);
    }
    return found === 'repeated';
  }
}

/** Without a key rows of one entry are told apart by what they hold. */
function recentOf(
  decoded: Told,
  place: NonNullable<RecordSource['place']>,
  record: TopicRecord,
): RecentChange {
  const { transaction } = decoded.source;
  if (decoded.kind !== 'change') return { place, transaction, operation: decoded.kind, row: null };
  const row = decoded.key ?? record.key ?? decoded.after;
  return { place, transaction, operation: decoded.operation, row };
}
