import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DebeziumDecoder } from '../../connectors/kafka/debezium.ts';
import { type ConnectorSettings, UNKNOWN_SETTINGS } from '../../connectors/kafka/connect-field.ts';
import { connectMysql, type MysqlConnector } from '../../connectors/mysql/connector.ts';
import { parseUrl } from '../../src/config/url.ts';
import { recordBytesOf } from '../servers/harness/kafka-changes.ts';
import { Capture } from '../servers/harness/kafka-debezium.ts';
import { captureMysql } from '../servers/harness/kafka-debezium-mysql.ts';
import { DEBEZIUM_MYSQL, missingPackage } from '../servers/harness/kafka-packages.ts';
import { fieldTexts, rangeTexts, rowTexts } from '../servers/harness/kafka-rows.ts';
import { createMysqlServer, type MysqlServer } from '../servers/harness/mysql-server.ts';
import { describeMysql } from '../servers/harness/mysql-suite.ts';
import { forever } from '../servers/harness/server-set.ts';

type Types = readonly (readonly [type: string, ...values: string[]])[];

/** Values of each type; the last ones at its limits. */
const TYPES: Types = [
  ['tinyint(1)', '0', '2', '-128'],
  ['tinyint unsigned', '255'],
  ['smallint', '-32768', '32767'],
  ['mediumint unsigned', '16777215'],
  ['int', '-2147483648', '2147483647'],
  ['int unsigned', '4294967295'],
  ['bigint', '-9223372036854775808', '9007199254740993', '9223372036854775807'],
  ['bigint unsigned', '9223372036854775807', '0'],
  ['decimal(12,4)', '-12.5', '0', '99999999.9999'],
  ['decimal(65,30)', '1e-30', '-0.5'],
  ['double', '0.1', '5e-324', '-1.7976931348623157e308', '1e21', '123456789.125'],
  ['bit(1)', "b'1'", "b'0'"],
  ['char(5)', "'a'", "'  a'", "'a '"],
  ['varchar(9)', "'a '", "'b'", "''"],
  ['varchar(9) CHARACTER SET latin1', "'é'"],
  ['longtext', "' é \u{1f600} '", String.raw`'\\\n\Z"'`],
  ["enum('sad','glad','')", "'sad'", "'glad'", "''"],
  ["set('a','b','c')", "'c,a'", "''"],
  ['varbinary(9)', "x'00ff00'", "x''"],
  ['longblob', "x'fbefff'"],
  ['year', '1901', '2155', '2026'],
  ['date', "'2026-02-28'", "'1999-12-31'", "'9999-12-31'", "'1970-01-01'", "'1000-01-01'"],
  ['time', "'838:59:59'", "'-838:59:59'", "'00:00:00'"],
  ['time(6)', "'-25:00:00.000001'", "'23:59:59.999999'", "'-00:00:00.000001'"],
  ['time(3)', "'-00:00:01.5'", "'100:00:00.123'"],
  ['datetime', "'2026-01-02 03:04:05'", "'1969-12-31 23:59:59'", "'1970-01-01'"],
  ['datetime(6)', "'2026-01-02 03:04:05.000001'", "'1583-01-01'", "'9999-12-31 23:59:59.999999'"],
  ['datetime(3)', "'2026-03-29 02:30:00.123'"],
  ['timestamp NULL', "'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'"],
  ['timestamp(6) NULL', "'2026-01-02 03:04:05.000001'"],
];

/** What comes as another value, or as none. */
const STRANGE: Types = [
  ['date', "'0000-00-00'", "'2024-02-00'", "'0024-07-01'", "'0100-01-01'"],
  ['datetime', "'0000-00-00 00:00:00'", "'0024-07-01 09:00:00'", "'1500-03-01 00:00:00'"],
  ['timestamp NULL', "'0000-00-00 00:00:00'"],
  ['bigint unsigned', '9223372036854775808', '18446744073709551615'],
  ['float', '0.1', '16777217', '3.4028235e38'],
  ['binary(4)', "x'00ff'", "x'00'"],
  ['bit(9)', "b'101'"],
  ['json', `'{"a": 1.0}'`],
  ['double', '-0e0'],
];

const MODES = ['whole', 'plain', 'texts', 'lossy'] as const;
type Mode = (typeof MODES)[number];
const DATABASE = 'bank';
const ORDINARY: ConnectorSettings = { ...UNKNOWN_SETTINGS, dates: 'ordinary' };
const KNOWN: ConnectorSettings = {
  decimals: 'precise',
  times: 'adaptive_time_microseconds',
  binary: 'bytes',
  dates: 'ordinary',
};
const TEXTS: ConnectorSettings = { decimals: 'string', times: null, binary: 'hex', dates: 'ordinary' };
const WITHOUT_SCHEMA = { 'key.converter.schemas.enable': 'false', 'value.converter.schemas.enable': 'false' };
const DECLARED = [
  { name: 'id', type: 'int' },
  ...TYPES.map(([type], index) => ({
    name: `c${index}`,
    type: type.replace(/ (?:NULL|CHARACTER SET .*)$/, ''),
  })),
];
const PROPAGATED = { 'column.propagate.source.type': '.*' };
const WRITER = { user: 'debezium', password: 'debezium-s3cret' };

