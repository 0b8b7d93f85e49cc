import type { Position, PositionOrder } from '../../src/connector/position.ts';

/** How far one partition was read. */
export interface Place {
  /** Of the next record: everything before it was read. */
  readonly offset: bigint;
  /**
   * What the record before it looked like (`recordMark`), so that a log that lost its end is told from this one; null:
   * none was read.
   */
  readonly mark: string | null;
  /** Which topic of that name it is (metadata.ts); null or absent: the brokers did not say. */
  readonly topicId?: string | null;
}

/** `topic:partition` → how far it was read. */
export type Places = ReadonlyMap<string, Place>;

/** `opened`: rows of it came, and its first row has not been met; `torn`: its rows cannot be told to be whole. */
export type SnapshotPhase = 'opened' | 'begun' | 'torn';

/** Tables (`schema.table`) of which a snapshot is under way here, and the topic that brings it. */
export type Snapshots = ReadonlyMap<string, { readonly topic: string; readonly phase: SnapshotPhase }>;

/** A position as it is written. */
export interface ParsedPosition {
  /**
   * `place`: read by one who reads all. Both others are of somebody who reads the same partitions in another order, so
   * that he need not stand at any place of ours. `floor`: he has everything before it; `ceiling`: nothing behind it.
   */
  readonly kind: 'place' | 'floor' | 'ceiling';
  readonly clusterId: string;
  readonly places: Places;
  readonly snapshots: Snapshots;
}

/**
 * A position in topics is one offset for each partition: a partial order. Written as
 * `kafka:CLUSTER/topic:0@17~1719878400000.312.5+sX0bQ1aZ,topic:1@4!schema.table=topic/begun`: behind the exclamation
 * mark stand the snapshots that are under way, percent-encoded, so that who goes on there knows of them. Positions of
 * earlier versions lack the epoch (`.5`) and the id of the topic.
 */
export function positionText(
  clusterId: string,
  places: Places,
  snapshots: Snapshots = new Map(),
  kind: ParsedPosition['kind'] = 'place',
): Position {
  const parts = [...places]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, place]) => placeText(name, place));
  const open = [...snapshots]
    .map(([table, { topic, phase }]) => `${encodeURIComponent(table)}=${topic}/${phase}`)
    .sort();
  const scheme = kind === 'place' ? 'kafka' : `kafka-${kind}`;
  const suffix = open.length === 0 ? '' : `!${open.join(',')}`;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- here positions are made
  return `${scheme}:${clusterId}/${parts.join(',')}${suffix}` as Position;
}

/** One partition of it. */
export function placeText(name: string, { offset, mark, topicId }: Place): string {
  return `${name}@${offset}${mark === null ? '' : `~${mark}`}${topicId == null ? '' : `+${topicId}`}`;
}

const PHASES: readonly SnapshotPhase[] = ['opened', 'begun', 'torn'];

/** Null: no position of ours. */
export function parsePosition(position: Position): ParsedPosition | null {
  const match = /^kafka(?:-(floor|ceiling))?:([^/]*)\/([^!]*)(?:!(.*))?$/.exec(position);
  if (match === null) return null;
  const [, kind, clusterId = '', list = '', open = ''] = match;
  const places = new Map<string, Place>();
  for (const part of list === '' ? [] : list.split(',')) {
    const found = /^([\w.-]+:\d+)@(\d+)(?:~(\d+\.\d+(?:\.\d+)?))?(?:\+([\w-]+))?$/.exec(part);
    if (found?.[1] === undefined || found[2] === undefined) return null;
    places.set(found[1], { offset: BigInt(found[2]), mark: found[3] ?? null, topicId: found[4] ?? null });
  }
  const snapshots = new Map<string, { readonly topic: string; readonly phase: SnapshotPhase }>();
  for (const part of open === '' ? [] : open.split(',')) {
    const found = /^([^=]+)=([\w.-]+)\/(opened|begun|torn)$/.exec(part);
    const phase = PHASES.find((one) => one === found?.[3]);
    if (found?.[1] === undefined || found[2] === undefined || phase === undefined) return null;
    snapshots.set(decodeURIComponent(found[1]), { topic: found[2], phase });
  }
  return {
    kind: kind === 'floor' || kind === 'ceiling' ? kind : 'place',
    clusterId,
    places,
    snapshots,
  };
}

