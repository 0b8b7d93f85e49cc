import type { Fault } from '../../connectors/memory/faults.ts';
import { nameOfKey, type PlacedRow, type TableSpec } from '../../connectors/memory/heap-table.ts';
import { createMemoryPair, type MemoryPair } from '../../connectors/memory/pair.ts';
import type { MemoryTransaction } from '../../connectors/memory/transaction.ts';
import type { Value } from '../../connectors/memory/value.ts';
import type { World, WorldOptions } from '../../connectors/memory/world.ts';

export type KeyKind = 'none' | 'int8' | 'text' | 'bytea' | 'composite';

/** A table as data: its rows follow from their count. */
export interface TablePlan {
  readonly key: KeyKind;
  readonly rowCount: number;
}

/** A write to one row. `row` counts rows in physical order, modulo their number; `value` stands for what is written. */
export interface RowWrite {
  readonly kind: 'insert' | 'update' | 'rekey' | 'delete';
  readonly row: number;
  readonly value: number;
}

/** `table` counts the plan's tables, modulo their number; `transaction` those that are open or pending. */
export type Action =
  | {
      readonly kind: 'write';
      readonly table: number;
      readonly writes: readonly RowWrite[];
      readonly end: 'visible' | 'pending' | 'open';
    }
  | {
      readonly kind: 'end';
      readonly transaction: number;
      readonly how: 'visible' | 'pending' | 'rollback' | 'release';
    }
  | { readonly kind: 'apply'; readonly count: number }
  | { readonly kind: 'show' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'stall'; readonly on: boolean }
  | { readonly kind: 'fault'; readonly fault: Fault }
  | {
      readonly kind: 'tamper';
      readonly how: 'update' | 'flip' | 'delete' | 'insert' | 'duplicate' | 'swap';
      readonly table: number;
      readonly row: number;
      readonly value: number;
    };

export interface Scheduled {
  /** 0: before anything is read. */
  readonly tick: number;
  readonly action: Action;
}

/** A whole run as data, so that a failing one is printed, shrunk and replayed. */
export interface WorldPlan {
  readonly kind: 'physical' | 'logical';
  readonly seed: number;
  readonly rowsPerBlock: number;
  readonly batchRows: number;
  readonly rowVersions: boolean;
  /** The candidate's engine, where it is another; then every commit reaches it within so many milliseconds. */
  readonly candidateEngine?: string;
  readonly applyWithinMs?: number;
  readonly tables: readonly TablePlan[];
  readonly schedule: readonly Scheduled[];
}

const NOTES = [null, '', 'a', 'ab', 'á'] as const;
/** Keys that rows are inserted under: some taken, some freed by deletes. */
const KEY_SPACE = 260;

/**
 * A pair that lives through a plan while somebody reads it: the actions of a tick happen at that tick. Once the
 * schedule is over every tick ends a transaction and applies a commit, so that waiting for the candidate comes to an
 * end.
 */
export class ScheduledWorld {
  readonly pair: MemoryPair;
  readonly world: World;
  readonly #specs: readonly TableSpec[];
  readonly #left: Scheduled[];
  readonly #applyWithinMs: number | null;
  /** Heads of the log, and when they were there first. */
  #heads: { readonly head: number; readonly atMs: number }[] = [];
  readonly #transactions: MemoryTransaction[] = [];
  #changedUnread = false;
  #tampered: { readonly table: string; readonly sequence: number } | null = null;

