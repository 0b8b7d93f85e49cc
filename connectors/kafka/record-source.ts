import { type JsonReader, JsonError } from './json-reader.ts';
import type { SourceEngine } from './meaning.ts';

/** Where a change comes from: the block `source` of Debezium's envelope. */
export interface RecordSource {
  readonly engine: SourceEngine;
  /** `schema.table`; of MySQL and MariaDB `database.table`. */
  readonly table: string;
  /** A row as a snapshot read it, and no change. */
  readonly snapshot: boolean;
  /** PostgreSQL: xid; MySQL, MariaDB: GTID. Null: not told. */
  readonly transaction: string | null;
  /** Microseconds since 1970: when the source committed it (a snapshot: when it was read). */
  readonly timeUs: bigint;
  /**
   * PostgreSQL: where the change stands: the end of the transaction before it, then its own place. Later changes have
   * greater ones. Null: not told.
   */
  readonly place: readonly [bigint, bigint] | null;
}

const ENGINES: Readonly<Record<string, SourceEngine>> = {
  postgresql: 'postgres',
  mysql: 'mysql',
  mariadb: 'mariadb',
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
    transaction: (engine === 'postgres' ? members.get('txId') : members.get('gtid')) ?? null,
    timeUs: timeOf(members, at),
    place: placeOf(members.get('sequence'), members.get('lsn')),
  };
}

function timeOf(members: ReadonlyMap<string, string>, at: number): bigint {
  const micros = members.get('ts_us');
  const millis = members.get('ts_ms');
  if (micros !== undefined && /^\d{1,17}$/.test(micros)) return BigInt(micros);
  if (millis !== undefined && /^\d{1,14}$/.test(millis)) return BigInt(millis) * 1000n;
  throw new JsonError('the time is missing in `source`', at);
}

/** `["24023119","24023128"]`: the last commit that was handled, or null, and this change. */
function placeOf(sequence: string | undefined, lsn: string | undefined): readonly [bigint, bigint] | null {
  const match = /^\[\s*(?:"(\d{1,20})"|null)\s*,\s*"(\d{1,20})"\s*\]$/.exec(sequence ?? '');
  if (match?.[1] === undefined || match[2] === undefined || lsn === undefined) return null;
  return [BigInt(match[1]), BigInt(match[2])];
}
