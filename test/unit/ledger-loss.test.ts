import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChangeEvent } from '../../src/connector/changes.ts';
import { changesBetween, lossBetween } from '../../src/ledger/loss.ts';
import { boundaryOf } from '../../src/ledger/state.ts';
import {
  beginEmpty,
  comparePlaces,
  openLedger,
  place,
  removeFolder,
  table,
  temporaryFolder,
  transaction,
  update,
} from './ledger-fixture.ts';
import { Model, step } from './ledger-model.ts';
import { times } from './property-runs.ts';

function keysOf(event: ChangeEvent): string[] {
  if (event.type !== 'insert' && event.type !== 'update' && event.type !== 'delete') return [];
  return [event.key, event.oldKey]
    .filter((key) => key !== null)
    .map((key) => Buffer.from(key).toString('hex'));
}

describe('the loss between two commits', () => {
  it('is what was committed in between, counted once', async () => {
    const steps = fc.array(fc.array(step, { maxLength: 5 }), { minLength: 1, maxLength: 15 });
    await fc.assert(
      fc.asyncProperty(steps, fc.nat(), async (transactions, cut) => {
        const folder = temporaryFolder();
        const of = table('accounts');
        const ledger = await openLedger(folder, { pendingMax: 6, segmentBytes: 500 });
        try {
          await beginEmpty(ledger, of, 1);
          const model = new Model();
          const events = transactions.map((one) => model.events(one, of));
          for (const [index, one] of events.entries()) {
            ledger.take(transaction(index + 2, one));
            await ledger.flush();
          }
          const from = 1 + (cut % (transactions.length + 1));
          const answer = boundaryOf(ledger.core, place(from), comparePlaces);
          if (answer.kind !== 'found') throw new Error(answer.kind);
          const loss = lossBetween(ledger.core, answer.boundary, ledger.head());
          const lost = events.slice(from - 1);
          const changing = lost.map((one, index) => ({ one, index })).filter(({ one }) => one.length > 0);
          expect(loss.transactions).toBe(changing.length);
          expect(loss.changes).toBe(lost.flat().length);
          expect(loss.keys).toBe(new Set(lost.flat().flatMap((event) => keysOf(event))).size);
          expect(loss.tables.get('public.accounts')?.truncates ?? 0).toBe(
            lost.flat().filter(({ type }) => type === 'truncate').length,
          );
          const commits = changing.map(({ index }) => BigInt(from + 1 + index) * 1_000_000n);
          expect(loss.firstCommitUs).toBe(commits[0] ?? null);
          expect(loss.lastCommitUs).toBe(commits.at(-1) ?? null);
          const named = [...changesBetween(ledger.core, answer.boundary, ledger.head())];
          expect(named.map(({ identity }) => identity).filter((key) => key !== null)).toHaveLength(
            lost.flat().flatMap((event) => keysOf(event)).length,
          );
        } finally {
          await ledger.close();
          removeFolder(folder);
        }
      }),
      { numRuns: times(10) },
    );
  }, 60_000);

  it('names a gap that lies in it, and what it voided is not complete any more', async () => {
    const folder = temporaryFolder();
    const of = table('accounts');
    const ledger = await openLedger(folder);
    try {
      await beginEmpty(ledger, of, 1);
      const from = ledger.head();
      ledger.recordGap('the slot was moved', null);
      ledger.take(transaction(2, [update(of, 1, 'x')]));
      await ledger.flush();
      expect(lossBetween(ledger.core, from, ledger.head()).gaps).toEqual([
        { reason: 'the slot was moved', tables: null },
      ]);
      expect(ledger.core.catalog.ofTable(of.id)).toMatchObject({ cause: 'gap', completeFrom: null });
    } finally {
      await ledger.close();
      removeFolder(folder);
    }
  });
});
