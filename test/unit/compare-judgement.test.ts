import { describe, expect, it } from 'vitest';
import { judge, type Judgement, type Round, type Sighting } from '../../src/compare/judgement.ts';
import { retryDecision, retryPauseMs, withRetry } from '../../src/compare/retry.ts';
import { DEFAULT_LIMITS } from '../../src/compare/site-pair.ts';
import { pauseForRate } from '../../src/compare/throttle.ts';
import { judgeCount } from '../../src/compare/value-settling.ts';
import { TwinproofError } from '../../src/errors.ts';

function seen(value: string, version: string | null = `of ${value}`): Sighting {
  return { row: Buffer.from(value), version };
}

const A = seen('a');
const B = seen('b');
const QUIET: Pick<Round, 'commitsPending' | 'versionsComparable'> = {
  commitsPending: 'none',
  versionsComparable: true,
};
const LOGICAL = { ...QUIET, versionsComparable: false };

/** before, candidate, after. */
type Case = [string, Sighting | null, Sighting | null, Sighting | null, Partial<Round>, Judgement];

describe('one round of the sandwich', () => {
  it.each<Case>([
    ['equal rows', A, A, A, QUIET, 'same'],
    ['no row anywhere', null, null, null, QUIET, 'same'],
    ['the candidate has what the primary has come to', A, B, B, QUIET, 'same'],
    ['equal bytes of other writes', A, seen('a', 'other'), A, QUIET, 'same'],
    ['equal rows, whatever waits', A, A, A, { ...QUIET, commitsPending: 'pending' }, 'same'],
    ['the candidate has only what the primary had', A, A, B, QUIET, 'moving'],
    ['a deleted row is still on the candidate', A, A, null, QUIET, 'moving'],
    ['a new row is not yet on the candidate', null, null, A, QUIET, 'moving'],
    ['another row, and the primary moved', A, seen('c'), B, QUIET, 'moving'],
    ['another row, and the primary stood still', A, B, A, QUIET, 'strike'],
    ['no row, and the primary stood still', A, null, A, QUIET, 'strike'],
    ['a row that the primary lacks', null, A, null, QUIET, 'strike'],
    ['the same write with other bytes', seen('a', 'v'), seen('b', 'v'), seen('a', 'v'), QUIET, 'different'],
    [
      'the same write on a logical pair means nothing',
      seen('a', 'v'),
      seen('b', 'v'),
      seen('a', 'v'),
      LOGICAL,
      'strike',
    ],
    ['unknown versions mean nothing', seen('a', null), seen('b', null), seen('a', null), QUIET, 'strike'],
    ['the same bytes written anew are a move', seen('a', '1'), B, seen('a', '2'), QUIET, 'moving'],
    ['the same version with other bytes is a move', seen('a', '1'), B, seen('c', '1'), QUIET, 'moving'],
    ['a commit waits', A, B, A, { ...QUIET, commitsPending: 'pending' }, 'pending'],
    ['whether one waits is unknown', A, B, A, { ...QUIET, commitsPending: 'unknown' }, 'pending'],
    [
      'a move outweighs a commit that waits',
      A,
      seen('c'),
      B,
      { ...QUIET, commitsPending: 'pending' },
      'moving',
    ],
    [
      'the same write with other bytes outweighs it too',
      seen('a', 'v'),
      seen('b', 'v'),
      seen('a', 'v'),
      { ...QUIET, commitsPending: 'pending' },
      'different',
    ],
    // Rewriting a table moves rows to other addresses and keeps who wrote them.
    [
      'the same write at an address that a rewrite gave another row',
      seen('a', 'v'),
      seen('a', 'v'),
      seen('b', 'v'),
      QUIET,
      'moving',
    ],
  ])('%s', (_, primaryBefore, candidate, primaryAfter, rest, expected) => {
    const round = { primaryBefore, candidate, primaryAfter, ...QUIET, ...rest };
    expect(judge(round)).toBe(expected);
  });
});

