import type { Bracket, Scattered } from '../connector/ledger-sites.ts';
import type { Position, PositionOrder } from '../connector/position.ts';
import type { Core } from './core.ts';
import { readIdle, readTransaction, RECORD, type RawRecord } from './record.ts';
import { boundaryAt, boundaryOf, type Boundary, type BoundaryAnswer } from './state.ts';

type Compare = (a: Position, b: Position) => PositionOrder;

/**
 * For boundaryOf, of a candidate that may have transactions and lack earlier ones: the last place of the journal before
 * which it has everything.
 */
function havingAll(compare: Compare): Compare {
  return (place, candidate) => {
    const order = compare(place, candidate);
    return order === 'incomparable' ? 'after' : order;
  };
}

/**
 * As boundaryOf, of any candidate. Where the order of its places tells where it stands, what cannot be compared is of a
 * history that ended before this one and is passed over; else it is what a scattered one lacks a part of.
 */
export function boundaryFor(
  core: Core,
  { applied, scattered }: { readonly applied: Position; readonly scattered: Scattered | null | undefined },
  compare: Compare,
): BoundaryAnswer {
  const answer = boundaryOf(core, applied, compare);
  if (scattered == null || answer.kind !== 'incomparable') return answer;
  return boundaryOf(core, applied, havingAll(compare));
}

/** Likewise: the last place that lies before something that it has. */
function missingSome(compare: Compare): Compare {
  return (place, candidate) => {
    const order = compare(place, candidate);
    return order === 'incomparable' ? 'before' : order;
  };
}

/** Both ends of a bracket in the journal. */
export function endsOf(
  core: Core,
  { atLeast, atMost, contains }: Bracket,
  compare: Compare,
): { readonly from: BoundaryAnswer; readonly to: BoundaryAnswer } {
  const from = boundaryNear(core, atLeast, compare);
  const to = atMost === atLeast ? from : boundaryNear(core, atMost, compare);
  if (contains === undefined) return { from, to };
  return {
    from: from.kind === 'incomparable' ? boundaryOf(core, atLeast, havingAll(compare)) : from,
    to: to.kind === 'incomparable' ? boundaryOf(core, atMost, missingSome(compare)) : to,
  };
}

interface Found {
  readonly position: Position;
  readonly boundary: Boundary;
}

/** Where a ledger's positions were found last: candidates move on, so the next one lies a little behind it. */
const LAST = new WeakMap<Core, Found>();

/** As boundaryOf, but looks on from where it found the position before, where that lies at or before this one. */
function boundaryNear(core: Core, position: Position, compare: Compare): BoundaryAnswer {
  const last = LAST.get(core);
  const answer =
    last === undefined || last.boundary < core.journal.start.at
      ? boundaryOf(core, position, compare)
      : boundaryFrom(core, last, position, compare);
  if (answer.kind === 'found') LAST.set(core, { position, boundary: answer.boundary });
  return answer;
}

function boundaryFrom(core: Core, last: Found, position: Position, compare: Compare): BoundaryAnswer {
  const order = compare(last.position, position);
  if (order !== 'equal' && order !== 'before') return boundaryOf(core, position, compare);
  const { committed } = core;
  const toHead = committed.position === null ? 'before' : compare(committed.position, position);
  if (toHead === 'incomparable') return { kind: 'incomparable' };
  if (toHead === 'before') return { kind: 'ahead' };
  if (toHead === 'equal') return { kind: 'found', boundary: boundaryAt(committed.mark.at) };
  let { boundary } = last;
  let isLeft = false;
  for (const record of core.journal.scan(boundary, committed.mark.at)) {
    const here = positionOf(record);
    if (here === null) continue;
    const place = compare(here, position);
    if (place === 'after') break;
    isLeft = place === 'incomparable';
    if (!isLeft) boundary = boundaryAt(record.end);
  }
  return isLeft ? { kind: 'incomparable' } : { kind: 'found', boundary };
}

function positionOf(record: RawRecord): Position | null {
  if (record.kind === RECORD.commit) return readTransaction(record).head.position;
  return record.kind === RECORD.idle ? readIdle(record) : null;
}
