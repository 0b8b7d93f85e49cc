/** What a session is for. */
export type Purpose = 'catalog' | 'read';

export type Flavor = 'mysql' | 'mariadb';

export interface SessionOptions {
  readonly purpose: Purpose;
  /** Milliseconds a statement may take; 0 is no limit of ours, and the server's own does not count either. */
  readonly statementTimeoutMs: number;
}

export interface ServerVersion {
  readonly flavor: Flavor;
  /** Major, minor and patch as one number: 90700 is MySQL 9.7.0, 101114 is MariaDB 10.11.14. */
  readonly version: number;
}

const LOCK_TIMEOUT_S = 10;
/** How long the server waits for a client that is busy hashing, and for one that is idle between two ranges. */
const NET_TIMEOUT_S = 600;
const IDLE_TIMEOUT_S = 28_800;
const UNLIMITED = '18446744073709551615';

/**
 * Everything that changes bytes, order or extent of what is read, pinned whatever the global variables, `init_connect`
 * or the role say (MySQL manual, "Server System Variables"; MariaDB knowledge base, "Server System Variables"). All of
 * it exists in both from MySQL 8.0 and MariaDB 10.6 on, and needs no privilege. DEFAULT would be the global value.
 */
const PINNED: readonly (readonly [string, string])[] = [
  // No ANSI_QUOTES, PAD_CHAR_TO_FULL_LENGTH, NO_BACKSLASH_ESCAPES; and zero dates can be compared with.
  ['sql_mode', "''"],
  ['time_zone', "'+00:00'"],
  ['autocommit', '1'],
  ['sql_select_limit', UNLIMITED],
  ['max_join_size', UNLIMITED],
  ['sql_big_selects', '1'],
  ['sql_safe_updates', '0'],
  ['sql_auto_is_null', '0'],
  ['sql_buffer_result', '0'],
  ['sql_quote_show_create', '1'],
  ['group_concat_max_len', '1073741824'],
  // Warnings are looked at after a read (pool.ts): a value that a function could not give is NULL with a warning.
  ['sql_notes', '0'],
  ['net_write_timeout', String(NET_TIMEOUT_S)],
  ['net_read_timeout', String(NET_TIMEOUT_S)],
  ['wait_timeout', String(IDLE_TIMEOUT_S)],
  ['lock_wait_timeout', String(LOCK_TIMEOUT_S)],
  ['innodb_lock_wait_timeout', String(LOCK_TIMEOUT_S)],
  // Rows come in the order of the index that the statement names.
  ['optimizer_switch', "'mrr=off,index_merge=off'"],
];

/** Strings of a row read come as they are stored, in the column's own character set: NULL converts nothing. */
const RESULTS: Readonly<Record<Purpose, string>> = { catalog: 'utf8mb4', read: 'NULL' };

/** The statements that pin a session, to be run one after another. */
export function settingsStatements(server: ServerVersion, options: SessionOptions): readonly string[] {
  const pinned = [
    ['character_set_client', 'utf8mb4'],
    ['character_set_connection', 'utf8mb4'],
    ['collation_connection', 'utf8mb4_bin'],
    ['character_set_results', RESULTS[options.purpose]],
    ...PINNED,
    ...(server.flavor === 'mariadb' ? mariadbSettings(options) : mysqlSettings(server, options)),
  ];
  return [
    `SET ${pinned.map(([name, value]) => `SESSION ${name} = ${value}`).join(', ')}`,
    'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY',
  ];
}

function mysqlSettings({ version }: ServerVersion, options: SessionOptions): [string, string][] {
  return [
    // Milliseconds, of SELECT only; 0 is no limit.
    ['max_execution_time', String(Math.ceil(options.statementTimeoutMs))],
    // Statistics in information_schema are those of now, not of a day ago.
    ['information_schema_stats_expiry', '0'],
    // Since 8.0.31 the form of EXPLAIN can be set for all.
    ...(version >= 80_031 ? ([['explain_format', "'TRADITIONAL'"]] as [string, string][]) : []),
    // Keys that the server made itself are keys too, and in the log.
    ...(version >= 80_030
      ? ([['show_gipk_in_create_table_and_information_schema', '1']] as [string, string][])
      : []),
  ];
}

function mariadbSettings(options: SessionOptions): [string, string][] {
  return [
    // Seconds with microseconds; 0 is no limit.
    ['max_statement_time', (options.statementTimeoutMs / 1000).toFixed(6)],
    // A system-versioned table shows its rows of now; here DEFAULT is not the global value (measured).
    ['system_versioning_asof', 'DEFAULT'],
    ['query_cache_type', 'OFF'],
    // MySQL lets administrators alone set it (error 1227, measured on 9.7); there it stays what it is.
    ['max_error_count', '64'],
  ];
}

/** What `SELECT VERSION()` answers, as a number; null: it cannot be read. */
export function parseVersion(text: string): ServerVersion | null {
  const match = /^(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)/.exec(text);
  if (match === null) return null;
  const [major = 0, minor = 0, patch = 0] = match.slice(1).map(Number);
  return {
    flavor: /mariadb/i.test(text) ? 'mariadb' : 'mysql',
    version: major * 10_000 + minor * 100 + patch,
  };
}
