import { expect, test } from 'vitest';
import { parseLsn, positionOf } from '../../connectors/postgres/lsn.ts';
import {
  ancestorsText,
  compareAlong,
  leftBefore,
  namesake,
  parseHistory,
  placeIn,
  rememberedBranches,
} from '../../connectors/postgres/replication-lineage.ts';
import { RetoldHistory } from '../../connectors/postgres/stream-history.ts';
import { placeOf, retoldBefore } from '../../connectors/postgres/stream-start.ts';
import type { HeldTransaction } from '../../src/connector/changes.ts';
import type { Position, PositionOrder } from '../../src/connector/position.ts';
import { historyChange } from '../../src/connector/source-history.ts';

const HISTORY = `1\t0/3000000\tno recovery target specified

2\t1/A0000000\tbefore transaction 512
`;
const LINEAGE = { systemId: '77', timeline: '3', ancestors: parseHistory(HISTORY) };

function place(timeline: string, lsn: string, systemId = '77'): bigint {
  return placeIn(LINEAGE, positionOf(systemId, timeline, parseLsn(lsn)));
}

test('a timeline’s history says where each earlier one was left', () => {
  expect(LINEAGE.ancestors).toEqual([
    { timeline: '1', end: 0x300_0000n },
    { timeline: '2', end: 0x1_a000_0000n },
  ]);
});

test('a position of this timeline, or of an earlier one up to where it was left, is a place in this log', () => {
  expect(place('3', '2/0')).toBe(parseLsn('2/0'));
  expect(place('2', '1/A0000000')).toBe(parseLsn('1/A0000000'));
  expect(place('1', '0/2000000')).toBe(parseLsn('0/2000000'));
});

test('a position behind the fork, or of a timeline that is no ancestor, is a gap', () => {
  expect(() => place('2', '1/A0000008')).toThrow('left it at 1/A0000000');
  expect(() => place('1', '0/3000008')).toThrow('left it at');
  expect(() => place('4', '0/1')).toThrow('does not descend from it');
});

test('a position of another server is no place at all', () => {
  expect(() => place('3', '0/1', '78')).toThrow('is of server 78');
});

/** The history of the third timeline, remembered and found again. */
const SOURCE = {
  engine: 'postgres',
  systemId: '77',
  timeline: '3',
  details: { ancestors: ancestorsText(LINEAGE.ancestors) },
};
const BRANCHES = rememberedBranches(SOURCE);

test.each<[a: [string, string], b: [string, string], expected: PositionOrder]>([
  [['1', '0/2000000'], ['3', '2/0'], 'before'],
  [['3', '2/0'], ['1', '0/2000000'], 'after'],
  [['1', '0/3000000'], ['2', '0/3000000'], 'equal'],
  [['2', '0/2000000'], ['1', '0/2FFFFF8'], 'before'],
  [['1', '0/3000008'], ['2', '0/4000000'], 'incomparable'],
  [['3', '2/0'], ['2', '1/A0000008'], 'incomparable'],
  [['1', '0/4000000'], ['1', '0/3000008'], 'after'],
  [['4', '2/0'], ['3', '2/0'], 'incomparable'],
])('of %j and %j in one history the order is as their logs have it', ([from, a], [to, b], expected) => {
  expect(compareAlong(BRANCHES, positionOf('77', from, parseLsn(a)), positionOf('77', to, parseLsn(b)))).toBe(
    expected,
  );
});

test('positions of two timelines of which no history is remembered cannot be compared', () => {
  const old = rememberedBranches({ engine: 'postgres', systemId: '77', timeline: '2', details: {} });
  const [a, b] = [positionOf('77', '1', 1n), positionOf('77', '2', 2n)];
  expect([compareAlong(old, a, b), compareAlong(BRANCHES, a, positionOf('78', '2', 2n))]).toEqual([
    'incomparable',
    'incomparable',
  ]);
});

test('only of a position behind the fork the log was left before it', () => {
  const left = (timeline: string, lsn: string) =>
    leftBefore(LINEAGE, positionOf('77', timeline, parseLsn(lsn)));
  expect(left('1', '0/3000008')).toBe('77/1/0/3000000');
  expect([left('1', '0/3000000'), left('3', '9/0'), left('4', '0/1')]).toEqual([null, null, null]);
});

