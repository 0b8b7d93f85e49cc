import type { FeedNotes } from './feed-notes.ts';
import { MissingRecords } from './missing-records.ts';
import type { Place, Places } from './position.ts';
import { RecordQueue } from './record-queue.ts';
import { topicOf } from './topic-log.ts';
import { countsOfTopics, type TransactionRecord } from './transaction-record.ts';
import type { TransactionSink, Waiting } from './waiting-record.ts';

interface Transaction {
  readonly id: string;
  /** Of the tables that are read; null: its end has not come yet. */
  counts: ReadonlyMap<string, number> | null;
  readonly got: Map<string, number>;
  /** Those that a connector sent once more. */
  readonly repeated: Map<string, number>;
  /** Partitions that brought one. */
  readonly from: Set<string>;
  /** Behind the last that its own topic says of it. */
  place: Place;
}

/** How long nothing may move before what waits is handed out by itself: nothing at all, and nothing but beginnings. */
const WAIT_MS = 10_000;
const WAIT_MAX_MS = 60_000;
/** Of one partition, until no more of it is read. */
const HELD_BYTES = 4 * 1024 * 1024;
/**
 * Of all together, until nothing more is read of any that waits. What is awaited comes in one that does not, so it does
 * come.
 */
const HELD_BYTES_OF_ALL = 256 * 1024 * 1024;
const AHEAD_MAX = 100_000;
const DONE_MAX = 65_536;

/**
 * Puts transactions together whose records stand in several partitions, by Debezium's topic of their beginnings and
 * ends. That topic and each partition are in the order of commits: so the records of the first transaction that is not
 * done are handed out as they come, and it is done when there were as many as its end says. Where nothing moves for ten
 * seconds (an end was lost, records were filtered away) all that waits is handed out by itself, and that is noted.
 */
export class TransactionOrder<T extends Waiting> {
  /** What was handed out, of the partitions that are read for it. */
  readonly handedOut: Map<string, Place>;
  readonly #topic: string;
  readonly #tables: ReadonlyMap<string, readonly string[]>;
  readonly #sink: TransactionSink<T>;
  readonly #notes: FeedNotes;
  readonly #missing: MissingRecords;
  /** Those that are not empty. */
  readonly #queues = new Map<string, RecordQueue<T>>();
  /** Of all that waits. */
  #bytes = 0;
  #ahead: Transaction[] = [];
  #first = 0;
  readonly #byId = new Map<string, Transaction>();
  #done = new Set<string>();
  #doneBefore = new Set<string>();
  /** Records wait for no beginning until one comes again. */
  #loose = false;
  #open: Transaction | null = null;
  /** Since the last tick something was handed out; the topic of transactions told something. */
  #moved = true;
  #read = false;
  /** When something was handed out last, or told, by the ticks. */
  #stuckSinceMs = { handedOut: 0, read: 0 };

  /**
   * `topic`: `topic:partition` of the transactions; `tables`: partitions by table; `places`: where the reading begins.
   */
  constructor(
    parts: {
      readonly topic: string;
      readonly tables: ReadonlyMap<string, readonly string[]>;
      readonly places: Places;
      readonly notes: FeedNotes;
    },
    sink: TransactionSink<T>,
  ) {
    this.#topic = parts.topic;
    this.#tables = parts.tables;
    this.handedOut = new Map(parts.places);
    this.#notes = parts.notes;
    this.#missing = new MissingRecords(parts.tables);
    this.#sink = sink;
  }

  get isOpen(): boolean {
    return this.#open !== null;
  }

  /** Something was read and not handed out yet. */
  get isWaiting(): boolean {
    return this.#open !== null || this.#queues.size > 0;
  }