describe('how often a value stands in a table', () => {
  it.each([
    [1, 1, 1, 'same'],
    [2, 1, 1, 'same'],
    [0, 0, 0, 'same'],
    [2, 1, 2, 'strike'],
    [0, 3, 0, 'strike'],
    [1, 1, 2, 'moving'],
    [2, 0, 1, 'moving'],
  ] as const)('%i before, %i on the candidate, %i after: %s', (before, candidate, after, expected) => {
    expect(judgeCount(before, candidate, after)).toBe(expected);
  });
});

describe('trying again', () => {
  const passing = new TwinproofError('TP-CONNECTION-LOST', { retryable: true });
  const lasting = new TwinproofError('TP-PERMISSION');

  it.each([
    ['a failure that may pass', passing, 1, 'retry'],
    ['a failure that may pass, at the last attempt', passing, 3, 'give-up'],
    ['a failure that lasts', lasting, 1, 'give-up'],
    [
      'a definition that changed',
      new TwinproofError('TP-DEFINITION-CHANGED', { retryable: true }),
      1,
      'give-up',
    ],
    ['a bug', new TypeError('x is undefined'), 1, 'give-up'],
    ['anything thrown', 'text', 1, 'give-up'],
  ] as const)('%s', (_, error, attempt, expected) => {
    expect(retryDecision(error, attempt, 3)).toBe(expected);
  });

  it('pauses double up to five seconds', () => {
    expect([1, 2, 3, 4, 5, 6, 60].map((attempt) => retryPauseMs(attempt, 200))).toEqual([
      200, 400, 800, 1600, 3200, 5000, 5000,
    ]);
  });

  const pauses: number[] = [];
  const pair = {
    limits: { ...DEFAULT_LIMITS, attemptsMax: 3, retryPauseMs: 10 },
    timing: { now: () => 0, sleep: async (ms: number) => void pauses.push(ms) },
  };
  const failing = (
    times: number,
    error: unknown = passing,
  ): { calls: number; run: () => Promise<string> } => {
    const state = {
      calls: 0,
      run: async () => {
        state.calls++;
        if (state.calls <= times) throw error;
        return 'done';
      },
    };
    return state;
  };
  const forever = new AbortController().signal;

  it('ends with the first success', async () => {
    pauses.length = 0;
    const work = failing(2);
    expect(await withRetry(pair, forever, work.run)).toBe('done');
    expect(work.calls).toBe(3);
    expect(pauses).toEqual([10, 20]);
  });

  it('gives up with the last error', async () => {
    const work = failing(3);
    await expect(withRetry(pair, forever, work.run)).rejects.toBe(passing);
    expect(work.calls).toBe(3);
  });

  it('does not try again what lasts', async () => {
    const work = failing(1, lasting);
    await expect(withRetry(pair, forever, work.run)).rejects.toBe(lasting);
    expect(work.calls).toBe(1);
  });

  it('an abort ends it, and its reason is thrown', async () => {
    const abort = new AbortController();
    const reason = new TwinproofError('TP-TIMEOUT');
    const work = async (): Promise<never> => {
      abort.abort(reason);
      throw passing;
    };
    await expect(withRetry(pair, abort.signal, work)).rejects.toBe(reason);
    await expect(withRetry(pair, abort.signal, failing(0).run)).rejects.toBe(reason);
  });
});

describe('the pause that keeps a rate', () => {
  it.each([
    ['none before a row was read', 0, 0, 100, 0],
    ['none below the rate', 50, 1000, 100, 0],
    ['none at the rate', 100, 1000, 100, 0],
    ['what is missing above it', 300, 1000, 100, 2000],
  ])('%s', (_, rows, elapsedMs, rate, expected) => {
    expect(pauseForRate(rows, elapsedMs, rate)).toBe(expected);
  });
});
