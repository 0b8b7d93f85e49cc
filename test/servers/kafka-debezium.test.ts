import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DebeziumDecoder, type DecoderOptions } from '../../connectors/kafka/debezium.ts';
import type { DeclaredColumn, TopicTable } from '../../connectors/kafka/layout.ts';
import { type ConnectorSettings, UNKNOWN_SETTINGS } from '../../connectors/kafka/connect-field.ts';
import { connectPostgres, type PostgresConnector } from '../../connectors/postgres/connector.ts';
import { parseUrl } from '../../src/config/url.ts';
import { type Cluster, createCluster } from './harness/cluster.ts';
import { recordBytesOf } from './harness/kafka-changes.ts';
import { Capture } from './harness/kafka-debezium.ts';
import { fieldTexts, rangeTexts, rowTexts } from './harness/kafka-rows.ts';
import { DEBEZIUM, missingPackage } from './harness/kafka-packages.ts';
import { forever } from './harness/server-set.ts';

/** Values of each type; the last ones at its limits. */
const TYPES: readonly (readonly [type: string, ...values: string[]])[] = [
  ['boolean', 'true', 'false'],
  ['smallint', '-32768', '32767'],
  ['integer', '0', '-2147483648'],
  ['bigint', '9007199254740993', '-9223372036854775808', '9223372036854775807'],
  ['real', '0.1', '-0', "'NaN'", "'-Infinity'", '3.4028235e38', '1.17549435e-38'],
  ['double precision', '0.1', "'-0'", "'NaN'", "'Infinity'", '1.7976931348623157e308', '5e-324'],
  ['numeric(12,4)', '-12.5', '0', '99999999.9999'],
  ['numeric(30)', '123456789012345678901234567890', '-1'],
  ['numeric', '1e30', '-1e-20', '100', '.05'],
  ['text', "' é '", "''", `E'"\\\\\\n\\x01'`, "'😀'", "'__debezium'"],
  ['varchar(9)', "'a '", "'b'"],
  ['character(5)', "'a'", "'  a'"],
  ['bytea', String.raw`'\x00ff'`, "''", String.raw`'\xfbefff'`],
  ['date', "'2000-02-29'", "'1999-12-31'", "'0001-01-01'", "'9999-12-31'", "'1500-03-01'"],
  ['time', "'00:00:00.000001'", "'23:59:59.999999'", "'24:00'"],
  ['time(3)', "'12:34:56.789'", "'00:00'"],
  ['timestamp', "'1999-12-31 23:59:59.999999'", "'2024-07-01 09:00'", "'0001-01-01'", "'1500-03-01'"],
  ['timestamp(3)', "'2024-07-01 09:00:00.123'", "'1969-12-31 23:59:59.999'"],
  ['timestamptz', "'2024-07-01 09:00:00.123456+09'", "'1969-12-31 23:59:59.9+00'", "'0001-01-01 00:00+00'"],
  ['uuid', "'00112233-4455-6677-8899-AABBCCDDEEFF'"],
  ['mood', "'sad'", "'glad'"],
];

/** What Debezium cannot send in the default modes, or sends as something else. */
const STRANGE: readonly (readonly [type: string, ...values: string[]])[] = [
  ['numeric', "'NaN'"],
  ['date', "'infinity'", "'-infinity'", "'4713-01-01 BC'", "'5874897-12-31'"],
  ['timestamp', "'infinity'", "'-infinity'", "'0044-03-15 BC'", "'294276-12-31 23:59:59.999999'"],
  ['timestamptz', "'infinity'", "'-infinity'", "'0044-03-15 00:00+00 BC'", "'12024-01-01 00:00+00'"],
  ['jsonb', "'{}'"],
  ['interval', "'1 month'"],
  ['time with time zone', "'12:00+09'"],
  ['integer[]', "'{1}'"],
];

/** Before the Gregorian calendar what a snapshot sends differs from what the log gives: never taken. */
const OLD = ['timestamp ff1fe2ffc59c6000', 'timestamp ffc7f6372f054000', 'timestamptz ff1fe2ffc59c6000'];
const OLD_TWICE = [...OLD, ...OLD];

const KNOWN: ConnectorSettings = { decimals: 'precise', times: 'adaptive', binary: 'bytes' };
const TEXTS: ConnectorSettings = { decimals: 'string', times: 'adaptive_time_microseconds', binary: 'hex' };
const WITHOUT_SCHEMA = { 'key.converter.schemas.enable': 'false', 'value.converter.schemas.enable': 'false' };
const MODES = ['whole', 'plain', 'texts', 'lossy'] as const;

function columnsOf(types: typeof TYPES): readonly DeclaredColumn[] {
  return [
    { name: 'id', type: 'integer' },
    ...types.map(([type], index) => ({ name: `c${index}`, type: fullName(type) })),
  ];
}