test('a store that has nothing behind the fork goes on there, and one that has is told what is lost', () => {
  const after = positionOf('77', '1', parseLsn('0/3000100'));
  const lost = (held: readonly HeldTransaction[] | null) =>
    placeOf(LINEAGE, { after, pair: 'physical', held: () => held });
  const transaction = { id: '748', position: after, committedAtUs: 0n };
  expect(lost([])).toBe(parseLsn('0/3000000'));
  expect(() => lost([transaction, transaction])).toThrow(
    '2 transactions behind that which our store has are lost there, the last one 748 at 0/3000100',
  );
  expect(() => lost(null)).toThrow('left it at 0/3000000');
});

test('timelines of one number that began elsewhere are told apart, up to the place where they were left', () => {
  const [first, second] = LINEAGE.ancestors;
  if (first === undefined || second === undefined) throw new Error('the history has two');
  const moved = { ...second, end: second.end + 8n };
  expect(namesake(SOURCE, '3', [first, second])).toBeNull();
  expect(namesake(SOURCE, '2', [first])).toBeNull();
  expect(namesake(SOURCE, '1', [])).toBeNull();
  expect(namesake(SOURCE, '3', [first, moved])).toBe(
    'its timeline 3 (left 1 at 0/3000000, left 2 at 1/A0000008) is not that of the primary (left 1 at 0/3000000, left 2 at 1/A0000000)',
  );
  expect(namesake(SOURCE, '3', [first])).not.toBeNull();
  expect(namesake(SOURCE, '2', [{ ...first, end: first.end - 8n }])).not.toBeNull();
  // Places of these compare with none of the primary's anyway.
  expect(namesake(SOURCE, '4', [moved])).toBeNull();
  // An earlier version remembered nothing to tell them by.
  expect(namesake({ ...SOURCE, details: {} }, '3', [moved])).toBeNull();
});

test('a primary is another one when its timeline has another number, or began elsewhere', () => {
  const moved = { ...SOURCE, details: { ancestors: '[["1","0/3000000"],["2","1/A0000008"]]' } };
  expect(historyChange(SOURCE, { ...SOURCE })).toBe('none');
  expect(historyChange(SOURCE, { ...SOURCE, timeline: '4' })).toBe('another');
  expect(historyChange(SOURCE, moved)).toBe('namesake');
  expect(historyChange({ ...SOURCE, details: {} }, moved)).toBe('none');
});

test('a primary whose log came over another timeline of a number that was followed is told as a namesake', () => {
  const onTimeline = (timeline: string, ...ancestors: [string, string][]): typeof SOURCE => ({
    ...SOURCE,
    timeline,
    details: { ancestors: JSON.stringify(ancestors) },
  });
  const second = onTimeline('2', ['1', '0/3000000']);
  const heir = onTimeline('3', ['1', '0/3000000'], ['2', '0/9000000']);
  expect(historyChange(second, heir)).toBe('another');
  // Promoted from a standby of the other one that went its own way from timeline 1.
  const stranger = onTimeline('3', ['1', '0/3000060'], ['2', '0/9000000']);
  expect(historyChange(second, stranger)).toBe('namesake');
  expect(historyChange(heir, onTimeline('2', ['1', '0/3000060']))).toBe('namesake');
  expect(historyChange(onTimeline('1'), stranger)).toBe('another');
});

test('what a server tells once more is held against the store by id, place and time', () => {
  const at = (lsn: string): Position => positionOf('77', '3', parseLsn(lsn));
  const held = [{ id: '748', position: at('2/100'), committedAtUs: 5n }];
  const told = (id: string, committedAtUs: bigint, end: string): void =>
    new RetoldHistory(held, parseLsn('2/200')).told({ id, committedAtUs }, parseLsn(end));
  expect(() => told('748', 5n, '2/100')).not.toThrow();
  for (const [id, us, end] of [
    ['749', 5n, '2/100'],
    ['748', 6n, '2/100'],
    ['748', 5n, '2/108'],
  ] as const)
    expect(() => told(id, us, end)).toThrow('another log than it had');
});

test('a server that stands before ours tells once more what we have; further back than that is a gap', () => {
  const at = (lsn: string): Position => positionOf('77', '3', parseLsn(lsn));
  const held = (behind: Position): readonly HeldTransaction[] | null => (behind >= at('2/300') ? [] : null);
  const from = (confirmed: string, request = { after: at('2/500'), held }): bigint | undefined =>
    retoldBefore(parseLsn('2/500'), request, parseLsn(confirmed))?.from;
  expect(from('2/400')).toBe(parseLsn('2/400'));
  expect(from('2/500')).toBeUndefined();
  expect(() => from('2/200')).toThrow('further back than our store reaches');
  expect(retoldBefore(parseLsn('2/500'), { after: at('2/500') }, parseLsn('2/200'))).toBeNull();
});