  /** No more of the partition should be read for now. */
  holds(name: string): boolean {
    if (name === this.#topic) return this.#ahead.length - this.#first > AHEAD_MAX;
    return (this.#queues.get(name)?.bytes ?? 0) > (this.#bytes > HELD_BYTES_OF_ALL ? 0 : HELD_BYTES);
  }

  take(record: T): void {
    this.#bytes += record.bytes;
    const queue = this.#queues.get(record.name);
    if (queue !== undefined) {
      queue.push(record);
      return;
    }
    this.#queues.set(record.name, new RecordQueue(record));
    this.#advance();
  }

  /** `place`: behind the record. */
  told({ status, transaction, counts }: TransactionRecord, place: Place): void {
    this.#read = true;
    // Also of what was handed out by itself: they come again.
    this.#loose = false;
    const known = this.#byId.get(transaction);
    // Where the reading begins, or a beginning was lost, there is nothing to put together.
    if (known === undefined && status === 'END') this.#setDone(transaction);
    if (this.#isDone(transaction)) {
      this.passed(this.#topic, place);
      this.#advance();
      return;
    }
    // Where another begins this one has ended: MariaDB's redefinitions begin, and that is all that is told of them.
    const last = this.#ahead.at(-1);
    if (known === undefined && last?.got.size === 0) last.counts ??= new Map();
    const told = known ?? this.#append(transaction, place);
    if (status === 'END') told.counts = countsOfTopics(counts, this.#tables);
    this.passed(this.#topic, place);
    this.#advance();
  }

  /** Nothing that is to be handed out stands before `place`. */
  passed(name: string, place: Place): void {
    const last = this.#ahead.at(-1);
    if (name === this.#topic && last !== undefined) {
      last.place = place;
      return;
    }
    const item = this.#queues.get(name)?.last;
    if (item === undefined) this.handedOut.set(name, place);
    else item.place = place;
  }

  /** Something of the topic is not to be had: what of a transaction that was is told otherwise. */
  broke(topic: string): void {
    this.#missing.broke(topic);
  }

  /** To be called from time to time. */
  tick(nowMs: number): void {
    if (!this.isWaiting || this.#moved) {
      this.#moved = false;
      this.#read = false;
      this.#stuckSinceMs = { handedOut: nowMs, read: nowMs };
      return;
    }
    const since = this.#stuckSinceMs;
    if (this.#read) since.read = nowMs;
    this.#read = false;
    // Either way, should the clock be set.
    const [out, read] = [Math.abs(nowMs - since.handedOut), Math.abs(nowMs - since.read)];
    if (read >= WAIT_MS || out >= WAIT_MAX_MS) this.#giveUp();
  }

  #append(id: string, place: Place): Transaction {
    const counted = { got: new Map(), repeated: new Map(), from: new Set<string>() };
    const made: Transaction = { id, counts: null, ...counted, place };
    this.#ahead.push(made);
    this.#byId.set(id, made);
    return made;
  }

  #advance(): void {
    for (;;) {
      this.#giveFree();
      const current = this.#ahead[this.#first];
      if (current === undefined) return;
      this.#giveOf(current);
      if (isComplete(current)) this.#finish(current);
      else if (this.#isPassed(current)) this.#finish(current, 'some of its records are not there');
      else return;
    }
  }

  /** Whatever belongs to no transaction that is awaited. */
  #giveFree(): void {
    for (const [name, queue] of this.#queues) {
      for (let head = queue.head; head !== undefined && this.#isFree(head); head = queue.head)
        this.#giveAlone(name, queue, head);
    }
  }

  #giveAlone(name: string, queue: RecordQueue<T>, record: T): void {
    const isNew = this.#give(name, queue, record, this.#open !== null);
    const { transaction } = record;
    if (isNew && transaction !== null && !this.#loose)
      this.#notes.untied(`transaction ${transaction}: its beginning or its end was not told`);
  }

  /** While one is open, what was handed out before may come once more, and is left out there. */
  #isFree({ transaction, anywhere }: T): boolean {
    if (transaction === null) return anywhere || this.#open === null;
    if (this.#byId.has(transaction)) return false;
    return this.#isDone(transaction) || (this.#loose && this.#open === null);
  }

  #giveOf(current: Transaction): void {
    for (const [name, queue] of this.#queues) {
      for (let head = queue.head; head !== undefined; head = queue.head) {
        const isOwn = head.transaction === current.id;
        if (isOwn) this.#open = current;
        else if (this.#open === null || !this.#isFree(head)) break;
        const isNew = this.#give(name, queue, head, true);
        if (!isOwn || head.table === null) continue;
        current.from.add(name);
        const counts = isNew ? current.got : current.repeated;
        counts.set(head.table, (counts.get(head.table) ?? 0) + 1);
      }
    }
  }

  /** `isLater`: it was read behind all that is over. */
  #give(name: string, queue: RecordQueue<T>, record: T, whole: boolean, isLater = true): boolean {
    this.#moved = true;
    this.#bytes -= record.bytes;
    if (queue.leave() === 0) this.#queues.delete(name);
    // Should its beginning come after all, it waits for nothing.
    if (!whole && record.transaction !== null) this.#setDone(record.transaction);
    const isNew = this.#sink.give(record, whole);
    this.handedOut.set(record.name, record.place);
    if (record.broken === true) this.broke(topicOf(name));
    if (isNew && this.#missing.came(record, isLater)) this.#tellMissing();
    return isNew;
  }

  /** Its partitions go on with other transactions: what is missing does not come any more. */
  #isPassed({ id, counts, got }: Transaction): boolean {
    if (counts === null) return false;
    for (const [table, count] of counts) {
      if ((got.get(table) ?? 0) >= count) continue;
      const isOver = (this.#tables.get(table) ?? []).every((name) => {
        const head = this.#queues.get(name)?.head;
        // One that is not known may be an older one.
        return head?.transaction != null && head.transaction !== id && this.#byId.has(head.transaction);
      });
      if (!isOver) return false;
    }
    return true;
  }

  #tellMissing(): void {
    for (const lost of this.#missing.take()) this.#sink.lacks(lost);
  }

  #finish(current: Transaction, problem: string | null = null): void {
    this.#first += 1;
    if (this.#first > DONE_MAX || this.#first === this.#ahead.length) {
      this.#ahead = this.#ahead.slice(this.#first);
      this.#first = 0;
    }
    this.#setDone(current.id);
    this.handedOut.set(this.#topic, current.place);
    // Of one that came before everything that is still there nothing is handed out: that is no loss.
    if (this.#open !== null && problem !== null) this.#notes.untied(`transaction ${current.id}: ${problem}`);
    if (this.#open !== null) this.#sink.end();
    this.#open = null;
    if (problem !== null) this.#over(current, this.#isPassed(current));
    for (const name of current.from) this.#missing.flows(name);
    this.#tellMissing();
  }

  #over({ id, counts, got, repeated }: Transaction, isPassed: boolean): void {
    if (counts !== null) this.#missing.over(id, counts, [got, repeated], isPassed);
  }

  #giveUp(): void {
    const [waiting] = [...this.#queues.values()].flatMap(({ head }) => head ?? []);
    const open = this.#open;
    if (open !== null) this.#finish(open, 'its end, or some of its records, did not come in time');
    else this.#notes.untied(`transaction ${waiting?.transaction ?? '?'}: its beginning did not come in time`);
    for (const left of this.#ahead.slice(this.#first)) {
      this.#setDone(left.id);
      this.#over(left, false);
    }
    const last = this.#ahead.at(-1);
    if (last !== undefined) this.handedOut.set(this.#topic, last.place);
    this.#ahead = [];
    this.#first = 0;
    for (const [name, queue] of this.#queues) {
      for (let head = queue.head; head !== undefined; head = queue.head)
        this.#give(name, queue, head, false, false);
    }
    this.#loose = true;
    this.#sink.end();
  }

  #isDone(id: string): boolean {
    return this.#done.has(id) || this.#doneBefore.has(id);
  }

  #setDone(id: string): void {
    this.#byId.delete(id);
    this.#done.add(id);
    if (this.#done.size < DONE_MAX) return;
    this.#doneBefore = this.#done;
    this.#done = new Set();
  }
}

function isComplete({ counts, got }: Transaction): boolean {
  return counts !== null && [...counts].every(([table, count]) => (got.get(table) ?? 0) >= count);
}
