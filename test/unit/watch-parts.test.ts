import { assert, double, integer, property } from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ChangeEvent } from '../../src/connector/changes.ts';
import type { ProvenRange } from '../../src/ledger/coverage.ts';
import { Known } from '../../src/ledger/known.ts';
import { pauseBefore } from '../../src/service/backoff.ts';
import { Differences } from '../../src/service/differences.ts';
import { type CandidateState, tellState, UNSEEN } from '../../src/service/candidate-state.ts';
import { Exclusive } from '../../src/service/exclusive.ts';
import { isMoreUrgent, nextDue, rowsPerRange } from '../../src/service/scrub-plan.ts';
import { statusLine } from '../../src/service/status.ts';
import { timeSlice } from '../../src/service/time-slice.ts';
import { untilFirstEnds } from '../../src/service/together.ts';
import { WatchedLedger } from '../../src/service/watched-ledger.ts';
import { type WatchLine, WatchLog } from '../../src/service/watch-log.ts';
import {
  comparePlaces,
  define,
  insert,
  ledgerOptions,
  openLedger,
  place,
  removeFolder,
  table,
  temporaryFolder,
  transaction,
} from './ledger-fixture.ts';

const OF = table('accounts');
let folder = '';
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => removeFolder(folder));

describe('the pause before another attempt', () => {
  it('doubles up to half a minute and is spread over the upper half of that', () => {
    assert(
      property(integer({ min: 1, max: 1000 }), double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
        const most = Math.min(30_000, 500 * 2 ** (attempt - 1));
        const pause = pauseBefore(attempt, random);
        expect(pause).toBeGreaterThanOrEqual(Math.floor(most / 2));
        expect(pause).toBeLessThanOrEqual(most);
      }),
    );
  });
});

describe('that a candidate is proven', () => {
  it('is told once nothing of what it has applied is left to be looked at', () => {
    const lines: WatchLine[] = [];
    const log = new WatchLog('bank', (line) => lines.push(line));
    const state = { ...UNSEEN, connected: true, proven: true, lookedAtUpTo: 7 };
    tellState({ ...state, drained: false }, 'far', log);
    expect(lines).toEqual([]);
    tellState({ ...state, drained: true }, 'far', log);
    tellState({ ...state, drained: false }, 'far', log);
    expect(lines.map(({ message }) => message)).toEqual(['every row is proven equal']);
  });
});

function proven(from: string | null, to: string | null, provenAtUs: number): ProvenRange {
  return { from, to, boundary: 1, position: '1', provenAtUs: String(provenAtUs) };
}

describe('the status line', () => {
  it('calls a candidate proven only where something was proven of it', async () => {
    const watched = await WatchedLedger.open(ledgerOptions(folder), { comparePositions: comparePlaces });
    const line = (state: Partial<CandidateState>): string =>
      statusLine(watched, [{ name: 'far', state: { ...UNSEEN, ...state } }], 0n);
    expect(line({})).toContain('far not connected');
    expect(line({ connected: true })).toContain('far 0 dirty, not proven yet');
    expect(line({ connected: true, proven: true })).toContain('far 0 dirty, all proven');
    expect(line({ connected: true, proven: true, unproven: ['t'] })).toContain('0 dirty, 1 table unproven');
    await watched.close();
  });
});

describe('what is to be read next of a table', () => {
  it('is what no proof covers in one of its leaves, from the first key on', () => {
    expect(nextDue([[]], 0n)).toEqual({ bounds: { from: null, to: null }, provenAtUs: null });
    const gap = [proven(null, '10', 5), proven('20', null, 5)];
    const later = [proven(null, '30', 5)];
    expect(nextDue([later, gap], 0n)?.bounds).toEqual({ from: '10', to: '20' });
  });

  it('is the oldest proof from before the given time when everything is covered', () => {
    const ranges = [proven(null, '10', 7), proven('10', '20', 3), proven('20', null, 9)];
    expect(nextDue([ranges], 3n)).toBeNull();
    expect(nextDue([ranges], 8n)).toEqual({ bounds: { from: '10', to: '20' }, provenAtUs: 3n });
  });

  it('is more urgent when it was never proven, then when it was longer ago', () => {
    const at = (provenAtUs: bigint | null) => ({ bounds: { from: null, to: null }, provenAtUs });
    expect(isMoreUrgent(at(null), at(1n))).toBe(true);
    expect(isMoreUrgent(at(1n), at(2n))).toBe(true);
    expect(isMoreUrgent(at(2n), at(null))).toBe(false);
  });

  it('is read in ranges that are neither tiny nor huge', () => {
    expect(rowsPerRange(10)).toBe(8192);
    expect(rowsPerRange(20_000_000)).toBe(20_000);
    expect(rowsPerRange(1e12)).toBe(32_768);
  });
});

describe('actions that exclude one another', () => {
  it('run in order, each after the end of the one before, whatever became of it', async () => {
    const exclusive = new Exclusive();
    const seen: string[] = [];
    const first = exclusive.run(async () => {
      seen.push('first begins');
      await Promise.resolve();
      seen.push('first ends');
      throw new Error('first');
    });
    const second = exclusive.run(() => void seen.push('second'));
    await expect(first).rejects.toThrow('first');
    await second;
    expect(seen).toEqual(['first begins', 'first ends', 'second']);
  });
});

