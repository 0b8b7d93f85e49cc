import { randomInt } from 'node:crypto';
import type { MysqlFlavor } from './mysql-installation.ts';

/** Names and values as in my.cnf; the unit is part of the text (`'64M'`). */
export type MysqlSettings = Readonly<Record<string, string>>;

/**
 * What every server gets unless told otherwise: small, quick to start, with a complete binary log. A killed process
 * loses nothing by the missing syncs, only a crashed machine would.
 */
const COMMON: MysqlSettings = {
  bind_address: '127.0.0.1',
  skip_name_resolve: 'ON',
  default_time_zone: '+00:00',
  max_connections: '200',
  performance_schema: 'OFF',
  innodb_buffer_pool_size: '64M',
  innodb_flush_log_at_trx_commit: '2',
  innodb_flush_method: 'fsync',
  innodb_doublewrite: 'OFF',
  innodb_buffer_pool_dump_at_shutdown: 'OFF',
  innodb_buffer_pool_load_at_startup: 'OFF',
  sync_binlog: '0',
  log_bin: 'binlog',
  binlog_row_image: 'FULL',
  relay_log: 'relay',
};

const OF_FLAVOR: Readonly<Record<MysqlFlavor, MysqlSettings>> = {
  mysql: {
    gtid_mode: 'ON',
    enforce_gtid_consistency: 'ON',
    // With it a killed replica with several workers finds its place again by itself.
    relay_log_recovery: 'ON',
    log_replica_updates: 'ON',
    mysqlx: 'OFF',
    // No restriction: the folder that is compiled in exists on no machine of ours.
    secure_file_priv: '',
    innodb_redo_log_capacity: '32M',
    auto_generate_certs: 'OFF',
    // Of two servers that ask each other for changes none may wait long.
    replica_net_timeout: '60',
    log_error_verbosity: '2',
  },
  mariadb: {
    // As Debian's own configuration has it; compiled in is latin1.
    character_set_server: 'utf8mb4',
    binlog_format: 'ROW',
    log_slave_updates: 'ON',
    innodb_log_file_size: '8M',
    slave_net_timeout: '60',
  },
};

/** Settings of one server, strongest last: those of every server, of its flavor, and the caller's. */
export function serverSettings(flavor: MysqlFlavor, own: MysqlSettings): MysqlSettings {
  return { ...COMMON, ...OF_FLAVOR[flavor], ...own };
}

/** Replication refuses two servers of one id, so it is drawn from a space in which nobody meets. */
export function newServerId(): string {
  return String(randomInt(1, 2 ** 31));
}

/** Content of a my.cnf for one server. */
export function settingsFile(settings: MysqlSettings): string {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  return `[mysqld]\n${lines.join('')}`;
}
