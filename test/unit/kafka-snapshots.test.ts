import { describe, expect, it } from 'vitest';
import type { TopicTable } from '../../connectors/kafka/layout.ts';
import {
  comparePositions,
  parsePosition,
  type Places,
  positionText,
} from '../../connectors/kafka/position.ts';
import type { RecordSource } from '../../connectors/kafka/record-source.ts';
import type { TopicLog } from '../../connectors/kafka/topic-log.ts';
import { TopicSnapshots } from '../../connectors/kafka/topic-snapshots.ts';

type Mark = RecordSource['snapshotMark'] | 'change';

const TABLE: TopicTable = {
  id: 'public.t',
  leaf: 'public.t',
  root: 'public.t',
  columns: [],
  keyFields: 1,
  absent: [],
  fingerprint: 'f',
};

function sourceOf(mark: Mark): RecordSource {
  return {
    engine: 'postgres',
    origin: 'p',
    table: TABLE.leaf,
    snapshot: mark !== 'change',
    snapshotMark: mark === 'change' ? null : mark,
    transaction: null,
    timeUs: 0n,
    place: null,
  };
}

function logOf(partitions: number, from = 0n): TopicLog {
  const starts = Array.from({ length: partitions }, (_, partition) => ({
    partition,
    place: { offset: from, mark: null },
    readFrom: from,
    resumed: false,
    grown: false,
    high: 0n,
  }));
  return { topic: 'p.public.t', partitions: starts, compacted: false };
}

const placesOf = (...offsets: number[]): Places =>
  new Map(
    offsets.map((offset, partition) => [`p.public.t:${partition}`, { offset: BigInt(offset), mark: null }]),
  );
const endsOf = (...offsets: number[]): ReadonlyMap<string, bigint> =>
  new Map(offsets.map((offset, partition) => [`p.public.t:${partition}`, BigInt(offset)]));

/** Gives records in the order in which they are read; the answer: what was told of the snapshot. */
function told(snapshots: TopicSnapshots, ...marks: Mark[]): string[] {
  const found: string[] = [];
  for (const mark of marks) {
    if (snapshots.begins('p.public.t', TABLE, sourceOf(mark))) found.push('begins');
    snapshots.passed(TABLE.leaf, sourceOf(mark));
    found.push(...snapshots.ended(placesOf()).map(({ part }) => part));
  }
  return found;
}

describe('the snapshot of a table, in a topic of one partition', () => {
  it('begins with its first row and ends with its last', () => {
    const snapshots = new TopicSnapshots([logOf(1)], new Map());
    expect(told(snapshots, 'begin', 'within', 'end', 'change')).toEqual(['begins', 'ends']);
    expect(told(snapshots, 'begin', 'within', 'last')).toEqual(['begins', 'ends']);
  });

  it('may be of one row, which has one mark: then the first change ends it where that is the beginning', () => {
    expect(told(new TopicSnapshots([logOf(1)], new Map()), 'end')).toEqual(['begins', 'ends']);
    expect(told(new TopicSnapshots([logOf(1)], new Map()), 'begin', 'change')).toEqual(['begins', 'ends']);
  });

  it('begins anew when the connector did', () => {
    const snapshots = new TopicSnapshots([logOf(1)], new Map());
    expect(told(snapshots, 'begin', 'within', 'begin', 'within', 'end')).toEqual([
      'begins',
      'begins',
      'ends',
    ]);
  });

  it.each<readonly [string, bigint, readonly Mark[]]>([
    ['its first rows were removed', 40n, ['within', 'end', 'change']],
    ['all but its last row were', 40n, ['end', 'change']],
    ['its first row is not there', 0n, ['within', 'last']],
  ])('ends nothing when %s', (_, from, marks) => {
    expect(told(new TopicSnapshots([logOf(1, from)], new Map()), ...marks)).toEqual([]);
  });

  it('ends nothing when records are missing in between, and the next one is whole again', () => {
    const snapshots = new TopicSnapshots([logOf(1)], new Map());
    expect(told(snapshots, 'begin')).toEqual(['begins']);
    snapshots.torn('p.public.t');
    expect(told(snapshots, 'within', 'end')).toEqual([]);
    expect(told(snapshots, 'begin', 'end')).toEqual(['begins', 'ends']);
  });

  it('ends nothing when its first row could not be read, also where the reading was ended behind that', () => {
    const snapshots = new TopicSnapshots([logOf(1)], new Map());
    snapshots.lacks('p.public.t', [TABLE.leaf]);
    const position = positionText('c', placesOf(1), snapshots.open);
    expect(told(snapshots, 'end')).toEqual([]);
    const resumed = new TopicSnapshots([logOf(1)], parsePosition(position)?.snapshots ?? new Map());
    expect(told(resumed, 'end')).toEqual([]);
    expect(told(resumed, 'begin', 'end')).toEqual(['begins', 'ends']);
  });

  it('of one row is whole though a record before it could not be read, where changes came between', () => {
    const snapshots = new TopicSnapshots([logOf(1)], new Map());
    snapshots.lacks('p.public.t', [TABLE.leaf]);
    expect(told(snapshots, 'change', 'end')).toEqual(['begins', 'ends']);
  });

  it('goes on where the reading was ended in its middle', () => {
    const before = new TopicSnapshots([logOf(1)], new Map());
    expect(told(before, 'begin', 'within')).toEqual(['begins']);
    const position = positionText('c', placesOf(2), before.open);
    const open = parsePosition(position)?.snapshots ?? new Map();
    expect(told(new TopicSnapshots([logOf(1)], open), 'within', 'end')).toEqual(['ends']);
  });
});

