import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { ChangeEvent, ChangeRequest, ChangeStream } from '../../src/connector/changes.ts';
import type { LedgerPrimary } from '../../src/connector/ledger-sites.ts';
import { TwinproofError } from '../../src/errors.ts';
import { Tail } from '../../src/service/tail.ts';
import { WatchedLedger } from '../../src/service/watched-ledger.ts';
import { WatchLog } from '../../src/service/watch-log.ts';
import {
  comparePlaces,
  define,
  insert,
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

/** A primary with this one stream; `asked`: behind what it was asked for. */
function opened(stream: ChangeStream, asked: (string | null)[] = []): Pick<LedgerPrimary, 'streamChanges'> {
  const streamChanges = ({ after }: ChangeRequest): Promise<ChangeStream> => {
    asked.push(after);
    return Promise.resolve(stream);
  };
  return { streamChanges };
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
  const one = tail.run(opened(first, asked), 'logical', () => 1n, given.signal);
  await vi.waitFor(() => expect(release).not.toBe(NOTHING), { timeout: 30_000 });
  await new Promise(setImmediate);
  given.abort();
  const next = tail.run(
    opened(
      streamOf([], () => undefined),
      asked,
    ),
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

it('a stream that ends after the next one has begun takes nothing of that back', async () => {
  const watched = await WatchedLedger.open(ledgerOptions(folder), { comparePositions: comparePlaces });
  await watched.take([define(OF), ...transaction(9, [])]);
  const tail = new Tail(watched, new WatchLog('bank', () => undefined));
  const given = new AbortController();
  const [begin, ...rest] = transaction(10, [insert(OF, 1, 'one')]);
  const half = [begin].flatMap((event) => event ?? []);
  // Behind a link that is cut a connection is not closed for seconds.
  let closed = NOTHING;
  async function* never(): AsyncGenerator<readonly ChangeEvent[]> {
    yield await Promise.resolve(half);
    await new Promise((resolve) => given.signal.addEventListener('abort', resolve));
    throw new TwinproofError('TP-CONNECTION-LOST');
  }
  const first: ChangeStream = {
    batches: never(),
    acknowledge: () => undefined,
    close: () => new Promise<void>((resolve) => (closed = resolve)),
  };
  const one = tail.run(opened(first), 'logical', () => 1n, given.signal);
  await new Promise(setImmediate);
  given.abort();
  await vi.waitFor(() => expect(closed).not.toBe(NOTHING), { timeout: 30_000 });
  async function* whole(): AsyncGenerator<readonly ChangeEvent[]> {
    yield await Promise.resolve(half);
    closed();
    await expect(one).rejects.toMatchObject({ code: 'TP-CONNECTION-LOST' });
    yield rest;
  }
  const second = { batches: whole(), acknowledge: () => undefined, close: () => Promise.resolve() };
  await tail.run(opened(second), 'logical', () => 1n, new AbortController().signal);
  expect(watched.ledger.position).toBe('10');
  await watched.close();
});

it('a gap that a stream finds when it was given up is left to the next one', async () => {
  const watched = await WatchedLedger.open(ledgerOptions(folder), { comparePositions: comparePlaces });
  await watched.take([define(OF), ...transaction(9, [])]);
  const tail = new Tail(watched, new WatchLog('bank', () => undefined));
  const given = new AbortController();
  const streamChanges = (): Promise<ChangeStream> => {
    given.abort();
    return Promise.reject(new TwinproofError('TP-GAP', { message: 'it was set back' }));
  };
  await expect(tail.run({ streamChanges }, 'logical', () => 1n, given.signal)).rejects.toMatchObject({
    code: 'TP-GAP',
  });
  expect([watched.isPlaceless, watched.known.gap()]).toEqual([false, null]);
  await watched.close();
});
