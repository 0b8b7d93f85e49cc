import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TableSpec } from '../../connectors/memory/heap-table.ts';
import { createMemoryPair, type MemoryPair } from '../../connectors/memory/pair.ts';
import { textOf } from '../../connectors/memory/value.ts';
import { faultyPlan, livePlan, tamperedPlan } from './world-arbitrary.ts';
import { ScheduledWorld } from './world-schedule.ts';
import { times } from './property-runs.ts';

const ACCOUNTS: TableSpec = {
  name: 'public.accounts',
  columns: [
    { name: 'id', type: 'int8' },
    { name: 'owner', type: 'text' },
  ],
  key: ['id'],
  rows: [
    [1n, 'ann'],
    [2n, 'bob'],
    [3n, null],
  ],
};
const T = ACCOUNTS.name;
const KINDS = ['physical', 'logical'] as const;

function makePair(kind: 'physical' | 'logical'): MemoryPair {
  return createMemoryPair({ kind, tables: [ACCOUNTS], seed: 11 });
}

/** `id owner` of every row on a site, sorted. */
function content(pair: MemoryPair, site: 'primary' | 'candidate'): string[] {
  const { columns } = pair.world.site(site).table(T);
  const rows = pair.world
    .rows(site, T)
    .map(({ row }) =>
      row.fields.map((field, at) => (field === null ? '-' : textOf(field, columns[at]?.type ?? 'bytea'))),
    );
  return rows.map((fields) => fields.join(' ')).sort();
}

function slotOf(pair: MemoryPair, site: 'primary' | 'candidate', id: bigint): number {
  const table = pair.world.site(site).table(T);
  return table.slotsOfKey(table.keyOf(table.fieldsFrom([id, null])))[0] ?? -1;
}

describe.each(KINDS)('the %s world', (kind) => {
  it('shows a transaction on the primary at its commit, on the candidate when it is applied', () => {
    const pair = makePair(kind);
    const transaction = pair.world.begin();
    transaction.insert(T, [4n, 'dan']);
    transaction.update(T, slotOf(pair, 'primary', 1n), { owner: 'eve' });
    transaction.delete(T, slotOf(pair, 'primary', 2n));
    expect(content(pair, 'primary')).toEqual(['1 ann', '2 bob', '3 -']);
    transaction.commit();
    expect(content(pair, 'primary')).toEqual(['1 eve', '3 -', '4 dan']);
    expect(content(pair, 'candidate')).toEqual(['1 ann', '2 bob', '3 -']);
    expect(pair.world.differences()).toEqual([T]);
    expect(pair.world.step()).toBe(true);
    expect(pair.world.differences()).toEqual([]);
    expect(pair.world.step()).toBe(false);
  });

  it('refuses what a server would refuse, and changes nothing by it', () => {
    const pair = makePair(kind);
    const first = pair.world.begin();
    const second = pair.world.begin();
    const slot = slotOf(pair, 'primary', 1n);
    expect(first.update(T, slot, { owner: 'first' })).not.toBeNull();
    expect(second.update(T, slot, { owner: 'second' })).toBeNull();
    expect(second.delete(T, slot)).toBe(false);
    expect(first.insert(T, [3n, 'taken'])).toBeNull();
    expect(first.insert(T, [9n, 'nine'])).not.toBeNull();
    expect(second.insert(T, [9n, 'nine'])).toBeNull();
    expect(second.update(T, slotOf(pair, 'primary', 3n), { id: 2n })).toBeNull();
    first.rollback();
    second.commit();
    expect(content(pair, 'primary')).toEqual(['1 ann', '2 bob', '3 -']);
    expect(pair.world.head).toBe(0);
  });

  it('a pending commit is in the log, not on the primary, and maybe on the candidate', async () => {
    const pair = makePair(kind);
    const signal = new AbortController().signal;
    const transaction = pair.world.begin();
    transaction.update(T, slotOf(pair, 'primary', 1n), { owner: 'new' });
    expect((await pair.primary.head(signal)).quiet).toBe(false);
    transaction.commit('pending');
    pair.world.step();
    expect(content(pair, 'candidate')).toContain('1 new');
    expect(content(pair, 'primary')).toContain('1 ann');
    expect((await pair.primary.head(signal)).quiet).toBe(false);
    expect(await pair.primary.commitsPending([], signal)).toBe('pending');
    transaction.release();
    expect(content(pair, 'primary')).toContain('1 new');
    expect((await pair.primary.head(signal)).quiet).toBe(true);
    expect(await pair.primary.commitsPending([], signal)).toBe('none');
  });

  it('a commit may be shown before it is reported', async () => {
    const pair = makePair(kind);
    const signal = new AbortController().signal;
    pair.world.write((transaction) => transaction.insert(T, [4n, null]));
    const start = (await pair.candidate.applied(signal)).applied;
    expect(pair.world.showNext()).toBe(true);
    expect(content(pair, 'candidate')).toContain('4 -');
    expect((await pair.candidate.applied(signal)).applied).toBe(start);
    expect(pair.world.applyNext(5)).toBe(1);
    expect((await pair.candidate.applied(signal)).applied).toBe((await pair.primary.head(signal)).head);
  });

  it('passes over a dropped commit, or one change of it', () => {
    const pair = makePair(kind);
    pair.world.write((transaction) => transaction.insert(T, [4n, null]));
    pair.world.write((transaction) => {
      transaction.insert(T, [5n, null]);
      transaction.insert(T, [6n, null]);
    });
    pair.world.dropCommit();
    pair.world.dropCommit(2, 1);
    pair.world.applyAll();
    expect(pair.world.reported).toBe(2);
    expect(content(pair, 'candidate')).toEqual(['1 ann', '2 bob', '3 -', '5 -']);
  });

  it('counts what is received and not applied, and receives nothing over a cut link', async () => {
    const pair = makePair(kind);
    const signal = new AbortController().signal;
    pair.world.write((transaction) => transaction.insert(T, [4n, 'four']));
    pair.world.linked = false;
    pair.world.write((transaction) => transaction.insert(T, [5n, null]));
    const lag = await pair.candidate.lag(signal);
    expect(lag).toEqual({
      received: pair.world.position(1),
      applied: pair.world.position(0),
      receivedNotAppliedBytes: 24n + 12n + 8n,
    });
    pair.world.applyAll();
    expect(pair.world.reported).toBe(1);
    pair.world.linked = true;
    pair.world.applyAll();
    expect(pair.world.differences()).toEqual([]);
  });

  it('changes the definition of a table', () => {
    const pair = makePair(kind);
    const change = {
      kind: 'addColumn',
      table: T,
      column: { name: 'city', type: 'text' },
      value: 'Seoul',
    } as const;
    expect(pair.world.alterPrimary(change)).toBe(true);
    pair.world.write((transaction) => transaction.insert(T, [4n, 'dan', null]));
    pair.world.applyAll();
    expect(pair.world.differences()).toEqual(kind === 'physical' ? [] : [T]);
    // A subscriber that lacks a column stops; it goes on when the column is there.
    expect(pair.world.applyErrors).toBe(kind === 'physical' ? 0 : 1);
    if (kind === 'logical') pair.world.alterCandidate(change);
    pair.world.applyAll();
    expect(pair.world.differences()).toEqual([]);
  });
});

