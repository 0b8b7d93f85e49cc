import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  comparePositions,
  isPosition,
  parsePosition,
  positionOfList,
  positionOfPlace,
  positionOfSet,
} from '../../connectors/mysql/gtid.ts';
import {
  entriesOf,
  formatGtidList,
  isInState,
  joinLists,
  parseGtidList,
  parseGtids,
} from '../../connectors/mysql/gtid-list.ts';
import {
  countOf,
  filterServers,
  formatGtidSet,
  isSubset,
  parseGtidSet,
  subtract,
  unite,
} from '../../connectors/mysql/gtid-set.ts';
import type { Position, PositionOrder } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';

const A = '3e11fa47-71ca-11e1-9e33-c80aa9429562';
const B = '5f3a1c00-0000-11ee-8c90-0242ac120002';

/** The plain model: transactions as words `source#number`. */
type Model = ReadonlySet<string>;

const transaction = fc
  .record({
    source: fc.constantFrom(A, B, `${A}:audit`, `${B}:z_1`),
    number: fc.integer({ min: 1, max: 25 }),
  })
  .map(({ source, number }) => `${source}#${number}`);
const model: fc.Arbitrary<Model> = fc.array(transaction, { maxLength: 60 }).map((all) => new Set(all));

/** Writes a model as a person might: one interval for each transaction, in the order given, shouting. */
function untidy(all: Model): string {
  const parts = [...all].map((one) => one.replace('#', ':'));
  return parts.join(', \n').toUpperCase();
}

function modelOf(text: string): Model {
  const all = new Set<string>();
  for (const [source, intervals] of parseGtidSet(text)) {
    for (const [first, last] of intervals) for (let n = first; n <= last; n++) all.add(`${source}#${n}`);
  }
  return all;
}

function contains(outer: Model, inner: Model): boolean {
  return [...inner].every((one) => outer.has(one));
}

function orderOf(a: Model, b: Model): PositionOrder {
  const [before, after] = [contains(b, a), contains(a, b)];
  if (before && after) return 'equal';
  return before ? 'before' : after ? 'after' : 'incomparable';
}

const setAt = (text: string): Position => positionOfSet(parseGtidSet(text));
const listAt = (text: string): Position => positionOfList(parseGtidList(text));

