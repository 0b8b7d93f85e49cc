import { JsonError } from './json-error.ts';
import { JsonReader } from './json-reader.ts';
import { digitsOf, SourceMember } from './source-member.ts';
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

/** Positions of members of a block that are told in advance. */
const EXPECTED_MAX = 64;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Reads the block `source`: it holds names and places, no values of columns. Remembers what the last one said. */
export class SourceReader {
  #json = new JsonReader();
  /** Where the block begins. */
  #at = 0;
  readonly #members = new Map<string, SourceMember>();
  /** In the order in which the last block had them. */
  readonly #expected: SourceMember[] = [];
  readonly #connector = this.#member('connector', true);
  readonly #tableName = this.#member('table', true);
  readonly #schema = this.#member('schema', true);
  readonly #database = this.#member('db', true);
  readonly #snapshot = this.#member('snapshot', true);
  readonly #xid = this.#member('txId', true);
  readonly #gtid = this.#member('gtid', true);
  readonly #micros = this.#member('ts_us', true);
  readonly #millis = this.#member('ts_ms', true);
  readonly #sequence = this.#member('sequence', true);
  readonly #ownLsn = this.#member('lsn', true);
  readonly #file = this.#member('file', true);
  readonly #position = this.#member('pos', true);
  readonly #row = this.#member('row', true);
  /** The last `schema.table` and what it was made of. */
  #table = { schema: '', table: '', name: '' };
  /** The last time, and the number that it was. */
  #time = { number: -1, timeUs: 0n };
  /** The last commit that a sequence told, and the number that it was. */
  #committed = { number: -1, lsn: 0n };

  /** What the block said that was walked over last, while `json` still has its record. @throws JsonError */
  told(json: JsonReader): RecordSource {
    const at = this.#at;
    this.#json = json;
    const engine = ENGINES[this.#connector.text(json) ?? ''];
    const table = this.#tableName.text(json);
    const schema = (engine === 'postgres' ? this.#schema : this.#database).text(json);
    if (engine === undefined || table === null || schema === null) {
      throw new JsonError('connector, schema or table is missing in `source`', at);
    }
    const snapshot = this.#snapshot.text(json) ?? 'false';
    return {
      engine,
      table: this.#nameOf(schema, table),
      snapshot: snapshot !== 'false',
      snapshotMark: SNAPSHOT_MARKS[snapshot] ?? null,
      transaction: (engine === 'postgres' ? this.#xid : this.#gtid).text(json),
      timeUs: this.#timeUs(at),
      place: engine === 'postgres' ? this.#lsn() : this.#logPlace(),
    };
  }

  /** Goes over the block at which `json` stands. @throws JsonError */
  walk(json: JsonReader): void {
    this.#at = json.at;
    const expected = this.#expected;
    for (const member of expected) member.seen = false;
    json.enter();
    for (let place = 0; ; place += 1) {
      const next = expected[place];
      if (next !== undefined && json.passes(next.written)) {
        next.passed();
        continue;
      }
      const begin = json.at;
      if (!json.member()) return;
      const member = next !== undefined && json.isNamed(next.name) ? next : this.#member(json.name());
      if (place >= EXPECTED_MAX) throw new JsonError('too many members in `source`', begin);
      expected[place] = member;
      json.take();
      member.take(json, begin);
    }
  }

  #member(name: string, isWanted = false): SourceMember {
    const known = this.#members.get(name);
    if (known !== undefined) return known;
    const made = new SourceMember(Buffer.from(name, 'utf8'), isWanted);
    if (this.#members.size < EXPECTED_MAX * 2) this.#members.set(name, made);
    return made;
  }

  #nameOf(schema: string, table: string): string {
    if (this.#table.schema !== schema || this.#table.table !== table) {
      this.#table = { schema, table, name: `${schema}.${table}` };
    }
    return this.#table.name;
  }

  #timeUs(at: number): bigint {
    const number = this.#micros.whole(this.#json);
    if (number >= 0) {
      if (number !== this.#time.number) this.#time = { number, timeUs: BigInt(number) };
      return this.#time.timeUs;
    }
    const micros = this.#micros.text(this.#json);
    if (micros !== null && /^\d{1,17}$/.test(micros)) return BigInt(micros);
    const millis = this.#millis.text(this.#json);
    if (millis !== null && /^\d{1,14}$/.test(millis)) return BigInt(millis) * 1000n;
    throw new JsonError('the time is missing in `source`', at);
  }

  /** `sequence` is `["24023119","24023128"]`: the last commit that was handled, or null, and this change. */
  #lsn(): RecordSource['place'] {
    if (!this.#ownLsn.isThere) return null;
    const written = this.#sequenceAsWritten();
    if (written !== null) return written;
    const sequence = this.#sequence.text(this.#json) ?? '';
    const match = /^\[\s*(?:"(\d{1,20})"|null)\s*,\s*"(\d{1,20})"\s*\]$/.exec(sequence);
    if (match?.[1] === undefined || match[2] === undefined) return null;
    return [BigInt(match[1]), BigInt(match[2])];
  }

  /** As Debezium writes it: `[\"24023119\",\"24023128\"]`. Null: it is written otherwise, or the numbers are too great. */
  #sequenceAsWritten(): RecordSource['place'] {
    const { bytes } = this.#json;
    const { from, to } = this.#sequence;
    if (from < 0 || bytes[from] !== 0x5b || bytes[to - 1] !== 0x5d) return null;
    const comma = bytes.indexOf(0x2c, from);
    const first = quotedNumber(bytes, from + 1, comma);
    const second = quotedNumber(bytes, comma + 1, to - 1);
    if (comma < 0 || comma > to || first < 0 || second < 0) return null;
    if (first !== this.#committed.number) this.#committed = { number: first, lsn: BigInt(first) };
    return [this.#committed.lsn, BigInt(second)];
  }

  /** `file` is `binlog.000004`; `row` counts within the event at `pos`. */
  #logPlace(): RecordSource['place'] {
    const file = /\.(\d{1,18})$/.exec(this.#file.text(this.#json) ?? '')?.[1];
    const position = this.#position.whole(this.#json);
    const row = this.#row.whole(this.#json);
    if (file === undefined || position < 0 || row < 0 || row > ROW_MAX) return null;
    return [BigInt(file), (BigInt(position) << ROW_BITS) | BigInt(row)];
  }
}

const ROW_BITS = 32n;
const ROW_MAX = 999_999_999;

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
