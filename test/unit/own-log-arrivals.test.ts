import { expect, test } from 'vitest';
import { parseLsn, positionOf } from '../../connectors/postgres/lsn.ts';
import { Arrivals, type Touched } from '../../src/service/own-log-arrivals.ts';
import { identity, table } from './ledger-fixture.ts';

const ACCOUNTS = table('accounts');

function touched(id: number): Touched {
  return { transaction: `tx ${id}`, table: ACCOUNTS, identity: identity(id), since: 0 };
}

const at = (lsn: string): ReturnType<typeof positionOf> => positionOf('77', '1', parseLsn(lsn));

/** What readers will see when `resolve` was called. */
function promised(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

test('what others wrote is handed on once readers see it, with the place that it reaches', async () => {
  const arrivals = new Arrivals();
  arrivals.coming.touched.push(touched(1));
  arrivals.coming.position = at('0/100');
  arrivals.mark('a mark');
  const { promise, resolve } = promised();
  const shown = arrivals.show(
    () => promise,
    () => true,
  );
  // This came behind the question whether readers see what came before.
  arrivals.coming.touched.push(touched(2));
  arrivals.coming.position = at('0/200');
  expect(arrivals.take()).toBeNull();
  resolve();
  await shown;
  expect(arrivals.take()).toEqual({
    touched: [touched(1)],
    emptied: [],
    position: at('0/100'),
    mark: 'a mark',
  });
  expect([arrivals.take(), arrivals.size]).toEqual([null, 1]);
});

test('what was forgotten while readers did not see it yet is not handed on, however late they do', async () => {
  const arrivals = new Arrivals();
  arrivals.coming.touched.push(touched(1));
  arrivals.coming.position = at('0/100');
  await arrivals.show(
    () => Promise.resolve(),
    () => true,
  );
  arrivals.coming.touched.push(touched(2));
  arrivals.coming.position = at('0/200');
  const { promise, resolve } = promised();
  const shown = arrivals.show(
    () => promise,
    () => true,
  );
  // The log is followed anew from where it was taken last, which is before both.
  arrivals.forget();
  resolve();
  await shown;
  expect([arrivals.take(), arrivals.size]).toEqual([null, 0]);
});

test('what replication brought is handed on at once, and an emptied table never is', async () => {
  const arrivals = new Arrivals();
  const asked: string[] = [];
  const visible = (transactions: ReadonlySet<string>): Promise<void> => {
    asked.push(...transactions);
    return Promise.resolve();
  };
  arrivals.coming.touched.push(touched(1));
  arrivals.coming.position = at('0/100');
  await arrivals.show(visible, () => false);
  expect([arrivals.take()?.touched.length, asked.length]).toEqual([1, 0]);
  arrivals.coming.emptied.push({ transaction: 'tx 2', root: 'accounts' });
  arrivals.coming.touched.push(touched(3));
  arrivals.coming.position = at('0/200');
  await arrivals.show(visible, () => false);
  expect([arrivals.take()?.emptied.map(({ root }) => root), asked]).toEqual([['accounts'], ['tx 2']]);
});