describe('GTID sets of MySQL', () => {
  it('are what a plain set of transactions is', () => {
    fc.assert(
      fc.property(model, model, (left, right) => {
        const [a, b] = [parseGtidSet(untidy(left)), parseGtidSet(untidy(right))];
        expect(modelOf(formatGtidSet(a))).toEqual(left);
        expect(modelOf(formatGtidSet(unite(a, b)))).toEqual(new Set([...left, ...right]));
        expect(modelOf(formatGtidSet(subtract(a, b)))).toEqual(
          new Set([...left].filter((one) => !right.has(one))),
        );
        expect(isSubset(a, b)).toBe(contains(right, left));
        expect(countOf(a)).toBe(BigInt(left.size));
        expect(comparePositions(positionOfSet(a), positionOfSet(b))).toBe(orderOf(left, right));
      }),
    );
  });

  it('have one text, whatever they were written like', () => {
    fc.assert(
      fc.property(model, (all) => {
        const once = formatGtidSet(parseGtidSet(untidy(all)));
        const turned = formatGtidSet(parseGtidSet(untidy(new Set([...all].toReversed()))));
        expect(turned).toBe(once);
        expect(formatGtidSet(parseGtidSet(once))).toBe(once);
      }),
    );
  });

  it('are read as servers print them', () => {
    expect(formatGtidSet(parseGtidSet(`${A}:1-5:7-9,\n${B}:3`))).toBe(`${A}:1-5:7-9,${B}:3`);
    expect(formatGtidSet(parseGtidSet(`${A}:1-3:11:47-49:tag_1:1-3:5`))).toBe(
      `${A}:1-3:11:47-49:tag_1:1-3:5`,
    );
    expect(formatGtidSet(parseGtidSet(`${A}:Tag:5,${A}:1`))).toBe(`${A}:1:tag:5`);
    expect(formatGtidSet(parseGtidSet(`${A.replaceAll('-', '')}:1-2:3`))).toBe(`${A}:1-3`);
    expect(formatGtidSet(parseGtidSet(' ,\n'))).toBe('');
    expect(parseGtidSet('').size).toBe(0);
  });

  it('keep the largest numbers exact', () => {
    const last = (1n << 63n) - 2n;
    const set = parseGtidSet(`${A}:9007199254740992-9007199254740993:${last}`);
    expect(formatGtidSet(set)).toBe(`${A}:9007199254740992-9007199254740993:${last}`);
    expect(formatGtidSet(subtract(set, parseGtidSet(`${A}:9007199254740993`)))).toBe(
      `${A}:9007199254740992:${last}`,
    );
  });

  it('of a hundred thousand intervals are compared in no time', () => {
    const odd = Array.from({ length: 100_000 }, (_, i) => 2 * i + 1).join(':');
    const a = parseGtidSet(`${A}:${odd}`);
    const b = unite(a, parseGtidSet(`${A}:2`));
    expect(countOf(subtract(b, a))).toBe(1n);
    expect(isSubset(a, b)).toBe(true);
  });

  it('tell which servers’ transactions they hold', () => {
    const set = parseGtidSet(`${A}:1-5:audit:2,${B}:3`);
    expect(formatGtidSet(filterServers(set, (uuid) => uuid === A))).toBe(`${A}:1-5:audit:2`);
  });

  it('refuse what no server writes', () => {
    for (const text of [
      A,
      `${A}:`,
      `${A}:0`,
      `${A}:5-3`,
      `${A}:tag`,
      'x:1',
      `${A}:1-2-3`,
      `${A}:-1`,
      '0-1-5',
    ]) {
      expect(() => parseGtidSet(text)).toThrow(TwinproofError);
    }
  });

  it('with holes lie before the whole, and beside what the holes lack', () => {
    expect(comparePositions(setAt(`${A}:1-6:8`), setAt(`${A}:1-8`))).toBe('before');
    expect(comparePositions(setAt(`${A}:1-6:8`), setAt(`${A}:1-7`))).toBe('incomparable');
    expect(comparePositions(setAt(`${A}:1-7,${B}:1`), setAt(`${A}:1-7`))).toBe('after');
    expect(comparePositions(setAt(`${A}:1-6,${B}:1`), setAt(`${A}:1-7`))).toBe('incomparable');
    expect(comparePositions(setAt(''), setAt(`${A}:1`))).toBe('before');
    expect(comparePositions(setAt(`${A}:x:1`), setAt(`${A}:1`))).toBe('incomparable');
  });
});

