import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FeedNotes } from '../../connectors/kafka/feed-notes.ts';
import { TransactionOrder } from '../../connectors/kafka/topic-transactions.ts';
import { readTransactionRecord, type TransactionRecord } from '../../connectors/kafka/transaction-record.ts';
import type { Waiting } from '../../connectors/kafka/waiting-record.ts';
import { times } from './property-runs.ts';

const TOPIC = 'p.transaction:0';
const TABLES = new Map([
  ['public.a', ['a:0', 'a:1']],
  ['public.b', ['b:0']],
]);
const PARTITIONS = [...TABLES.values()].flat();

interface Item extends Waiting {
  readonly transaction: string | null;
}

/** What was handed out: `+t1` within transaction t1 put together, `-t1` by itself, `|` where one ended. */
class Told {
  readonly texts: string[] = [];
  readonly notes = new FeedNotes();
  readonly order: TransactionOrder<Item>;
  #offset = 0n;
  repeated = false;

  constructor() {
    const parts = { topic: TOPIC, tables: TABLES, places: new Map(), notes: this.notes };
    this.order = new TransactionOrder<Item>(parts, {
      give: ({ name, transaction }, whole) => {
        this.texts.push(`${whole ? '+' : '-'}${transaction ?? name}`);
        return !this.repeated;
      },
      end: () => this.texts.push('|'),
      lacks: ({ table, transaction, count }) =>
        this.texts.push(`${transaction} lacks ${count} of ${table.slice(-1)}`),
    });
  }

