/** Server settings as in postgresql.conf; the unit is part of the text (`'32MB'`). */
export type Settings = Readonly<Record<string, string>>;

/**
 * What every server gets unless told otherwise: small, ready for replication of both kinds, quick to reconnect.
 * `fsync` is off: a killed process loses nothing by it, only a crashed machine would.
 */
export const DEFAULT_SETTINGS: Settings = {
  listen_addresses: '127.0.0.1',
  max_connections: '60',
  shared_buffers: '32MB',
  // In the data directory: /dev/shm is tiny in containers, and a killed server would leave its segments there.
  dynamic_shared_memory_type: 'mmap',
  fsync: 'off',
  wal_level: 'logical',
  max_wal_senders: '10',
  max_replication_slots: '10',
  max_worker_processes: '16',
  // A standby that was stopped for a while must find its WAL without a slot.
  wal_keep_size: '256MB',
  wal_receiver_status_interval: '1s',
  wal_retrieve_retry_interval: '200ms',
  log_line_prefix: '%m [%p] %q%a ',
};

/** Content of a postgresql.conf. */
export function settingsFile(settings: Settings): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${quoteSetting(value)}\n`);
  return lines.join('');
}

function quoteSetting(value: string): string {
  return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}

/** A libpq connection string of `name='value'` pairs. */
export function connectionString(fields: Readonly<Record<string, string>>): string {
  return Object.entries(fields)
    .map(([name, value]) => `${name}='${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`)
    .join(' ');
}