describe('GTID positions of MariaDB', () => {
  const history = fc.array(
    fc.record({ domain: fc.integer({ min: 0, max: 2 }), server: fc.integer({ min: 1, max: 3 }) }),
    { minLength: 1, maxLength: 20 },
  );
  /** The position after the first `length` commits of a history in which each domain counts on, whoever writes. */
  function positionAfter(commits: readonly { domain: number; server: number }[], length: number): Position {
    const counts = new Map<number, number>();
    const last = new Map<number, string>();
    for (const { domain, server } of commits.slice(0, length)) {
      const sequence = (counts.get(domain) ?? 0) + 1;
      counts.set(domain, sequence);
      last.set(domain, `${domain}-${server}-${sequence}`);
    }
    return listAt([...last.values()].toReversed().join(','));
  }

  it('of one history are in its order', () => {
    fc.assert(
      fc.property(history, fc.nat(20), fc.nat(20), (commits, m, n) => {
        const [a, b] = [Math.min(m, commits.length), Math.min(n, commits.length)];
        const expected = a === b ? 'equal' : a < b ? 'before' : 'after';
        expect(comparePositions(positionAfter(commits, a), positionAfter(commits, b))).toBe(expected);
      }),
    );
  });

  it('of two histories never are in order both ways, and equal only in one text', () => {
    fc.assert(
      fc.property(history, history, (mine, yours) => {
        const [a, b] = [positionAfter(mine, mine.length), positionAfter(yours, yours.length)];
        const mirrored = { before: 'after', after: 'before', equal: 'equal', incomparable: 'incomparable' };
        expect(comparePositions(b, a)).toBe(mirrored[comparePositions(a, b)]);
        expect(comparePositions(a, b) === 'equal').toBe(a === b);
      }),
    );
  });

  it('compare by domain', () => {
    expect(comparePositions(listAt('0-1-5'), listAt('0-1-5'))).toBe('equal');
    expect(comparePositions(listAt('0-1-5'), listAt('0-2-6'))).toBe('before');
    expect(comparePositions(listAt('0-1-5'), listAt('0-2-5'))).toBe('incomparable');
    expect(comparePositions(listAt('0-1-5,1-1-2'), listAt('0-1-6,1-1-1'))).toBe('incomparable');
    expect(comparePositions(listAt('0-1-5,1-1-2'), listAt('0-1-5'))).toBe('after');
    expect(comparePositions(listAt(''), listAt('0-1-1'))).toBe('before');
    expect(comparePositions(listAt('0-1-9223372036854775808'), listAt('0-1-9223372036854775807'))).toBe(
      'after',
    );
  });

  it('are read as servers print them, and written with domains in order', () => {
    expect(formatGtidList(parseGtidList(' 10-1-7,\n2-3-4 ,'))).toBe('2-3-4,10-1-7');
    expect(formatGtidList(parseGtidList('0-1-5,0-2-9,0-3-7'))).toBe('0-2-9');
    expect(formatGtidList(joinLists(parseGtidList('0-1-5,1-1-1'), parseGtidList('0-2-4,2-1-1')))).toBe(
      '0-1-5,1-1-1,2-1-1',
    );
    for (const text of ['0-1', '0-1-x', `${A}:1`, '0-1-5-6', '-1-1-1']) {
      expect(() => parseGtidList(text)).toThrow(TwinproofError);
    }
  });

  it('are in the state of a log that went so far, by the same server', () => {
    const state = parseGtids('0-1-5,0-2-9');
    const holds = (text: string): boolean =>
      entriesOf(parseGtidList(text)).every((one) => isInState(one, state));
    expect(holds('0-1-5')).toBe(true);
    expect(holds('0-2-9')).toBe(true);
    expect(holds('0-1-6')).toBe(false);
    expect(holds('0-3-1')).toBe(false);
    expect(holds('1-1-1')).toBe(false);
  });
});

describe('places in a log', () => {
  const at = (file: string, offset: bigint, server = A): Position =>
    positionOfPlace({ server, file, offset });

  it('compare within the log of one server', () => {
    expect(comparePositions(at('bin.000009', 900n), at('bin.000010', 4n))).toBe('before');
    expect(comparePositions(at('bin.999999', 900n), at('bin.1000000', 4n))).toBe('before');
    expect(comparePositions(at('bin.000009', 900n), at('bin.000009', 4n))).toBe('after');
    expect(comparePositions(at('bin.000009', 4n), at('bin.000009', 4n))).toBe('equal');
    expect(comparePositions(at('bin.000009', 4n), at('bin.000009', 4n, B))).toBe('incomparable');
    expect(comparePositions(at('bin.000009', 4n), at('log.000009', 4n))).toBe('incomparable');
  });
});

describe('positions', () => {
  it('of different kinds are incomparable', () => {
    const kinds = [
      setAt(`${A}:1`),
      listAt('0-1-1'),
      positionOfPlace({ server: A, file: 'bin.000001', offset: 4n }),
    ];
    for (const a of kinds)
      for (const b of kinds) expect(comparePositions(a, b)).toBe(a === b ? 'equal' : 'incomparable');
  });

  it('are known again, and nothing else is', () => {
    for (const text of [
      `mysql:${A}:1-5`,
      'mysql:',
      'mariadb:',
      'mariadb:0-1-2,1-1-1',
      `mysql-log:${A}/b.000001/4`,
    ]) {
      expect(isPosition(text)).toBe(true);
    }
    for (const text of [
      '',
      `mysql:${A}:5:1`,
      'mariadb:1-1-1,0-1-2',
      'mysql-log:x',
      '7310/1/0/16B3748',
      'mysql',
    ]) {
      expect(isPosition(text)).toBe(false);
    }
    expect(() => parsePosition('7310/1/0/16B3748')).toThrow(TwinproofError);
  });
});
