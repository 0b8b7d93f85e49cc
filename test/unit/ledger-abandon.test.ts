import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeEvent } from '../../src/connector/changes.ts';
import { Candidates } from '../../src/ledger/candidates.ts';
import { checkLedger } from '../../src/ledger/check.ts';
import { STATE } from '../../src/ledger/entry.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { boundaryOf, StateAt } from '../../src/ledger/state.ts';
import { storedKey } from '../../src/ledger/key.ts';
import {
  beginEmpty,
  comparePlaces,
  define,
  digestOf,
  identity,
  insert,
  openLedger,
  place,
  removeFolder,
  table,
  temporaryFolder,
  transaction,
  update,
} from './ledger-fixture.ts';

const OF = table('accounts');
let folder = '';
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => removeFolder(folder));

/** Everything but the commit. */
function cutOff(number: number, changes: readonly ChangeEvent[]): ChangeEvent[] {
  return transaction(number, changes).slice(0, -1);
}

function rows(ledger: Ledger): Map<number, string> {
  const relation = ledger.core.catalog.ofTable(OF.id);
  if (relation === null) throw new Error('no relation');
  const state = new StateAt(ledger.core, relation, ledger.head());
  expect(state.complete).toBe(true);
  const found = new Map<number, string>();
  for (const { identity: id, row } of state.range(null, null)) {
    const digest = row.state === STATE.present ? Buffer.from(row.digest).toString('hex') : 'unknown';
    found.set(Number(Buffer.from(id).readBigInt64BE(4)), digest);
  }
  return found;
}

describe('a transaction whose stream ended before its commit', () => {
  it.each([
    ['in memory', false, 200_000],
    ['in the journal', true, 200_000],
    ['in the index', true, 1],
  ])('leaves nothing behind when it stood %s, and is taken whole again', async (_, flushed, pendingMax) => {
    const ledger = await openLedger(folder, { pendingMax });
    await beginEmpty(ledger, OF, 1);
    ledger.take(transaction(2, [insert(OF, 1, 'one'), insert(OF, 2, 'two')]));
    await ledger.flush();
    const before = rows(ledger);
    ledger.take(cutOff(3, [update(OF, 1, 'uno'), insert(OF, 3, 'tre')]));
    if (flushed) await ledger.flush();
    await ledger.abandon();
    expect(ledger.position).toBe(place(2));
    expect(rows(ledger)).toEqual(before);
    ledger.take([define(OF), ...transaction(3, [update(OF, 1, 'uno'), insert(OF, 3, 'tre')])]);
    await ledger.flush();
    expect(rows(ledger)).toEqual(
      new Map([
        [1, digestOf(1, 'uno')],
        [2, digestOf(2, 'two')],
        [3, digestOf(3, 'tre')],
      ]),
    );
    await ledger.settle();
    expect(checkLedger(ledger.core).problems).toEqual([]);
    await ledger.close();
  });

  it('does not take a gap back that was written down before it', async () => {
    const ledger = await openLedger(folder);
    await beginEmpty(ledger, OF, 1);
    ledger.recordGap('the slot was lost', null);
    ledger.take(cutOff(3, [insert(OF, 3, 'tre')]));
    await ledger.flush();
    await ledger.abandon();
    expect(ledger.core.catalog.ofTable(OF.id)).toMatchObject({ cause: 'gap', completeFrom: null });
    await ledger.close();
  });
});

describe('what is written down between two transactions', () => {
  it('lies before the head at once, and still does after opening again', async () => {
    const ledger = await openLedger(folder);
    await beginEmpty(ledger, OF, 1);
    const other = ledger.definitions.take(table('other'));
    expect(ledger.head()).toBeLessThanOrEqual(other.beganAt);
    ledger.advanceHead();
    expect(ledger.head()).toBeGreaterThan(other.beganAt);
    expect(ledger.position).toBe(place(1));
    const head = ledger.head();
    await ledger.flush();
    await ledger.close();
    const again = await openLedger(folder);
    expect(again.head()).toBe(head);
    await again.close();
  });
});

describe('a candidate that stands still while the head goes on', () => {
  it('stays behind the tables that were begun when it stood at the head', async () => {
    const ledger = await openLedger(folder);
    await beginEmpty(ledger, OF, 1);
    const other = ledger.definitions.take(table('other'));
    ledger.advanceHead();
    const reached = ledger.head();
    expect(boundaryOf(ledger.core, place(1), comparePlaces)).toEqual({ kind: 'found', boundary: reached });
    ledger.take(transaction(3, [insert(OF, 1, 'one')]));
    await ledger.flush();
    expect(reached).toBeGreaterThan(other.beganAt);
    for (const stands of [place(1), place(2)]) {
      expect(boundaryOf(ledger.core, stands, comparePlaces)).toEqual({ kind: 'found', boundary: reached });
    }
    await ledger.close();
  });

  it('stays before those that were defined anew: it may have the old definition', async () => {
    const ledger = await openLedger(folder);
    await beginEmpty(ledger, OF, 1);
    const before = ledger.head();
    const again = ledger.definitions.take(table('accounts', { fingerprint: 'another' }));
    ledger.advanceHead();
    ledger.take(transaction(3, []));
    await ledger.flush();
    expect(again.beganAt).toBeGreaterThanOrEqual(before);
    expect(boundaryOf(ledger.core, place(2), comparePlaces)).toEqual({ kind: 'found', boundary: before });
    await ledger.close();
  });
});

describe('a range that is proven but for some keys', () => {
  it('leaves them dirty until they are read equal, also as of the same commit', async () => {
    const ledger = await openLedger(folder);
    await beginEmpty(ledger, OF, 1);
    ledger.take(transaction(2, [insert(OF, 1, 'one'), insert(OF, 2, 'two')]));
    await ledger.settle();
    const candidates = new Candidates(ledger.core);
    const bound = candidates.bind('gasan', 'i1');
    const relation = ledger.core.catalog.ofTable(OF.id);
    if (relation === null) throw new Error('no relation');
    ledger.take(transaction(3, [insert(OF, 3, 'tre')]));
    await ledger.settle();
    const { stored } = storedKey(relation.number, identity(2), relation.signed);
    const boundary = ledger.head();
    const range = { relation: relation.number, from: null, to: null, boundary };
    candidates.prove(bound, { ...range, position: place(3), provenAtUs: 1n }, [stored]);
    const batch = candidates.next(bound, 10);
    if (batch === null) throw new Error('nothing was changed');
    const settled = candidates.settle(
      batch,
      batch.keys.map((key) => ({ stored: key.stored, boundary })),
    );
    expect([...candidates.dirty(settled)].map((key) => key.stored)).toEqual([stored]);
    candidates.clean(settled, [{ stored, boundary }]);
    expect([...candidates.dirty(settled)]).toEqual([]);
    await ledger.close();
  });

  it('and a candidate is asked only about what it has applied', async () => {
    const ledger = await openLedger(folder);
    await beginEmpty(ledger, OF, 1);
    const candidates = new Candidates(ledger.core);
    const bound = candidates.bind('gasan', 'i1');
    const before = ledger.head();
    ledger.take(transaction(2, [insert(OF, 1, 'one')]));
    await ledger.flush();
    expect(candidates.next(bound, 10, before)).toBeNull();
    expect(candidates.next(bound, 10, ledger.head())?.keys).toHaveLength(1);
    await ledger.close();
  });
});