  data(name: string, transaction: string | null, anywhere = false, bytes = 1): void {
    const table = name.startsWith('a') ? 'public.a' : 'public.b';
    this.order.take({ name, place: this.#next(), table, transaction, anywhere, bytes });
  }

  /** A record that cannot be read. */
  broken(name: string): void {
    const none = { table: null, transaction: null, anywhere: true, broken: true, bytes: 1 };
    this.order.take({ name, place: this.#next(), ...none });
  }

  /** Transactions of one record each, and their rests. */
  each(name: string, ...transactions: string[]): void {
    for (const transaction of transactions) {
      this.begin(transaction);
      this.data(name, transaction);
      this.end(transaction, { [name.startsWith('a') ? 'public.a' : 'public.b']: 1 });
    }
  }

  begin(transaction: string): void {
    this.#told({ status: 'BEGIN', transaction, counts: new Map() });
  }

  end(transaction: string, counts: Readonly<Record<string, number>>): void {
    this.#told({ status: 'END', transaction, counts: new Map(Object.entries(counts)) });
  }

  /** Ten seconds in which nothing happens. */
  wait(): void {
    for (const ms of [0, 1, 5_000, 10_001]) this.order.tick(ms);
  }

  get text(): string {
    return this.texts.join(' ');
  }

  #told(record: TransactionRecord): void {
    this.order.told(record, this.#next());
  }

  #next(): { offset: bigint; mark: null } {
    this.#offset += 1n;
    return { offset: this.#offset, mark: null };
  }
}

describe('transactions that stand in several partitions', () => {
  it('are put together whatever partition is read first', () => {
    const told = new Told();
    told.data('b:0', 't2');
    told.data('a:0', 't1');
    told.begin('t1');
    told.end('t1', { 'public.a': 2 });
    told.begin('t2');
    told.data('a:1', 't1');
    expect(told.text).toBe('+t1 +t1 | +t2');
    expect(told.order.isWaiting).toBe(true);
    told.end('t2', { 'public.b': 1, 'public.elsewhere': 7 });
    expect(told.text).toBe('+t1 +t1 | +t2 |');
    expect(told.order.isWaiting).toBe(false);
    expect(told.notes.untiedTransactions).toBeNull();
  });

  it('are whole and in order in any interleaving, and nothing is lost', () => {
    const transaction = fc.array(fc.constantFrom(...PARTITIONS), { minLength: 0, maxLength: 4 });
    fc.assert(
      fc.property(
        fc.array(transaction, { maxLength: 8 }),
        fc.infiniteStream(fc.nat()),
        (transactions, choices) => {
          const told = new Told();
          const lanes = lanesOf(told, transactions);
          for (const choice of choices) {
            const left = lanes.filter(({ length }) => length > 0);
            if (left.length === 0) break;
            left[choice % left.length]?.shift()?.();
          }
          const wanted = transactions.flatMap((items, at) =>
            items.length === 0 ? [] : [...items.map(() => `+t${at}`), '|'],
          );
          expect(told.texts).toEqual(wanted);
          expect(told.order.isWaiting).toBe(false);
        },
      ),
      { numRuns: times(100) },
    );
  });

  it('say how far they are only when they are whole', () => {
    const told = new Told();
    told.begin('t1');
    told.data('a:0', 't1');
    expect(told.order.handedOut.get(TOPIC)).toBeUndefined();
    told.end('t1', { 'public.a': 1 });
    expect([told.order.handedOut.get('a:0')?.offset, told.order.handedOut.get(TOPIC)?.offset]).toEqual([
      2n,
      3n,
    ]);
  });

  it('are handed out in pieces, and that is noted, when their end does not come', () => {
    const told = new Told();
    told.begin('t1');
    told.data('a:0', 't1');
    told.data('b:0', 't2');
    told.wait();
    expect(told.text).toBe('+t1 | -t2 |');
    expect(told.notes.untiedTransactions?.reason).toMatch(/^transaction t1: its end/);
    // It came late, and again; the next one is whole once more.
    told.end('t1', { 'public.a': 1 });
    told.end('t1', { 'public.a': 1 });
    told.begin('t3');
    told.data('a:0', 't3');
    told.end('t3', { 'public.a': 1 });
    expect(told.text).toBe('+t1 | -t2 | +t3 |');
  });

  it('wait once and not again and again where nothing tells of them any more', () => {
    const told = new Told();
    told.data('a:0', 't1');
    told.wait();
    told.data('a:0', 't2');
    told.data('b:0', 't2');
    expect(told.text).toBe('-t1 | -t2 -t2');
    expect(told.notes.untiedTransactions?.times).toBe(1);
  });

  it('wait for the beginnings as long as any come, and not for ever', () => {
    const told = new Told();
    told.data('a:0', 'lost');
    for (let second = 0; second <= 54; second += 9) {
      told.begin(`t${second}`);
      told.end(`t${second}`, {});
      told.order.tick(second * 1000);
    }
    expect(told.text).toBe('');
    told.begin('t60');
    told.order.tick(61_000);
    expect(told.text).toBe('-lost |');
  });

  it('of which only the beginning is told are over when another begins', () => {
    const told = new Told();
    told.begin('redefinition');
    told.data('a:0', 't1');
    told.begin('t1');
    told.end('t1', { 'public.a': 1 });
    expect(told.text).toBe('+t1 |');
    expect(told.notes.untiedTransactions).toBeNull();
  });

  it('of which only the end was read are handed out by themselves, and at once', () => {
    const told = new Told();
    told.data('b:0', 't1');
    told.end('t1', { 'public.a': 1, 'public.b': 1 });
    told.data('a:0', 't1');
    expect(told.text).toBe('-t1 -t1');
  });

  it('do not wait for records of which the partitions have gone on', () => {
    const told = new Told();
    told.begin('t1');
    told.end('t1', { 'public.b': 2 });
    told.data('b:0', 't1');
    told.begin('t2');
    told.data('b:0', 't2');
    expect(told.text).toBe('+t1 | +t2');
    expect(told.notes.untiedTransactions?.reason).toMatch(/^transaction t1: some of its records/);
  });

  it('lack what their ends count and their partitions have passed: that never reached its topic', () => {
    const told = new Told();
    told.each('b:0', 't1');
    told.begin('t2');
    told.data('b:0', 't2');
    told.end('t2', { 'public.b': 3 });
    told.each('b:0', 't3');
    expect(told.text).toBe('+t1 | +t2 | t2 lacks 2 of b +t3 |');
    // One of which nothing came at all.
    told.begin('t4');
    told.end('t4', { 'public.b': 1 });
    told.each('b:0', 't5');
    expect(told.text).toMatch(/t4 lacks 1 of b \+t5 \|$/);
  });

  it('lack nothing of a partition before it has brought one that was whole: older records may be removed', () => {
    const told = new Told();
    told.each('a:0', 't1');
    told.begin('t2');
    told.end('t2', { 'public.a': 1, 'public.b': 1 });
    told.data('a:0', 't3');
    told.data('a:1', 't3');
    told.data('b:0', 't3');
    told.begin('t3');
    expect(told.text).toBe('+t1 | +t3 +t3 +t3');
  });

  it('lack nothing where a record could not be read, which is told by itself', () => {
    const told = new Told();
    told.each('b:0', 't1');
    told.begin('t2');
    told.broken('b:0');
    told.end('t2', { 'public.b': 1 });
    told.each('b:0', 't3');
    expect(told.text).toBe('+t1 | -b:0 +t3 |');
  });

  it('lack nothing that came once more and is known, or comes late', () => {
    const told = new Told();
    told.each('a:0', 't1');
    told.each('a:1', 't2');
    told.begin('t3');
    told.repeated = true;
    told.data('a:0', 't3');
    told.repeated = false;
    told.end('t3', { 'public.a': 1 });
    told.data('a:1', 't4');
    told.data('a:0', 't4');
    told.begin('t4');
    told.end('t4', { 'public.a': 3 });
    expect(told.text).not.toContain('lacks');
    told.wait();
    // Late, but it comes.
    told.data('a:1', 't5');
    told.data('a:0', 't4');
    told.data('a:0', 't5');
    expect(told.text).not.toContain('lacks');
  });

  it('lack what did not come in time, as soon as all its partitions have gone on', () => {
    const told = new Told();
    told.each('a:0', 't1');
    told.each('a:1', 't2');
    told.begin('t3');
    told.data('a:0', 't3');
    told.end('t3', { 'public.a': 2 });
    told.wait();
    told.each('a:0', 't4');
    expect(told.text).not.toContain('lacks');
    told.each('a:1', 't5');
    expect(told.text).toContain('t3 lacks 1 of a');
  });

  it('do not count what a connector sends once more', () => {
    const told = new Told();
    told.begin('t1');
    told.end('t1', { 'public.a': 2 });
    told.data('a:0', 't1');
    told.repeated = true;
    told.data('a:0', 't1');
    told.repeated = false;
    expect(told.order.isOpen).toBe(true);
    told.data('a:0', 't1');
    expect(told.order.isOpen).toBe(false);
  });

  it('let rows of a snapshot of all pass between them, and other records anywhere', () => {
    const told = new Told();
    told.data('a:0', null);
    told.begin('t1');
    told.data('a:0', 't1');
    told.data('a:0', null, true);
    told.data('a:1', null);
    expect(told.text).toBe('-a:0 +t1 +a:0');
    told.end('t1', { 'public.a': 1 });
    expect(told.text).toBe('-a:0 +t1 +a:0 | -a:1');
  });

  it('hold a partition back that is too far ahead', () => {
    const told = new Told();
    told.begin('t1');
    for (let index = 0; index < 5; index += 1) {
      const place = { offset: BigInt(index), mark: null };
      const bytes = 1024 * 1024;
      told.order.take({ name: 'b:0', place, table: 'public.b', transaction: 't9', anywhere: false, bytes });
    }
    expect([told.order.holds('b:0'), told.order.holds('a:0')]).toEqual([true, false]);
  });

  it('hold every partition back that waits where all together are too many, and none that is awaited', () => {
    const told = new Told();
    told.begin('t1');
    told.data('b:0', 't9', false, 255 * 1024 * 1024);
    told.data('a:0', 't9');
    expect(told.order.holds('a:0')).toBe(false);
    told.data('a:0', 't9', false, 1024 * 1024);
    expect([told.order.holds('a:0'), told.order.holds('a:1')]).toEqual([true, false]);
    told.data('a:1', 't1');
    told.end('t1', { 'public.a': 1 });
    told.begin('t9');
    expect([told.order.holds('a:0'), told.order.holds('b:0')]).toEqual([false, false]);
  });
});

/** Each partition's records in their order, and those of the beginnings and ends. */
function lanesOf(told: Told, transactions: readonly (readonly string[])[]): (() => void)[][] {
  const lanes = new Map<string, (() => void)[]>([TOPIC, ...PARTITIONS].map((name) => [name, []]));
  for (const [at, items] of transactions.entries()) {
    const id = `t${at}`;
    const counts: Record<string, number> = {};
    lanes.get(TOPIC)?.push(() => told.begin(id));
    for (const name of items) {
      const table = name.startsWith('a') ? 'public.a' : 'public.b';
      counts[table] = (counts[table] ?? 0) + 1;
      lanes.get(name)?.push(() => told.data(name, id));
    }
    lanes.get(TOPIC)?.push(() => told.end(id, counts));
  }
  return [...lanes.values()];
}

describe('a record of the transactions’ topic', () => {
  const read = (value: unknown): TransactionRecord | null =>
    readTransactionRecord(Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));

  it('is read with and without its schema', () => {
    const end = {
      status: 'END',
      id: '571:53195832',
      ts_ms: 1,
      event_count: 2,
      data_collections: [{ data_collection: 'public.a', event_count: 2 }],
    };
    const wanted = { status: 'END', transaction: '571', counts: new Map([['public.a', 2]]) };
    expect(read(end)).toEqual(wanted);
    expect(read({ schema: { type: 'struct' }, payload: end })).toEqual(wanted);
    const gtid = '3e11fa47-71ca-11e1-9e33-c80aa9429562:23';
    expect(read({ status: 'BEGIN', id: gtid, data_collections: null })?.transaction).toBe(gtid);
  });

  it('says nothing when it is something else', () => {
    expect([read('{'), read({}), read({ status: 'END' })]).toEqual([null, null, null]);
  });
});
