import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Outcome, VerifyResult } from '../../src/compare/result.ts';
import { TwinproofError } from '../../src/errors.ts';
import { faultyPlan, livePlan, quietPlan, tamperedPlan } from './world-arbitrary.ts';
import { type RowWrite, type Scheduled, ScheduledWorld, type WorldPlan } from './world-schedule.ts';
import { verifyPair } from './world-verify.ts';
import { PROPERTY_TIMEOUT_MS, times } from './property-runs.ts';

const RUNS = times(12);

interface Ended {
  readonly outcome: Outcome | 'refused';
  readonly scheduled: ScheduledWorld;
  readonly result: VerifyResult | null;
}

/** Lives through a plan while the sites are compared. `refused`: the comparison could not begin, which claims nothing. */
async function verifyPlan(plan: WorldPlan): Promise<Ended> {
  const scheduled = new ScheduledWorld(plan);
  try {
    const result = await verifyPair(scheduled.pair);
    return { outcome: result.outcome, scheduled, result };
  } catch (error) {
    if (!(error instanceof TwinproofError) || error.code === 'TP-BUG') throw error;
    return { outcome: 'refused', scheduled, result: null };
  }
}

describe('whatever happens while two sites are compared', { timeout: PROPERTY_TIMEOUT_MS }, () => {
  it('equal sites at rest are the same, in every table and to the last row', () =>
    fc.assert(
      fc.asyncProperty(quietPlan, async (plan) => {
        const { outcome, result } = await verifyPlan(plan);
        expect(outcome).toBe('same');
        const rows = plan.tables.reduce((sum, { rowCount }) => sum + rowCount, 0);
        const read = result?.tables.reduce((sum, table) => sum + Number(table.rows.candidate), 0);
        expect(read).toBe(rows);
      }),
      { numRuns: RUNS },
    ));

  it('faults never make equal sites different', () =>
    fc.assert(
      fc.asyncProperty(faultyPlan, async (plan) => {
        expect((await verifyPlan(plan)).outcome).not.toBe('different');
      }),
      { numRuns: RUNS },
    ));

  it('a writing primary and a lagging candidate are never different', () =>
    fc.assert(
      fc.asyncProperty(livePlan, async (plan) => {
        expect((await verifyPlan(plan)).outcome).not.toBe('different');
      }),
      { numRuns: RUNS },
    ));

  it('an address that another row has taken meanwhile is no row that an index has lost', async () => {
    const write = (tick: number, writes: RowWrite[]): Scheduled => ({
      tick,
      action: { kind: 'write', table: 0, writes, end: 'visible' },
    });
    const plan: WorldPlan = {
      kind: 'physical',
      seed: 0,
      rowsPerBlock: 1,
      batchRows: 1,
      rowVersions: true,
      tables: [
        { key: 'int8', rowCount: 0 },
        { key: 'none', rowCount: 0 },
      ],
      schedule: [
        write(0, [{ kind: 'insert', row: 0, value: 0 }]),
        { tick: 0, action: { kind: 'show' } },
        write(0, [{ kind: 'rekey', row: 0, value: 1 }]),
        write(1, [
          { kind: 'delete', row: 0, value: 0 },
          { kind: 'rekey', row: 0, value: 0 },
        ]),
        { tick: 35, action: { kind: 'apply', count: 2 } },
        write(42, [{ kind: 'insert', row: 0, value: 0 }]),
      ],
    };
    expect((await verifyPlan(plan)).outcome).not.toBe('different');
  });

  it('a candidate that was changed, or lost a commit, before it was read is never the same', () =>
    fc.assert(
      fc.asyncProperty(tamperedPlan, async (plan) => {
        const { outcome, scheduled } = await verifyPlan(plan);
        fc.pre(scheduled.mustNotBeSame());
        expect(outcome).not.toBe('same');
      }),
      { numRuns: RUNS },
    ));
});
