import type { LagFacts } from '../../src/connector/identity.ts';
import type { AppliedReading, HeadReading, Position } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';
import { bytesBetween, normaliseLsn, parseLsn, positionOf, type Lsn } from './lsn.ts';
import { readIdentity, type PostgresIdentity } from './identity.ts';
import type { Session } from './session.ts';
import { greatest, readShown } from './subscriptions.ts';

/** Whose log a logical candidate's positions are in: it does not know that by itself. */
export interface Lineage {
  readonly primary: Pick<PostgresIdentity, 'systemId' | 'timeline' | 'wal'>;
  /** What its timeline descends from, where a ledger remembers that. Opaque. */
  readonly history?: string;
  /** Oids, on the candidate, of every subscription to this primary. */
  readonly subscriptions: readonly number[];
}

/**
 * Whether no transaction is left that may be in the log and is not visible yet. Every transaction with an identifier
 * holds an exclusive lock on it, from before its first record until after it became visible: while it runs, while it
 * is prepared, and while its commit waits for a synchronous standby. Anybody may see these locks.
 * pg_current_snapshot() will not do: when the newest transaction is the only one it lists none (738:738:), and the
 * wait event SyncRep can be seen by some roles only.
 */
const QUIET = `
select not exists (select from pg_locks l where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock'
  and l.granted and l.pid is distinct from pg_catalog.pg_backend_pid()) as quiet`;

/** A head that was read while nothing with an identifier was in progress, and by what it is known again. */
interface StillHead {
  readonly head: Position;
  /** Server, lineage and the identifier after the newest completed transaction. */
  readonly recognisedBy: string;
}

/** What a connector remembers between two readings of a head. */
export interface HeadMemory {
  still: StillHead | null;
}

/**
 * The log grows without any commit: reading prunes pages, checkpoints and snapshots of running transactions are
 * written, and what follows a switchover must not wait for an hour without those. Nothing was committed between two
 * readings exactly if at both no identifier below the newest completed one was in progress, and that is the same.
 */
const HEAD = `
select pg_catalog.pg_current_wal_insert_lsn()::text as lsn, pg_catalog.pg_snapshot_xmax(s.now)::text as xmax,
  pg_catalog.pg_snapshot_xmin(s.now) = pg_catalog.pg_snapshot_xmax(s.now) as still
from (select pg_catalog.pg_current_snapshot() as now) s`;

/**
 * The primary's head, and whether all before it is visible. With a memory the head stays where it was for as long as
 * nothing was committed. Throws TP-ROLES on a standby.
 *
 * Quiet is asked before the head and after it. After: a commit up to the head may still be invisible. Before: a
 * transaction that is still in progress does not move the head, yet its commit may be in the log already; one that is
 * gone before the head is read has moved it. So two equal heads that were both quiet saw no commit in between.
 */
export async function readHead(
  session: Session,
  signal: AbortSignal,
  memory: HeadMemory = { still: null },
): Promise<HeadReading> {
  const identity = await readIdentity(session, signal);
  if (identity.inRecovery) {
    throw new TwinproofError('TP-ROLES', {
      message: `${session.target.label} is in recovery: it has no head`,
    });
  }
  const [before] = await session.rows<{ quiet: boolean }>(QUIET, [], signal);
  const [row] = await session.rows<{ lsn: string; xmax: string; still: boolean }>(HEAD, [], signal);
  const [after] = await session.rows<{ quiet: boolean }>(QUIET, [], signal);
  const recognisedBy = `${identity.instance}/${identity.timeline}/${row?.xmax}`;
  const known = row?.still === true && memory.still?.recognisedBy === recognisedBy ? memory.still : null;
  const head = known?.head ?? place(identity, parseLsn(row?.lsn ?? ''));
  memory.still = row?.still === true ? { head, recognisedBy } : null;
  return { head, quiet: before?.quiet === true && after?.quiet === true };
}

/** What the candidate has applied. A standby needs no lineage: its log is the primary's. */
export async function readApplied(
  session: Session,
  lineage: Lineage | null,
  signal: AbortSignal,
): Promise<AppliedReading> {
  const { applied } = await readProgress(session, lineage, signal);
  return { applied };
}

export async function readLag(
  session: Session,
  lineage: Lineage | null,
  signal: AbortSignal,
): Promise<LagFacts> {
  const { received, applied } = await readProgress(session, lineage, signal);
  const bytes = received === null || applied === null ? null : bytesBetween(applied, received);
  return { received, applied, receivedNotAppliedBytes: bytes };
}

interface Progress {
  readonly received: Position | null;
  readonly applied: Position | null;
}

async function readProgress(
  session: Session,
  lineage: Lineage | null,
  signal: AbortSignal,
): Promise<Progress> {
  return lineage === null ? readReplay(session, signal) : readSubscriptions(session, lineage, signal);
}

async function readReplay(session: Session, signal: AbortSignal): Promise<Progress> {
  const [row] = await session.rows<{ applied: string | null; received: string | null }>(
    // After a restart without the primary the receiver has less than was replayed from the archive or pg_wal.
    `select a.lsn::text as applied, greatest(a.lsn, pg_catalog.pg_last_wal_receive_lsn())::text as received
     from (select pg_catalog.pg_last_wal_replay_lsn() as lsn) a`,
    [],
    signal,
  );
  // After the LSN: the server may have moved to a newer timeline meanwhile, of which the LSN is still a part.
  const identity = await readIdentity(session, signal);
  const at = (lsn: string | null | undefined): Position | null =>
    !identity.inRecovery || lsn === null || lsn === undefined ? null : place(identity, parseLsn(lsn));
  return { applied: at(row?.applied), received: at(row?.received) };
}

/** The least that all subscriptions have applied. Null when one of them tells nothing. */
async function readSubscriptions(session: Session, lineage: Lineage, signal: AbortSignal): Promise<Progress> {
  const { subscriptions, primary } = lineage;
  const progress = await readShown(session, subscriptions, signal);
  if (progress.length < subscriptions.length || progress.length === 0)
    return { received: null, applied: null };
  const at = (lsns: readonly (Lsn | null)[]): Position | null => {
    const least = leastOf(lsns);
    return least === null ? null : place(primary, least);
  };
  return {
    applied: at(progress.map(({ applied }) => applied)),
    received: at(progress.map(({ applied, received }) => greatest(received, applied))),
  };
}

/** A place in the log of a server, by its name. */
export function place(identity: Lineage['primary'], lsn: Lsn): Position {
  return positionOf(identity.systemId, identity.timeline, normaliseLsn(lsn, identity.wal));
}

/** Null as soon as one is unknown. */
function leastOf(lsns: readonly (Lsn | null)[]): Lsn | null {
  let least: Lsn | null = null;
  for (const lsn of lsns) {
    if (lsn === null) return null;
    if (least === null || lsn < least) least = lsn;
  }
  return least;
}
