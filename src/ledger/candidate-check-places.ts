import type { Position, PositionOrder } from '../connector/position.ts';
import type { Core } from './core.ts';
import { readIdle, readTransaction, RECORD, type RawRecord } from './record.ts';
import { boundaryAt, boundaryOf, type Boundary, type BoundaryAnswer } from './state.ts';

type Compare = (a: Position, b: Position) => PositionOrder;

interface Found {
  readonly position: Position;
  readonly boundary: Boundary;
}

/** Where a ledger's positions were found last: candidates move on, so the next one lies a little behind it. */
const LAST = new WeakMap<Core, Found>();

/** As boundaryOf, but looks on from where it found the position before, where that lies at or before this one. */
export function boundaryNear(core: Core, position: Position, compare: Compare): BoundaryAnswer {
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
  for (const record of core.journal.scan(boundary, committed.mark.at)) {
    const here = positionOf(record);
    if (here === null) continue;
    const place = compare(here, position);
    if (place === 'incomparable') return { kind: 'incomparable' };
    if (place === 'after') break;
    boundary = boundaryAt(record.end);
  }
  return { kind: 'found', boundary };
}

function positionOf(record: RawRecord): Position | null {
  if (record.kind === RECORD.commit) return readTransaction(record).head.position;
  return record.kind === RECORD.idle ? readIdle(record) : null;
}
