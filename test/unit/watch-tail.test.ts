import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ChangeEvent, ChangeRequest, ChangeStream } from '../../src/connector/changes.ts';
import { TwinproofError } from '../../src/errors.ts';
import { Tail } from '../../src/service/tail.ts';
import { WatchedLedger } from '../../src/service/watched-ledger.ts';
import { WatchLog } from '../../src/service/watch-log.ts';
import {
  comparePlaces,
  define,
  ledgerOptions,
  place,
  removeFolder,
  table,
  temporaryFolder,
  transaction,
} from './ledger-fixture.ts';

const OF = table('accounts');
const NOTHING = (): void => undefined;
let folder = '';
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => removeFolder(folder));

/** A stream of one batch, which ends when it was taken. */
function streamOf(events: readonly ChangeEvent[], taken: () => unknown): ChangeStream {
  async function* batches(): AsyncGenerator<readonly ChangeEvent[]> {
    yield await Promise.resolve(events);
    taken();
  }
  return { batches: batches(), acknowledge: () => undefined, close: () => Promise.resolve() };
}

it('what lies behind a gap is read once the log has told where it goes on, and not before', async () => {
  const watched = await WatchedLedger.open(ledgerOptions(folder), { comparePositions: comparePlaces });
  await watched.take([define(OF), ...transaction(9, [])]);
  const { id, leaf } = OF;
  watched.sourceTables = [{ id, leaf, root: leaf, fingerprint: '', unfollowed: null, table: OF }];
  const seen: [asked: string, tables: number][] = [];
  const see = (asked: string): number => seen.push([asked, watched.followed().length]);
  const streamChanges = ({ after }: ChangeRequest): Promise<ChangeStream> => {
    see(`from ${after ?? 'where the server is'}`);
    if (after !== null) return Promise.reject(new TwinproofError('TP-GAP', { message: 'it was set back' }));
    const told: ChangeEvent = { type: 'idle', position: place(5) };
    return Promise.resolve(streamOf([told], () => see('told')));
  };
  const tail = new Tail(watched, new WatchLog('bank', () => undefined));
  await tail.run({ streamChanges }, 'logical', () => 1n, new AbortController().signal);
  expect(seen).toEqual([
    ['from 9', 1],
    ['from where the server is', 0],
    ['told', 1],
  ]);
  await watched.close();
});

it('a stream begins behind what the one before it has handed over, also where that waits for the ledger still', async () => {
  const watched = await WatchedLedger.open(ledgerOptions(folder), { comparePositions: comparePlaces });
  await watched.take([define(OF), ...transaction(9, [])]);
  const tail = new Tail(watched, new WatchLog('bank', () => undefined));
  const given = new AbortController();
  let release = NOTHING;
  async function* batches(): AsyncGenerator<readonly ChangeEvent[]> {
    // The index is being written.
    void watched.exclusive.run(() => new Promise<void>((resolve) => (release = resolve)));
    yield await Promise.resolve(transaction(10, []));
    // It was received before the connection was given up.
    yield transaction(11, []);
  }
  const first: ChangeStream = {
    batches: batches(),
    acknowledge: () => undefined,
    close: () => Promise.resolve(),
  };
  const asked: (string | null)[] = [];
  const opened = (stream: ChangeStream) => ({
    streamChanges: ({ after }: ChangeRequest): Promise<ChangeStream> => {
      asked.push(after);
      return Promise.resolve(stream);
    },
  });
  const one = tail.run(opened(first), 'logical', () => 1n, given.signal);
  await vi.waitFor(() => expect(release).not.toBe(NOTHING), { timeout: 30_000 });
  await new Promise(setImmediate);
  given.abort();
  const next = tail.run(
    opened(streamOf([], () => undefined)),
    'logical',
    () => 1n,
    new AbortController().signal,
  );
  release();
  await expect(one).rejects.toMatchObject({ code: 'TP-INTERRUPTED' });
  await next;
  expect([asked, watched.ledger.position]).toEqual([['9', '10'], '10']);
  await watched.close();
});
