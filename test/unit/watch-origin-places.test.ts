import { expect, it, vi } from 'vitest';
import { OriginPlaces } from '../../src/service/origin-places.ts';
import {
  beginEmpty,
  comparePlaces,
  insert,
  openLedger,
  place,
  removeFolder,
  table,
  temporaryFolder,
  transaction,
} from './ledger-fixture.ts';

const OF = table('accounts');
const FIRST = 2;
const LAST = 400;

it('transactions of a long backlog are found in the journal one after the other, and each is read once', async () => {
  const folder = temporaryFolder();
  const ledger = await openLedger(folder);
  try {
    await beginEmpty(ledger, OF, 1);
    const starts: number[] = [];
    for (let number = FIRST; number <= LAST; number++) {
      starts.push(ledger.head());
      ledger.take(transaction(number, [insert(OF, number, 'x'.repeat(200))]));
    }
    await ledger.flush();
    const places = new OriginPlaces(ledger.core, comparePlaces);
    places.startOf(place(1));
    const read = vi.spyOn(ledger.core.journal.files, 'read');
    const found = starts.map((_, index) => places.startOf(place(FIRST + index)));
    expect(found).toEqual(starts);
    const bytes = read.mock.results.reduce((sum, { value }) => sum + Number(value), 0);
    // Not the rest of the journal for each of them.
    expect(bytes).toBeLessThan(starts.length * 8192);
  } finally {
    await ledger.close();
    removeFolder(folder);
  }
});
