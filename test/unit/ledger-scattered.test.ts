import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Bracket } from '../../src/connector/ledger-sites.ts';
import type { Position, PositionOrder } from '../../src/connector/position.ts';
import { boundaryFor } from '../../src/ledger/candidate-check-places.ts';
import { TableCheck, viewOf } from '../../src/ledger/candidate-check.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { changesBetween, lossBetween } from '../../src/ledger/loss.ts';
import {
  beginEmpty,
  body,
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
import { times } from './property-runs.ts';

const OF = table('accounts');
const KEYS = 6;

/** Everything up to a number, and some transactions behind it: `5`, `5+7+9`. */
function numbersIn(position: Position): ReadonlySet<number> {
  const [base = 0, ...more] = position.split('+').map(Number);
  return new Set([...Array.from({ length: base }, (_, i) => i + 1), ...more]);
}

function compareSets(a: Position, b: Position): PositionOrder {
  const [left, right] = [numbersIn(a), numbersIn(b)];
  const inRight = [...left].every((number) => right.has(number));
  const inLeft = [...right].every((number) => left.has(number));
  if (inRight) return inLeft ? 'equal' : 'before';
  return inLeft ? 'after' : 'incomparable';
}

interface World {
  /** The keys that each transaction writes; each writes values of its own. */
  readonly transactions: readonly (readonly number[])[];
  /** How many of them the candidate has for certain, and which of the others. */
  readonly whole: number;
  readonly picked: readonly boolean[];
  /** The candidate says where it stands by places of the log, or by a set that is none. */
  readonly places: boolean;
}

const world: fc.Arbitrary<World> = fc.record({
  transactions: fc.array(fc.uniqueArray(fc.nat({ max: KEYS - 1 }), { minLength: 1, maxLength: 3 }), {
    minLength: 1,
    maxLength: 12,
  }),
  whole: fc.nat({ max: 8 }),
  picked: fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }),
  places: fc.boolean(),
});

async function play(
  { transactions, whole, picked, places }: World,
  look: (found: {
    readonly ledger: Ledger;
    readonly bracket: Bracket;
    readonly has: (number: number) => boolean;
    readonly rows: ReadonlyMap<number, string>;
  }) => void,
): Promise<void> {
  const folder = temporaryFolder();
  const ledger = await openLedger(folder, {
    segmentBytes: 500,
    pendingMax: 6,
    comparePositions: compareSets,
  });
  try {
    await beginEmpty(ledger, OF, 1);
    const seen = new Set<number>();
    const rows = new Map<number, string>();
    const last = transactions.length + 1;
    let low = Math.min(whole, transactions.length) + 1;
    while (low < last && picked[low - 1] === true) low++;
    const has = (number: number): boolean => number <= low || picked[number - 2] === true;
    const extra: number[] = [];
    for (const [index, keys] of transactions.entries()) {
      const number = index + 2;
      const value = (key: number): string => `${number} of ${key}`;
      ledger.take(
        transaction(
          number,
          keys.map((key) => (seen.has(key) ? update : insert)(OF, key, value(key))),
        ),
      );
      for (const key of keys) seen.add(key);
      if (!has(number)) continue;
      for (const key of keys) rows.set(key, value(key));
      if (number > low) extra.push(number);
    }
    await ledger.settle();
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- stands in for a connector's
    const set = [low, ...extra].join('+') as Position;
    const ends = places
      ? { atLeast: place(low), atMost: place(extra.at(-1) ?? low) }
      : { atLeast: set, atMost: set };
    look({ ledger, bracket: { ...ends, contains: (id) => has(Number(id.slice(1))) }, has, rows });
  } finally {
    await ledger.close();
    removeFolder(folder);
  }
}

describe('a candidate that has transactions and lacks earlier ones', () => {
  it('is equal in each row that it has by them, and in none that is older or newer', async () => {
    await fc.assert(
      fc.asyncProperty(world, (one) =>
        play(one, ({ ledger, bracket, has, rows }) => {
          const view = viewOf(ledger.core, bracket, compareSets, true);
          if (typeof view === 'string') throw new Error(view);
          const check = new TableCheck(ledger.core, OF.leaf, view);
          const judged = (key: number, value: string | null) => {
            const digest = value === null ? null : ledger.digester().row(body(key, value), null).digest;
            const read =
              value === null || digest === null ? null : { digest: Buffer.from(digest), writer: null };
            return check.judge(identity(key), read).kind;
          };
          for (let key = 0; key < KEYS; key++) {
            const mine = rows.get(key) ?? null;
            expect(judged(key, mine)).toBe('clean');
            const written = one.transactions.flatMap((keys, at) =>
              keys.includes(key) ? [`${at + 2} of ${key}`] : [],
            );
            const wrong = [...written, 'mallory', null].filter((value) => value !== mine);
            expect(wrong.map((value) => judged(key, value))).toEqual(wrong.map(() => 'different'));
          }
          expect(has(1)).toBe(true);
        }),
      ),
      { numRuns: times(8) },
    );
  }, 60_000);

  it('loses exactly what it lacks', async () => {
    await fc.assert(
      fc.asyncProperty(world, (one) =>
        play(one, ({ ledger, bracket, has }) => {
          const view = viewOf(ledger.core, bracket, compareSets, true);
          if (typeof view === 'string') throw new Error(view);
          const all = one.transactions.map((keys, at) => ({ keys, number: at + 2 }));
          const lost = all.filter(({ number }) => !has(number));
          const loss = lossBetween(ledger.core, view.low, ledger.head(), view.contains);
          expect(loss).toMatchObject({
            transactions: lost.length,
            changes: lost.flatMap(({ keys }) => keys).length,
            keys: new Set(lost.flatMap(({ keys }) => keys)).size,
          });
          const [first] = lost;
          const later = all.filter(
            ({ number }) => first !== undefined && number > first.number && has(number),
          );
          expect(loss.there).toBe(later.length);
          const named = [...changesBetween(ledger.core, view.low, ledger.head(), view.contains)];
          expect(new Set(named.map(({ transaction: id }) => id))).toEqual(
            new Set(lost.map(({ number }) => `t${number}`)),
          );
        }),
      ),
      { numRuns: times(8) },
    );
  }, 60_000);
});

describe('a candidate of a log that was begun anew', () => {
  /** From 100 on they are of the log that was made anew, which nothing before it can be compared with. */
  const compare = (a: Position, b: Position): PositionOrder => {
    const [left, right] = [Number(a), Number(b)];
    if (left < 100 !== right < 100) return 'incomparable';
    return left === right ? 'equal' : left < right ? 'before' : 'after';
  };

  it('is placed in what came since, be it scattered or not', async () => {
    const folder = temporaryFolder();
    const ledger = await openLedger(folder, { comparePositions: compare });
    try {
      await beginEmpty(ledger, OF, 1);
      for (const number of [2, 3, 4]) ledger.take(transaction(number, [insert(OF, number, 'old')]));
      ledger.recordGap('the topic was made anew', null);
      await beginEmpty(ledger, OF, 100);
      for (const number of [101, 102, 103]) ledger.take(transaction(number, [insert(OF, number, 'new')]));
      await ledger.settle();
      const applied = place(101);
      const position = applied;
      const scattered = { position, atMost: position, contains: () => null };
      const plain = boundaryFor(ledger.core, { applied, scattered: null }, compare);
      expect(plain.kind).toBe('found');
      expect(boundaryFor(ledger.core, { applied, scattered }, compare)).toEqual(plain);
    } finally {
      await ledger.close();
      removeFolder(folder);
    }
  });
});
