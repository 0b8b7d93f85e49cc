import { JsonError } from './json-error.ts';
import type { JsonReader } from './json-reader.ts';
import { digitsOf } from './source-member.ts';
import type { SourceEngine } from './connect-field.ts';

/** Where a change comes from: the block `source` of Debezium's envelope. */
export interface RecordSource {
  readonly engine: SourceEngine;
  /** Which connector tells it (its `topic.prefix`), and of which database. */
  readonly origin: string;
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
   * Where the change stands in the source's log; later changes have greater places. PostgreSQL: the end of the
   * transaction before it, then its own place; MySQL, MariaDB: number of the log file, then position and row in it.
   * Null: not told.
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

const ROW_BITS = 32n;
const ROW_MAX = 999_999_999;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** A member of the block in the record at hand. */
export interface SourceValue {
  /** Neither missing nor null. */
  readonly isThere: boolean;
  /** Where its value stands in the record; −1: it is missing, or stands there as before and was not looked at. */
  readonly from: number;
  readonly to: number;
  /** Null: it is missing, or null. `json` has the record. */
  text(json: JsonReader): string | null;
  /** Its digits as a number; −1: they are none, or more than a number can hold. */
  whole(json: JsonReader): number;
}

/** Members that are asked for. */
export type SourceName =
  | 'connector'
  | 'name'
  | 'table'
  | 'schema'
  | 'db'
  | 'snapshot'
  | 'txId'
  | 'gtid'
  | 'ts_us'
  | 'ts_ms'
  | 'sequence'
  | 'lsn'
  | 'file'
  | 'pos'
  | 'row';
export type SourceValues = Readonly<Record<SourceName, SourceValue>>;

/** Makes of the block `source` what it says: it holds names and places, no values of columns. */
export class SourceFacts {
  /** The last origin and what it was made of. */
  #origin = { name: '', database: '', text: '' };
  /** The last `schema.table` and what it was made of. */
  #table = { schema: '', table: '', name: '' };
  /** The last time, and the number that it was. */
  #time = { number: -1, timeUs: 0n };
  /** The last commit that a sequence told, and the number that it was. */
  #committed = { number: -1, lsn: 0n };

  /** `json` has the record, where the block stands at `at`. @throws JsonError */
  told(json: JsonReader, said: SourceValues, at: number): RecordSource {
    const engine = ENGINES[said.connector.text(json) ?? ''];
    const table = said.table.text(json);
    const schema = (engine === 'postgres' ? said.schema : said.db).text(json);
    if (engine === undefined || table === null || schema === null) {
      throw new JsonError('connector, schema or table is missing in `source`', at);
    }
    const snapshot = said.snapshot.text(json) ?? 'false';
    return {
      engine,
      origin: this.#originOf(said.name.text(json) ?? '', engine === 'postgres' ? said.db.text(json) : null),
      table: this.#nameOf(schema, table),
      snapshot: snapshot !== 'false',
      snapshotMark: SNAPSHOT_MARKS[snapshot] ?? null,
      transaction: (engine === 'postgres' ? said.txId : said.gtid).text(json),
      timeUs: this.#timeUs(json, said, at),
      place: engine === 'postgres' ? this.#lsn(json, said) : logPlace(json, said),
    };
  }

  /** The table is named with its database where that is not of PostgreSQL. */
  #originOf(name: string, database: string | null): string {
    const db = database ?? '';
    if (this.#origin.name !== name || this.#origin.database !== db) {
      this.#origin = { name, database: db, text: db === '' ? name : `${name}, database ${db}` };
    }
    return this.#origin.text;
  }

  #nameOf(schema: string, table: string): string {
    if (this.#table.schema !== schema || this.#table.table !== table) {
      this.#table = { schema, table, name: `${schema}.${table}` };
    }
    return this.#table.name;
  }

  #timeUs(json: JsonReader, said: SourceValues, at: number): bigint {
    const number = said.ts_us.whole(json);
    if (number >= 0) {
      if (number !== this.#time.number) this.#time = { number, timeUs: BigInt(number) };
      return this.#time.timeUs;
    }
    const micros = said.ts_us.text(json);
    if (micros !== null && /^\d{1,17}$/.test(micros)) return BigInt(micros);
    const millis = said.ts_ms.text(json);
    if (millis !== null && /^\d{1,14}$/.test(millis)) return BigInt(millis) * 1000n;
    throw new JsonError('the time is missing in `source`', at);
  }

  /** `sequence` is `["24023119","24023128"]`: the last commit that was handled, or null, and this change. */
  #lsn(json: JsonReader, said: SourceValues): RecordSource['place'] {
    if (!said.lsn.isThere) return null;
    const written = this.#sequenceAsWritten(json, said.sequence);
    if (written !== null) return written;
    const sequence = said.sequence.text(json) ?? '';
    const match = /^\[\s*(?:"(\d{1,20})"|null)\s*,\s*"(\d{1,20})"\s*\]$/.exec(sequence);
    if (match?.[1] === undefined || match[2] === undefined) return null;
    return [BigInt(match[1]), BigInt(match[2])];
  }

  /**
   * As Debezium writes it: `[\"24023119\",\"24023128\"]`. Null: it is written otherwise, or the numbers are too great.
   */
  #sequenceAsWritten({ bytes }: JsonReader, { from, to }: SourceValue): RecordSource['place'] {
    if (from < 0 || bytes[from] !== 0x5b || bytes[to - 1] !== 0x5d) return null;
    let comma = from;
    while (comma < to && bytes[comma] !== 0x2c) comma += 1;
    const first = quotedNumber(bytes, from + 1, comma);
    const second = quotedNumber(bytes, comma + 1, to - 1);
    if (first < 0 || second < 0) return null;
    if (first !== this.#committed.number) this.#committed = { number: first, lsn: BigInt(first) };
    return [this.#committed.lsn, BigInt(second)];
  }
}

/** `file` is `binlog.000004`; `row` counts within the event at `pos`. */
function logPlace(json: JsonReader, said: SourceValues): RecordSource['place'] {
  const file = /\.(\d{1,18})$/.exec(said.file.text(json) ?? '')?.[1];
  const position = said.pos.whole(json);
  const row = said.row.whole(json);
  if (file === undefined || position < 0 || row < 0 || row > ROW_MAX) return null;
  return [BigInt(file), (BigInt(position) << ROW_BITS) | BigInt(row)];
}

/** A number between escaped quotes, alone; −1: something else. */
function quotedNumber(bytes: Uint8Array, from: number, to: number): number {
  const isQuoted =
    to - from > 4 &&
    bytes[from] === BACKSLASH &&
    bytes[from + 1] === QUOTE &&
    bytes[to - 2] === BACKSLASH &&
    bytes[to - 1] === QUOTE;
  return isQuoted ? digitsOf(bytes, from + 2, to - 2) : -1;
}
