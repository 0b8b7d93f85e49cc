import { JsonError } from './json-error.ts';
import type { JsonReader } from './json-reader.ts';
import type { SourceEngine } from './meaning.ts';

/** Where a change comes from: the block `source` of Debezium's envelope. */
export interface RecordSource {
  readonly engine: SourceEngine;
  /** `schema.table`; of MySQL and MariaDB `database.table`. */
  readonly table: string;
  /** A row as a snapshot read it, and no change. */
  readonly snapshot: boolean;
  /**
   * Where a row stands in the snapshot of a whole table: `begin` is its first row, `end` its last,
   * `last` the last of all tables, `within` any other; null: no such row. Of a table of one row that is not the last
   * table Debezium may say no more than `begin`.
   */
  readonly snapshotMark: 'begin' | 'within' | 'end' | 'last' | null;
  /** PostgreSQL: xid; MySQL, MariaDB: GTID. Null: not told. */
  readonly transaction: string | null;
  /** Microseconds since 1970: when the source committed it (a snapshot: when it was read). */
  readonly timeUs: bigint;
  /**
   * Where the change stands in the source's log; later changes have greater places. PostgreSQL: the end of the transaction
   * before it, then its own place; MySQL, MariaDB: number of the log file, then position and row in it. Null: not told.
   */
  readonly place: readonly [bigint, bigint] | null;
}

const ENGINES: Readonly<Record<string, SourceEngine>> = {
  postgresql: 'postgres',
  mysql: 'mysql',
  mariadb: 'mariadb',
};

/**
 * What `source.snapshot` says (Debezium, io.debezium.connector.SnapshotRecord); `incremental` is of a few rows that are
 * read while changes go on, and not of a whole table.
 */
const SNAPSHOT_MARKS: Readonly<Record<string, RecordSource['snapshotMark']>> = {
  first: 'begin',
  first_in_data_collection: 'begin',
  true: 'within',
  last_in_data_collection: 'end',
  last: 'last',
};

/** Reads the block at which `json` stands. It holds names and places, no values of columns. @throws JsonError */
export function readSource(json: JsonReader): RecordSource {
  const { at } = json;
  const members = new Map<string, string>();
  json.enter();
  while (json.member()) {
    const name = json.name();
    json.take();
    if (json.kind === 'null') continue;
    if (json.kind === 'string' || json.kind === 'number') members.set(name, json.text());
    else members.set(name, json.kind);
  }
  const engine = ENGINES[members.get('connector') ?? ''];
  const table = members.get('table');
  const schema = engine === 'postgres' ? members.get('schema') : members.get('db');
  if (engine === undefined || table === undefined || schema === undefined) {
    throw new JsonError('connector, schema or table is missing in `source`', at);
  }
  return {
    engine,
    table: `${schema}.${table}`,
    snapshot: (members.get('snapshot') ?? 'false') !== 'false',
    snapshotMark: SNAPSHOT_MARKS[members.get('snapshot') ?? 'false'] ?? null,
    transaction: (engine === 'postgres' ? members.get('txId') : members.get('gtid')) ?? null,
    timeUs: timeOf(members, at),
    place: engine === 'postgres' ? lsnOf(members) : logPlaceOf(members),
  };
}

function timeOf(members: ReadonlyMap<string, string>, at: number): bigint {
  const micros = members.get('ts_us');
  const millis = members.get('ts_ms');
  if (micros !== undefined && /^\d{1,17}$/.test(micros)) return BigInt(micros);
  if (millis !== undefined && /^\d{1,14}$/.test(millis)) return BigInt(millis) * 1000n;
  throw new JsonError('the time is missing in `source`', at);
}

/** `sequence` is `["24023119","24023128"]`: the last commit that was handled, or null, and this change. */
function lsnOf(members: ReadonlyMap<string, string>): RecordSource['place'] {
  const match = /^\[\s*(?:"(\d{1,20})"|null)\s*,\s*"(\d{1,20})"\s*\]$/.exec(members.get('sequence') ?? '');
  if (match?.[1] === undefined || match[2] === undefined || !members.has('lsn')) return null;
  return [BigInt(match[1]), BigInt(match[2])];
}

const ROW_BITS = 32n;

/** `file` is `binlog.000004`; `row` counts within the event at `pos`. */
function logPlaceOf(members: ReadonlyMap<string, string>): RecordSource['place'] {
  const [file, position, row] = [
    /\.(\d{1,18})$/.exec(members.get('file') ?? '')?.[1],
    /^\d{1,18}$/.exec(members.get('pos') ?? '')?.[0],
    /^\d{1,9}$/.exec(members.get('row') ?? '')?.[0],
  ];
  if (file === undefined || position === undefined || row === undefined) return null;
  return [BigInt(file), (BigInt(position) << ROW_BITS) | BigInt(row)];
}
