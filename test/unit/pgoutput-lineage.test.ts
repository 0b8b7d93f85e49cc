import { expect, test } from 'vitest';
import { parseLsn, positionOf } from '../../connectors/postgres/lsn.ts';
import { parseHistory, placeIn } from '../../connectors/postgres/replication-lineage.ts';

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
