import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectTarget } from '../../connectors/postgres/address.ts';
import { PostgresConnector } from '../../connectors/postgres/connector.ts';
import { parseUrl } from '../../src/config/url.ts';
import type { RowShape } from '../../src/connector/contract.ts';
import type { RowChange } from '../../src/connector/changes.ts';
import type { PairKind } from '../../src/connector/table.ts';
import { BodySink } from '../../src/row/body-sink.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { Follower, isRowChange, prepareStream } from './harness/change-stream.ts';
import { EVERY_TYPE, TYPE_ROWS, TYPE_SCHEMA, TYPE_TABLES } from './harness/every-type.ts';
import { forever, ServerSet } from './harness/server-set.ts';
import { WATCHER } from './harness/watcher.ts';

const servers = new ServerSet();

afterAll(() => servers.end());

const TYPES = EVERY_TYPE.map(([type], index) => ({ type, table: `public.one${index}` }));

describe.each([
  [14, 'physical'],
  [14, 'logical'],
  [18, 'physical'],
  [18, 'logical'],
] as const)('PostgreSQL %i, as a %s pair compares them', (version, pair) => {
  let cluster: Cluster;
  let connector: PostgresConnector;
  const streamed = new Map<string, RowChange[]>();

  beforeAll(async () => {
    cluster = await servers.cluster(version);
    await cluster.sql(TYPE_SCHEMA);
    await cluster.sql(TYPE_TABLES);
    await cluster.sql(`CREATE TABLE nans (id int PRIMARY KEY, f float8, g float4)`);
    const sendable = TYPES.map(({ table }) => table);
    await prepareStream(cluster, `TABLE nans, ${sendable.join(', ')}`);
    await cluster.sql(`BEGIN; ${TYPE_ROWS}; INSERT INTO nans VALUES (1, 'Infinity'::float8 - 'Infinity'::float8,
      'Infinity'::float4 - 'Infinity'::float4); COMMIT`);
    const follower = await Follower.open(cluster, { pair });
    const { events } = await follower.transaction();
    await follower.stream.close();
    for (const event of events.filter(isRowChange)) {
      const { leaf } = event.table;
      streamed.set(leaf, [...(streamed.get(leaf) ?? []), event]);
    }
    const target = connectTarget(parseUrl(cluster.url('postgres', WATCHER), 'secret').address, {});
    connector = new PostgresConnector(target, { jobs: 1, statementTimeoutMs: 60_000 });
  });

  afterAll(() => connector.close());

  test.each(TYPES)('$type: a row has the same bytes in the stream and in a range', async ({ table }) => {
    const changes = streamed.get(table) ?? [];
    const { shape, unread } = await shapeOf(connector, changes, pair);
    expect(changes.length).toBeGreaterThan(1);
    // Only on a logical pair are there forms that the log does not give: then the stream says so.
    expect(pair === 'logical' || unread.length === 0).toBe(true);
    const rows = unread.length > 0 ? null : await rowsOf(connector, shape);
    expect(rows === null ? null : new Set(changes.map(({ after }) => hex(after)))).toEqual(
      rows === null ? null : new Set(rows),
    );
  });

  test('a NaN that arithmetic made has the same bytes in the stream and in a range', async () => {
    const changes = streamed.get('public.nans') ?? [];
    const { shape } = await shapeOf(connector, changes, pair);
    expect(changes.map(({ after }) => hex(after))).toEqual(await rowsOf(connector, shape));
  });

  test('types whose form on a logical pair the log does not give are marked, and are few', () => {
    const marked = TYPES.filter(({ table }) =>
      streamed.get(table)?.some((change) => change.table.columns.some(({ encoding }) => encoding === null)),
    ).map(({ type }) => type);
    expect(marked.includes('int[]')).toBe(pair === 'logical');
    expect(pair === 'logical' || marked.length === 0).toBe(true);
    const plain = new Set([
      'int',
      'text',
      'numeric',
      'jsonb',
      'timestamptz',
      'uuid',
      'mood',
      'float8',
      'char(5)',
    ]);
    expect(marked.filter((type) => plain.has(type))).toEqual([]);
  });
});

/** The shape of a range read that follows the stream's own description. */
async function shapeOf(
  connector: PostgresConnector,
  changes: readonly RowChange[],
  pair: PairKind,
): Promise<{ readonly shape: RowShape; readonly unread: readonly string[] }> {
  const streamed = changes[0]?.table;
  const [table] = await connector.describeTables({ include: [streamed?.root ?? ''], exclude: [] }, forever());
  if (streamed === undefined || table === undefined) throw new Error('no such table');
  const unread = streamed.columns.flatMap(({ name, encoding }) => (encoding === null ? [name] : []));
  const columns = streamed.columns.map(({ name, encoding }) => ({ name, encoding: encoding ?? 'pg-text' }));
  return { shape: { table, identity: 'key', columns, keyFields: streamed.keyFields ?? 0, pair }, unread };
}

async function rowsOf(connector: PostgresConnector, shape: RowShape): Promise<string[]> {
  const rows: string[] = [];
  const options = { kind: 'block', rowsMax: 1e6, bytesMax: 1e9 } as const;
  for (const range of await connector.planRanges(shape, options, forever())) {
    const sink = new BodySink(1e9);
    await connector.readRange({ shape, range }, sink, forever());
    rows.push(...sink.bodies.map(hex));
  }
  return rows;
}

function hex(bytes: Uint8Array | null): string {
  return Buffer.from(bytes ?? []).toString('hex');
}