/** A partition that only one of them knows was not read by the other. Pure. */
export function comparePositions(a: Position, b: Position): PositionOrder {
  const [left, right] = [parsePosition(a), parsePosition(b)];
  if (left === null || right === null || left.clusterId !== right.clusterId) return 'incomparable';
  if (namesAnother(left.places, right.places)) return 'incomparable';
  if (left.kind === 'place' && right.kind === 'place') return comparePlaces(left.places, right.places);
  if (right.kind !== 'place') return left.kind === 'place' ? toBound(left, right) : amongBounds(left, right);
  const order = toBound(right, left);
  if (order === 'before') return 'after';
  return order === 'after' ? 'before' : order;
}

/** Whether one of the topics was made anew between them. */
function namesAnother(left: Places, right: Places): boolean {
  return [...right].some(([name, place]) => isAnother(left.get(name), place));
}

/** Whether both say which topic they are of, and not the same one. */
export function isAnother(one: Place | undefined, other: Pick<Place, 'topicId'>): boolean {
  return one?.topicId != null && other.topicId != null && one.topicId !== other.topicId;
}

function comparePlaces(left: Places, right: Places): PositionOrder {
  let less = false;
  let more = false;
  for (const name of new Set([...left.keys(), ...right.keys()])) {
    const [mine, other] = [left.get(name), right.get(name)];
    const difference = (mine?.offset ?? 0n) - (other?.offset ?? 0n);
    if (difference < 0n) less = true;
    else if (difference > 0n) more = true;
    // The same offset behind another record: another topic.
    else if (mine?.mark != null && other?.mark != null && !isSameMark(mine.mark, other.mark)) {
      return 'incomparable';
    }
  }
  if (less && more) return 'incomparable';
  if (less) return 'before';
  return more ? 'after' : 'equal';
}

/**
 * Where one of our places stands to a bound; of partitions that the bound does not name nothing counts. A floor stands
 * behind the last place all of which lies at or before it, a ceiling before the first all of which lies at or behind
 * it: so along the places of one reader the order never goes back, and each bound has one place among them.
 */
function toBound(place: ParsedPosition, bound: ParsedPosition): PositionOrder {
  const differences = differencesOf(place.places, bound.places);
  if (differences.every((one) => one === 0n)) return 'equal';
  if (bound.kind === 'floor') return differences.every((one) => one <= 0n) ? 'before' : 'after';
  return differences.every((one) => one >= 0n) ? 'after' : 'before';
}

/** Never `before` unless no place of a reader lies behind `left` and before `right`. */
function amongBounds(left: ParsedPosition, right: ParsedPosition): PositionOrder {
  const differences = differencesOf(left.places, right.places);
  const isSameKind = left.kind === right.kind && left.places.size === right.places.size;
  if (isSameKind && differences.every((one) => one === 0n)) return 'equal';
  if (left.kind === 'ceiling' && right.kind === 'floor') return 'after';
  return left.places.size === right.places.size && differences.every((one) => one <= 0n) ? 'before' : 'after';
}

function differencesOf(places: Places, bound: Places): bigint[] {
  return [...bound].map(([name, { offset }]) => (places.get(name)?.offset ?? 0n) - offset);
}

/**
 * What is remembered of a record: its time stamp, the size of its value, and the epoch of the leader that took it in
 * (negative: not known), under which no other record of the topic has its offset.
 */
export function recordMark(timestamp: number, valueBytes: number, leaderEpoch: number): string {
  return leaderEpoch < 0 ? `${timestamp}.${valueBytes}` : `${timestamp}.${valueBytes}.${leaderEpoch}`;
}

/** Whether both may be of one record. Marks of earlier versions have no epoch. */
export function isSameMark(one: string, other: string): boolean {
  if (one === other) return true;
  const [left, right] = [one.split('.'), other.split('.')];
  return (left.length < 3 || right.length < 3) && left[0] === right[0] && left[1] === right[1];
}

/** The epoch in a mark; −1: it has none. */
export function epochOf(mark: string | null): number {
  return Number(mark?.split('.')[2] ?? -1);
}
