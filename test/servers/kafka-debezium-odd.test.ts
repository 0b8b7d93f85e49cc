import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DebeziumDecoder, type DecoderOptions } from '../../connectors/kafka/debezium.ts';
import { countsOfTopics, readTransactionRecord } from '../../connectors/kafka/transaction-record.ts';
import { type Cluster, createCluster } from '../../src/demo/cluster.ts';
import { recordBytesOf } from './harness/kafka-changes.ts';
import { Capture, type CapturedRecord } from './harness/kafka-debezium.ts';
import { DEBEZIUM, missingPackage } from './harness/kafka-packages.ts';
import { rowTexts } from './harness/kafka-rows.ts';

const WITHOUT_SCHEMA = { 'key.converter.schemas.enable': 'false', 'value.converter.schemas.enable': 'false' };
const MODES = ['bytes', 'base64', 'base64-url-safe', 'hex', 'named'] as const;
type Mode = (typeof MODES)[number];
const PLACEHOLDER = 'not there';

const WIDE = new Map([
  [
    'public.wide',
    [
      { name: 'id', type: 'integer' },
      { name: 'n', type: 'integer' },
      { name: 't', type: 'text' },
      { name: 'b', type: 'bytea' },
    ],
  ],
]);
const CODED = new Map([
  [
    'public.coded',
    [
      { name: 'id', type: 'integer' },
      { name: 'code', type: 'text' },
      { name: 'n', type: 'integer' },
    ],
  ],
]);

const missing = await missingPackage(DEBEZIUM);

