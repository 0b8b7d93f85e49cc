import type { Session } from './session.ts';

interface PendingRow {
  readonly xids: readonly string[];
  readonly synchronous: boolean;
  readonly visible: boolean;
  readonly waiting: boolean;
}

/**
 * Transactions in progress hold an exclusive lock on their own id until their commit is visible, also while they wait
 * for a synchronous standby or are prepared; everybody may see these locks (manual, view pg_locks). Whether a backend
 * waits for a synchronous standby shows in pg_stat_activity, to pg_read_all_stats only.
 */
const PENDING = `
select coalesce((select array_agg(l.transactionid::text) from pg_locks l
    where l.locktype = 'transactionid' and l.mode = 'ExclusiveLock' and l.granted), '{}') as xids,
  pg_catalog.current_setting('synchronous_standby_names') <> '' as synchronous,
  pg_catalog.pg_has_role('pg_read_all_stats', 'usage') as visible,
  exists (select from pg_stat_activity a where a.wait_event = 'SyncRep') as waiting`;

/**
 * On the primary: is one of the transactions `writers` (32-bit ids) still in progress, or does any commit wait for a
 * synchronous standby? A logical candidate's own ids mean nothing here; for it `writers` is empty.
 */
export async function readCommitsPending(
  session: Session,
  writers: readonly string[],
  signal: AbortSignal,
): Promise<'none' | 'pending' | 'unknown'> {
  const [row] = await session.rows<PendingRow>(PENDING, [], signal);
  return row === undefined ? 'unknown' : judgePending(row, writers);
}

/** Pure. */
export function judgePending(row: PendingRow, writers: readonly string[]): 'none' | 'pending' | 'unknown' {
  const open = new Set(row.xids);
  if (row.waiting || writers.some((writer) => open.has(writer))) return 'pending';
  return row.synchronous && !row.visible ? 'unknown' : 'none';
}
