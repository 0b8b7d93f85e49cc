import type { Identity } from '../../src/connector/identity.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { WalShape } from './lsn.ts';
import type { Session } from './session.ts';
import { newestTimeline } from './standby-timeline.ts';

export interface PostgresIdentity extends Identity {
  readonly engine: 'postgres';
  /** PostgreSQL always has one. */
  readonly timeline: string;
  readonly inRecovery: boolean;
  readonly wal: WalShape;
}

/**
 * The timeline of a primary is in the name of the log file that it writes. A standby tells it in three places, each
 * of which may lag behind or be silent, none of which can be ahead of the lineage it follows; so the greatest counts:
 * the last restart point, the least recovery end, and the receiver (which only pg_read_all_stats may see).
 *
 * `writable` looks at default_transaction_read_only as the server and the database have it: our own pin does not
 * change reset_val, and a setting of the role (a good one to have for a verifier) says nothing about others.
 */
const IDENTITY = `
select pg_catalog.current_setting('server_version') as version,
  s.system_identifier::text as "systemId",
  pg_catalog.pg_is_in_recovery() as "inRecovery",
  case when pg_catalog.pg_is_in_recovery() then null
    else pg_catalog.left(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 8) end as "walTimeline",
  greatest(c.timeline_id, r.min_recovery_end_timeline, (select max(w.received_tli) from pg_stat_wal_receiver w))::text
    as "standbyTimeline",
  (extract(epoch from pg_catalog.pg_postmaster_start_time()) * 1000000)::bigint::text as started,
  pg_catalog.current_setting('port') as port,
  pg_catalog.current_database() as database,
  array(select d.datname::text from pg_database d where d.datallowconn and not d.datistemplate order by 1) as databases,
  case when pg_catalog.inet_server_addr() is null then null
    else pg_catalog.host(pg_catalog.inet_server_addr()) || ':' || pg_catalog.inet_server_port() end as address,
  pg_catalog.to_char(pg_catalog.clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as "serverTime",
  exists (select from pg_subscription u join pg_database d on d.oid = u.subdbid
    where d.datname = pg_catalog.current_database()) as subscribes,
  exists (select from pg_settings g where g.name = 'default_transaction_read_only' and g.reset_val = 'on')
    and not exists (select from pg_db_role_setting x join pg_roles o on o.oid = x.setrole
      where o.rolname = session_user and x.setconfig::text like '%default_transaction_read_only%') as "readOnly",
  pg_catalog.pg_size_bytes(pg_catalog.current_setting('wal_segment_size'))::text as "segmentBytes",
  pg_catalog.current_setting('wal_block_size') as "pageBytes"
from pg_catalog.pg_control_system() s, pg_catalog.pg_control_checkpoint() c, pg_catalog.pg_control_recovery() r`;

interface IdentityRow {
  readonly version: string;
  readonly systemId: string;
  readonly inRecovery: boolean;
  readonly walTimeline: string | null;
  readonly standbyTimeline: string;
  readonly started: string;
  readonly port: string;
  readonly database: string;
  readonly databases: readonly string[];
  readonly address: string | null;
  readonly serverTime: string;
  readonly subscribes: boolean;
  readonly readOnly: boolean;
  readonly segmentBytes: string;
  readonly pageBytes: string;
}

/** Who the server is. Throws TP-PERMISSION where EXECUTE on the pg_control_… functions was revoked from PUBLIC. */
export async function readIdentity(session: Session, signal: AbortSignal): Promise<PostgresIdentity> {
  const [row] = await session.rows<IdentityRow>(IDENTITY, [], signal);
  if (row === undefined) throw new TwinproofError('TP-BUG', { message: 'the server told nothing of itself' });
  return {
    engine: 'postgres',
    version: row.version,
    systemId: row.systemId,
    // Two servers of one cluster identifier do not start in the same microsecond on the same port.
    instance: `${row.systemId}/${row.started}/${row.port}`,
    timeline: String(
      row.walTimeline === null
        ? newestTimeline(session.target, row.started, Number(row.standbyTimeline))
        : Number.parseInt(row.walTimeline, 16),
    ),
    role: row.inRecovery ? 'standby' : row.subscribes ? 'subscriber' : 'primary',
    writable: !row.inRecovery && !row.readOnly,
    database: row.database,
    databases: row.databases,
    address: row.address,
    serverTime: row.serverTime,
    inRecovery: row.inRecovery,
    wal: { segmentBytes: BigInt(row.segmentBytes), pageBytes: BigInt(row.pageBytes) },
  };
}

/** Where the advisory locks of sameServer live, apart from those of applications: "twin" in ASCII. */
const MARK_CLASS = 0x7477696e;

/**
 * Whether two sessions end in one and the same running server, however it is addressed: one takes an advisory lock
 * that nobody else has, the other looks for it. Works for every role, on a standby too, and on clones that share
 * identifier and start time.
 */
export async function sameServer(a: Session, b: Session, signal: AbortSignal): Promise<boolean> {
  // Two processes of one server never have one number; so it makes the mark unique, and it needs no randomness.
  const mark = a.backendPid;
  const pair = [MARK_CLASS, mark];
  await a.rows('select pg_catalog.pg_advisory_lock($1::int, $2::int)', pair, signal);
  try {
    const [seen] = await b.rows<{ seen: boolean }>(
      `select exists (select from pg_locks l where l.locktype = 'advisory' and l.granted
         and l.classid = $1::int and l.objid = $2::int and l.objsubid = 2) as seen`,
      pair,
      signal,
    );
    return seen?.seen === true && (await sameStart(a, b, signal));
  } finally {
    await a.rows(
      'select pg_catalog.pg_advisory_unlock($1::int, $2::int)',
      pair,
      new AbortController().signal,
    );
  }
}

/** Another verifier on another server may hold a lock of the same name; it started at another microsecond. */
async function sameStart(a: Session, b: Session, signal: AbortSignal): Promise<boolean> {
  const sql = 'select extract(epoch from pg_catalog.pg_postmaster_start_time())::text as started';
  const [one] = await a.rows<{ started: string }>(sql, [], signal);
  const [other] = await b.rows<{ started: string }>(sql, [], signal);
  return one?.started === other?.started;
}
