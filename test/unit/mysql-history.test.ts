import * as fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  domainsOfPrimary,
  historyOf,
  ofPrimary,
  placeBehind,
  sharesState,
  upToFirstHole,
  withHolesFilled,
} from '../../connectors/mysql/gtid-history.ts';
import { parseGtidList } from '../../connectors/mysql/gtid-list.ts';
import { formatGtidSet, isSubset, parseGtidSet } from '../../connectors/mysql/gtid-set.ts';
import { originPosition } from '../../connectors/mysql/ledger-candidate.ts';
import { times } from './property-runs.ts';

const A = 'aaaaaaaa-0000-0000-0000-000000000000';
const B = 'bbbbbbbb-0000-0000-0000-000000000000';
const OWN = 'cccccccc-0000-0000-0000-000000000000';
const RUNS = { numRuns: times(100) };

const history = (text: string) => historyOf('mysql', text);

describe('a set of GTIDs in the primary’s order', () => {
  it('ends at the first transaction that was not applied, and at the last that was', () => {
    const set = parseGtidSet(`${A}:1-5:8-9:12,${B}:1-3`);
    const known = history(`${A}:1-20,${B}:1-3`);
    expect(formatGtidSet(upToFirstHole(set, known))).toBe(`${A}:1-5,${B}:1-3`);
    expect(formatGtidSet(withHolesFilled(set, known))).toBe(`${A}:1-12,${B}:1-3`);
  });

  it('takes numbers that the primary itself never had for no hole', () => {
    const set = parseGtidSet(`${A}:5-9:20-30:33`);
    const known = history(`${A}:5-9:20-40`);
    expect(formatGtidSet(upToFirstHole(set, known))).toBe(`${A}:5-9:20-30`);
    expect(formatGtidSet(withHolesFilled(set, known))).toBe(`${A}:5-9:20-33`);
  });

  it('takes what was committed since the primary was asked last for holes', () => {
    const set = parseGtidSet(`${A}:1-5:8`);
    expect(formatGtidSet(upToFirstHole(set, history(`${A}:1-3`)))).toBe(`${A}:1-5`);
    expect(formatGtidSet(withHolesFilled(set, history(`${A}:1-3`)))).toBe(`${A}:1-8`);
    expect(upToFirstHole(parseGtidSet(`${A}:2-5`), history('')).size).toBe(0);
  });

  it('leaves out what the candidate wrote itself, but not what it wrote as the primary', () => {
    const set = parseGtidSet(`${A}:1-5,${OWN}:1-9,${B}:1`);
    const known = history(`${A}:1-5,${OWN}:1-7`);
    expect(formatGtidSet(ofPrimary(set, known, { own: OWN, single: true }))).toBe(
      `${A}:1-5,${B}:1,${OWN}:1-7`,
    );
    expect(formatGtidSet(ofPrimary(set, known, { own: OWN, single: false }))).toBe(`${A}:1-5,${OWN}:1-7`);
    const errant = parseGtidSet(`${A}:1-5,${OWN}:1-2`);
    expect(formatGtidSet(ofPrimary(errant, history(`${A}:1-9`), { own: OWN, single: true }))).toBe(
      `${A}:1-5`,
    );
  });

  test('lies between its two ends, which are places of the primary’s log', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.bigInt({ min: 1n, max: 40n }), { minLength: 1, maxLength: 20 }),
        fc.bigInt({ min: 0n, max: 40n }),
        (numbers, last) => {
          const set = parseGtidSet(numbers.map((number) => `${A}:${number}`).join());
          const known = history(last === 0n ? '' : `${A}:1-${last}`);
          const [low, high] = [upToFirstHole(set, known), withHolesFilled(set, known)];
          expect(isSubset(low, set)).toBe(true);
          expect(isSubset(set, high)).toBe(true);
          expect(formatGtidSet(low)).toMatch(new RegExp(`^(?:${A}:1(?:-\\d+)?)?$`));
          expect(formatGtidSet(high)).toMatch(new RegExp(`^${A}:1(?:-\\d+)?$`));
        },
      ),
      RUNS,
    );
  });
});

describe('the place behind one transaction', () => {
  it('has all before it, and what else the primary had', () => {
    const place = (base: string, number: bigint) => formatGtidSet(placeBehind(parseGtidSet(base), A, number));
    expect(place(`${A}:1-50,${B}:1-3`, 20n)).toBe(`${A}:1-20,${B}:1-3`);
    expect(place(`${A}:1-50,${B}:1-3`, 60n)).toBe(`${A}:1-60,${B}:1-3`);
    expect(place(`${A}:1-9:20-50`, 30n)).toBe(`${A}:1-9:20-30`);
    expect(place(`${B}:1-3`, 2n)).toBe(`${A}:1-2,${B}:1-3`);
  });
});

describe('a position of MariaDB in the primary’s terms', () => {
  it('has the domains of other sources only where there are none', () => {
    const state = historyOf('mariadb', '0-1-100,0-2-40,3-1-5');
    const list = parseGtidList('0-1-90,7-9-4');
    expect([...domainsOfPrimary(list, state, true).keys()]).toEqual([0n, 7n]);
    expect([...domainsOfPrimary(list, state, false).keys()]).toEqual([0n]);
  });

  it('is recognised by transactions that the primary’s log has, or servers that wrote in it', () => {
    const state = historyOf('mariadb', '0-1-100,0-2-40');
    expect(sharesState(parseGtidList('0-1-90'), state)).toBe(true);
    expect(sharesState(parseGtidList('0-2-400'), state)).toBe(true);
    expect(sharesState(parseGtidList('0-3-90'), state)).toBe(false);
    expect(sharesState(parseGtidList('5-1-90'), state)).toBe(false);
    expect(sharesState(parseGtidList(''), state)).toBe(true);
  });
});

describe('a transaction in a replica’s own log of MariaDB', () => {
  const placeOf = (gtid: string, single: boolean): string | null => {
    const lineage = { primary: 'p', channels: [], ownPast: new Map(), errant: null, purged: null };
    const followed = { lineage, history: historyOf('mariadb', '0-1-100'), own: '2', single, exact: true };
    return originPosition(followed, { name: 'x', position: `mariadb:${gtid}` });
  };

  it('is the primary’s by the server that wrote it, where the replica has other sources in that domain', () => {
    expect(placeOf('0-1-101', false)).toBe('mariadb:0-1-101');
    expect(placeOf('0-9-101', false)).toBe(null);
    expect(placeOf('5-1-101', false)).toBe(null);
    expect(placeOf('0-9-101', true)).toBe('mariadb:0-9-101');
  });
});
