import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Bracket } from '../../src/connector/ledger-sites.ts';
import { TableCheck, viewOf, type Judgement, type ReadRow } from '../../src/ledger/candidate-check.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { boundaryOf } from '../../src/ledger/state.ts';
import {
  beginEmpty,
  body,
  comparePlaces,
  define,
  fill,
  identity,
  insert,
  openLedger,
  place,
  remove,
  removeFolder,
  table,
  temporaryFolder,
  transaction,
  update,
} from './ledger-fixture.ts';
import { KEYS, Model, step, type Step } from './ledger-model.ts';
import { times } from './property-runs.ts';

const OF = table('accounts');

function bracket(from: number, to: number): Bracket {
  return { atLeast: place(from), atMost: place(to) };
}

function read(ledger: Ledger, key: number, value: string | null, writer: string | null): ReadRow | null {
  if (value === null) return null;
  const { digest } = ledger.digester().row(body(key, value), null);
  if (digest === null) throw new Error('a row without a digest');
  const since = writer?.startsWith('t') === true ? 'since' : null;
  const ended = writer?.startsWith('old') === true ? 'before' : since;
  return { digest, writer: writer === null ? null : { id: writer, ended } };
}

/** What a candidate shows of a key, and what must come of it. */
function judge(ledger: Ledger, within: Bracket, key: number, row: ReadRow | null, rested = false): Judgement {
  const view = viewOf(ledger.core, within, comparePlaces, rested);
  if (typeof view === 'string') return { kind: 'unknown', why: view };
  return new TableCheck(ledger.core, OF.leaf, view).judge(identity(key), row);
}

function boundaryAfter(ledger: Ledger, number: number): number {
  const answer = boundaryOf(ledger.core, place(number), comparePlaces);
  return answer.kind === 'found' ? answer.boundary : Number.NaN;
}

async function withLedger(work: (ledger: Ledger) => Promise<void> | void): Promise<void> {
  const folder = temporaryFolder();
  const ledger = await openLedger(folder, { segmentBytes: 500, pendingMax: 6 });
  try {
    await work(ledger);
  } finally {
    await ledger.close();
    removeFolder(folder);
  }
}

interface World {
  readonly transactions: readonly (readonly Step[])[];
  /** How many of the transactions the ledger has not seen, how many the candidate lacks, and its bracket around that. */
  readonly unseen: number;
  readonly behind: number;
  readonly before: number;
  readonly after: number;
  readonly flushed: boolean;
}

const world: fc.Arbitrary<World> = fc.record({
  transactions: fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 14 }),
  unseen: fc.nat({ max: 3 }),
  behind: fc.nat({ max: 8 }),
  before: fc.nat({ max: 4 }),
  after: fc.nat({ max: 4 }),
  flushed: fc.boolean(),
});

/** Runs a world: the ledger is given what it has seen, `look` the candidate's true state and its bracket. */
async function play(
  { transactions, unseen, behind, before, after, flushed }: World,
  look: (found: {
    readonly ledger: Ledger;
    readonly rows: ReadonlyMap<number, string>;
    readonly writers: ReadonlyMap<number, string>;
    readonly model: Model;
    readonly within: Bracket;
    readonly low: number;
    readonly high: number;
    readonly stands: number;
    readonly head: number;
  }) => void,
): Promise<void> {
  await withLedger(async (ledger) => {
    const model = new Model();
    await beginEmpty(ledger, OF, 1);
    model.states.set(1, new Map());
    const last = 1 + transactions.length;
    const head = Math.max(1, last - unseen);
    const stands = Math.max(1, last - behind);
    const writers = new Map<number, string>();
    for (const [index, steps] of transactions.entries()) {
      const number = index + 2;
      const events = model.events(steps, OF);
      if (number <= head) ledger.take(transaction(number, events));
      model.states.set(number, new Map(model.rows));
      if (number > stands) continue;
      for (const one of steps) {
        if (one.kind === 'put') writers.set(one.key, `t${number}`);
        if (one.kind === 'move') writers.set(one.to, `t${number}`);
      }
    }
    if (flushed) await ledger.settle();
    const low = Math.max(1, stands - before);
    // The commit behind the bracket may be visible already.
    const high = Math.max(low, stands - 1 + after);
    const rows = model.states.get(stands) ?? new Map<number, string>();
    look({ ledger, rows, writers, model, within: bracket(low, high), low, high, stands, head });
  });
}

