import type { Position, PositionOrder } from '../../src/connector/position.ts';

/** How far one partition was read. */
export interface Place {
  /** Of the next record: everything before it was read. */
  readonly offset: bigint;
  /**
   * What the record before it looked like (`recordMark`), so that another topic of the same name, or a log that lost its
   * end, is told from this one; null: none was read.
   */
  readonly mark: string | null;
}

/** `topic:partition` → how far it was read. */
export type Places = ReadonlyMap<string, Place>;

/**
 * A position in topics is one offset for each partition: a partial order. Written as
 * `kafka:CLUSTER/topic:0@17~1719878400000.312,topic:1@4`.
 */
export function positionText(clusterId: string, places: Places): Position {
  const parts = [...places]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { offset, mark }]) => `${name}@${offset}${mark === null ? '' : `~${mark}`}`);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- here positions are made
  return `kafka:${clusterId}/${parts.join(',')}` as Position;
}

/** Null: no position of ours. */
export function parsePosition(
  position: Position,
): { readonly clusterId: string; readonly places: Places } | null {
  const match = /^kafka:([^/]*)\/(.*)$/.exec(position);
  if (match === null) return null;
  const [, clusterId = '', list = ''] = match;
  const places = new Map<string, Place>();
  for (const part of list === '' ? [] : list.split(',')) {
    const found = /^([\w.-]+:\d+)@(\d+)(?:~(\d+\.\d+))?$/.exec(part);
    if (found?.[1] === undefined || found[2] === undefined) return null;
    places.set(found[1], { offset: BigInt(found[2]), mark: found[3] ?? null });
  }
  return { clusterId, places };
}

/** A partition that only one of them knows was not read by the other. Pure. */
export function comparePositions(a: Position, b: Position): PositionOrder {
  const [left, right] = [parsePosition(a), parsePosition(b)];
  if (left === null || right === null || left.clusterId !== right.clusterId) return 'incomparable';
  let less = false;
  let more = false;
  for (const name of new Set([...left.places.keys(), ...right.places.keys()])) {
    const [mine, other] = [left.places.get(name), right.places.get(name)];
    const difference = (mine?.offset ?? 0n) - (other?.offset ?? 0n);
    if (difference < 0n) less = true;
    else if (difference > 0n) more = true;
    // The same offset behind another record: another topic.
    else if (mine?.mark != null && other?.mark != null && mine.mark !== other.mark) return 'incomparable';
  }
  if (less && more) return 'incomparable';
  if (less) return 'before';
  return more ? 'after' : 'equal';
}

/** What is remembered of a record: its time stamp and its size. */
export function recordMark(record: {
  readonly timestamp: string;
  readonly value: Uint8Array | null;
}): string {
  return `${record.timestamp}.${record.value?.length ?? 0}`;
}