describe('tampering', () => {
  it('changes the candidate alone, and says which rows', () => {
    const pair = makePair('physical');
    const { world } = pair;
    const before = world.rows('candidate', T)[1]?.row.version;
    expect(
      world.tamper({ kind: 'update', table: T, row: 1, column: 'owner', value: 'x', version: 'keep' }),
    ).toEqual([1]);
    expect(world.rows('candidate', T)[1]?.row.version).toBe(before);
    expect(
      world.tamper({ kind: 'update', table: T, row: 1, column: 'owner', value: 'x', version: 'new' }),
    ).toEqual([]);
    expect(world.tamper({ kind: 'swap', table: T, row: 0, other: 2, column: 'owner' })).toEqual([0, 2]);
    expect(world.tamper({ kind: 'delete', table: T, row: 5 })).toEqual([2]);
    expect(world.tamper({ kind: 'insert', table: T, values: [1n, 'taken'] })).toEqual([]);
    expect(world.tamper({ kind: 'duplicate', table: T, row: 0 })).toHaveLength(1);
    expect(content(pair, 'candidate')).toEqual(['1 -', '1 -', '2 x']);
    expect(content(pair, 'primary')).toEqual(['1 ann', '2 bob', '3 -']);
  });

  it('stops a subscriber that then meets a conflict, with nothing of the transaction applied', () => {
    const pair = makePair('logical');
    pair.world.tamper({ kind: 'insert', table: T, values: [9n, 'local'] });
    pair.world.write((transaction) => {
      transaction.delete(T, slotOf(pair, 'primary', 2n));
      transaction.insert(T, [9n, 'nine']);
    });
    expect(pair.world.step()).toBe(false);
    expect(content(pair, 'candidate')).toEqual(['1 ann', '2 bob', '3 -', '9 local']);
    expect(pair.world.applyErrors).toBe(1);
  });
});

describe('worlds by plan', () => {
  it('a faithful candidate comes to equal its primary', () => {
    fc.assert(
      fc.property(livePlan, (plan) => {
        const run = new ScheduledWorld(plan);
        expect(run.mustNotBeSame()).toBe(false);
        expect(run.world.differences()).toEqual([]);
        expect(run.world.applyErrors).toBe(0);
      }),
      { numRuns: times(20) },
    );
  });

  it('a plan with one tampering mostly leaves a difference, and then says so', () => {
    const plans = fc.sample(tamperedPlan, { numRuns: 100, seed: 4 });
    const telling = plans.filter((plan) => {
      const run = new ScheduledWorld({
        ...plan,
        schedule: plan.schedule.map((each) => ({ ...each, tick: 0 })),
      });
      return run.mustNotBeSame();
    });
    expect(telling.length).toBeGreaterThan(40);
  });

  it('a faulty world is as it was', () => {
    fc.assert(
      fc.property(faultyPlan, (plan) => {
        expect(new ScheduledWorld(plan).world.differences()).toEqual([]);
      }),
      { numRuns: 20 },
    );
  });
});
