import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TableSpec } from '../../connectors/memory/heap-table.ts';
import { createMemoryPair, type MemoryPair } from '../../connectors/memory/pair.ts';
import type { WorldOptions } from '../../connectors/memory/world.ts';
import type { TableResult, VerifyResult } from '../../src/compare/result.ts';
import type { VerifyOptions } from '../../src/compare/verify-options.ts';
import { TwinproofError } from '../../src/errors.ts';
import { type Mapping, NO_MAPPING, NOTHING_SAID } from '../../src/config/mapping.ts';
import { faultyPlan, livePlan, quietPlan, tamperedPlan } from './world-arbitrary.ts';
import { ScheduledWorld, type WorldPlan } from './world-schedule.ts';
import { verifyPair } from './world-verify.ts';
import { PROPERTY_TIMEOUT_MS, times } from './property-runs.ts';

const T = 'public.accounts';
const WITHIN_MS = 5000;
const RUNS = times(12);

function accounts(spec: Partial<TableSpec> = {}): TableSpec {
  return {
    name: T,
    columns: [
      { name: 'id', type: 'int8' },
      { name: 'owner', type: 'text' },
    ],
    key: ['id'],
    rows: Array.from({ length: 100 }, (_, index) => [BigInt(index), `owner ${index}`]),
    ...spec,
  };
}

function makePair(options: Partial<WorldOptions> = {}): MemoryPair {
  return createMemoryPair({
    kind: 'logical',
    candidateEngine: 'other',
    tables: [accounts()],
    seed: 5,
    ...options,
  });
}

function compare(pair: MemoryPair, options: Partial<VerifyOptions> = {}): Promise<VerifyResult> {
  return verifyPair(pair, { applyWithinMs: WITHIN_MS, ...options });
}

function only(result: VerifyResult): TableResult {
  const [table] = result.tables;
  if (table === undefined || result.tables.length > 1) throw new Error(`${result.tables.length} tables`);
  return table;
}

function codesOf({ reasons }: Pick<TableResult, 'reasons'>): string[] {
  return reasons.map(({ code }) => code);
}

/** Another row is written at every tick, so that neither site ever stands still; commits arrive in time. */
function keepMoving({ world }: MemoryPair): void {
  let turn = 0;
  world.onTick = ({ operation }) => {
    turn++;
    const slot = world.rows('primary', T).at(-1)?.slot ?? -1;
    world.write((transaction) => void transaction.update(T, slot, { owner: `turn ${turn}` }));
    if (turn % 7 === 0 || operation === 'sleep') world.applyAll();
  };
}

describe('sites of different engines', () => {
  it('are compared in portable forms by slices, and a note says that time is the witness', async () => {
    const result = await compare(makePair());
    expect(result).toMatchObject({ outcome: 'same', pair: 'cross-engine', candidate: { position: null } });
    expect(only(result)).toMatchObject({ encoding: 'portable', method: 'slice', rows: { primary: 100n } });
    expect(result.reasons).toMatchObject([{ code: 'TP-BY-TIME', severity: 'info' }]);
    expect(result.reasons[0]?.message).toContain('5 s');
  });

  it('are found equal without waiting', async () => {
    const pair = makePair();
    await compare(pair);
    expect(pair.world.now()).toBeLessThan(WITHIN_MS / 2);
  });

  it.each([
    ['with a key', ['id']],
    ['without a key', null],
  ])('%s: a difference at rest is found after one wait', async (_, key) => {
    const pair = makePair({ tables: [accounts({ key })] });
    pair.world.tamper({ kind: 'update', table: T, row: 7, column: 'owner', value: 'x', version: 'new' });
    pair.world.tamper({ kind: 'delete', table: T, row: 9 });
    const result = await compare(pair);
    expect(result.outcome).toBe('different');
    expect(pair.world.now()).toBeGreaterThanOrEqual(WITHIN_MS);
    expect(pair.world.now()).toBeLessThan(WITHIN_MS * 1.5);
  });

  it('a difference among moving rows is found by settling, after two waits, and names its row', async () => {
    const pair = makePair();
    pair.world.tamper({ kind: 'update', table: T, row: 7, column: 'owner', value: 'x', version: 'new' });
    keepMoving(pair);
    const result = await compare(pair);
    expect(only(result)).toMatchObject({ outcome: 'different', differences: { changed: 1n, missing: 0n } });
    expect(only(result).samples).toMatchObject([{ kind: 'changed', columns: ['owner'] }]);
    expect(pair.world.now()).toBeGreaterThanOrEqual(2 * WITHIN_MS);
  });

  it('a commit that arrives in time is no difference, one that does not is', async () => {
    for (const [arrivesAfterMs, outcome] of [
      [WITHIN_MS - 1000, 'same'],
      [WITHIN_MS * 4, 'different'],
    ] as const) {
      const pair = makePair();
      pair.world.write((transaction) => void transaction.update(T, 3, { owner: 'late' }));
      pair.world.onTick = () => {
        if (pair.world.now() >= arrivesAfterMs) pair.world.applyAll();
      };
      expect((await compare(pair)).outcome).toBe(outcome);
    }
  });

  it('a candidate that cannot tell its own head is settled row by row', async () => {
    const pair = makePair();
    pair.candidate.head = () => Promise.reject(new TwinproofError('TP-ROLES'));
    pair.world.tamper({ kind: 'delete', table: T, row: 7 });
    expect(only(await compare(pair)).differences).toEqual({ missing: 1n, extra: 0n, changed: 0n });
    expect(pair.world.now()).toBeGreaterThanOrEqual(2 * WITHIN_MS);
  });

  it('are refused when the primary is in recovery', async () => {
    const pair = makePair();
    const identity = await pair.primary.identify(new AbortController().signal);
    pair.primary.identify = () => Promise.resolve({ ...identity, role: 'standby' });
    await expect(compare(pair)).rejects.toMatchObject({ code: 'TP-ROLES' });
  });

  it('cannot be held back by lag, which the candidate does not tell', async () => {
    const throttle = { rowsPerSecondMax: null, lagMaxMs: 1000 };
    await expect(compare(makePair(), { throttle })).rejects.toMatchObject({ code: 'TP-USAGE' });
  });
});

