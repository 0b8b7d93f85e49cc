import type { Bracket, PendingLog } from '../connector/ledger-sites.ts';
import type { Position, PositionOrder } from '../connector/position.ts';
import type { PairKind } from '../connector/table.ts';
import { type UnknownWhy, type View, viewOf } from '../ledger/candidate-check.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Ahead } from '../verdict/ledger-loss.ts';
import type { LedgerConnector } from './certify-primary.ts';
import type { SiteIo } from './io.ts';

/** Where a candidate stands, by its own word and in the ledger. */
export interface CandidatePlace {
  readonly position: Position | null;
  readonly view: View | null;
  readonly unplaced: UnknownWhy | null;
  readonly pending: PendingLog;
  /** It has something that the ledger has not; null: it has not. */
  readonly ahead: Ahead | null;
  /** What it has received and will apply when it is promoted is of another history than the ledger's. */
  readonly strays: boolean;
}

/** Of a site that a sink feeds, without what it may have beyond its offsets: that does not show that it reached that. */
export function certainView(
  ledger: Ledger,
  site: LedgerConnector,
  pair: PairKind,
  { pending: { applied } }: CandidatePlace,
): View | null {
  if (pair !== 'cross-engine' || applied === null) return null;
  const compare = (a: Position, b: Position): PositionOrder => site.comparePositions(a, b);
  const view = viewOf(ledger.core, { atLeast: applied, atMost: applied }, compare);
  return typeof view === 'string' ? null : view;
}

/** Null: it does not say where it stands. */
function bracketOf({ applied, scattered }: PendingLog): Bracket | null {
  if (applied === null) return null;
  if (scattered == null) return { atLeast: applied, atMost: applied };
  return { atLeast: applied, atMost: scattered.atMost, contains: scattered.contains };
}

/** Whether it stands in the ledger's history, and has received what does not. A standby applies all that it has. */
function straysFrom(
  end: Position,
  { received, applied }: PendingLog,
  compare: (a: Position, b: Position) => PositionOrder,
): boolean {
  if (received === null || applied === null || compare(applied, end) === 'incomparable') return false;
  return compare(received, end) === 'incomparable';
}

/** Where it stands, and where that is in the journal. */
export async function placeOf(ledger: Ledger, site: LedgerConnector, io: SiteIo): Promise<CandidatePlace> {
  const pending = await site.pendingLog(io.signal);
  const { applied, scattered } = pending;
  const compare = (a: Position, b: Position): PositionOrder => site.comparePositions(a, b);
  const view = viewOf(ledger.core, bracketOf(pending), compare);
  const end = ledger.position;
  const position = scattered?.position ?? applied;
  const order = position === null || end === null ? null : compare(position, end);
  // One that lacks something may have something that the ledger lacks, all the same.
  const isAhead = order === 'after' || (order === 'incomparable' && scattered != null);
  return {
    position,
    view: typeof view === 'string' ? null : view,
    unplaced: typeof view === 'string' ? view : null,
    pending,
    strays: site.capabilities.totalOrder && end !== null && straysFrom(end, pending, compare),
    ahead:
      isAhead && end !== null && position !== null
        ? { bytes: site.bytesBetween(end, position), unordered: order === 'incomparable' }
        : null,
  };
}
