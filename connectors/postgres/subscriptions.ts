import { parseLsn, type Lsn } from './lsn.ts';
import type { Session } from './session.ts';

/** How often, and how many milliseconds apart, to look whether an apply worker's transaction has ended. */
const APPLY_POLLS = 10;
const APPLY_POLL_MS = 20;

/** How far one subscription is, in its publisher's log. */
export interface SubscriptionProgress {
  readonly oid: number;
  /** The apply worker; null: none runs. */
  readonly pid: number | null;
  /** Every commit up to here is applied and visible; more may be. Null: it does not say. */
  readonly applied: Lsn | null;
  /** How far its worker has received. */
  readonly received: Lsn | null;
}

/** Beyond which no commit is visible. */
export interface SubscriptionReach {
  readonly oid: number;
  readonly lsn: Lsn;
  /** The worker that said so, which alone it speaks for; null: it holds whoever applied. */
  readonly pid: number | null;
}

interface SubscriptionRow {
  readonly oid: number;
  readonly pid: number | null;
  readonly received: string | null;
  readonly ended: string | null;
}

/**
 * What subscriptions, by oid, have applied and shown. A worker's latest_end_lsn is how far the publisher had decoded when
 * it sent a keep-alive behind all commits up to there; the origin's progress is the end of the last commit applied, which
 * is less when the publisher has nothing more for us, and more while it has too much to send keep-alives. Without a
 * running worker only the origin tells, if the role may see it.
 */
export async function readShown(
  session: Session,
  subscriptions: readonly number[],
  signal: AbortSignal,
): Promise<readonly SubscriptionProgress[]> {
  const rows = await readWorkers(session, subscriptions, signal);
  const origins = await readOrigins(session, signal);
  // The server advances an origin just before the commit becomes visible.
  const settled = origins.size > 0 && (await workersPaused(session, signal));
  return rows.map(({ oid, pid, received, ended }) => ({
    oid,
    pid,
    applied: greatest(lsnOf(ended), settled ? (origins.get(oid) ?? null) : null),
    received: lsnOf(received),
  }));
}

/**
 * Beyond which they cannot have shown anything yet: the progress of their origins, or, where the role may not see that,
 * what their workers have received, which is noted before a commit is applied.
 */
export async function readReach(
  session: Session,
  subscriptions: readonly number[],
  signal: AbortSignal,
): Promise<readonly SubscriptionReach[]> {
  const origins = await readOrigins(session, signal);
  const rows = await readWorkers(session, subscriptions, signal);
  return rows.flatMap(({ oid, pid, received }): SubscriptionReach[] => {
    const origin = origins.get(oid);
    if (origin !== undefined) return [{ oid, lsn: origin, pid: null }];
    const lsn = lsnOf(received);
    return lsn === null || pid === null ? [] : [{ oid, lsn, pid }];
  });
}

async function readWorkers(
  session: Session,
  subscriptions: readonly number[],
  signal: AbortSignal,
): Promise<readonly SubscriptionRow[]> {
  const leader = session.versionNumber >= 160_000 ? 'and w.leader_pid is null' : '';
  return session.rows<SubscriptionRow>(
    `select s.oid::int8::float8 as oid, w.pid, w.received_lsn::text as received, w.latest_end_lsn::text as ended
     from pg_subscription s left join pg_stat_subscription w on w.subid = s.oid and w.relid is null ${leader}
     where s.oid = any($1::oid[])`,
    [subscriptions],
    signal,
  );
}

/** Progress by the subscription's oid; empty where the role may not execute the function. */
async function readOrigins(session: Session, signal: AbortSignal): Promise<ReadonlyMap<number, Lsn>> {
  const progress = new Map<number, Lsn>();
  const [allowed] = await session.rows<{ allowed: boolean }>(
    `select pg_catalog.has_function_privilege('pg_catalog.pg_show_replication_origin_status()', 'EXECUTE') as allowed`,
    [],
    signal,
  );
  if (allowed?.allowed !== true) return progress;
  const found = await session.rows<{ name: string; lsn: string | null }>(
    `select external_id as name, remote_lsn::text as lsn from pg_catalog.pg_show_replication_origin_status()
     where external_id like 'pg\\_%'`,
    [],
    signal,
  );
  for (const { name, lsn } of found) {
    const oid = Number(/^pg_(\d+)$/.exec(name)?.[1] ?? 0);
    const at = lsnOf(lsn);
    if (oid > 0 && at !== null) progress.set(oid, at);
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

/** Null for NULL, and for 0/0: nothing was applied yet, which is no place in the log. */
function lsnOf(text: string | null): Lsn | null {
  const lsn = text === null ? 0n : parseLsn(text);
  return lsn === 0n ? null : lsn;
}

export function greatest(a: Lsn | null, b: Lsn | null): Lsn | null {
  if (a === null || b === null) return a ?? b;
  return a > b ? a : b;
}
