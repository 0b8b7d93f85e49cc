import { describe, expect, it } from 'vitest';
import { historyOf, stemsFrom } from '../../connectors/mysql/gtid-history.ts';
import { parseGtidList, parseGtids } from '../../connectors/mysql/gtid-list.ts';
import { parseGtidSet } from '../../connectors/mysql/gtid-set.ts';
import { placeOfList, placeOfSet } from '../../connectors/mysql/scattered.ts';
import { listSuccession, setSuccession } from '../../connectors/mysql/succession.ts';
import { synchronyOf } from '../../connectors/mysql/synchrony.ts';
import { judgeSuccession } from '../../src/commands/certify-promoted.ts';

const A = 'aaaaaaaa-0000-0000-0000-000000000000';
const OWN = 'cccccccc-0000-0000-0000-000000000000';

describe('a promoted server of MySQL', () => {
  const after = (executed: string, certified: string) =>
    setSuccession(parseGtidSet(certified), parseGtidSet(executed), OWN);

  it('has exactly what was certified, whatever it wrote since', () => {
    expect(after(`${A}:1-9,${OWN}:1-3`, `${A}:1-9`)).toMatchObject({ order: 'equal', own: `${OWN}:1-3` });
    // What it wrote as the primary of before is part of what was certified.
    const twice = after(`${A}:1-9,${OWN}:1-7`, `${A}:1-9,${OWN}:1-5`);
    expect(twice).toMatchObject({ order: 'equal', own: `${OWN}:6-7` });
  });

  it('has more, or less, also where it has both', () => {
    expect(after(`${A}:1-10`, `${A}:1-9`)).toMatchObject({ order: 'after', own: null });
    expect(after(`${A}:1-8`, `${A}:1-9`)).toMatchObject({ order: 'before' });
    expect(after(`${A}:1-8:10`, `${A}:1-9`)).toMatchObject({ order: 'incomparable' });
  });

  it('cannot be told where its GTIDs were reset', () => {
    expect(after(`${OWN}:1-3`, `${A}:1-9`)).toMatchObject({
      order: null,
      why: expect.stringContaining('reset'),
    });
  });
});

describe('a promoted server of MariaDB', () => {
  const after = (replicated: string, logged: string, certified: string) =>
    listSuccession(
      parseGtidList(certified),
      { replicated: parseGtidList(replicated), logged: parseGtids(logged) },
      2n,
    );

  it('has exactly what was certified, whatever it wrote since', () => {
    expect(after('0-1-9', '0-1-9,0-2-14', '0-1-9')).toMatchObject({ order: 'equal', own: 'up to 0-2-14' });
    expect(after('0-1-9', '0-1-9', '0-1-9')).toMatchObject({ order: 'equal', own: null });
    // As the primary of before it wrote up to 9 itself.
    expect(after('', '0-1-5,0-2-9', '0-2-9')).toMatchObject({ order: 'equal', own: null });
  });

  it('is told by its log where its position was reset', () => {
    expect(after('', '0-1-9,0-2-14', '0-1-9')).toMatchObject({ order: 'equal', own: 'up to 0-2-14' });
    expect(after('', '0-2-14', '0-1-9')).toMatchObject({ order: null });
  });

  it('has more, or less, domain by domain', () => {
    expect(after('0-1-10,7-1-3', '', '0-1-9,7-1-3')).toMatchObject({ order: 'after' });
    expect(after('0-1-9,7-1-2', '', '0-1-9,7-1-3')).toMatchObject({ order: 'before' });
    expect(after('0-1-10,7-1-2', '', '0-1-9,7-1-3')).toMatchObject({ order: 'incomparable' });
  });
});

describe('what is said after a promotion', () => {
  const said = (order: 'before' | 'equal' | 'after' | 'incomparable' | null, following = false): string =>
    judgeSuccession({ order, following, why: null, position: null, own: null });

  it('is certified only for a server that has just that and follows nobody', () => {
    expect(said('equal')).toBe('certified');
    expect(said('equal', true)).toBe('not promoted');
    expect(said('after')).toBe('later');
    expect(said('before')).toBe('other');
    expect(said('incomparable')).toBe('other');
    expect(said(null)).toBe('untold');
  });
});

describe('a replica that was started when its source was gone', () => {
  const state = historyOf('mariadb', '0-1-100,0-9-40,7-1-5');
  const stems = (list: string, alone = true): boolean => stemsFrom(parseGtidList(list), state, alone);

  it('stems from a primary whose servers wrote what it applied last', () => {
    expect(stems('0-1-90')).toBe(true);
    expect(stems('0-1-200,7-1-5')).toBe(true);
    expect(stems('0-1-90,3-6-1', false)).toBe(true);
  });

  it('stems from another where it does not', () => {
    expect(stems('')).toBe(false);
    expect(stems('0-2-90')).toBe(false);
    expect(stems('0-1-90,7-2-5')).toBe(false);
    expect(stems('0-1-90,3-6-1')).toBe(false);
    expect(stems('3-6-1', false)).toBe(false);
  });
});

describe('a candidate that lacks an earlier transaction', () => {
  it('says of each transaction whether it has it, on MySQL', () => {
    const lineage = { ownPast: new Map() };
    const known = { history: historyOf('mysql', `${A}:1-20`), own: OWN, single: true, lineage };
    const { atLeast, atMost, scattered } = placeOfSet(parseGtidSet(`${A}:1-5:8-9,${OWN}:1-4`), known);
    expect([atLeast, atMost, scattered?.position]).toEqual([
      `mysql:${A}:1-5`,
      `mysql:${A}:1-9`,
      `mysql:${A}:1-5:8-9`,
    ]);
    expect([5, 6, 8, 10].map((number) => scattered?.contains(`${A}:${number}`))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(placeOfSet(parseGtidSet(`${A}:1-9`), known).scattered).toBeNull();
  });

  it('says so by domain, on MariaDB', () => {
    const lineage = { ownPast: new Map() };
    const known = { history: historyOf('mariadb', '0-1-9,7-1-9'), own: '2', single: true, lineage };
    const { scattered } = placeOfList(parseGtidList('0-1-5,7-1-9'), known);
    expect(['0-1-5', '0-1-6', '7-1-9', '8-1-1'].map((one) => scattered?.contains(one))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(placeOfList(parseGtidList('0-1-5'), known).scattered).toBeNull();
  });
});

describe('whether a primary waits for a replica', () => {
  it('is read under the names of each version, and off where nothing of the kind is set up', () => {
    const older = synchronyOf(
      new Map([
        ['rpl_semi_sync_master_enabled', 'ON'],
        ['rpl_semi_sync_master_wait_point', 'AFTER_COMMIT'],
      ]),
      new Map([
        ['rpl_semi_sync_master_status', 'ON'],
        ['rpl_semi_sync_master_clients', '2'],
        ['rpl_semi_sync_master_no_tx', '7'],
      ]),
    );
    expect(older).toEqual({ state: 'waiting', awaited: 1, receivers: 2, hidden: false, unconfirmed: '7' });
    expect(synchronyOf(new Map(), new Map()).state).toBe('off');
    expect(synchronyOf(new Map([['rpl_semi_sync_source_enabled', 'OFF']]), new Map()).state).toBe('off');
    const stopped = new Map([['rpl_semi_sync_source_status', 'OFF']]);
    expect(synchronyOf(new Map([['rpl_semi_sync_source_enabled', 'ON']]), stopped).state).toBe('fallen back');
  });
});
