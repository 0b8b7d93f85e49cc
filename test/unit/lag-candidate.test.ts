import { describe, expect, it } from 'vitest';
import { feedOf } from '../../src/lag/feed.ts';
import { type Behind, judgeLag, lagOf, type LagFacts } from '../../src/lag/candidate-lag.ts';

const NOW = new Date('2026-01-01T00:10:00Z');

function before(ms: number): Date {
  return new Date(NOW.getTime() - ms);
}

const NOTHING: Behind = { bytes: 0n, transactions: 0n, oldestCommitAt: null };
const FACTS: LagFacts = {
  received: NOTHING,
  applied: NOTHING,
  witnessedUntil: before(1000),
  now: NOW,
  fed: true,
  witnessMsMax: 10_000,
};
const ZERO = { bytes: 0n, transactions: 0n, ms: 0 };

function behind(bytes: bigint, transactions: bigint, ms: number): Behind {
  return { bytes, transactions, oldestCommitAt: before(ms) };
}

describe('lag', () => {
  it('is nothing when nothing is behind and the primary was seen lately', () => {
    expect(lagOf(FACTS)).toEqual({ transport: ZERO, apply: ZERO, total: ZERO });
  });

  it('tells what is on the way from what is still to be applied', () => {
    const lag = lagOf({ ...FACTS, received: behind(100n, 2n, 3000), applied: behind(700n, 9n, 8000) });
    expect(lag).toEqual({
      transport: { bytes: 100n, transactions: 2n, ms: 3000 },
      apply: { bytes: 600n, transactions: 7n, ms: 8000 },
      total: { bytes: 700n, transactions: 9n, ms: 8000 },
    });
  });

  it('is of transport alone when all that was received is applied', () => {
    const some = behind(100n, 2n, 3000);
    expect(lagOf({ ...FACTS, received: some, applied: some })).toEqual({
      transport: { bytes: 100n, transactions: 2n, ms: 3000 },
      apply: ZERO,
      total: { bytes: 100n, transactions: 2n, ms: 3000 },
    });
  });

  it.each([
    ['the primary was not seen for long', { witnessedUntil: before(10_001) }],
    ['the primary was never seen', { witnessedUntil: null }],
    ['nothing brings changes', { fed: false }],
    ['it is not known whether something does', { fed: null }],
  ])('of nothing is unknown when %s', (_, changed) => {
    expect(lagOf({ ...FACTS, ...changed }).total).toEqual({ bytes: null, transactions: null, ms: null });
    expect(judgeLag(lagOf({ ...FACTS, ...changed }), 30_000)).toBe('unknown');
  });

  it('that is counted is known however long ago the primary was seen', () => {
    const lag = lagOf({ ...FACTS, witnessedUntil: null, fed: false, applied: behind(5n, 1n, 60_000) });
    expect(lag.total).toEqual({ bytes: 5n, transactions: 1n, ms: 60_000 });
  });

  it('is unknown and not zero where the candidate does not say', () => {
    const unknown = { bytes: null, transactions: null, ms: null };
    expect(lagOf({ ...FACTS, received: null, applied: null })).toEqual({
      transport: unknown,
      apply: unknown,
      total: unknown,
    });
    expect(lagOf({ ...FACTS, received: null }).apply).toEqual(unknown);
    const uncounted = { bytes: 9n, transactions: null, oldestCommitAt: null };
    expect(lagOf({ ...FACTS, applied: uncounted }).total).toEqual({
      bytes: 9n,
      transactions: null,
      ms: null,
    });
  });

  it('is never negative, whatever clocks and readings say', () => {
    const lag = lagOf({ ...FACTS, received: behind(9n, 2n, 5), applied: behind(3n, 1n, -500) });
    expect(lag.total.ms).toBe(0);
    expect(lag.apply).toMatchObject({ bytes: 0n, transactions: 0n, ms: 0 });
  });

  it('of transport is known where changes are received, whether or not they are applied', () => {
    const lag = lagOf({ ...FACTS, fed: false, receiving: true, applied: behind(5n, 1n, 3000) });
    expect(lag).toMatchObject({ transport: ZERO, total: { transactions: 1n, ms: 3000 } });
  });

  it('is not ok, however little it is, where nothing brings the changes', () => {
    const lag = lagOf({ ...FACTS, fed: false, applied: behind(1n, 1n, 10) });
    expect([judgeLag(lag, 5000, false), judgeLag(lag, null, false), judgeLag(lag, 5000, true)]).toEqual([
      'late',
      'late',
      'ok',
    ]);
  });

  it('is judged by what may be lost, and never ok when unknown', () => {
    const lag = lagOf({ ...FACTS, applied: behind(1n, 1n, 5000) });
    expect(judgeLag(lag, 5000)).toBe('ok');
    expect(judgeLag(lag, 4999)).toBe('late');
    expect(judgeLag(lag, null)).toBe('ok');
    expect(judgeLag(lagOf({ ...FACTS, applied: null }), null)).toBe('unknown');
  });
});

describe('what brings a candidate its changes', () => {
  const CHANNEL = {
    name: '(default)',
    receiving: 'yes',
    applying: true,
    receiveErrno: 0,
    applyErrno: 0,
    delaySeconds: 0,
    byGtid: true,
    filters: [],
    workers: [],
  } as const;
  const fed = (changed: object): unknown => {
    const channels = { known: true, value: [{ ...CHANNEL, ...changed }] } as const;
    return feedOf({ subscriptions: null, mysql: { channels } }, 'logical');
  };

  it('is a channel that receives and applies', () => {
    expect(fed({})).toEqual({ receiving: true, fed: true, notes: [] });
    expect(fed({ delaySeconds: 60 })).toMatchObject({
      fed: true,
      notes: ['channel (default) applies 60 s late, as it was told to'],
    });
  });

  it('is named where it does not, with the number of the error', () => {
    expect(fed({ receiving: 'connecting', receiveErrno: 2003 })).toEqual({
      receiving: false,
      fed: false,
      notes: ['channel (default) does not reach its source (error 2003)'],
    });
    expect(fed({ applying: false, applyErrno: 1062 })).toEqual({
      receiving: true,
      fed: false,
      notes: ['channel (default) does not apply (error 1062)'],
    });
    expect(fed({ receiving: 'no' })).toMatchObject({ notes: ['channel (default) does not receive'] });
  });
});