describe('the snapshot of a table, in a topic of several partitions', () => {
  it('begins with any row, and ends when all that was there behind the mark was read', () => {
    const snapshots = new TopicSnapshots([logOf(2)], new Map());
    expect(told(snapshots, 'within', 'begin', 'end')).toEqual(['begins']);
    expect(snapshots.waiting).toEqual(['p.public.t']);
    snapshots.setEnds('p.public.t', endsOf(2, 5));
    expect(snapshots.ended(placesOf(2, 4))).toEqual([]);
    expect(snapshots.ended(placesOf(2, 5)).map(({ part }) => part)).toEqual(['ends']);
  });

  it('ends nothing when it began twice, or some rows were removed', () => {
    const twice = new TopicSnapshots([logOf(2)], new Map());
    expect(told(twice, 'within', 'begin', 'begin', 'end')).toEqual(['begins']);
    twice.setEnds('p.public.t', endsOf(9, 9));
    expect(twice.ended(placesOf(9, 9))).toEqual([]);
    const removed = new TopicSnapshots([logOf(2, 3n)], new Map());
    expect(told(removed, 'begin', 'within', 'end')).toEqual([]);
    removed.setEnds('p.public.t', endsOf(9, 9));
    expect(removed.ended(placesOf(9, 9))).toEqual([]);
  });
});

describe('a record that cannot be read, in a topic of several partitions', () => {
  it('may be of a snapshot whose beginning is met later: that one ends nothing, the next one does', () => {
    const snapshots = new TopicSnapshots([logOf(2)], new Map());
    snapshots.lacks('p.public.t', [TABLE.leaf]);
    expect(snapshots.waiting).toEqual(['p.public.t']);
    snapshots.setEnds('p.public.t', endsOf(3, 4));
    expect(told(snapshots, 'begin', 'within', 'end')).toEqual([]);
    expect(snapshots.ended(placesOf(3, 4))).toEqual([]);
    expect(told(snapshots, 'begin', 'within', 'end')).toEqual(['begins']);
    snapshots.setEnds('p.public.t', endsOf(6, 8));
    expect(snapshots.ended(placesOf(6, 8)).map(({ part }) => part)).toEqual(['ends']);
  });
});

describe('where somebody stands who reads the partitions in another order', () => {
  const at = (...offsets: number[]) => positionText('c', placesOf(...offsets));
  const floor = (...offsets: number[]) => positionText('c', placesOf(...offsets), new Map(), 'floor');
  const ceiling = (...offsets: number[]) => positionText('c', placesOf(...offsets), new Map(), 'ceiling');
  /** One reader's places, as its ledger holds them. */
  const chain = [at(0, 0), at(2, 0), at(2, 3), at(4, 3), at(4, 6)];
  const order = (bound: ReturnType<typeof at>): string[] =>
    chain.map((place) => comparePositions(place, bound));

  it('is behind the last place all of which it has', () => {
    expect(order(floor(3, 4))).toEqual(['before', 'before', 'before', 'after', 'after']);
    expect(order(floor(0, 6))).toEqual(['before', 'after', 'after', 'after', 'after']);
    expect(order(floor(4, 6))).toEqual(['before', 'before', 'before', 'before', 'equal']);
  });

  it('is before the first place that has all of it', () => {
    expect(order(ceiling(1, 4))).toEqual(['before', 'before', 'before', 'before', 'after']);
    expect(order(ceiling(2, 3))).toEqual(['before', 'before', 'equal', 'after', 'after']);
    expect(order(ceiling(9, 0))).toEqual(['before', 'before', 'before', 'before', 'before']);
  });

  it('is nowhere in another cluster, and turned round it is the other way', () => {
    expect(comparePositions(positionText('d', placesOf(1)), floor(1))).toBe('incomparable');
    expect(comparePositions(floor(3, 4), at(2, 3))).toBe('after');
    expect(comparePositions(ceiling(3, 4), at(2, 3))).toBe('after');
    expect(comparePositions(floor(3, 4), at(4, 3))).toBe('before');
  });

  it('never seems to lie before a bound that would be found before it', () => {
    expect(comparePositions(floor(3, 4), floor(3, 4))).toBe('equal');
    expect(comparePositions(floor(3, 4), ceiling(3, 4))).toBe('before');
    expect(comparePositions(ceiling(3, 4), floor(3, 4))).toBe('after');
    expect(comparePositions(floor(3, 4), floor(4, 3))).toBe('after');
  });
});
