import type { ChangeRequest, HeldTransaction } from '../../src/connector/changes.ts';
import { TwinproofError } from '../../src/errors.ts';
import { formatLsn, type Lsn, parsePosition, positionOf } from './lsn.ts';
import { historyNamed, leftBefore, type Lineage, placeIn } from './replication-lineage.ts';
import type { StreamFacts } from './replication-slot.ts';

/**
 * What was looked at as the primary is what is streamed from: behind an address that leads to another server meanwhile,
 * or when a standby was promoted, the primary is to be looked at anew first. `seen`: the history on which it was
 * (historyName); null: nobody looked. Throws TP-CONNECTION-LOST.
 */
export function demandSameHistory(
  { inRecovery }: Pick<StreamFacts, 'inRecovery'>,
  lineage: Lineage,
  seen: string | null,
): void {
  if (seen === null || inRecovery || seen === historyNamed(lineage)) return;
  throw new TwinproofError('TP-CONNECTION-LOST', {
    message: `the server is on timeline ${lineage.timeline}, and was on another history a moment ago: it is looked at anew`,
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

/** A part of the log that the server is to tell once more, and what the store has of it. */
export interface Retold {
  readonly from: Lsn;
  readonly held: Iterable<HeldTransaction>;
}

/**
 * What is told once more before `place`, where our store ends, from where the server believes us to be (`confirmed`). Null:
 * that is no earlier, or nothing is held of it. Throws TP-GAP where the store does not reach back to there: a server that
 * was set back so far may have anything in its log.
 */
export function retoldBefore(
  place: Lsn,
  { after, held: heldBehind }: Pick<ChangeRequest, 'after' | 'held'>,
  confirmed: Lsn | null,
): Retold | null {
  if (after === null || heldBehind === undefined || confirmed === null || confirmed >= place) return null;
  const { systemId, timeline } = parsePosition(after);
  const held = heldBehind(positionOf(systemId, timeline, confirmed));
  if (held !== null) return { from: confirmed, held };
  throw new TwinproofError('TP-GAP', {
    message: `the slot stands at ${formatLsn(confirmed)}, further back than our store reaches, which ends at ${formatLsn(place)}: the server may have been set back`,
  });
}