/** As format_type prints it. */
function fullName(type: string): string {
  const names: Readonly<Record<string, string>> = {
    'varchar(9)': 'character varying(9)',
    'numeric(30)': 'numeric(30,0)',
    time: 'time without time zone',
    'time(3)': 'time(3) without time zone',
    timestamp: 'timestamp without time zone',
    'timestamp(3)': 'timestamp(3) without time zone',
    timestamptz: 'timestamp with time zone',
  };
  return names[type] ?? type;
}

function tableSql(name: string, types: typeof TYPES): string {
  const columns = types.map(([type], index) => `c${index} ${type}`).join(', ');
  return `CREATE TABLE ${name} (id int PRIMARY KEY, ${columns});`;
}

/** One value a row, all others NULL: a value that is not exact spoils no other. */
function rowsSql(name: string, types: typeof TYPES, from: number): string {
  let id = from;
  return types
    .flatMap(([type, ...values], index) =>
      values.map((value) => `INSERT INTO ${name} (id, c${index}) VALUES (${id++}, (${value})::${type});`),
    )
    .join('\n');
}

const missing = await missingPackage(DEBEZIUM);

describe.skipIf(missing !== null)(`what Debezium sends${missing === null ? '' : ` (${missing})`}`, () => {
  let cluster: Cluster;
  let site: PostgresConnector;
  let capture: Capture;

  beforeAll(async () => {
    cluster = await createCluster({ version: 17, settings: { wal_level: 'logical' } });
    await cluster.sql(`CREATE TYPE mood AS ENUM ('sad', 'glad');
      ${tableSql('every', TYPES)} ${tableSql('strange', STRANGE)}
      CREATE TABLE wide (id int PRIMARY KEY, n int, t text, b bytea);
      CREATE TABLE moved (a int, b text, n int, PRIMARY KEY (b, a));
      ALTER TABLE wide ALTER t SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;
      ${rowsSql('every', TYPES, 0)}`);
    const { address } = parseUrl(cluster.url(), 'secret');
    site = await connectPostgres(address, { jobs: 1, statementTimeoutMs: 0 }, forever());
    const included = 'public.every,public.wide,public.moved';
    const settings = (own: Readonly<Record<string, string>>) => ({ 'table.include.list': included, ...own });
    capture = await Capture.start(cluster, [
      { prefix: 'whole', settings: settings({ 'column.propagate.source.type': '.*' }) },
      { prefix: 'plain', settings: settings(WITHOUT_SCHEMA) },
      {
        prefix: 'texts',
        settings: settings({
          ...WITHOUT_SCHEMA,
          'table.include.list': `${included},public.strange`,
          'decimal.handling.mode': 'string',
          'time.precision.mode': 'adaptive_time_microseconds',
          'binary.handling.mode': 'hex',
        }),
      },
      {
        prefix: 'lossy',
        settings: settings({ 'decimal.handling.mode': 'double', 'time.precision.mode': 'connect' }),
      },
    ]);
    const count = TYPES.reduce((sum, [, ...values]) => sum + values.length, 0);
    // The snapshots are done: what comes from here on is read from the log.
    await capture.until((records) =>
      MODES.every((mode) => records.filter(({ topic }) => topic === `${mode}.public.every`).length >= count),
    );
    await cluster.sql(`${rowsSql('every', TYPES, 1000)} ${rowsSql('strange', STRANGE, 1000)}
      INSERT INTO wide VALUES (1, 1, repeat('x', 9000), decode(repeat('ab', 9000), 'hex'));
      UPDATE wide SET n = 2;
      UPDATE wide SET id = 3;
      INSERT INTO moved VALUES (1, 'one', 1), (2, 'two', 2);
      UPDATE moved SET n = 5 WHERE a = 1;
      UPDATE moved SET a = 7 WHERE a = 2;
      DELETE FROM moved WHERE a = 1;
      TRUNCATE moved;
      INSERT INTO moved VALUES (9, 'end', 9);`);
    await capture.until((records) =>
      MODES.every((mode) =>
        records.some(({ topic, value }) => topic === `${mode}.public.moved` && isEnd(value)),
      ),
    );
  }, 300_000);

  afterAll(async () => {
    await capture.end();
    await site.close();
    await cluster.destroy();
  });

  function decoded(mode: (typeof MODES)[number], table: string, options: Partial<DecoderOptions> = {}) {
    const decoder = new DebeziumDecoder({
      settings: UNKNOWN_SETTINGS,
      declared: new Map(),
      beforeImages: false,
      ...options,
    });
    return capture.records
      .filter(({ topic }) => topic === `${mode}.public.${table}`)
      .map(({ key, value }) => decoder.decode(recordBytesOf(key, value)));
  }

  function changesOf(mode: (typeof MODES)[number], table: string, options: Partial<DecoderOptions> = {}) {
    return decoded(mode, table, options).flatMap((record) => (record.kind === 'change' ? [record] : []));
  }

  /** The values that came as unread, and those whose bytes are other ones than a range read gives. */
  async function against(types: typeof TYPES, changes: ReturnType<typeof changesOf>) {
    const [first] = changes;
    if (first === undefined) throw new Error('no change came');
    const table: TopicTable = first.table;
    const read = table.columns.flatMap(({ form }, index) => (form === null ? [] : [index]));
    const rows = new Map((await rangeTexts(site, table)).map((row) => [row[0], row]));
    const found = { different: [] as string[], unread: [] as string[] };
    for (const { after } of changes) {
      const all = rowTexts(after) ?? [];
      const streamed = read.map((index) => all[index]);
      const row = rows.get(streamed[0] ?? '') ?? [];
      for (const [place, text] of streamed.entries()) {
        const column = (read[place] ?? 0) - 1;
        const what = `${types[column]?.[0]} ${text} ${row[place]}`;
        if (text === 'unread') found.unread.push(`${types[column]?.[0]} ${row[place]}`);
        else if (text !== row[place]) found.different.push(what);
      }
    }
    return found;
  }

  test('with schemas: every value has the bytes of a range read', async () => {
    const changes = changesOf('whole', 'every');
    expect(
      changes[0]?.table.columns.flatMap(({ name, unproven }) => (unproven === null ? [] : [name, unproven])),
    ).toEqual([]);
    expect(await against(TYPES, changes)).toEqual({ different: [], unread: OLD_TWICE });
  });

  test.each([
    ['plain', KNOWN],
    ['texts', TEXTS],
  ] as const)(
    'without schemas (%s): declared columns and settings give the same bytes',
    async (mode, settings) => {
      const declared = new Map([['public.every', columnsOf(TYPES)]]);
      const changes = changesOf(mode, 'every', { settings, declared });
      const unproven = changes[0]?.table.columns.filter((column) => column.form === null);
      // An enum is declared by its name, which tells nothing.
      expect(unproven?.map(({ type }) => type)).toEqual(['mood']);
      expect(await against(TYPES, changes)).toEqual({ different: [], unread: OLD_TWICE });
    },
  );

  test('what Debezium cannot send as it is comes as unread, or as what it is', async () => {
    const declared = new Map([['public.strange', columnsOf(STRANGE)]]);
    const changes = changesOf('texts', 'strange', { settings: TEXTS, declared });
    const found = await against(STRANGE, changes);
    expect(found.different).toEqual([]);
    // A date that is far away comes as it is; what may stand for infinity, or has no counterpart, does not.
    expect(new Set(found.unread.map((text) => text.split(' ')[0]))).toEqual(
      new Set(['numeric', 'date', 'timestamp', 'timestamptz']),
    );
    expect(found.unread.filter((text) => text.startsWith('date'))).toEqual([
      'date 7fffffff',
      'date 80000000',
    ]);
    expect(changes[0]?.table.columns.flatMap(({ form, type }) => (form === null ? [type] : []))).toEqual([
      'jsonb',
      'interval',
      'time with time zone',
      'integer[]',
    ]);
  });

  test('what a setting has made lossy is unproven, by name', async () => {
    const changes = changesOf('lossy', 'every');
    const unproven = changes[0]?.table.columns.flatMap(({ form }, index) =>
      form === null ? [TYPES[index - 1]?.[0]] : [],
    );
    expect(unproven).toEqual(
      expect.arrayContaining(['numeric(12,4)', 'numeric', 'double precision', 'time', 'timestamp']),
    );
    const { different, unread } = await against(TYPES, changes);
    expect(different).toEqual([]);
    // Without the type of the column nobody knows whether blanks at the end are padding.
    expect(new Set(unread.map((text) => text.split(' ')[0]))).toEqual(
      new Set(['text', 'varchar(9)', 'character(5)', 'timestamptz']),
    );
  });

  test('values that were stored apart and did not change are said to be unchanged', () => {
    const changes = changesOf('whole', 'wide').filter(({ operation }) => operation !== 'read');
    const texts = changes.map(({ operation, after }) => [
      operation,
      ...(rowTexts(after) ?? []).map((text) => text.slice(-2)),
    ]);
    const id = (n: number): string => `0${n}`;
    expect(texts.slice(0, 2)).toEqual([
      ['insert', id(1), id(1), '78', 'ab'],
      ['update', id(1), id(2), 'ed', 'ed'],
    ]);
    expect(rowTexts(changes[1]?.after ?? null)?.slice(2)).toEqual(['unchanged', 'unchanged']);
    // A changed key comes as a delete and an insert; the log has the values this time or not, but they are no longer unchanged.
    expect(changes.slice(2).map(({ operation }) => operation)).toEqual(['delete', 'insert']);
    expect(rowTexts(changes[3]?.after ?? null)?.slice(2)).not.toContain('unchanged');
  });

  test('keys come in their own order, with tombstones and truncation apart', () => {
    const records = decoded('whole', 'moved');
    const told = records.map((record) =>
      record.kind === 'change'
        ? `${record.operation} ${fieldTexts(record.key ?? new Uint8Array(0)).join()}`
        : record.kind,
    );
    const key = (text: string, n: number): string =>
      `${Buffer.from(text).toString('hex')},${n.toString(16).padStart(16, '0')}`;
    expect(told).toEqual([
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
  });
});

function isEnd(value: Buffer | null): boolean {
  return value?.includes('"end"') === true;
}
