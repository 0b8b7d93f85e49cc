import type { ChangeRequest, HeldTransaction } from '../../src/connector/changes.ts';
import { TwinproofError } from '../../src/errors.ts';
import { formatLsn, type Lsn, parsePosition, positionOf } from './lsn.ts';
import { leftBefore, type Lineage, placeIn } from './replication-lineage.ts';
import type { StreamFacts } from './replication-slot.ts';

/**
 * What was looked at as the primary is what is streamed from: behind an address that leads to another server meanwhile,
 * or when a standby was promoted, the primary is to be looked at anew first. `seen`: the timeline on which it was; null:
 * nobody looked. Throws TP-CONNECTION-LOST.
 */
export function demandSameHistory(
  { inRecovery }: Pick<StreamFacts, 'inRecovery'>,
  { timeline }: Lineage,
  seen: string | null,
): void {
  if (seen === null || inRecovery || seen === timeline) return;
  throw new TwinproofError('TP-CONNECTION-LOST', {
    message: `the server is on timeline ${timeline}, and was on ${seen} a moment ago: it is looked at anew`,
    retryable: true,
  });
}

/**
 * Where a stored position lies in this server's log; null: nothing is stored. A log that was left before that position
 * goes on there, if the store has nothing behind it that changed anything: else that is lost here. Throws as placeIn.
 */
export function placeOf(lineage: Lineage, { after, held }: ChangeRequest): Lsn | null {
  if (after === null) return null;
  const left = leftBefore(lineage, after);
  const behind = left === null ? null : (held?.(left) ?? null);
  if (left === null || behind === null) return placeIn(lineage, after);
  const { timeline, lsn } = parsePosition(left);
  let count = 0;
  let last = '';
  for (const { id, position } of behind) {
    count++;
    last = `${id} at ${formatLsn(parsePosition(position).lsn)}`;
  }
  if (count === 0) return lsn;
  throw new TwinproofError('TP-GAP', {
    message:
      `the server is on timeline ${lineage.timeline}, which left ${timeline} at ${formatLsn(lsn)}: ` +
      `${count} ${count === 1 ? 'transaction' : 'transactions'} behind that which our store has ${count === 1 ? 'is' : 'are'} lost there, the last one ${last}`,
  });
}

/** What the store has behind a place of the log that lies before its end. */
export function heldBehind({ after, held }: ChangeRequest, confirmed: Lsn): Iterable<HeldTransaction> | null {
  if (after === null || held === undefined) return null;
  const { systemId, timeline } = parsePosition(after);
  return held(positionOf(systemId, timeline, confirmed));
}
