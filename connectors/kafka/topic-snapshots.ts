import type { SnapshotEvent } from '../../src/connector/changes.ts';
import type { TopicTable } from './layout.ts';
import type { Places, SnapshotPhase, Snapshots } from './position.ts';
import type { RecordSource } from './record-source.ts';
import type { TopicLog } from './topic-log.ts';

/** Where the reading of a topic's partitions began, as far as snapshots are concerned. */
interface TopicStart {
  readonly partitions: number;
  /**
   * Every partition was read from its first record, offset 0, or goes on where it was read before: nothing is missed.
   */
  readonly whole: boolean;
}

interface Open {
  readonly topic: string;
  phase: SnapshotPhase;
  rows: number;
  /** Where it was told that it ends: in the table's own topic or in another. */
  told: 'here' | 'elsewhere' | null;
  /** Ends of the topic's partitions, asked for after that. */
  until: ReadonlyMap<string, bigint> | null;
}

/**
 * Finds where the snapshots of whole tables begin and end. Debezium marks the first and the last row of each table, and
 * of all; a table of one row has one of the marks. Changes follow only behind the snapshot of all tables.
 *
 * In a topic of one partition the marks are where they belong. Partitions of several are read in any order, so a
 * snapshot begins with the first of its rows that is met, its beginning may be met later, and it ends when everything
 * that the topic held after the mark of its end was read. Two beginnings are two snapshots, of which nobody can tell
 * the rows apart: then it ends nothing.
 */
export class TopicSnapshots {
  readonly #starts: ReadonlyMap<string, TopicStart>;
  readonly #open = new Map<string, Open>();
  readonly #tables = new Map<string, TopicTable>();

  /** `open`: those that were under way where the reading begins. */
  constructor(logs: readonly TopicLog[], open: Snapshots) {
    this.#starts = new Map(
      logs.map(({ topic, partitions }) => {
        const whole = partitions.every(({ resumed, place }) => resumed || place.offset === 0n);
        return [topic, { partitions: partitions.length, whole }];
      }),
    );
    for (const [leaf, { topic, phase }] of open) {
      this.#open.set(leaf, { topic, phase, rows: Infinity, told: null, until: null });
    }
  }

  partitionsOf(topic: string): number {
    return this.#startOf(topic).partitions;
  }

  /** Those that are under way, for the position. */
  get open(): Snapshots {
    return this.#open;
  }

  /** Before a row is handed out: whether a snapshot of its table begins with it. */
  begins(topic: string, table: TopicTable, { snapshotMark }: RecordSource): boolean {
    const { leaf } = table;
    this.#tables.set(leaf, table);
    if (snapshotMark === null) return false;
    const { partitions, whole } = this.#startOf(topic);
    const known = this.#open.get(leaf);
    const isFirst = snapshotMark === 'begin';
    const opened = (phase: SnapshotPhase): boolean => {
      this.#open.set(leaf, { topic, phase, rows: 1, told: null, until: null });
      return phase !== 'torn';
    };
    if (partitions === 1 && isFirst) return opened('begun');
    if (known === undefined) {
      // Rows in the middle of a snapshot, in the order in which they were sent: the first ones were removed.
      const isTorn = !whole || (partitions === 1 && snapshotMark === 'within');
      return opened(isTorn ? 'torn' : isFirst || partitions === 1 ? 'begun' : 'opened');
    }
    known.rows += 1;
    if (isFirst) known.phase = known.phase === 'opened' ? 'begun' : 'torn';
    return false;
  }

  /** After a record of the table was handed out. */
  passed(leaf: string, { snapshot, snapshotMark }: RecordSource): void {
    if (snapshotMark === 'last') for (const open of this.#open.values()) open.told ??= 'elsewhere';
    if (snapshot && snapshotMark !== 'end' && snapshotMark !== 'last') return;
    const open = this.#open.get(leaf);
    if (open !== undefined) open.told = 'here';
  }

  /** What is known of tables that the topic carries counts no more. */
  torn(topic: string): void {
    for (const open of this.#open.values()) if (open.topic === topic) open.phase = 'torn';
  }

  /**
   * Records of the topic, which carries these tables, are missing, or not to be read. Rows of a snapshot may be among
   * them whose beginning is not met yet: so none counts of which rows may have been written before this was noticed.
   */
  lacks(topic: string, tables: Iterable<string>): void {
    this.torn(topic);
    // In one partition a beginning behind it is the beginning.
    const told = this.partitionsOf(topic) > 1 ? 'elsewhere' : null;
    for (const leaf of tables) {
      if (!this.#open.has(leaf)) this.#open.set(leaf, { topic, phase: 'torn', rows: 0, told, until: null });
    }
  }

  /** Topics whose ends have to be known before a snapshot that was told to end has ended. */
  get waiting(): readonly string[] {
    return [...this.#open.values()]
      .filter((open) => open.told !== null && open.until === null && !this.#isExact(open))
      .map(({ topic }) => topic);
  }

  /** `ends`: `topic:partition` → behind its newest record, asked for after `waiting`. */
  setEnds(topic: string, ends: ReadonlyMap<string, bigint>): void {
    for (const open of this.#open.values()) {
      if (open.topic === topic && open.told !== null) open.until ??= ends;
    }
  }

  /** The snapshots that have ended where everything before `places` was handed out, taken away. */
  ended(places: Places): readonly SnapshotEvent[] {
    const events: SnapshotEvent[] = [];
    for (const [leaf, open] of this.#open) {
      const table = this.#tables.get(leaf);
      if (open.told === null || !(this.#isExact(open) || isRead(open, places))) continue;
      if (table === undefined && open.phase !== 'torn') continue;
      this.#open.delete(leaf);
      const isWhole = open.phase === 'begun' || (open.phase === 'opened' && open.rows === 1);
      if (isWhole && table !== undefined) events.push({ type: 'snapshot', table, part: 'ends' });
    }
    return events;
  }

  /** Marks and rows stand in one partition, in their order. */
  #isExact({ topic, told }: Open): boolean {
    return told === 'here' && this.#startOf(topic).partitions === 1;
  }

  #startOf(topic: string): TopicStart {
    return this.#starts.get(topic) ?? { partitions: 0, whole: false };
  }
}

function isRead({ until }: Open, places: Places): boolean {
  return until !== null && [...until].every(([name, end]) => (places.get(name)?.offset ?? 0n) >= end);
}