describe('a row of a candidate', () => {
  it('is clean as of a commit of the bracket if the candidate has it as the primary had it, and never different', async () => {
    await fc.assert(
      fc.asyncProperty(world, async (one) => {
        await play(one, ({ ledger, rows, writers, within, low, stands, head }) => {
          for (let key = 0; key < KEYS; key++) {
            const row = read(ledger, key, rows.get(key) ?? null, writers.get(key) ?? null);
            const judged = judge(ledger, within, key, row);
            expect(judged.kind).not.toBe('different');
            if (stands > head) continue;
            expect(judged.kind).toBe('clean');
            if (judged.kind !== 'clean') continue;
            expect(judged.boundary).toBeGreaterThanOrEqual(boundaryAfter(ledger, low));
            expect(judged.boundary).toBeLessThanOrEqual(boundaryAfter(ledger, stands));
          }
        });
      }),
      { numRuns: times(12) },
    );
  }, 120_000);

  it('is never clean when it is as the primary never had it, and is different when the ledger covers the bracket', async () => {
    await fc.assert(
      fc.asyncProperty(world, fc.nat({ max: KEYS - 1 }), async (one, key) => {
        await play(one, ({ ledger, writers, within, high, head }) => {
          const had = writers.get(key) ?? 'long ago';
          const judged = judge(ledger, within, key, read(ledger, key, `altered ${key}`, had));
          expect(judged.kind).not.toBe('clean');
          expect(judged.kind).toBe(high < head ? 'different' : judged.kind);
        });
      }),
      { numRuns: times(12) },
    );
  }, 120_000);

  it('is never clean when the candidate has an older state of it than any commit of its bracket', async () => {
    await fc.assert(
      fc.asyncProperty(world, fc.nat({ max: KEYS - 1 }), fc.nat({ max: 12 }), async (one, key, back) => {
        await play(one, ({ ledger, model, within, low, high, head }) => {
          // Of what the ledger has not seen, only its own end can be held against the candidate.
          if (low > head) return;
          const stale = model.states.get(Math.max(1, low - 1 - back))?.get(key) ?? null;
          const among = [...model.states].filter(([at]) => at >= low && at <= high + 1);
          if (among.some(([, rows]) => (rows.get(key) ?? null) === stale)) return;
          const judged = judge(ledger, within, key, read(ledger, key, stale, null));
          expect(judged.kind).toBe(high < head ? 'different' : judged.kind);
          expect(judged.kind).not.toBe('clean');
          expect(judged).not.toEqual({ kind: 'unknown', why: 'tail' });
        });
      }),
      { numRuns: times(12) },
    );
  }, 120_000);
});

describe('behind the ledger’s end', () => {
  it('a row that an unseen transaction wrote belongs to the tail, and one that the journal’s writer wrote differs', async () => {
    await withLedger(async (ledger) => {
      await beginEmpty(ledger, OF, 1);
      ledger.take(transaction(2, [insert(OF, 1, 'a'), insert(OF, 2, 'b')]));
      ledger.take(transaction(3, [update(OF, 1, 'c'), remove(OF, 2)]));
      const beyond = bracket(5, 6);
      const row = (key: number, value: string, writer: string | null): Judgement =>
        judge(ledger, beyond, key, read(ledger, key, value, writer));
      expect(row(1, 'c', 't3').kind).toBe('clean');
      expect(row(1, 'unseen', 't4')).toEqual({ kind: 'unknown', why: 'tail' });
      expect(row(1, 'rotten', 't3')).toEqual({ kind: 'different', difference: 'changed' });
      expect(row(1, 'a', 't2')).toEqual({ kind: 'different', difference: 'changed' });
      expect(row(1, 'a', 't9')).toEqual({ kind: 'unknown', why: 'beyond' });
      expect(row(1, 'rotten', 'old 1')).toEqual({ kind: 'different', difference: 'changed' });
      expect(row(1, 'unseen', 'of unknown age')).toEqual({ kind: 'unknown', why: 'beyond' });
      expect(row(1, 'unseen', null)).toEqual({ kind: 'unknown', why: 'beyond' });
      expect(row(2, 'b', 't2')).toEqual({ kind: 'different', difference: 'extra' });
      expect(judge(ledger, beyond, 1, null)).toEqual({ kind: 'unknown', why: 'beyond' });
    });
  });

  it('a candidate that rested at the ledger’s end has nothing from behind it', async () => {
    await withLedger(async (ledger) => {
      await beginEmpty(ledger, OF, 1);
      ledger.take(transaction(2, [insert(OF, 1, 'a')]));
      ledger.take([{ type: 'idle', position: place(9) }]);
      const rest = bracket(4, 4);
      expect(judge(ledger, rest, 1, null)).toEqual({ kind: 'unknown', why: 'beyond' });
      expect(judge(ledger, rest, 1, null, true)).toEqual({ kind: 'different', difference: 'missing' });
      const ahead = bracket(10, 10);
      expect(judge(ledger, ahead, 1, null, true)).toEqual({ kind: 'unknown', why: 'beyond' });
    });
  });
});

