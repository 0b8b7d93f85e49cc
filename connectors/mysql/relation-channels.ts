import type { FilePlace } from './gtid.ts';
import type { Session } from './session.ts';

/** One stream of changes into a replica: a channel of MySQL, a connection of MariaDB. */
export interface Channel {
  /** Empty for the default one. */
  readonly name: string;
  /** server_uuid of the server it reads from; null: MariaDB, or it has never been connected. */
  readonly sourceUuid: string | null;
  /** server_id of the server it reads from; null: it has never been connected. */
  readonly sourceServerId: string | null;
  readonly sourceHost: string;
  readonly sourcePort: string;
  readonly receiving: 'yes' | 'connecting' | 'no';
  readonly applying: boolean;
  /** Asks for what it lacks by GTID, not by file and offset. */
  readonly byGtid: boolean;
  /** In the source's log; null: nowhere yet. */
  readonly read: LogPlace | null;
  readonly executed: LogPlace | null;
  /** What was received: a GTID set (MySQL), the last transaction of each domain (MariaDB); may be empty. */
  readonly receivedGtids: string;
  readonly delaySeconds: number;
  /** 0: none. */
  readonly receiveErrno: number;
  readonly applyErrno: number;
  /** Events left to be skipped, by hand. */
  readonly skipCounter: string;
  readonly until: string;
  /** Filters by name of the setting and value: what they keep out never arrives. */
  readonly filters: readonly string[];
}

export type LogPlace = Pick<FilePlace, 'file' | 'offset'>;

const FILTERS: readonly string[] = [
  'replicate_do_db',
  'replicate_ignore_db',
  'replicate_do_table',
  'replicate_ignore_table',
  'replicate_wild_do_table',
  'replicate_wild_ignore_table',
  'replicate_rewrite_db',
  'replicate_ignore_server_ids',
  'replicate_do_domain_ids',
  'replicate_ignore_domain_ids',
];

/**
 * Every channel that is configured, running or not. Throws TP-PERMISSION without REPLICATION CLIENT (MySQL) or
 * SLAVE MONITOR (MariaDB). Channels of group replication are none of ours.
 */
export async function readChannels(session: Session, signal: AbortSignal): Promise<Channel[]> {
  const rows = await session.rows(statusStatement(session), [], signal);
  return rows
    .map((row) => channelOf(newNames(row)))
    .filter(({ name }) => !name.startsWith('group_replication_'));
}

function statusStatement({ flavor, version }: Session): string {
  if (flavor === 'mariadb') return 'SHOW ALL SLAVES STATUS';
  return version >= 80_022 ? 'SHOW REPLICA STATUS' : 'SHOW SLAVE STATUS';
}

type StatusRow = ReadonlyMap<string, string | null>;

/** Columns under the names of MySQL 8.0.22 and later, in lower case: MariaDB and older versions have other words. */
function newNames(row: Readonly<Record<string, string | null>>): StatusRow {
  return new Map(
    Object.entries(row).map(([name, value]) => [
      name.toLowerCase().replace('master', 'source').replace('slave', 'replica'),
      value,
    ]),
  );
}

/** Pure. Source: MySQL manual "SHOW REPLICA STATUS Statement", MariaDB knowledge base "SHOW REPLICA STATUS". */
function channelOf(row: StatusRow): Channel {
  const text = (name: string): string => row.get(name) ?? '';
  const serverId = text('source_server_id');
  const uuid = text('source_uuid').toLowerCase();
  const io = text('replica_io_running').toLowerCase();
  return {
    name: row.get('channel_name') ?? text('connection_name'),
    sourceUuid: uuid === '' ? null : uuid,
    sourceServerId: serverId === '' || serverId === '0' ? null : serverId,
    sourceHost: text('source_host'),
    sourcePort: text('source_port'),
    receiving: io === 'yes' || io === 'connecting' ? io : io === 'preparing' ? 'connecting' : 'no',
    applying: text('replica_sql_running').toLowerCase() === 'yes',
    byGtid: row.has('auto_position')
      ? text('auto_position') === '1'
      : !['', 'no'].includes(text('using_gtid').toLowerCase()),
    read: placeOf(text('source_log_file'), text('read_source_log_pos')),
    executed: placeOf(text('relay_source_log_file'), text('exec_source_log_pos')),
    receivedGtids: row.has('retrieved_gtid_set') ? text('retrieved_gtid_set') : text('gtid_io_pos'),
    delaySeconds: Number(text('sql_delay')),
    receiveErrno: Number(text('last_io_errno')),
    applyErrno: Number(text('last_sql_errno')),
    skipCounter: text('skip_counter'),
    until: text('until_condition'),
    filters: FILTERS.filter((name) => text(name) !== '').map((name) => `${name}=${text(name)}`),
  };
}

function placeOf(file: string, offset: string): LogPlace | null {
  return file === '' || !/^\d+$/.test(offset) ? null : { file, offset: BigInt(offset) };
}

/** The channel's name as messages show it. */
export function nameOfChannel({ name }: Pick<Channel, 'name'>): string {
  return name === '' ? '(default)' : name;
}
