import type { ChannelFact, TransactionsFact } from '../../src/connector/facts-mysql.ts';
import { TwinproofError } from '../../src/errors.ts';
import { formatGtidList, isReached, parseGtidList, parseGtids } from './gtid-list.ts';
import { formatGtidSet, parseGtidSet, subtract, unite, type GtidSet } from './gtid-set.ts';
import { readStatus, readVariables } from './identity-variables.ts';
import { readExecuted, readList } from './positions.ts';
import { usesGtids } from './positions-log.ts';
import { nameOfChannel, type Channel } from './relation-channels.ts';
import type { Session } from './session.ts';

/** Under the names of MySQL's newest version; `older` gives those of MariaDB and of older versions. */
const VARIABLES: readonly string[] = [
  'log_bin',
  'log_replica_updates',
  'gtid_mode',
  'binlog_format',
  'binlog_row_image',
  'sync_binlog',
  'innodb_flush_log_at_trx_commit',
  'read_only',
  'super_read_only',
  'replica_exec_mode',
  'replica_skip_errors',
  'rpl_semi_sync_source_enabled',
  'rpl_semi_sync_source_wait_for_replica_count',
  'server_id',
  'server_uuid',
  'version',
  'lower_case_table_names',
  'sql_mode',
  'time_zone',
  'system_time_zone',
  'character_set_server',
  'collation_server',
  'max_connections',
  'max_allowed_packet',
  'innodb_buffer_pool_size',
  'auto_increment_increment',
  'auto_increment_offset',
  'event_scheduler',
  'transaction_isolation',
  'innodb_strict_mode',
  'explicit_defaults_for_timestamp',
  'group_concat_max_len',
  'default_storage_engine',
  'foreign_key_checks',
  'unique_checks',
  'log_bin_trust_function_creators',
  'require_secure_transport',
  'div_precision_increment',
  'innodb_autoinc_lock_mode',
];

function older(name: string): string[] {
  if (name === 'transaction_isolation') return [name, 'tx_isolation'];
  return [name, name.replace('replica', 'slave').replace('source', 'master')];
}

function newest(name: string): string {
  if (name === 'tx_isolation') return 'transaction_isolation';
  return name.replace('slave', 'replica').replace('master', 'source');
}

export async function readServerVariables(
  session: Session,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const found = await readVariables(session, [...new Set(VARIABLES.flatMap(older))], signal);
  return Object.fromEntries([...found].map(([name, value]) => [newest(name), value]));
}

const STATUS: readonly string[] = ['rpl_semi_sync_source_status', 'rpl_semi_sync_source_clients'];

export async function readServerStatus(
  session: Session,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const found = await readStatus(session, STATUS.flatMap(older), signal);
  return Object.fromEntries([...found].map(([name, value]) => [newest(name), value]));
}

/** Channels as facts, with the errors of single workers where the server tells them apart and lets them be seen. */
export async function channelFacts(
  session: Session,
  channels: readonly Channel[],
  signal: AbortSignal,
): Promise<ChannelFact[]> {
  const workers = await readWorkerErrors(session, channels, signal);
  return channels.map((channel) => {
    const { receiving, applying, receiveErrno, applyErrno, delaySeconds, byGtid, filters } = channel;
    return {
      name: nameOfChannel(channel),
      receiving,
      applying,
      receiveErrno,
      applyErrno,
      delaySeconds,
      byGtid,
      filters,
      workers: workers.filter(({ channel: name }) => name === channel.name).map(({ text }) => text),
    };
  });
}

interface WorkerError {
  readonly channel: string;
  readonly text: string;
}

/** MySQL manual, "The replication_applier_status_by_worker Table". What an error quotes of a row stays out. */
async function readWorkerErrors(
  session: Session,
  channels: readonly Channel[],
  signal: AbortSignal,
): Promise<WorkerError[]> {
  if (session.flavor === 'mariadb' || channels.length === 0) return [];
  try {
    const rows = await session.rows<Record<'channel' | 'worker' | 'errno' | 'gtid', string>>(
      `SELECT w.channel_name AS channel, w.worker_id AS worker, w.last_error_number AS errno,
         w.applying_transaction AS gtid
       FROM performance_schema.replication_applier_status_by_worker w WHERE w.last_error_number <> 0`,
      [],
      signal,
    );
    return rows.map(({ channel, worker, errno, gtid }) => ({
      channel,
      text: `worker ${worker}, error ${errno}${gtid === '' ? '' : `, transaction ${gtid}`}`,
    }));
  } catch (error) {
    // The channel's own error says the same in less detail.
    if (error instanceof TwinproofError && error.code === 'TP-PERMISSION') return [];
    throw error;
  }
}

