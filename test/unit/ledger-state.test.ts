import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StreamedTable } from '../../src/connector/changes.ts';
import { STATE, type RowState } from '../../src/ledger/entry.ts';
import { Ledger, type LedgerOptions } from '../../src/ledger/ledger.ts';
import { boundaryOf, StateAt } from '../../src/ledger/state.ts';
import {
  beginEmpty,
  comparePlaces,
  define,
  digestOf,
  identity,
  ledgerOptions,
  openLedger,
  place,
  removeFolder,
  table,
  temporaryFolder,
  transaction,
} from './ledger-fixture.ts';
import { KEYS, Model, step, type Rows, type Step } from './ledger-model.ts';
import { times } from './property-runs.ts';

type Act =
  | { readonly kind: 'transaction'; readonly steps: readonly Step[] }
  | { readonly kind: 'flush' | 'restart' | 'prune' | 'settle' };

const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('transaction' as const),
      steps: fc.array(step, { maxLength: 6 }),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ kind: 'flush' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'settle' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'prune' as const }) },
);

function shown(row: RowState): string {
  if (row.state === STATE.present) return Buffer.from(row.digest).toString('hex');
  return row.state === STATE.absent ? 'absent' : 'unknown';
}

function stateAt(ledger: Ledger, of: StreamedTable, number: number): StateAt | string {
  const answer = boundaryOf(ledger.core, place(number), comparePlaces);
  if (answer.kind !== 'found') return answer.kind;
  const relation = ledger.core.catalog.at(of.id, answer.boundary);
  return relation === null ? 'no relation' : new StateAt(ledger.core, relation, answer.boundary);
}

function expectState(ledger: Ledger, of: StreamedTable, number: number, rows: Rows, required: boolean): void {
  const state = stateAt(ledger, of, number);
  if (!(state instanceof StateAt) || !state.complete) {
    expect(required, `state ${number} is not to be had: ${JSON.stringify(state)}`).toBe(false);
    return;
  }
  for (let one = 0; one < KEYS; one++) {
    const value = rows.get(one);
    expect(shown(state.row(identity(one)))).toBe(value === undefined ? 'absent' : digestOf(one, value));
  }
  const merged = [...state.range(null, null)].map(({ identity: id, row }) => [
    Buffer.from(id).readUInt8(11),
    shown(row),
  ]);
  const wanted = [...rows].sort(([a], [b]) => a - b).map(([one, value]) => [one, digestOf(one, value)]);
  expect(merged).toEqual(wanted);
}

async function run(folder: string, acts: readonly Act[], options: Partial<LedgerOptions>): Promise<void> {
  const of = table('accounts');
  const model = new Model();
  let ledger = await openLedger(folder, options);
  try {
    await beginEmpty(ledger, of, 1);
    model.states.set(1, new Map());
    let number = 1;
    let pruned = false;
    for (const one of acts) {
      if (one.kind === 'transaction') {
        number++;
        ledger.take(transaction(number, model.events(one.steps, of)));
        model.states.set(number, new Map(model.rows));
      } else if (one.kind === 'restart') {
        await ledger.flush();
        await ledger.close();
        ledger = await openLedger(folder, options);
        ledger.take([define(of)]);
      } else if (one.kind === 'prune') {
        await ledger.prune();
        pruned = true;
      } else await (one.kind === 'settle' ? ledger.settle() : ledger.flush());
    }
    for (const [at, rows] of model.states) expectState(ledger, of, at, rows, !pruned || at === number);
    await ledger.flush();
    const reader = await Ledger.read(ledgerOptions(folder, options));
    try {
      for (const [at, rows] of model.states) expectState(reader, of, at, rows, !pruned || at === number);
    } finally {
      await reader.close();
    }
  } finally {
    await ledger.close();
  }
}

describe('the state as of a commit', () => {
  it('is that of a plain model, whatever happened, in whichever order it was stored, pruned and opened again', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 40 }), fc.boolean(), async (acts, small) => {
        const folder = temporaryFolder();
        const options = small
          ? { segmentBytes: 600, pendingMax: 5, retention: { timeUs: 5_000_000n, bytes: 2 ** 40 } }
          : {};
        try {
          await run(folder, acts, options);
        } finally {
          removeFolder(folder);
        }
      }),
      { numRuns: times(10) },
    );
  }, 120_000);
});
