import type { Bracket } from '../../src/connector/ledger-sites.ts';
import type { TableDescription } from '../../src/connector/table.ts';
import { readIdentity } from './identity.ts';
import { parseLsn, type Lsn } from './lsn.ts';
import { type Lineage, place } from './positions.ts';
import type { Session } from './session.ts';
import { greatest, readReach, readShown } from './subscriptions.ts';
import { handleOf } from './table.ts';

/** Asked before a read of a candidate; what it returns is to be called once the snapshot of the read stands. */
export type BracketStart = (() => Promise<Bracket | null>) | null;

/**
 * A standby: a commit is visible before the replay position passes it (measured), and one record is replayed at a time.
 * So every commit up to the position before the snapshot is in the read, and of those beyond the position after it the
 * first may be. The timeline is read last: the position may belong to an older one of which the server's is a branch, and
 * is then incomparable with it, never mistaken for it.
 */
export async function openStandbyBracket(session: Session, signal: AbortSignal): Promise<BracketStart> {
  const before = await readReplayed(session, signal);
  if (before === null) return null;
  return async () => {
    const after = await readReplayed(session, signal);
    if (after === null) return null;
    const identity = await readIdentity(session, signal);
    if (!identity.inRecovery) return null;
    return { atLeast: place(identity, before), atMost: place(identity, after) };
  };
}

/** Null: nothing was ever replayed, or it is no standby any more. */
async function readReplayed(session: Session, signal: AbortSignal): Promise<Lsn | null> {
  const [row] = await session.rows<{ lsn: string | null }>(
    `select case when pg_catalog.pg_is_in_recovery() then pg_catalog.pg_last_wal_replay_lsn() end::text as lsn`,
    [],
    signal,
  );
  return row === undefined || row.lsn === null ? null : parseLsn(row.lsn);
}

/**
 * A subscriber: a table's rows come from its own subscriptions. Before the snapshot all that they have applied and shown;
 * after it all that they may have shown. The position at which a table's first copy was done is one that it has reached.
 * Where the origin tells, that is the last commit that was applied, and lies before `atLeast` when the publisher has had
 * nothing more for it since: a ledger that has that commit then has everything that the read can hold.
 */
export async function openSubscriberBracket(
  session: Session,
  lineage: Lineage,
  table: TableDescription,
  signal: AbortSignal,
): Promise<BracketStart> {
  const sources = await sourcesOf(session, lineage, table, signal);
  const oids = [...sources.keys()];
  if (oids.length === 0) return null;
  const shown = await readShown(session, oids, signal);
  return async () => {
    const reached = await readReach(session, oids, signal);
    const lows: Lsn[] = [];
    const highs: Lsn[] = [];
    for (const [oid, copied] of sources) {
      const before = shown.find((one) => one.oid === oid);
      const after = reached.find((one) => one.oid === oid);
      const low = greatest(before?.applied ?? null, copied);
      if (low === null || after === undefined) return null;
      // What a worker received says nothing of what another one before it had applied.
      if (after.pid !== null && after.pid !== before?.pid) return null;
      lows.push(low);
      // A worker is handed keep-alives of later places than what it notes as received.
      const least = after.pid === null ? copied : low;
      highs.push(greatest(least, after.lsn) ?? after.lsn);
    }
    return {
      atLeast: place(
        lineage.primary,
        lows.reduce((a, b) => (a < b ? a : b)),
      ),
      atMost: place(
        lineage.primary,
        highs.reduce((a, b) => (a > b ? a : b)),
      ),
    };
  };
}

/**
 * The followed subscriptions that bring rows of a table, itself, below a root, or above a partition, each with the place
 * at which its first copies were done. None while a copy goes on, which is not in the primary's order; none either when a
 * subscription to somebody else brings rows too.
 */
async function sourcesOf(
  session: Session,
  lineage: Lineage,
  table: TableDescription,
  signal: AbortSignal,
): Promise<ReadonlyMap<number, Lsn | null>> {
  const rows = await session.rows<{ oid: number; ready: boolean; copied: string | null }>(
    `select r.srsubid::int8::float8 as oid, bool_and(r.srsubstate = 'r') as ready, max(r.srsublsn)::text as copied
     from pg_subscription_rel r where r.srrelid = $1::oid
       or r.srrelid in (select t.relid::oid from pg_catalog.pg_partition_tree($1::oid::regclass) t)
     group by 1`,
    [handleOf(table).oid],
    signal,
  );
  const followed = rows.every(({ oid, ready }) => ready && lineage.subscriptions.includes(oid));
  return new Map(
    followed ? rows.map(({ oid, copied }) => [oid, copied === null ? null : parseLsn(copied)] as const) : [],
  );
}