/** Throws TP-POSITION where the server's transactions carry no numbers. */
export async function readTransactions(session: Session, signal: AbortSignal): Promise<TransactionsFact[]> {
  if (session.flavor === 'mysql') {
    await demandGtids(session, signal);
    return [...(await readExecuted(session, signal))].map(([source, intervals]) => ({
      server: source.replace(/:.*$/, ''),
      source,
      ranges: intervals.map(([first, last]) => [first.toString(), last.toString()] as const),
    }));
  }
  const variables = await readVariables(session, ['gtid_binlog_state', 'log_bin'], signal);
  if (variables.get('log_bin')?.toUpperCase() !== 'ON') {
    throw new TwinproofError('TP-POSITION', { message: 'this server keeps no binary log' });
  }
  return parseGtids(variables.get('gtid_binlog_state') ?? '').map(({ domain, server, sequence }) => ({
    server: server.toString(),
    source: `${domain}-${server}`,
    ranges: [['1', sequence.toString()]],
  }));
}

/**
 * What the channels had received and the server, asked afterwards, has not applied. Throws TP-POSITION where that is
 * not told by GTIDs.
 */
export async function readUnapplied(
  session: Session,
  channels: readonly Channel[],
  signal: AbortSignal,
): Promise<string> {
  if (channels.length === 0) return '';
  if (session.flavor === 'mysql') {
    await demandGtids(session, signal);
    const none: GtidSet = new Map();
    const received = channels
      .map(({ receivedGtids }) => parseGtidSet(receivedGtids))
      .reduce((all, one) => unite(all, one), none);
    return formatGtidSet(subtract(received, await readExecuted(session, signal)));
  }
  if (channels.some(({ byGtid }) => !byGtid)) {
    throw new TwinproofError('TP-POSITION', { message: 'a connection does not use GTIDs' });
  }
  const applied = await readList(session, 'gtid_slave_pos', signal);
  return channels
    .flatMap(({ receivedGtids }) => [...parseGtidList(receivedGtids)])
    .map(([domain, gtid]) => new Map([[domain, gtid]]))
    .filter((received) => !isReached(received, applied))
    .map(formatGtidList)
    .join(',');
}

async function demandGtids(session: Session, signal: AbortSignal): Promise<void> {
  if (await usesGtids(session, signal)) return;
  throw new TwinproofError('TP-POSITION', { message: 'not every transaction has a GTID (gtid_mode)' });
}

/** Databases that the server's log leaves out. */
export async function readLogFilters(session: Session, signal: AbortSignal): Promise<string[]> {
  const newName = session.flavor === 'mysql' && session.version >= 80_200;
  const [row] = await session.rows(newName ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS', [], signal);
  return ['Binlog_Do_DB', 'Binlog_Ignore_DB']
    .filter((name) => (row?.[name] ?? '') !== '')
    .map((name) => `${name.toLowerCase()}=${row?.[name] ?? ''}`);
}

export async function readPlugins(session: Session, signal: AbortSignal): Promise<string[]> {
  const rows = await session.rows<{ name: string }>(
    `SELECT p.plugin_name AS name FROM information_schema.plugins p WHERE p.plugin_status = 'ACTIVE' ORDER BY 1`,
    [],
    signal,
  );
  return rows.map(({ name }) => name);
}

/** The tables of time zones are filled by hand, on each server (manual, "MySQL Server Time Zone Support"). */
export async function readNamedZones(session: Session, signal: AbortSignal): Promise<boolean> {
  const [row] = await session.rows<{ named: string }>(
    `SELECT CONVERT_TZ('2001-01-01 00:00:00', 'UTC', 'Europe/Paris') IS NOT NULL AS named`,
    [],
    signal,
  );
  return row?.named === '1';
}
