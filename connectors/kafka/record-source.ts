import { JsonError } from './json-error.ts';
import { type JsonKind, JsonReader } from './json-reader.ts';
import type { SourceEngine } from './connect-field.ts';

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

const NAMES = [
  'connector',
  'table',
  'schema',
  'db',
  'snapshot',
  'txId',
  'gtid',
  'ts_us',
  'ts_ms',
  'sequence',
  'lsn',
  'file',
  'pos',
  'row',
] as const;
type Name = (typeof NAMES)[number];

/** Where one member of the block stands, and what it said last: most stay the same from record to record. */
class Member {
  readonly name: Uint8Array;
  /** Null: it is missing, or null. */
  kind: JsonKind | null = null;
  #from = 0;
  #to = 0;
  #escaped = false;
  #bytes = Buffer.alloc(0);
  #text = '';

  constructor(name: Name) {
    this.name = Buffer.from(name, 'latin1');
  }

  take({ kind, from, to, escaped }: JsonReader): void {
    this.kind = kind === 'null' ? null : kind;
    this.#from = from;
    this.#to = to;
    this.#escaped = escaped;
  }

  /** `json` still has the record in which it was taken. */
  text(json: JsonReader): string | null {
    if (this.kind === null) return null;
    json.from = this.#from;
    json.to = this.#to;
    if (json.isText(this.#bytes)) return this.#text;
    json.kind = this.kind;
    json.escaped = this.#escaped;
    this.#text = json.text();
    this.#bytes = Buffer.from(json.bytes.subarray(this.#from, this.#to));
    return this.#text;
  }
}

/** Reads the block `source`: it holds names and places, no values of columns. Remembers the texts of the last one. */
export class SourceReader {
  #json = new JsonReader();
  readonly #members = NAMES.map((name) => new Member(name));
  readonly #byName = new Map(NAMES.map((name, index) => [name, this.#members[index]]));
  /** The last `schema.table` and what it was made of. */
  #table = { schema: '', table: '', name: '' };

  /** `json` stands at the block. @throws JsonError */
  read(json: JsonReader): RecordSource {
    const { at } = json;
    this.#json = json;
    for (const member of this.#members) member.kind = null;
    json.enter();
    while (json.member()) {
      const member = this.#named(json);
      json.take();
      member?.take(json);
    }
    const engine = ENGINES[this.#text('connector') ?? ''];
    const table = this.#text('table');
    const schema = this.#text(engine === 'postgres' ? 'schema' : 'db');
    if (engine === undefined || table === null || schema === null) {
      throw new JsonError('connector, schema or table is missing in `source`', at);
    }
    const snapshot = this.#text('snapshot') ?? 'false';
    return {
      engine,
      table: this.#tableName(schema, table),
      snapshot: snapshot !== 'false',
      snapshotMark: SNAPSHOT_MARKS[snapshot] ?? null,
      transaction: this.#text(engine === 'postgres' ? 'txId' : 'gtid'),
      timeUs: this.#time(at),
      place: engine === 'postgres' ? this.#lsn() : this.#logPlace(),
    };
  }

  #named(json: JsonReader): Member | null {
    for (const member of this.#members) if (json.isNamed(member.name)) return member;
    return null;
  }

  #text(name: Name): string | null {
    return this.#byName.get(name)?.text(this.#json) ?? null;
  }

  #has(name: Name): boolean {
    return (this.#byName.get(name)?.kind ?? null) !== null;
  }

  #tableName(schema: string, table: string): string {
    if (this.#table.schema !== schema || this.#table.table !== table) {
      this.#table = { schema, table, name: `${schema}.${table}` };
    }
    return this.#table.name;
  }

  #time(at: number): bigint {
    const micros = this.#text('ts_us');
    if (micros !== null && /^\d{1,17}$/.test(micros)) return BigInt(micros);
    const millis = this.#text('ts_ms');
    if (millis !== null && /^\d{1,14}$/.test(millis)) return BigInt(millis) * 1000n;
    throw new JsonError('the time is missing in `source`', at);
  }

  /** `sequence` is `["24023119","24023128"]`: the last commit that was handled, or null, and this change. */
  #lsn(): RecordSource['place'] {
    const sequence = this.#text('sequence') ?? '';
    const match = /^\[\s*(?:"(\d{1,20})"|null)\s*,\s*"(\d{1,20})"\s*\]$/.exec(sequence);
    if (match?.[1] === undefined || match[2] === undefined || !this.#has('lsn')) return null;
    return [BigInt(match[1]), BigInt(match[2])];
  }

  /** `file` is `binlog.000004`; `row` counts within the event at `pos`. */
  #logPlace(): RecordSource['place'] {
    const [file, position, row] = [
      /\.(\d{1,18})$/.exec(this.#text('file') ?? '')?.[1],
      /^\d{1,18}$/.exec(this.#text('pos') ?? '')?.[0],
      /^\d{1,9}$/.exec(this.#text('row') ?? '')?.[0],
    ];
    if (file === undefined || position === undefined || row === undefined) return null;
    return [BigInt(file), (BigInt(position) << ROW_BITS) | BigInt(row)];
  }
}

const ROW_BITS = 32n;