function mapping(tables: [string, string][], columns: Record<string, Record<string, object>> = {}): Mapping {
  return {
    tables: new Map(tables),
    columns: new Map(
      Object.entries(columns).map(([table, each]) => [
        table,
        new Map(Object.entries(each).map(([name, one]) => [name, { ...NOTHING_SAID, ...one }])),
      ]),
    ),
  };
}

describe('a mapping that does not fit', () => {
  it.each<[string, Mapping, string, string]>([
    ['names a table that is not there', mapping([['public.gone', 'a.b']]), 'unproven', 'TP-MAPPING'],
    ['names a table’s candidate that is not there', mapping([[T, 'a.b']]), 'different', 'TP-TABLE-MISSING'],
    [
      'names a column that is not there',
      mapping([], { [T]: { gone: { as: 'text' } } }),
      'unproven',
      'TP-MAPPING',
    ],
    [
      'names a column of the candidate that is not there',
      mapping([], { [T]: { owner: { name: 'gone' } } }),
      'different',
      'TP-COLUMN-MISSING',
    ],
    ['trims a number', mapping([], { [T]: { id: { trim: true } } }), 'unproven', 'TP-MAPPING'],
    ['trims the key', mapping([], { [T]: { id: { as: 'integer', trim: true } } }), 'unproven', 'TP-MAPPING'],
    ['rounds a text', mapping([], { [T]: { owner: { as: 'text', scale: 1 } } }), 'unproven', 'TP-MAPPING'],
    ['rounds what is no number', mapping([], { [T]: { owner: { scale: 1 } } }), 'unproven', 'TP-NO-ENCODING'],
    [
      'asks for a form that the column has not',
      mapping([], { [T]: { owner: { as: 'uuid' } } }),
      'unproven',
      'TP-NO-ENCODING',
    ],
  ])('%s', async (_, wanted, outcome, code) => {
    const result = await compare(makePair(), { mapping: wanted });
    expect(result.outcome).toBe(outcome);
    expect([...result.reasons, ...result.tables.flatMap(({ reasons }) => reasons)]).toContainEqual(
      expect.objectContaining({ code, severity: expect.stringMatching(/warn|block/) }),
    );
  });

  it('is never ignored within one engine either', async () => {
    const pair = createMemoryPair({ kind: 'logical', tables: [accounts()], seed: 5 });
    const result = await compare(pair, { mapping: mapping([], { [T]: { owner: { as: 'text' } } }) });
    expect(codesOf(only(result))).toEqual(['TP-MAPPING']);
    const copy = createMemoryPair({ kind: 'physical', tables: [accounts()], seed: 5 });
    const odd = await compare(copy, { mapping: mapping([[T, T]]) });
    expect([odd.outcome, codesOf(odd)]).toEqual(['unproven', ['TP-MAPPING']]);
    expect((await compare(copy, { mapping: NO_MAPPING })).outcome).toBe('same');
  });
});

describe('whatever happens between two engines', { timeout: PROPERTY_TIMEOUT_MS }, () => {
  const crossing = (plan: WorldPlan): WorldPlan => ({
    ...plan,
    kind: 'logical',
    candidateEngine: 'other',
    applyWithinMs: WITHIN_MS,
  });

  async function outcomeOf(plan: WorldPlan): Promise<{ outcome: string; scheduled: ScheduledWorld }> {
    const scheduled = new ScheduledWorld(plan);
    try {
      return { outcome: (await compare(scheduled.pair)).outcome, scheduled };
    } catch (error) {
      if (!(error instanceof Error) || !('code' in error) || error.code === 'TP-BUG') throw error;
      return { outcome: 'refused', scheduled };
    }
  }

  it('equal sites at rest are the same', () =>
    fc.assert(
      fc.asyncProperty(quietPlan, async (plan) => {
        expect((await outcomeOf(crossing(plan))).outcome).toBe('same');
      }),
      { numRuns: RUNS },
    ));

  it('faults, and commits on their way, never make a difference', () =>
    fc.assert(
      fc.asyncProperty(fc.oneof(livePlan, faultyPlan), async (plan) => {
        expect((await outcomeOf(crossing(plan))).outcome).not.toBe('different');
      }),
      { numRuns: RUNS },
    ));

  it('a candidate that was changed, or lost a commit, before it was read is never the same', () =>
    fc.assert(
      fc.asyncProperty(tamperedPlan, async (plan) => {
        const { outcome, scheduled } = await outcomeOf(crossing(plan));
        fc.pre(scheduled.mustNotBeSame());
        expect(outcome).not.toBe('same');
      }),
      { numRuns: RUNS },
    ));
});
