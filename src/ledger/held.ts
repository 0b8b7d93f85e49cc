import type { HeldTransaction } from '../connector/changes.ts';
import type { Position, PositionOrder } from '../connector/position.ts';
import type { Core } from './core.ts';
import { readTransaction, RECORD } from './record.ts';
import { boundaryBehind, boundaryOf, type Boundary, type BoundaryAnswer, nextPosition } from './state.ts';

type Compare = (a: Position, b: Position) => PositionOrder;

/**
 * The transactions behind a position that changed something, in commit order, up to the end of the journal as it is at the
 * call. Null: the position lies in another history, or before the window.
 */
export function heldBehind(
  core: Core,
  position: Position,
  compare: Compare,
): Iterable<HeldTransaction> | null {
  const answer = placeOf(core, position, compare);
  if (answer.kind === 'ahead') return [];
  return answer.kind === 'found' ? transactions(core, answer.boundary, core.committed.mark.at) : null;
}

/**
 * Behind a gap positions may begin again at earlier ones, when the server was set back. Then a position of what comes behind
 * it may be found in what comes before it, which counts no more.
 */
function placeOf(core: Core, position: Position, compare: Compare): BoundaryAnswer {
  const answer = boundaryOf(core, position, compare);
  const [first] = core.catalog.current().toSorted((a, b) => a.beganAt - b.beganAt);
  if (answer.kind !== 'found' || first?.cause !== 'gap') return answer;
  if (nextPosition(core, answer.boundary) >= first.beganAt) return answer;
  const behindGap = boundaryBehind(core, first.beganAt, position, compare);
  return behindGap.kind === 'found' ? behindGap : answer;
}

function* transactions(core: Core, from: Boundary, to: number): Generator<HeldTransaction> {
  let changes = 0;
  for (const record of core.journal.scan(from, to)) {
    if (record.kind !== RECORD.part && record.kind !== RECORD.commit) continue;
    const { head } = readTransaction(record);
    changes += head.changes;
    if (head.position === null) continue;
    const { id, position, committedAtUs } = head;
    if (changes > 0) yield { id, position, committedAtUs };
    changes = 0;
  }
}
