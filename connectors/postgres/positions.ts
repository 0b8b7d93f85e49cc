import type { LagFacts } from '../../src/connector/identity.ts';
import type { AppliedReading, HeadReading, Position } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';
import { bytesBetween, normaliseLsn, parseLsn, positionOf, type Lsn } from './lsn.ts';
import { readIdentity, type PostgresIdentity } from './identity.ts';
import type { Session } from './session.ts';

/** Whose log a logical candidate's positions are in: it does not know that by itself. */
export interface Lineage {
  readonly primary: Pick<PostgresIdentity, 'systemId' | 'timeline' | 'wal'>;
  /** Oids, on the candidate, of every subscription to this primary. */
  readonly subscriptions: readonly number[];
}

/** How often, and how many milliseconds apart, to look whether an apply worker's transaction has ended. */
const APPLY_POLLS = 10;
const APPLY_POLL_MS = 20;

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

interface SubscriptionRow {
  readonly oid: number;
  readonly pid: number | null;
  readonly received: string | null;
  readonly ended: string | null;
}

/**
 * The least that all subscriptions have applied. A worker's latest_end_lsn is how far the publisher had decoded when
 * it sent a keep-alive behind all commits up to there; the origin's progress is the end of the last commit applied,
 * which is less when the publisher has nothing more for us, and more while it has too much to send keep-alives.
 * Null when one subscription tells neither: not running, and the role may not see origins.
 */
async function readSubscriptions(session: Session, lineage: Lineage, signal: AbortSignal): Promise<Progress> {
  const leader = session.versionNumber >= 160_000 ? 'and w.leader_pid is null' : '';
  const rows = await session.rows<SubscriptionRow>(
    `select s.oid::int8::float8 as oid, w.pid, w.received_lsn::text as received, w.latest_end_lsn::text as ended
     from pg_subscription s left join pg_stat_subscription w on w.subid = s.oid and w.relid is null ${leader}
     where s.oid = any($1::oid[])`,
    [lineage.subscriptions],
    signal,
  );
  if (rows.length < lineage.subscriptions.length || rows.length === 0)
    return { received: null, applied: null };
  const origins = await readOrigins(session, rows, signal);
  const applied = rows.map(({ oid, ended }) => greatest(lsnOf(ended), origins.get(oid) ?? null));
  const received = rows.map(({ oid, received: got }) => greatest(lsnOf(got), origins.get(oid) ?? null));
  const at = (lsns: readonly (Lsn | null)[]): Position | null => {
    const least = leastOf(lsns);
    return least === null ? null : place(lineage.primary, least);
  };
  return { applied: at(applied), received: at(received) };
}

/**
 * Progress of the origin of each subscription, where the role may execute the function. The server advances it just
 * before the commit becomes visible, so a reading counts only when no worker is in the transaction that moved it.
 */
async function readOrigins(
  session: Session,
  rows: readonly SubscriptionRow[],
  signal: AbortSignal,
): Promise<ReadonlyMap<number, Lsn>> {
  const none = new Map<number, Lsn>();
  const [allowed] = await session.rows<{ allowed: boolean }>(
    `select pg_catalog.has_function_privilege('pg_catalog.pg_show_replication_origin_status()', 'EXECUTE') as allowed`,
    [],
    signal,
  );
  if (allowed?.allowed !== true) return none;
  const found = await session.rows<{ name: string; lsn: string | null }>(
    `select external_id as name, remote_lsn::text as lsn from pg_catalog.pg_show_replication_origin_status()
     where external_id like 'pg\\_%'`,
    [],
    signal,
  );
  if (!(await workersPaused(session, signal))) return none;
  const progress = new Map<number, Lsn>();
  for (const { oid } of rows) {
    const lsn = lsnOf(found.find(({ name }) => name === `pg_${oid}`)?.lsn ?? null);
    if (lsn !== null) progress.set(oid, lsn);
  }
  return progress;
}

/** Waits, for a moment, until every transaction that apply workers are in now has ended. */
async function workersPaused(session: Session, signal: AbortSignal): Promise<boolean> {
  let pending: readonly string[] | null = null;
  for (let poll = 0; poll < APPLY_POLLS; poll += 1) {
    if (poll > 0) await pause(APPLY_POLL_MS);
    const rows: { xid: string }[] = await session.rows<{ xid: string }>(
      `select l.transactionid::text as xid from pg_locks l
       where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.granted
         and l.pid in (select w.pid from pg_stat_subscription w)`,
      [],
      signal,
    );
    const running = new Set(rows.map(({ xid }) => xid));
    pending = (pending ?? [...running]).filter((xid) => running.has(xid));
    if (pending.length === 0) return true;
  }
  return false;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

function place(identity: Lineage['primary'], lsn: Lsn): Position {
  return positionOf(identity.systemId, identity.timeline, normaliseLsn(lsn, identity.wal));
}

function lsnOf(text: string | null): Lsn | null {
  return text === null ? null : parseLsn(text);
}

function greatest(a: Lsn | null, b: Lsn | null): Lsn | null {
  if (a === null || b === null) return a ?? b;
  return a > b ? a : b;
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
