import type { PlanOptions, Range, RowShape } from '../../src/connector/contract.ts';
import type {
  FollowedSource,
  SnapshotReading,
  SourceTable,
  WitnessReading,
} from '../../src/connector/ledger-sites.ts';
import { throwIfInterrupted } from '../../src/connector/interruption.ts';
import type { Position } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';
import { readIdentity } from './identity.ts';
import type { LogHistory } from './log-history.ts';
import { type HeadMemory, readHead, readLag } from './positions.ts';
import { blockRanges } from './ranges.ts';
import { ancestorsText } from './replication-lineage.ts';
import type { Session } from './session.ts';
import { endedBefore, visibleIn } from './snapshot.ts';
import { handleOf } from './table.ts';

/**
 * The clock before the head: what had returned to its client by then is in the log before the head is asked for.
 *
 * A standby's clock says nothing of its primary. It has the time at which the newest transaction that it has replayed was
 * about to write its commit into the primary's log: whatever had returned by then lies before that commit. The same holds
 * for the time of the last checkpoint that it has replayed, which is there when no transaction is.
 */
const CLOCK = `
select (extract(epoch from case when pg_catalog.pg_is_in_recovery()
      then greatest(pg_catalog.pg_last_xact_replay_timestamp(), c.checkpoint_time)
      else pg_catalog.clock_timestamp() end) * 1000000)::int8::text as us,
  pg_catalog.pg_is_in_recovery() as "inRecovery",
  pg_catalog.pg_snapshot_xmin(s.now) || ':' || pg_catalog.pg_snapshot_xmax(s.now) as ended
from (select pg_catalog.pg_current_snapshot() as now) s, pg_catalog.pg_control_checkpoint() c`;

export async function readWitness(
  session: Session,
  memory: HeadMemory,
  signal: AbortSignal,
): Promise<WitnessReading> {
  const [clock] = await session.rows<{ us: string; ended: string; inRecovery: boolean }>(CLOCK, [], signal);
  const reading = { timeUs: BigInt(clock?.us ?? 0), transactions: clock?.ended ?? '' };
  if (clock?.inRecovery === true)
    return { ...reading, position: (await readReplayed(session, signal)).applied, past: true };
  return { ...reading, position: (await readHead(session, signal, memory)).head };
}

/** Where a standby stands, behind whatever a read of before shows. Throws TP-ROLES for one that was promoted meanwhile. */
export async function readReplayed(
  session: Session,
  signal: AbortSignal,
): Promise<{ readonly applied: Position; readonly received: Position }> {
  const { applied, received } = await readLag(session, null, signal);
  if (applied !== null && received !== null) return { applied, received };
  throw new TwinproofError('TP-ROLES', {
    message: `${session.target.label} was a standby, and was promoted`,
    retryable: true,
  });
}

/**
 * What reads of this server will hold, and how to say afterwards up to where. Of a primary exactly what its snapshots
 * say. On a standby pg_current_snapshot() lists no running transaction (measured), yet all below its xmin have ended, so
 * only these count as seen. What is visible there was received before; a commit can be visible before the position of
 * replay passes it (measured).
 */
export async function openSnapshotReading(
  session: Session,
  memory: HeadMemory,
  signal: AbortSignal,
): Promise<(snapshot: string) => Promise<SnapshotReading>> {
  const { inRecovery } = await readIdentity(session, signal);
  return async (snapshot) => ({
    visible: inRecovery ? endedBefore(snapshot) : visibleIn(snapshot),
    until: inRecovery
      ? (await readReplayed(session, signal)).received
      : (await readHead(session, signal, memory)).head,
  });
}

/** Block ranges of one leaf: the last is open, so rows that come behind it are in it. */
export function planLeaf(source: SourceTable, shape: RowShape, options: PlanOptions): readonly Range[] {
  const table = handleOf(shape.table);
  const leaf = table.leaves.find(({ oid }) => String(oid) === source.id);
  if (leaf === undefined) {
    throw new TwinproofError('TP-DEFINITION-CHANGED', {
      message: `${source.leaf} is no part of ${shape.table.name} any more`,
      retryable: true,
    });
  }
  return blockRanges(shape, { ...table, leaves: [leaf] }, { ...options, kind: 'block' });
}

interface SourceRow {
  readonly slots: readonly string[];
  readonly publications: readonly string[];
  readonly heldBackBy: string;
}

/**
 * What tells a subscription of this database from another's when the primary is gone: slots and publications. A slot for failover
 * (version 17 and later) hands nothing on before the standbys of synchronized_standby_slots have confirmed it.
 */
