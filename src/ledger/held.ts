import type { HeldTransaction } from '../connector/changes.ts';
import type { Position, PositionOrder } from '../connector/position.ts';
import type { Core } from './core.ts';
import { readTransaction, RECORD } from './record.ts';
import { boundaryOf, type Boundary } from './state.ts';

/**
 * The transactions behind a position that changed something, in commit order, up to the end of the journal as it is at the
 * call. Null: the position lies in another history, or before the window.
 */
export function heldBehind(
  core: Core,
  position: Position,
  compare: (a: Position, b: Position) => PositionOrder,
): Iterable<HeldTransaction> | null {
  const answer = boundaryOf(core, position, compare);
  if (answer.kind === 'ahead') return [];
  return answer.kind === 'found' ? transactions(core, answer.boundary, core.committed.mark.at) : null;
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
