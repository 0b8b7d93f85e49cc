import type { Socket } from 'node:net';

/** What a session is for: it shows in pg_stat_activity, so that a DBA knows whom to ask. */
export type Purpose = 'catalog' | 'read' | 'watch';

export interface SessionOptions {
  readonly purpose: Purpose;
  /** Milliseconds a statement may take; 0 is no limit of ours. */
  readonly statementTimeoutMs?: number;
  /** Milliseconds a statement may wait for a lock. */
  readonly lockTimeoutMs?: number;
  /** Makes the socket of a plain connection; with TLS the socket below it. */
  readonly socket?: () => Socket;
  /** A walsender of this database: it takes replication commands and plain SQL, but no parameters. */
  readonly replication?: boolean;
}

const LOCK_TIMEOUT_MS = 10_000;
/** A reader that hangs between two statements of a transaction would hold back vacuum. */
const IDLE_IN_TRANSACTION_MS = 60_000;

/**
 * Everything that changes bytes, order or privileges of what is read, pinned whatever the role, the database or the
 * configuration file say (manual, "Client Connection Defaults"). All of it may be set by any role on any server from
 * 14 to 18.
 */
const PINNED: readonly (readonly [string, string])[] = [
  ['default_transaction_read_only', 'on'],
  ['default_transaction_deferrable', 'off'],
  // Nothing but the catalog is found without its schema; temporary tables last, not first.
  ['search_path', 'pg_catalog, pg_temp'],
  // With `off` a policy that would hide rows is an error instead.
  ['row_security', 'off'],
  ['TimeZone', 'UTC'],
  ['DateStyle', 'ISO, YMD'],
  ['IntervalStyle', 'postgres'],
  // Any value above 0 prints floats in their shortest exact form.
  ['extra_float_digits', '3'],
  ['bytea_output', 'hex'],
  ['xmlbinary', 'base64'],
  ['xmloption', 'content'],
  ['lc_monetary', 'C'],
  ['lc_numeric', 'C'],
  ['quote_all_identifiers', 'off'],
  ['standard_conforming_strings', 'on'],
  ['transform_null_equals', 'off'],
  // Order: one process reads the table from its first block.
  ['max_parallel_workers_per_gather', '0'],
  ['synchronize_seqscans', 'off'],
  // Compiling costs more than a short range read.
  ['jit', 'off'],
  ['client_min_messages', 'warning'],
  ['idle_in_transaction_session_timeout', String(IDLE_IN_TRANSACTION_MS)],
];

/**
 * One SELECT that pins the session in one round trip and answers with what every caller needs to know. It is a query
 * and not startup parameters because connection poolers refuse those.
 *
 * A database in SQL_ASCII holds bytes of no declared encoding; asking for UTF8 would make the server refuse those
 * that are not, so there the bytes are taken as they are. The server ends an orphaned read by itself
 * (client_connection_check_interval), where its platform can: before version 16 only Linux could.
 */
export function settingsQuery(options: SessionOptions): string {
  const pinned = [
    ...PINNED,
    ['application_name', `twinproof ${options.purpose}`],
    ['statement_timeout', String(options.statementTimeoutMs ?? 0)],
    ['lock_timeout', String(options.lockTimeoutMs ?? LOCK_TIMEOUT_MS)],
  ] as const;
  const calls = pinned.map(([name, value]) => `pg_catalog.set_config('${name}', '${value}', false)`);
  return `select pg_catalog.current_setting('server_version_num') as version,
  pg_catalog.current_setting('server_encoding') as encoding,
  pg_catalog.pg_backend_pid() as pid,
  ${calls.join(',\n  ')},
  pg_catalog.set_config('client_encoding', case pg_catalog.current_setting('server_encoding')
    when 'SQL_ASCII' then 'SQL_ASCII' else 'UTF8' end, false),
  case when pg_catalog.version() like '%linux%'
    then pg_catalog.set_config('client_connection_check_interval', '10000', false) end`;
}