it.each([250, -3_600_000, 3_600_000])(
  'a part of a round ends when its time has passed, or the clock is set (%d ms)',
  (ms) => {
    let clock = 5_000_000;
    const isOver = timeSlice({ now: () => clock }, 250);
    clock += 249;
    expect(isOver()).toBe(false);
    clock += ms;
    expect(isOver()).toBe(true);
  },
);

describe('tasks of which the first to end ends all', () => {
  it('aborts the others, waits for them, and throws the first failure', async () => {
    let waited = false;
    const running = untilFirstEnds(new AbortController().signal, [
      () => Promise.reject(new Error('the first')),
      (signal) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            waited = true;
            reject(new Error('the second'));
          });
        }),
    ]);
    await expect(running).rejects.toThrow('the first');
    expect(waited).toBe(true);
  });
});

describe('a task that does not end when it is told to', () => {
  it('is not waited for without bounds', async () => {
    const deaf = new Promise<void>(() => undefined);
    const running = untilFirstEnds(
      new AbortController().signal,
      [() => Promise.reject(new Error('the first')), () => deaf],
      10,
    );
    await expect(running).rejects.toThrow('the first');
  });
});

describe('the log of a watch', () => {
  const lines: WatchLine[] = [];
  const line = (message: string) => ({ level: 'warn', site: 'gasan', event: 'connection', message }) as const;

  it('writes a state once, until it is another, and its end only where there was one', () => {
    const log = new WatchLog('bank', (written) => void lines.push(written));
    log.over(line('well'));
    log.state(line('down'));
    log.state(line('down'));
    log.over(line('well'));
    log.over(line('well'));
    log.state(line('down'));
    expect(lines.map(({ message }) => message)).toEqual(['down', 'well', 'down']);
  });
});

describe('differences of a candidate', () => {
  const found = { table: 'public.t', relation: 1, fields: Buffer.from([7]), kind: 'changed' } as const;

  it('count when seen twice with a look at the definitions in between, and are kept until resolved', async () => {
    const ledger = await openLedger(folder);
    const known = new Known(ledger.core.store);
    const differences = new Differences(known, 'gasan');
    expect(differences.seen(found, 5, 1000)).toBe(false);
    expect(differences.seen(found, 5, 2000)).toBe(false);
    expect(differences.seen(found, 6, 3000)).toBe(true);
    expect(differences.seen(found, 7, 4000)).toBe(false);
    differences.save();
    expect(known.differences('gasan')).toEqual({
      found: [{ table: 'public.t', relation: 1, fields: '07', kind: 'changed', firstSeenUs: 1_000_000n }],
      more: false,
    });
    const again = new Differences(known, 'gasan');
    expect(again.count).toBe(1);
    expect(again.resolved(1, found.fields)).toBe(true);
    again.save();
    expect(known.differences('gasan').found).toEqual([]);
    await ledger.close();
  });

  it('count after a while where the primary is away and no definition can be looked at', async () => {
    const ledger = await openLedger(folder);
    const differences = new Differences(new Known(ledger.core.store), 'gasan');
    expect(differences.seen(found, 5, 0)).toBe(false);
    expect(differences.seen({ ...found, kind: 'missing' }, 5, 20_000)).toBe(false);
    expect(differences.seen({ ...found, kind: 'missing' }, 5, 30_000)).toBe(true);
    await ledger.close();
  });
});

describe('a watched ledger', () => {
  async function open(): Promise<WatchedLedger> {
    return await WatchedLedger.open(ledgerOptions(folder), { comparePositions: comparePlaces });
  }

  it('runs what wants to stand between two transactions within a batch, if that ends in another one', async () => {
    const watched = await open();
    const begun = transaction(3, [insert(OF, 2, 'two')]).slice(0, -1);
    await watched.take([
      define(OF),
      ...transaction(1, []),
      ...transaction(2, [insert(OF, 1, 'one')]),
      ...begun,
    ]);
    let at = 0;
    const waiting = watched.between(() => {
      at = watched.ledger.head();
      watched.ledger.definitions.take(table('other'));
    });
    const rest: ChangeEvent[] = [
      { type: 'commit', id: 't3', committedAtUs: 3n, position: place(3) },
      ...transaction(4, [insert(OF, 4, 'four')]).slice(0, -1),
    ];
    await watched.take(rest);
    await waiting;
    expect(at).toBeGreaterThan(0);
    expect(watched.ledger.position).toBe(place(3));
    await watched.abandon();
    expect(watched.ledger.core.catalog.ofTable('other')).not.toBeNull();
    expect(watched.ledger.core.catalog.ofTable(OF.id)).not.toBeNull();
    await watched.close();
  });

  it('lets nobody wait for ever for the end of a transaction whose stream has ended', async () => {
    const watched = await open();
    await watched.take(transaction(2, [define(OF), insert(OF, 1, 'one')]).slice(0, -1));
    let ran = false;
    const waiting = watched.between(() => void (ran = true));
    await watched.exclusive.run(() => undefined);
    expect(ran).toBe(false);
    await watched.abandon();
    await waiting;
    expect(ran).toBe(true);
    await watched.close();
  });

  it('tells who waits that the action failed, and nobody else', async () => {
    const watched = await open();
    await expect(
      watched.between(() => {
        throw new Error('no');
      }),
    ).rejects.toThrow('no');
    await watched.between(() => undefined);
    await watched.close();
  });
});