function tableSql(name: string, types: Types): string {
  const columns = types.map(([type], index) => `c${index} ${type}`).join(', ');
  return `CREATE TABLE ${name} (id int PRIMARY KEY, ${columns}) CHARACTER SET utf8mb4;`;
}

/** One value a row, all others NULL: a value that is not exact spoils no other. */
function rowsSql(name: string, types: Types, from: number): string {
  let id = from;
  return types
    .flatMap(([, ...values], index) =>
      values.map((value) => `INSERT INTO ${name} (id, c${index}) VALUES (${id++}, ${value});`),
    )
    .join('\n');
}

const missing = await missingPackage(DEBEZIUM_MYSQL);
const without = missing === null ? '' : ` (${missing})`;

describe.skipIf(missing !== null)(`what Debezium sends of other sources${without}`, async () => {
  await describeMysql('%s', (flavor) => {
    let server: MysqlServer;
    let site: MysqlConnector;
    let capture: Capture;

    beforeAll(async () => {
      server = await createMysqlServer({ flavor, settings: { binlog_row_metadata: 'FULL' } });
      await server.sql(`CREATE DATABASE ${DATABASE};
        CREATE USER '${WRITER.user}'@'%' IDENTIFIED BY '${WRITER.password}';
        GRANT SELECT, RELOAD, SHOW DATABASES, REPLICATION SLAVE, REPLICATION CLIENT, LOCK TABLES ON *.* TO '${WRITER.user}'@'%';`);
      await server.sql(
        `SET sql_mode = ''; ${tableSql('every', TYPES)} ${tableSql('strange', STRANGE)}
        CREATE TABLE moved (a int, b varchar(9), n int, PRIMARY KEY (b, a));
        ${rowsSql('every', TYPES, 0)} ${rowsSql('strange', STRANGE, 0)}`,
        [],
        DATABASE,
      );
      const { address } = parseUrl(server.url('root', DATABASE), 'secret');
      site = await connectMysql(address, { jobs: 1, statementTimeoutMs: 0 }, forever());
      capture = await captureMysql(server, { database: DATABASE, ...WRITER }, [
        { prefix: 'whole', settings: PROPAGATED },
        { prefix: 'plain', settings: WITHOUT_SCHEMA },
        {
          prefix: 'texts',
          settings: { ...PROPAGATED, 'decimal.handling.mode': 'string', 'binary.handling.mode': 'hex' },
        },
        {
          prefix: 'lossy',
          settings: { 'decimal.handling.mode': 'double', 'time.precision.mode': 'connect' },
        },
      ]);
      // The snapshots are done: what comes from here on is read from the log.
      await capture.until((records) =>
        MODES.every((mode) => ended(records, `${mode}.${DATABASE}.every`, TYPES)),
      );
      await server.sql(
        `SET sql_mode = ''; ${rowsSql('every', TYPES, 1000)} ${rowsSql('strange', STRANGE, 1000)}
        INSERT INTO moved VALUES (1, 'one', 1), (2, 'two', 2);
        UPDATE moved SET n = 5 WHERE a = 1;
        UPDATE moved SET a = 7 WHERE a = 2;
        DELETE FROM moved WHERE a = 1;
        TRUNCATE moved;
        INSERT INTO moved VALUES (9, 'end', 9);`,
        [],
        DATABASE,
      );
      await capture.until((records) =>
        MODES.every((mode) =>
          records.some(
            ({ topic, value }) => topic === `${mode}.${DATABASE}.moved` && value?.includes('"end"') === true,
          ),
        ),
      );
    }, 400_000);

    afterAll(async () => {
      await capture?.end();
      await site?.close();
      await server?.destroy();
    });

    function decoded(mode: Mode, table: string, settings: ConnectorSettings) {
      const declared = mode === 'plain' ? new Map([[`${DATABASE}.${table}`, DECLARED]]) : new Map();
      const decoder = new DebeziumDecoder({ settings, declared, beforeImages: true });
      return capture.records
        .filter(({ topic }) => topic === `${mode}.${DATABASE}.${table}`)
        .map(({ key, value }) => decoder.decode(recordBytesOf(key, value)));
    }

    function changesOf(mode: Mode, table: string, settings: ConnectorSettings) {
      return decoded(mode, table, settings).flatMap((record) => (record.kind === 'change' ? [record] : []));
    }

    const unprovenOf = ([first]: ReturnType<typeof changesOf>, types: Types) =>
      first?.table.columns.flatMap(({ form }, index) => (form === null ? [types[index - 1]?.[0] ?? ''] : []));

    /** The values that came as unread, and those whose bytes are other ones than a range read gives. */
    async function against(name: string, types: Types, changes: ReturnType<typeof changesOf>) {
      const [first] = changes;
      if (first === undefined) throw new Error('no change came');
      const read = first.table.columns.flatMap(({ form }, index) => (form === null ? [] : [index]));
      const rows = new Map((await rangeTexts(site, first.table, name)).map((row) => [row[0], row]));
      const found = { different: [] as string[], unread: [] as string[] };
      for (const { after, operation } of changes) {
        const all = rowTexts(after) ?? [];
        const streamed = read.map((index) => all[index]);
        const row = rows.get(streamed[0] ?? '') ?? [];
        for (const [place, text] of streamed.entries()) {
          const type = types[(read[place] ?? 0) - 1]?.[0] ?? 'key';
          if (text === 'unread') found.unread.push(`${type} ${row[place]}`);
          else if (text !== row[place]) found.different.push(`${operation} ${type} ${text} ${row[place]}`);
        }
      }
      return found;
    }

    test.each([
      ['whole', ORDINARY],
      ['plain', KNOWN],
      ['texts', TEXTS],
    ] as const)('%s: every value has the bytes of a range read', async (mode, settings) => {
      const changes = changesOf(mode, 'every', settings);
      expect(unprovenOf(changes, TYPES)).toEqual([]);
      expect(await against('every', TYPES, changes)).toEqual({ different: [], unread: [] });
    });

    test('dates are unproven unless the owner says that they are ordinary', () => {
      expect(unprovenOf(changesOf('whole', 'every', UNKNOWN_SETTINGS), TYPES)).toEqual(
        TYPES.flatMap(([type]) => (/^(?:date|year|timestamp)/.test(type) ? [type] : [])),
      );
    });

    test('what comes as another value is unread or unproven, and never taken for what it is not', async () => {
      const changes = changesOf('whole', 'strange', UNKNOWN_SETTINGS);
      expect(await against('strange', STRANGE, changes)).toEqual({
        different: [],
        unread: expect.arrayContaining([expect.stringContaining('bigint unsigned')]),
      });
      expect(unprovenOf(changes, STRANGE)).toEqual([
        'date',
        'datetime',
        'timestamp NULL',
        'float',
        'binary(4)',
        'bit(9)',
        // MariaDB's is a text.
        ...(flavor === 'mysql' ? ['json'] : []),
      ]);
    });

    test('what a setting has made lossy is unproven, by name', async () => {
      const changes = changesOf('lossy', 'every', ORDINARY);
      expect(unprovenOf(changes, TYPES)).toEqual(
        expect.arrayContaining(['decimal(12,4)', 'double', 'time(6)', 'datetime(6)', 'varbinary(9)']),
      );
      expect((await against('every', TYPES, changes)).different).toEqual([]);
    });

    test('keys, changed keys, truncation and places in the log come as they are', () => {
      const records = decoded('whole', 'moved', ORDINARY);
      const key = (text: string, n: number): string =>
        `${Buffer.from(text).toString('hex')},${n.toString(16).padStart(16, '0')}`;
      expect(
        records.map((record) =>
          record.kind === 'change'
            ? `${record.operation} ${fieldTexts(record.key ?? new Uint8Array(0)).join()}`
            : record.kind,
        ),
      ).toEqual([
        `insert ${key('one', 1)}`,
        `insert ${key('two', 2)}`,
        `update ${key('one', 1)}`,
        `delete ${key('two', 2)}`,
        'nothing',
        `insert ${key('two', 7)}`,
        `delete ${key('one', 1)}`,
        'nothing',
        'truncate',
        `insert ${key('end', 9)}`,
      ]);
      const places = records.flatMap((record) => (record.kind === 'nothing' ? [] : [record.source.place]));
      const sorted = places.toSorted((a, b) =>
        Number((a?.[0] ?? 0n) - (b?.[0] ?? 0n) || (a?.[1] ?? 0n) - (b?.[1] ?? 0n)),
      );
      expect(places).not.toContain(null);
      expect(places).toEqual(sorted);
    });
  });
});

/** Whether as many records of a table have come as there are values. */
function ended(records: readonly { readonly topic: string }[], topic: string, types: Types): boolean {
  const count = types.reduce((sum, [, ...values]) => sum + values.length, 0);
  return records.filter((record) => record.topic === topic).length >= count;
}
