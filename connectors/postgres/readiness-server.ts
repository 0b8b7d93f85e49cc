import type {
  ArchiverFact,
  FileError,
  PreparedFact,
  ReceiverFact,
  SenderFact,
  SlotFact,
  WriterFact,
} from '../../src/connector/facts-postgres.ts';
import type { Session } from './session.ts';

/** What rules look at; all of them exist on some version from 14 to 18. */
const SETTINGS = [
  'archive_command',
  'archive_library',
  'archive_mode',
  'autovacuum',
  'autovacuum_freeze_max_age',
  'autovacuum_multixact_freeze_max_age',
  'data_checksums',
  'data_directory',
  'default_text_search_config',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'fsync',
  'full_page_writes',
  'max_connections',
  'max_locks_per_transaction',
  'max_logical_replication_workers',
  'max_prepared_transactions',
  'max_replication_slots',
  'max_wal_senders',
  'max_wal_size',
  'max_worker_processes',
  'password_encryption',
  'primary_slot_name',
  'recovery_min_apply_delay',
  'recovery_target',
  'recovery_target_lsn',
  'recovery_target_name',
  'recovery_target_time',
  'recovery_target_timeline',
  'recovery_target_xid',
  'session_preload_libraries',
  'shared_preload_libraries',
  'synchronous_standby_names',
  'track_commit_timestamp',
  'wal_level',
  'wal_log_hints',
];

/**
 * What this session has set does not count: `reset_val` is what a new session of this role gets. That is the server's
 * own setting unless the role or the database has another, which is told of the one where it matters.
 */
export async function readSettings(
  session: Session,
  signal: AbortSignal,
): Promise<Readonly<Record<string, string>>> {
  const rows = await session.rows<{ name: string; value: string | null }>(
    `select g.name, g.reset_val as value from pg_settings g where g.name = any($1)
       and not (g.name = 'default_transaction_read_only' and exists (select from pg_db_role_setting x
         left join pg_roles o on o.oid = x.setrole left join pg_database d on d.oid = x.setdatabase
         where x.setconfig::text like '%default_transaction_read_only%' and (x.setrole = 0 or o.rolname = session_user)
           and (x.setdatabase = 0 or d.datname = pg_catalog.current_database())))`,
    [SETTINGS],
    signal,
  );
  return Object.fromEntries(rows.map(({ name, value }) => [name, value ?? '']));
}

export async function readPendingRestart(session: Session, signal: AbortSignal): Promise<string[]> {
  const rows = await session.rows<{ name: string }>(
    'select g.name from pg_settings g where g.pending_restart order by 1',
    [],
    signal,
  );
  return rows.map(({ name }) => name);
}

/**
 * The view tries the files as they are now. A good value that only waits for a restart is an error there too, and told
 * apart by being marked as pending, which the trial does in this very session.
 */
export async function readConfigErrors(session: Session, signal: AbortSignal): Promise<FileError[]> {
  const rows = await session.rows<{ place: string; name: string | null; error: string }>(
    `select coalesce(f.sourcefile, '?') || ':' || coalesce(f.sourceline, 0) as place, f.name, f.error
     from pg_file_settings f where f.error is not null order by f.seqno`,
    [],
    signal,
  );
  if (rows.length === 0) return [];
  const pending = new Set(await readPendingRestart(session, signal));
  return rows
    .filter(({ name }) => name === null || !pending.has(name))
    .map(({ place, name, error }) => ({ place, error: name === null ? error : `${name}: ${error}` }));
}

export async function readHbaErrors(session: Session, signal: AbortSignal): Promise<FileError[]> {
  const ident =
    session.versionNumber >= 150_000
      ? `union all select 'pg_ident.conf:' || m.line_number, m.error from pg_ident_file_mappings m where m.error is not null`
      : '';
  return session.rows<{ place: string; error: string }>(
    `select 'pg_hba.conf:' || h.line_number as place, h.error from pg_hba_file_rules h where h.error is not null ${ident}`,
    [],
    signal,
  );
}