  constructor(plan: WorldPlan) {
    this.#specs = plan.tables.map((table, index) => tableSpec(table, index));
    this.#applyWithinMs = plan.applyWithinMs ?? null;
    this.#left = [...plan.schedule].sort((a, b) => a.tick - b.tick);
    const options: WorldOptions = { ...plan, tables: this.#specs, onTick: ({ tick }) => this.#reach(tick) };
    this.pair = createMemoryPair(options);
    this.world = this.pair.world;
    this.#reach(0);
  }

  /**
   * To be asked at the end, when nothing is read any more; it settles the world. True: the candidate was changed, or
   * missed a commit that the primary showed, before those rows were read, and differs still. Whoever says that the
   * sites are the same is wrong. Only for a plan with one such change.
   */
  mustNotBeSame(): boolean {
    this.world.stalled = false;
    const missed = [...this.world.missed];
    this.world.settle();
    // A subscriber that stopped at a conflict differs by commits that it has not reached: that is lag.
    if (this.world.applyErrors > 0) return false;
    const missedUnread =
      missed.length > 0 &&
      missed.every(({ table, sequence, pending, snapshots }) => {
        return !pending && snapshots === 0 && !this.#mayCoincide(table, sequence);
      });
    const changedUnread =
      this.#changedUnread &&
      this.#tampered !== null &&
      !this.#mayCoincide(this.#tampered.table, this.#tampered.sequence);
    const since = Math.min(this.#tampered?.sequence ?? Infinity, ...missed.map(({ sequence }) => sequence));
    return (
      (changedUnread || missedUnread) &&
      this.world.differences().some((table) => this.#differsInRowsThatStayed(table, since))
    );
  }

  /**
   * Ranges are read one after another, and candidate and primary at two moments. A row that gets another key meanwhile
   * may leave a range that is still to be read for one that was, and a subscriber that lacks it cannot apply the
   * change; a row with that key may be there by mistake. A row that moves within the heap may escape a read by slices.
   * A candidate that missed no more than a row's move to another address shows the same row, until another takes its
   * old address. So a table differs for certain only in keys that the primary neither gave nor took since then, nor
   * wrote without a change, and in rows that it has not written since its first read.
   */
  #differsInRowsThatStayed(name: string, since: number): boolean {
    const [primary, candidate] = [this.world.primary.table(name), this.world.candidate.table(name)];
    if (primary.key === null) return true;
    const movedKeys = new Set<string>();
    for (const { sequence, changes } of this.world.log) {
      for (const { before, after } of changes.filter((change) => change.table === name)) {
        const keys = [before, after].map((row) => (row === null ? null : primary.keyOf(row.fields)));
        const rekeyed = sequence > since && keys[0] !== keys[1];
        const unaltered =
          before !== null && after !== null && nameOfKey(before.fields) === nameOfKey(after.fields);
        if (rekeyed || unaltered) for (const key of keys) movedKeys.add(key ?? '');
      }
    }
    const theirs = new Map<string, PlacedRow[]>();
    for (const placed of candidate.placedRows()) {
      const key = candidate.keyOf(placed.row.fields);
      theirs.set(key, [...(theirs.get(key) ?? []), placed]);
    }
    for (const { row } of primary.placedRows()) {
      const key = primary.keyOf(row.fields);
      const others = theirs.get(key) ?? [];
      theirs.delete(key);
      if (movedKeys.has(key)) continue;
      if (others.length !== 1 || nameOfKey(others[0]?.row.fields ?? []) !== nameOfKey(row.fields))
        return true;
    }
    return [...theirs.keys()].some((key) => !movedKeys.has(key));
  }

  /**
   * May the candidate, having lost or gained a row by itself, have equalled what the primary came to later? Of a table
   * without a key it may: a row deleted, and inserted anew by a commit that the candidate has not applied, is on both
   * sites until it is. `same` says that the candidate at R holds what the primary holds at p ≥ R, and so it does.
   */
  #mayCoincide(table: string, sequence: number): boolean {
    if (this.#specs.find(({ name }) => name === table)?.key !== null) return false;
    return this.world.log.some(
      (entry) => entry.sequence > sequence && entry.changes.some((change) => change.table === table),
    );
  }

  /** Keeps the promise that every commit reaches the candidate in time. */
  #applyInTime(withinMs: number): void {
    const { world } = this;
    const now = world.now();
    const due = this.#heads.findLast(({ atMs }) => atMs + withinMs <= now);
    if (due !== undefined) {
      const { stalled } = world;
      world.stalled = false;
      world.applyNext(due.head - world.reported);
      world.stalled = stalled;
      this.#heads = this.#heads.filter(({ head }) => head > due.head);
    }
    this.#heads.push({ head: world.head, atMs: now });
  }

  #reach(tick: number): void {
    // Before what happens at this tick, which may lie behind a long sleep.
    if (this.#applyWithinMs !== null) this.#applyInTime(this.#applyWithinMs);
    this.#act(tick);
    if (this.#applyWithinMs !== null) this.#applyInTime(this.#applyWithinMs);
  }

  #act(tick: number): void {
    for (let next = this.#left[0]; next !== undefined && next.tick <= tick; next = this.#left[0]) {
      this.#left.shift();
      this.#perform(next.action);
    }
    if (this.#left.length > 0 || tick === 0) return;
    const transaction = this.#transactions.pop();
    transaction?.release();
    transaction?.rollback();
    this.world.step();
  }

  #perform(action: Action): void {
    switch (action.kind) {
      case 'write':
        return this.#write(action);
      case 'end':
        return this.#end(action);
      case 'apply':
        this.world.applyNext(action.count);
        return undefined;
      case 'show':
        this.world.showNext();
        return undefined;
      case 'drop':
        return this.world.dropCommit();
      case 'stall':
        this.world.stalled = action.on;
        return undefined;
      case 'fault':
        return this.world.inject(action.fault);
      default:
        return this.#tamper(action);
    }
  }

  #write(action: Extract<Action, { kind: 'write' }>): void {
    const spec = this.#spec(action.table);
    if (spec === null) return;
    const transaction = this.world.begin();
    for (const { kind, row, value } of action.writes) {
      const rows = this.world.rows('primary', spec.name);
      const slot = rows[row % Math.max(rows.length, 1)]?.slot ?? -1;
      if (kind === 'insert') transaction.insert(spec.name, rowValues(spec, value));
      else if (kind === 'delete') transaction.delete(spec.name, slot);
      else transaction.update(spec.name, slot, kind === 'rekey' ? keyValues(spec, value) : payload(value));
    }
    if (action.end !== 'open') transaction.commit(action.end);
    if (transaction.state !== 'done') this.#transactions.push(transaction);
  }