describe.skipIf(missing !== null)(
  `what Debezium sends of odd tables and settings${missing === null ? '' : ` (${missing})`}`,
  () => {
    let cluster: Cluster;
    let capture: Capture;

    beforeAll(async () => {
      cluster = await createCluster({ version: 17, settings: { wal_level: 'logical' } });
      await cluster.sql(`
        CREATE TABLE wide (id int PRIMARY KEY, n int, t text, b bytea);
        ALTER TABLE wide ALTER t SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;
        CREATE TABLE coded (id int PRIMARY KEY, code text NOT NULL UNIQUE, n int);
        ALTER TABLE coded REPLICA IDENTITY USING INDEX coded_code_key;
        CREATE TABLE "주문" (id int PRIMARY KEY, n int);
        INSERT INTO "주문" VALUES (1, 1);`);
      const settings = (own: Readonly<Record<string, string>>) => ({
        'table.include.list': 'public.wide,public.coded,public.주문',
        'provide.transaction.metadata': 'true',
        ...WITHOUT_SCHEMA,
        ...own,
      });
      capture = await Capture.start(
        cluster,
        MODES.map((mode) => ({
          prefix: prefixOf(mode),
          settings: settings(
            mode === 'named'
              ? { 'unavailable.value.placeholder': PLACEHOLDER }
              : { 'binary.handling.mode': mode },
          ),
        })),
      );
      // The snapshots are done: what comes from here on is read from the log.
      await capture.until((records) => records.length === MODES.length);
      await cluster.sql(`
        INSERT INTO wide VALUES (1, 1, repeat('x', 9000), decode(repeat('ab', 9000), 'hex'));
        UPDATE wide SET n = 2;
        BEGIN; INSERT INTO coded VALUES (0, 'o', 0), (1, 'a', 1), (2, 'b', 2);
        UPDATE coded SET n = 5 WHERE id = 1; UPDATE coded SET code = 'B' WHERE id = 2;
        DELETE FROM coded WHERE id = 1; COMMIT;
        UPDATE "주문" SET n = 2;
        INSERT INTO coded VALUES (9, 'z', 999);`);
      await capture.until((records) =>
        MODES.every((mode) => records.some((record) => isLast(record, prefixOf(mode)))),
      );
    }, 300_000);

    afterAll(async () => {
      await capture?.end();
      await cluster?.destroy();
    });

    const of = (mode: Mode, topic: string): readonly CapturedRecord[] =>
      capture.records.filter((record) => record.topic === `${prefixOf(mode)}.${topic}`);

    /** Texts of the values that did not change, stored apart. */
    function unchanged(mode: Mode, options: Partial<DecoderOptions> = {}): string[] {
      const binary = mode === 'named' ? 'bytes' : mode;
      const settings = { decimals: 'precise', times: 'adaptive', binary } as const;
      const decoder = new DebeziumDecoder({ settings, declared: WIDE, beforeImages: false, ...options });
      return of(mode, 'public.wide')
        .map(({ key, value }) => decoder.decode(recordBytesOf(key, value)))
        .flatMap((record) =>
          record.kind === 'change' && record.operation === 'update' ? [rowTexts(record.after) ?? []] : [],
        )
        .flatMap((texts) => texts.slice(2));
    }

    test.each<readonly [Mode, readonly string[]]>([
      ['bytes', ['unchanged', 'unchanged']],
      ['hex', ['unchanged', 'unchanged']],
      // It sends null, as for a value that is none.
      ['base64', ['unchanged', 'unread']],
      ['base64-url-safe', ['unchanged', 'unread']],
    ])('values that did not change are never taken for null in the mode %s', (mode, texts) => {
      expect(unchanged(mode)).toEqual(texts);
    });

    test('values that did not change are known by the placeholder that the connector was given', () => {
      expect(unchanged('named', { placeholder: PLACEHOLDER })).toEqual(['unchanged', 'unchanged']);
      expect(unchanged('named')).not.toContain('unchanged');
    });

    test('a delete has no key where REPLICA IDENTITY is of another index, and is refused', () => {
      const settings = { decimals: 'precise', times: 'adaptive', binary: 'bytes' } as const;
      const decoder = new DebeziumDecoder({ settings, declared: CODED, beforeImages: false });
      const told = of('bytes', 'public.coded').map(({ key, value }) => {
        try {
          const record = decoder.decode(recordBytesOf(key, value));
          return record.kind === 'change' ? record.operation : record.kind;
        } catch (error) {
          return String(error).replace(/ \(.*/, '');
        }
      });
      const refused = 'JsonError: a delete without its key';
      const inserts = ['insert', 'insert', 'insert'];
      expect(told).toEqual([
        ...inserts,
        'update',
        refused,
        'nothing',
        'insert',
        refused,
        'nothing',
        'insert',
      ]);
    });

    test('changes of a table whose name is beyond ASCII do not come, though its rows came with the snapshot', () => {
      expect(of('bytes', 'public.__').map(({ value }) => value?.includes('"op":"r"'))).toEqual([true]);
      const beyond = capture.records.filter(({ value }) => value?.includes('"op":"u"') === true);
      expect(new Set(beyond.map(({ topic }) => topic.split('.')[2]))).toEqual(new Set(['wide', 'coded']));
    });

    test('transactions have as many records as their ends count, deletes of changed keys and tombstones included', () => {
      const tables = new Map([
        ['public.wide', []],
        ['public.coded', []],
      ]);
      const counted = of('bytes', 'transaction').flatMap(({ value }) => {
        const told = readTransactionRecord(value ?? new Uint8Array(0));
        const counts = told?.status === 'END' ? told.counts : new Map<string, number>();
        return Array.from(countsOfTopics(counts, tables).values());
      });
      const sent = ['public.wide', 'public.coded']
        .flatMap((topic) => of('bytes', topic))
        .filter(({ value }) => value !== null);
      expect(counted.reduce((sum, count) => sum + count, 0)).toBe(sent.length);
    });
  },
);

/** Slots and publications are called after it. */
function prefixOf(mode: Mode): string {
  return mode.replaceAll('-', '_');
}

function isLast({ topic, value }: CapturedRecord, prefix: string): boolean {
  return topic === `${prefix}.transaction` && value?.includes('"END"') === true && isAfterTheLast(value);
}

/** The last transaction has one record, of the table with codes. */
function isAfterTheLast(value: Buffer): boolean {
  return value.includes('[{"data_collection":"public.coded","event_count":1}]');
}