describe('what the ledger cannot judge', () => {
  it('is unknown: rows of a table that is not complete, another history, a bracket before the window', async () => {
    await withLedger(async (ledger) => {
      ledger.take([define(OF), { type: 'idle', position: place(1) }]);
      ledger.take(transaction(2, [insert(OF, 1, 'a')]));
      expect(judge(ledger, bracket(2, 2), 1, null)).toEqual({ kind: 'unknown', why: 'not known' });
      expect(judge(ledger, bracket(2, 2), 5, null)).toEqual({ kind: 'unknown', why: 'not known' });
      const elsewhere = viewOf(ledger.core, bracket(2, 2), () => 'incomparable');
      expect(elsewhere).toBe('another history');
      expect(viewOf(ledger.core, null, comparePlaces)).toBe('no position');
      expect(viewOf(ledger.core, bracket(0, 2), comparePlaces)).toBe('before the window');
    });
  });

  it('is nothing of a table that it does not have', async () => {
    await withLedger(async (ledger) => {
      await beginEmpty(ledger, OF, 1);
      const view = viewOf(ledger.core, bracket(1, 1), comparePlaces);
      if (typeof view === 'string') throw new Error(view);
      const other = new TableCheck(ledger.core, 'public.other', view);
      expect(other.judge(identity(1), null)).toEqual({ kind: 'unknown', why: 'not known' });
    });
  });
});

describe('a partitioned table', () => {
  const east = table('east', { root: 'public.all' });
  const west = table('west', { root: 'public.all' });

  it('has a row in whichever leaf it is, also while it moves', async () => {
    await withLedger(async (ledger) => {
      await beginEmpty(ledger, east, 1);
      ledger.take([define(west), { type: 'idle', position: place(2) }]);
      await ledger.flush();
      await fill(ledger, west, 2, []);
      ledger.take(transaction(3, [insert(east, 1, 'a')]));
      ledger.take(transaction(4, [remove(east, 1), insert(west, 1, 'b')]));
      ledger.take(transaction(5, [insert(west, 2, 'c')]));
      const view = viewOf(ledger.core, bracket(3, 3), comparePlaces);
      if (typeof view === 'string') throw new Error(view);
      const check = new TableCheck(ledger.core, 'public.all', view);
      const judged = (value: string | null): Judgement =>
        check.judge(identity(1), read(ledger, 1, value, null));
      expect(judged('a')).toEqual({ kind: 'clean', boundary: boundaryAfter(ledger, 3) });
      expect(judged('b')).toEqual({ kind: 'clean', boundary: boundaryAfter(ledger, 4) });
      expect(judged(null)).toEqual({ kind: 'different', difference: 'missing' });
      expect(judged('c')).toEqual({ kind: 'different', difference: 'changed' });
      const expected = [...check.expected(null, null)];
      expect(expected.map((one) => Buffer.from(one.identity))).toEqual([Buffer.from(identity(1))]);
    });
  });
});