  #end(action: Extract<Action, { kind: 'end' }>): void {
    const at = action.transaction % Math.max(this.#transactions.length, 1);
    const transaction = this.#transactions[at];
    if (transaction === undefined) return;
    if (action.how === 'release') transaction.release();
    else if (action.how === 'rollback') transaction.rollback();
    else transaction.commit(action.how);
    if (transaction.state === 'done') this.#transactions.splice(at, 1);
  }

  #tamper(action: Extract<Action, { kind: 'tamper' }>): void {
    const spec = this.#spec(action.table);
    if (spec === null) return;
    const { row, value } = action;
    const table = spec.name;
    const before = this.world.rows('candidate', table);
    const slots = this.world.tamper(tamperingOf(action.how, spec, row, value));
    if (slots.length === 0) return;
    const { candidate } = this.world;
    const changed = before.filter((placed) => slots.includes(placed.slot));
    const rowsUnread = changed.every((placed) => !candidate.wasRead(table, placed.slot, placed.row));
    // A row that was not there before is unread if its whole table is.
    const added = changed.length < slots.length;
    this.#changedUnread = candidate.snapshotsOf(table) === 0 || (!added && rowsUnread);
    this.#tampered = { table, sequence: this.world.shown };
  }

  #spec(index: number): TableSpec | null {
    return this.#specs[index % Math.max(this.#specs.length, 1)] ?? null;
  }
}

function tamperingOf(
  how: Extract<Action, { kind: 'tamper' }>['how'],
  spec: TableSpec,
  row: number,
  value: number,
): Parameters<World['tamper']>[0] {
  const table = spec.name;
  switch (how) {
    case 'insert':
      return { kind: 'insert', table, values: rowValues(spec, value) };
    case 'delete':
    case 'duplicate':
      return { kind: how, table, row };
    case 'swap':
      return { kind: 'swap', table, row, other: value, column: 'amount' };
    default: {
      const version = how === 'flip' ? 'keep' : 'new';
      return { kind: 'update', table, row, column: 'note', value: payload(value)['note'] ?? null, version };
    }
  }
}

/** The table of a plan: key columns among the others, and rows that repeat where there is no key. */
export function tableSpec(plan: TablePlan, index: number): TableSpec {
  const columns: TableSpec['columns'] = [
    { name: 'note', type: 'text' },
    ...(plan.key === 'text' || plan.key === 'composite' ? [{ name: 'code', type: 'text' } as const] : []),
    ...(plan.key === 'int8' || plan.key === 'composite' ? [{ name: 'id', type: 'int8' } as const] : []),
    ...(plan.key === 'bytea' ? [{ name: 'raw', type: 'bytea' } as const] : []),
    { name: 'amount', type: 'int8' },
  ];
  const spec = {
    name: `public.t${index}`,
    columns,
    key: plan.key === 'none' ? null : columns.slice(1, -1).map((column) => column.name),
  };
  return { ...spec, rows: Array.from({ length: plan.rowCount }, (_, row) => rowValues(spec, row)) };
}

function rowValues(spec: TableSpec, value: number): Value[] {
  const values = { ...payload(spec.key === null ? value % 7 : value), ...keyValues(spec, value) };
  return spec.columns.map((column) => values[column.name] ?? null);
}

function payload(value: number): Readonly<Record<string, Value>> {
  return {
    note: NOTES[value % NOTES.length] ?? null,
    amount: value % 3 === 0 ? null : BigInt(value) - 9n,
  };
}

/** The key that a number stands for; of a table without a key just another payload. */
function keyValues(spec: TableSpec, value: number): Readonly<Record<string, Value>> {
  const number = value % KEY_SPACE;
  switch (spec.key?.join()) {
    case undefined:
      return payload(value % 7);
    case 'id':
      return { id: BigInt(number - 20) * 1_000_000_007n };
    case 'code':
      return { code: `k ${number}` };
    case 'raw':
      return { raw: Uint8Array.of(number >> 4, number & 15) };
    default:
      return { code: `k${number % 16}`, id: BigInt(number >> 4) };
  }
}