/** Null: none. The connection string, which may hold secrets, stays on the server. */
export async function readReceiver(session: Session, signal: AbortSignal): Promise<ReceiverFact | null> {
  const [row] = await session.rows<{
    status: string | null;
    slotName: string | null;
    applicationName: string | null;
    senderHost: string | null;
    senderPort: number | null;
  }>(
    `select w.status, w.slot_name as "slotName", w.sender_host as "senderHost", w.sender_port as "senderPort",
       coalesce(substring(' ' || w.conninfo from ' application_name=(\\S+)'),
         substring(w.conninfo from 'fallback_application_name=(\\S+)')) as "applicationName"
     from pg_stat_wal_receiver w`,
    [],
    signal,
  );
  return row === undefined ? null : { ...row, status: row.status ?? 'unknown' };
}

export async function readUnreplayed(session: Session, signal: AbortSignal): Promise<string | null> {
  const [row] = await session.rows<{ bytes: string | null }>(
    `select case when pg_catalog.pg_is_in_recovery() then greatest(0, pg_catalog.pg_wal_lsn_diff(
       pg_catalog.pg_last_wal_receive_lsn(), pg_catalog.pg_last_wal_replay_lsn()))::int8 end::text as bytes`,
    [],
    signal,
  );
  return row?.bytes ?? null;
}

export function readSenders(session: Session, signal: AbortSignal): Promise<SenderFact[]> {
  return session.rows<{ applicationName: string; state: string; syncState: string }>(
    `select coalesce(r.application_name, '') as "applicationName", coalesce(r.state, '') as state,
       coalesce(r.sync_state, '') as "syncState" from pg_stat_replication r order by 1`,
    [],
    signal,
  );
}

export function readSlots(session: Session, signal: AbortSignal): Promise<SlotFact[]> {
  const newer = session.versionNumber >= 170_000;
  return session.rows<{
    name: string;
    type: 'physical' | 'logical';
    active: boolean;
    walStatus: string | null;
    temporary: boolean;
    failover: boolean;
    synced: boolean;
    invalidation: string | null;
    ours: boolean;
  }>(
    `select s.slot_name as name, s.slot_type as type, s.active, s.wal_status as "walStatus", s.temporary,
       ${newer ? 's.failover, s.synced, s.invalidation_reason' : 'false as failover, false as synced, null::text'}
         as invalidation,
       exists (select from pg_stat_replication r
         where r.pid = s.active_pid and r.application_name like 'twinproof %') as ours
     from pg_replication_slots s order by 1`,
    [],
    signal,
  );
}

export function readPrepared(session: Session, signal: AbortSignal): Promise<PreparedFact[]> {
  return session.rows<{ gid: string; database: string; owner: string }>(
    'select p.gid, p.database, p.owner from pg_prepared_xacts p order by p.prepared',
    [],
    signal,
  );
}

export async function readArchiver(session: Session, signal: AbortSignal): Promise<ArchiverFact> {
  const [row] = await session.rows<{ archived: string; failed: string; failing: boolean }>(
    `select a.archived_count::text as archived, a.failed_count::text as failed,
       a.last_failed_time is not null and a.last_failed_time > coalesce(a.last_archived_time, '-infinity') as failing
     from pg_stat_archiver a`,
    [],
    signal,
  );
  return row ?? { archived: '0', failed: '0', failing: false };
}

/** Sessions with a transaction id, i.e. that have written in the transaction they are in. */
export function readWriters(session: Session, signal: AbortSignal): Promise<WriterFact[]> {
  return session.rows<{ role: string; application: string; database: string }>(
    `select a.usename as role, a.application_name as application, a.datname as database
     from pg_stat_activity a
     where a.backend_type = 'client backend' and a.backend_xid is not null and a.pid <> pg_catalog.pg_backend_pid()
     order by 1, 2, 3`,
    [],
    signal,
  );
}
