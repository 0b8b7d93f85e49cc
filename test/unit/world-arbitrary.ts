import * as fc from 'fast-check';
import type { Fault, Operation } from '../../connectors/memory/faults.ts';
import type { Action, RowWrite, Scheduled, TablePlan, WorldPlan } from './world-schedule.ts';

/** A run has some hundred ticks; later actions come when it is over, and do no harm. */
const TICK_MAX = 250;

const number = fc.nat({ max: 400 });

export const tablePlan: fc.Arbitrary<TablePlan> = fc.record({
  key: fc.constantFrom('none', 'int8', 'text', 'bytea', 'composite'),
  rowCount: fc.oneof(
    { arbitrary: fc.nat({ max: 12 }), weight: 3 },
    { arbitrary: fc.nat({ max: 200 }), weight: 1 },
  ),
});

const rowWrite: fc.Arbitrary<RowWrite> = fc.record({
  kind: fc.constantFrom('insert', 'update', 'rekey', 'delete'),
  row: number,
  value: number,
});

const rowWrites = fc.array(rowWrite, { minLength: 1, maxLength: 3 });

type Ends = Extract<Action, { kind: 'write' }>['end'];
type Hows = Extract<Action, { kind: 'end' }>['how'];

/** What a primary and its faithful candidate do, with these ends of transactions. */
function traffic(ends: readonly Ends[], hows: readonly Hows[]): fc.Arbitrary<Action> {
  return fc.oneof(
    fc.record({
      kind: fc.constant('write' as const),
      table: fc.nat({ max: 2 }),
      writes: fc.array(rowWrite, { minLength: 1, maxLength: 4 }),
      end: fc.constantFrom(...ends),
    }),
    fc.record({
      kind: fc.constant('end' as const),
      transaction: fc.nat({ max: 4 }),
      how: fc.constantFrom(...hows),
    }),
    fc.record({ kind: fc.constant('apply' as const), count: fc.integer({ min: 1, max: 4 }) }),
    fc.constant({ kind: 'show' as const }),
  );
}

const lively = traffic(
  ['visible', 'visible', 'pending', 'open'],
  ['visible', 'pending', 'rollback', 'release'],
);

/**
 * Without pending commits: while the candidate shows a commit that the primary does not, a change of the candidate may
 * make it equal to what the primary shows, and only the later release tells.
 */
const plain = traffic(['visible', 'visible', 'open'], ['visible', 'rollback']);

const stall: fc.Arbitrary<Action> = fc.record({ kind: fc.constant('stall' as const), on: fc.boolean() });

const operation: fc.Arbitrary<Operation> = fc.constantFrom(
  'identify',
  'relateTo',
  'describeTables',
  'head',
  'applied',
  'planRanges',
  'splitRange',
  'readRange',
  'readRange',
  'batch',
  'batch',
  'readRows',
  'readRows',
  'commitsPending',
  'describeKeys',
);

export const fault: fc.Arbitrary<Fault> = fc.record({
  site: fc.constantFrom('primary', 'candidate'),
  operation,
  nth: fc.integer({ min: 1, max: 20 }),
  error: fc.constantFrom('retryable', 'retryable', 'permanent', 'corrupt'),
  times: fc.integer({ min: 1, max: 5 }),
});

const faults = fc.array(
  fault.map((each): Scheduled => ({ tick: 0, action: { kind: 'fault', fault: each } })),
  { maxLength: 4 },
);

const tampering: fc.Arbitrary<Action> = fc.record({
  kind: fc.constant('tamper' as const),
  how: fc.constantFrom('update', 'flip', 'delete', 'insert', 'duplicate', 'swap'),
  table: fc.nat({ max: 2 }),
  row: number,
  value: number,
});

const tick = fc.oneof(fc.constant(0), fc.nat({ max: 40 }), fc.nat({ max: TICK_MAX }));

function scheduled(action: fc.Arbitrary<Action>): fc.Arbitrary<Scheduled> {
  return fc.record({ tick, action });
}

function plan(schedule: fc.Arbitrary<readonly Scheduled[]>): fc.Arbitrary<WorldPlan> {
  return fc.record({
    kind: fc.constantFrom('physical', 'logical'),
    seed: fc.nat({ max: 1_000_000 }),
    rowsPerBlock: fc.constantFrom(1, 3, 8),
    batchRows: fc.constantFrom(1, 4, 64),
    rowVersions: fc.boolean(),
    tables: fc.array(tablePlan, { minLength: 1, maxLength: 3 }),
    schedule,
  });
}

/** Equal sites that nobody writes to, no faults: the answer is `same`. */
export const quietPlan: fc.Arbitrary<WorldPlan> = plan(fc.constant([]));

const harmlessFaults = faults.map((breaks) => breaks.filter((each) => !corrupts(each.action)));

/**
 * Equal sites that nobody writes to, with faults but `corrupt`, which is a finding of its own: the answer is never
 * `different`.
 */
export const faultyPlan: fc.Arbitrary<WorldPlan> = plan(harmlessFaults);

/**
 * A writing primary and a candidate that lags, stalls and shows commits before the primary does, but loses none; with
 * faults but `corrupt`. The answer is never `different`.
 */
export const livePlan: fc.Arbitrary<WorldPlan> = plan(
  fc
    .tuple(
      fc.array(scheduled(fc.oneof({ arbitrary: lively, weight: 9 }, stall)), { maxLength: 40, size: 'max' }),
      harmlessFaults,
    )
    .map((parts) => parts.flat()),
);

function corrupts(action: Action): boolean {
  return action.kind === 'fault' && action.fault.error === 'corrupt';
}

/**
 * One change behind replication's back, or one commit lost, among faults and perhaps a writing primary. The answer is
 * never `same` when ScheduledWorld.mustNotBeSame says so.
 */
export const tamperedPlan: fc.Arbitrary<WorldPlan> = plan(
  fc
    .tuple(
      fc.oneof(
        { arbitrary: scheduled(tampering).map((each) => [each]), weight: 4 },
        { arbitrary: rowWrites.map(lostCommit), weight: 1 },
        { arbitrary: fc.tuple(tick, fc.nat({ max: 60 }), rowWrites).map(lostLater), weight: 1 },
      ),
      fc.oneof(fc.constant([]), fc.array(scheduled(plain), { maxLength: 25, size: 'max' })),
      faults,
    )
    .map((parts) => parts.flat()),
);

function lostCommit(writes: readonly RowWrite[]): Scheduled[] {
  return [
    { tick: 0, action: { kind: 'write', table: 0, writes, end: 'visible' } },
    { tick: 0, action: { kind: 'drop' } },
    { tick: 0, action: { kind: 'apply', count: 1 } },
  ];
}

function lostLater([from, delay, writes]: [number, number, readonly RowWrite[]]): Scheduled[] {
  return [
    { tick: from, action: { kind: 'write', table: 0, writes, end: 'visible' } },
    { tick: from, action: { kind: 'drop' } },
    { tick: from + delay, action: { kind: 'apply', count: 1 } },
  ];
}