const SOURCE = `
select array(select r.slot_name::text from pg_replication_slots r
    where r.slot_type = 'logical' and r.database = pg_catalog.current_database() order by 1) as slots,
  array(select p.pubname::text from pg_publication p order by 1) as publications,
  case when exists (select from pg_replication_slots r where r.slot_name = $1 and (to_jsonb(r) ->> 'failover')::bool)
    then coalesce(pg_catalog.current_setting('synchronized_standby_slots', true), '') else '' end as "heldBackBy"`;

export async function readFollowedSource(
  session: Session,
  slot: string,
  history: Pick<LogHistory, 'ancestorsOf'>,
  signal: AbortSignal,
): Promise<FollowedSource> {
  const identity = await readIdentity(session, signal);
  const [row] = await session.rows<SourceRow>(SOURCE, [slot], signal);
  const { systemId, timeline, database, wal } = identity;
  return {
    engine: 'postgres',
    systemId,
    timeline,
    details: {
      database,
      segmentBytes: wal.segmentBytes.toString(),
      pageBytes: wal.pageBytes.toString(),
      slots: JSON.stringify(row?.slots ?? []),
      publications: JSON.stringify(row?.publications ?? []),
      heldBackBy: row?.heldBackBy ?? '',
      ancestors: ancestorsText(await history.ancestorsOf(identity, signal)),
    },
  };
}

interface CommitRow {
  readonly open: readonly string[];
  readonly synchronous: boolean;
  readonly waiting: boolean;
  readonly seen: boolean;
}

/** As readCommitsPending asks, but with what was open at first, so that later transactions are not waited for. */
const COMMITS = `
select coalesce((select array_agg(l.transactionid::text) from pg_locks l
    where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.granted
      and l.pid is distinct from pg_catalog.pg_backend_pid()), '{}') as open,
  pg_catalog.current_setting('synchronous_standby_names') <> '' as synchronous,
  exists (select from pg_stat_activity a where a.wait_event = 'SyncRep'
    and (a.backend_xid is null or $1::text[] is null or a.backend_xid::text = any($1::text[]))) as waiting,
  pg_catalog.pg_has_role('pg_read_all_stats', 'usage') as seen`;

/**
 * Transactions that hold exclusive access to a table of this database, which most of what redefines one takes and keeps
 * until its commit is visible.
 */
const REDEFINING = `
with held as materialized (select l.* from pg_locks l where l.granted)
select coalesce(array_agg(distinct x.transactionid::text), '{}') as open
from held r join held x on x.virtualtransaction = r.virtualtransaction
  and x.locktype = 'transactionid' and x.mode = 'ExclusiveLock'
where r.locktype = 'relation' and r.mode = 'AccessExclusiveLock'
  and r.database = (select d.oid from pg_database d where d.datname = pg_catalog.current_database())`;

const COMMITS_POLL_MS = 50;
/** Between the writing of a commit record and its visibility lie a few instructions, unless it waits for a standby. */
const COMMITS_REST_MS = 1_000;

type Sleep = (milliseconds: number) => Promise<void>;

/**
 * Ends when every transaction whose commit the log held at the call is visible: when none of those with an id at the call
 * is open any more; or, since one may stay open for hours and has then not committed, when none of them waits for a
 * synchronous standby. Where waiting may not be seen, only the first will do. `only`: of these transactions alone.
 */
export async function waitForCommits(
  session: Session,
  sleep: Sleep,
  signal: AbortSignal,
  only: ReadonlySet<string> | null = null,
): Promise<void> {
  const { open } = await readCommits(session, null, signal);
  const wanted = only === null ? open : open.filter((id) => only.has(id));
  await untilVisible(session, wanted, sleep, signal);
}

/**
 * The same of transactions that redefine tables only: the catalog is read without locks on them, and must not be older
 * than the log was at the call. One that stays open holds it up for as long as a commit takes, and no longer.
 */
export async function waitForRedefinitions(
  session: Session,
  sleep: Sleep,
  signal: AbortSignal,
): Promise<void> {
  const [row] = await session.rows<{ open: readonly string[] }>(REDEFINING, [], signal);
  await untilVisible(session, row?.open ?? [], sleep, signal);
}

async function untilVisible(
  session: Session,
  first: readonly string[],
  sleep: Sleep,
  signal: AbortSignal,
): Promise<void> {
  for (let rested = 0; first.length > 0 && rested <= COMMITS_REST_MS;) {
    const row = await readCommits(session, first, signal);
    const open = new Set(row.open);
    if (!first.some((id) => open.has(id))) return;
    rested = row.waiting || (row.synchronous && !row.seen) ? 0 : rested + COMMITS_POLL_MS;
    await sleep(COMMITS_POLL_MS);
    throwIfInterrupted(signal);
  }
}

async function readCommits(
  session: Session,
  first: readonly string[] | null,
  signal: AbortSignal,
): Promise<CommitRow> {
  const [row] = await session.rows<CommitRow>(COMMITS, [first], signal);
  return row ?? { open: [], synchronous: true, waiting: true, seen: false };
}
