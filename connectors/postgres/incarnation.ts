import { createHash } from 'node:crypto';
import { readIdentity } from './identity.ts';
import type { Lineage } from './positions.ts';
import { LINE, membership, unlisted } from './publication-sql.ts';
import { FIRST_TIMELINE } from './replication-lineage.ts';
import type { Session } from './session.ts';
import { learnTimeline } from './standby-timeline.ts';

/** A physical slot of this name on a standby, which nobody uses, lets proofs outlive a clean restart (see below). */
export const MARK_PREFIX = 'twinproof_mark';

interface MarkRow {
  readonly started: string;
  readonly slot: string | null;
  readonly statistics: string | null;
  readonly definitions: string | null;
}

/**
 * A base backup copies neither slots nor statistics, a crash resets the statistics (version 15 and later; before, every
 * start in recovery did), and a server that was shut down cleanly finds both again. Statistics of the background writer
 * are the cluster's own and old.
 */
const STANDBY_MARK = `
select extract(epoch from pg_catalog.pg_postmaster_start_time())::text as started,
  (select min(s.slot_name::text) from pg_replication_slots s where s.slot_type = 'physical' and not s.active
    and s.slot_name like '${MARK_PREFIX.replaceAll('_', '\\_')}%') as slot,
  (select extract(epoch from w.stats_reset)::text from pg_stat_bgwriter w) as statistics,
  null::text as definitions`;

/**
 * On a subscriber the tables are its own: which are brought, from where, what their columns are (an ALTER writes its
 * pg_attribute row anew), of which parts they are made, what their own publication has of them, and whether they were
 * written anew unlogged. None of that is in its log, and while a part was cut off, unpublished or unlogged its log did not
 * tell of its rows either: so rows of the catalog count by who wrote them, and not by what they say.
 */
function subscriberMark(versionNumber: number): string {
  return `
with brought as (select r.srsubid, r.srrelid from pg_subscription_rel r where r.srsubid = any($1::oid[])),
  parts as (select b.srrelid as part from brought b
    union select t.relid::oid from brought b, lateral pg_catalog.pg_partition_tree(b.srrelid::regclass) t)
select extract(epoch from pg_catalog.pg_postmaster_start_time())::text as started, null::text as slot,
  null::text as statistics, (select pg_catalog.string_agg(p.part || ' ' || p.line || ' ' || p.columns, ';' order by p.part)
    from (select c.oid as part, c.relpersistence::text || array(select b.srsubid from brought b where b.srrelid = c.oid order by 1)::text
          || array(select i.inhparent || ':' || i.xmin from pg_inherits i where i.inhrelid = c.oid order by 1)::text
          || (${membership(versionNumber, LINE)})::text || (${unlisted('c')})::text as line,
        coalesce((select string_agg(a.attnum || ':' || a.xmin, ',' order by a.attnum) from pg_attribute a
          where a.attrelid = c.oid and a.attnum > 0), '') as columns
      from pg_class c left join pg_publication pub on pub.pubname = $2
      where c.oid in (select part from parts)) p) as definitions`;
}

/**
 * What tells this candidate from any other that could stand in its place with the same name, address and lineage: its
 * start. A clone of it starts at another moment, and so does itself after a restart, which voids proofs: nothing that a
 * server says of itself tells a restart from the start of a copy of its folder. Who keeps copies out of the way may say so
 * with a physical slot called `twinproof_mark…`: then a clean restart keeps proofs (version 15 and later), and a base
 * backup, a snapshot of the running server and a crash still void them; a copy of the folder of a stopped server does not.
 * A subscriber's places are told in the log of the server that it is fed from, by a number alone: where that server was
 * replaced by one of another history, it may have applied what the new one never had. So that is another incarnation.
 * `publication`: that by which a subscriber's own log is followed.
 */
export async function readIncarnation(
  session: Session,
  lineage: Lineage | null,
  publication: string,
  signal: AbortSignal,
): Promise<string> {
  await learnTimeline(session, signal);
  const identity = await readIdentity(session, signal);
  const [sql, parameters] =
    lineage === null
      ? [STANDBY_MARK, []]
      : ([subscriberMark(session.versionNumber), [lineage.subscriptions, publication]] as const);
  const [row] = await session.rows<MarkRow>(sql, parameters, signal);
  const marked =
    session.versionNumber >= 150_000 && identity.inRecovery && row?.slot !== null && row?.statistics !== null;
  const start = marked ? `${row?.slot}/${row?.statistics}` : `${row?.started}`;
  const kind = lineage === null ? (identity.inRecovery ? 'standby' : 'alone') : 'subscriber';
  const own = createHash('sha256')
    .update(row?.definitions ?? '')
    .update(lineage === null ? '' : `/${lineage.primary.timeline}${pastOf(lineage)}`)
    .digest('hex')
    .slice(0, 16);
  return [kind, identity.systemId, identity.timeline, identity.database, start, own].join('/');
}

/** Nothing for the first timeline of a log. */
function pastOf({ history = '', primary }: Lineage): string {
  return primary.timeline === FIRST_TIMELINE ? '' : history;
}
