import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PostgresConnector } from '../../connectors/postgres/connector.ts';
import { parsePosition } from '../../connectors/postgres/lsn.ts';
import type { Bracket, PendingLog } from '../../src/connector/ledger-sites.ts';
import type { Position } from '../../src/connector/position.ts';
import type { Cluster } from '../../src/demo/cluster.ts';
import { createLogicalPair } from '../../src/demo/cluster-logical.ts';
import { createStandby, waitForReplay } from '../../src/demo/cluster-standby.ts';
import { waitUntil } from '../../src/demo/cluster-wait.ts';
import { BodySink } from '../../src/row/body-sink.ts';
import { Follower, prepareStream, type StreamedTransaction } from './harness/change-stream.ts';
import { apply, KEYS, KEYS_MAX, keyOf, type Rows, rowsOf, underLoad } from './harness/ledger-load.ts';
import { type LedgerTable, ledgerTable, openSite } from './harness/ledger-site.ts';
import { forever, ServerSet } from './harness/server-set.ts';

const servers = new ServerSet();
const SCHEMA = 'CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL); CREATE TABLE apart (id int PRIMARY KEY)';
const ROLE = 'CREATE ROLE reader LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader';
const keys = Array.from({ length: KEYS_MAX }, (_, id) => keyOf(id));

afterAll(() => servers.end());

/** A candidate, and how it is read: by everything that a superuser may see, or by the least. */
interface Watched {
  readonly name: string;
  readonly site: PostgresConnector;
  readonly table: LedgerTable;
}

interface Read {
  readonly by: string;
  readonly rows: Rows;
  readonly bracket: Bracket | null;
}

function lsnOf(position: Position): bigint {
  return parsePosition(position).lsn;
}

async function readKeys({ name, site, table }: Watched): Promise<Read> {
  const { rows, bracket } = await site.readRowsBracketed(table.shape, keys, forever());
  return { by: `${name}, keys`, bracket, rows: rowsOf(rows.map(({ row }) => row)) };
}

async function readRange({ name, site, table }: Watched): Promise<Read> {
  const range = site.keyRange(table.shape, null, keyOf(KEYS_MAX));
  if (range === null) throw new Error('integers are in order');
  const sink = new BodySink(Infinity);
  const bracket = await site.readRangeBracketed({ shape: table.shape, range }, sink, forever());
  return { by: `${name}, range`, bracket, rows: rowsOf(sink.bodies) };
}

describe.each([14, 18] as const)('PostgreSQL %i: a read of a candidate', (version) => {
  let primary: Cluster;
  let subscriber: Cluster;
  let standby: Cluster;
  let source: PostgresConnector;
  let follower: Follower;
  const watched: Watched[] = [];
  const transactions: StreamedTransaction[] = [];

  beforeAll(async () => {
    [primary, subscriber] = await Promise.all([servers.cluster(version), servers.cluster(version)]);
    for (const cluster of [primary, subscriber]) await cluster.sql(`${SCHEMA}; ${ROLE}`);
    await prepareStream(primary, 'TABLE t');
    standby = servers.add(
      await createStandby(primary, { settings: { wal_retrieve_retry_interval: '100ms' } }),
    );
    await createLogicalPair(primary, subscriber, { tables: ['t'], name: 'sub', copyData: false });
    source = await openSite(primary);
    follower = Follower.over(await source.streamChanges({ after: null, pair: 'logical' }, forever()));
    const followed = await source.followedSource(forever());
    for (const [kind, cluster] of [
      ['standby', standby],
      ['subscriber', subscriber],
    ] as const) {
      for (const user of ['postgres', 'reader']) {
        const site = await openSite(cluster, { user });
        await site.follow(followed, forever());
        const table = await ledgerTable(source, 'public.t', 'logical', site);
        watched.push({ name: `${kind} as ${user}`, site, table });
      }
    }
    await primary.sql(`INSERT INTO t SELECT g, 0 FROM generate_series(0, ${KEYS - 1}) g`);
  });

  afterAll(async () => {
    await follower.stream.close();
    for (const { site } of watched) await site.close();
    await source.close();
  });

  /** Reads the stream up to the row that is written now. */
  async function streamed(): Promise<void> {
    await primary.sql('INSERT INTO t VALUES (-1, 0)');
    await primary.sql('DELETE FROM t WHERE id = -1');
    for (let ends = 0; ends < 2;) {
      const transaction = await follower.transaction();
      transactions.push(transaction);
      if (transaction.events.some((event) => 'key' in event && event.key?.[4] === 255)) ends += 1;
    }
  }

  /** The states that a read may show: after every commit up to `atLeast`, and on to the first beyond `atMost`. */
  function statesIn({ atLeast, atMost }: Bracket): Map<number, number>[] {
    const state = new Map<number, number>();
    const states: Map<number, number>[] = [];
    let passed = 0;
    for (const transaction of transactions) {
      const lsn = lsnOf(transaction.commit.position);
      if (lsn > lsnOf(atLeast)) states.push(new Map(state));
      if (lsn > lsnOf(atMost)) passed += 1;
      if (passed > 1) return states;
      apply(state, transaction);
    }
    return [...states, state];
  }

  test('lies within its bracket, under load', async () => {
    const reads: Read[] = [];
    await underLoad(primary, { rounds: 120, times: 3 }, async () => {
      for (const one of watched) reads.push(await readKeys(one), await readRange(one));
    });
    await streamed();
    const wrong = reads.filter(
      ({ rows, bracket }) =>
        bracket !== null && !statesIn(bracket).some((state) => equal(state, withoutEnd(rows))),
    );
    expect(wrong).toEqual([]);
    for (const { name } of watched) {
      const own = reads.filter(({ by }) => by.startsWith(name));
      const known = own.flatMap(({ bracket }) => (bracket === null ? [] : [bracket]));
      expect([name, known.length]).toEqual([name, own.length]);
      // A bracket that held everything would be right, and of no use.
      const moved = new Set(known.map(({ atLeast }) => atLeast));
      expect([name, moved.size > 1]).toEqual([name, true]);
    }
  });

  test('has, when all is applied, a bracket of one commit', async () => {
    await streamed();
    const last = transactions.at(-1)?.commit.position;
    if (last === undefined) throw new Error('nothing was streamed');
    for (const one of watched) {
      await waitUntil(
        async () => {
          // An idle server writes to its log every fifteen seconds, and tells of the place behind it.
          await primary.sql(`SELECT pg_logical_emit_message(false, 'tick', '')`);
          const { bracket } = await readKeys(one);
          return bracket !== null && lsnOf(bracket.atLeast) >= lsnOf(last);
        },
        20_000,
        () => `${one.name} does not tell that it applied ${last}`,
      );
      const { bracket, rows } = await readKeys(one);
      expect(bracket === null ? [] : statesIn(bracket)).toEqual([rows]);
    }
  });

  test('of a table that nobody brings lies nowhere', async () => {
    await subscriber.sql('INSERT INTO apart VALUES (1)');
    const subscribed = watched.find(({ name }) => name === 'subscriber as postgres');
    if (subscribed === undefined) throw new Error('not watched');
    const [apart] = await subscribed.site.describeTables({ include: ['apart'], exclude: [] }, forever());
    if (apart === undefined) throw new Error('not described');
    const shape = {
      ...subscribed.table.shape,
      table: apart,
      columns: [{ name: 'id', encoding: 'pg-binary' as const }],
    };
    const { rows, bracket } = await subscribed.site.readRowsBracketed(shape, [keyOf(1)], forever());
    expect([rows.length, bracket]).toEqual([1, null]);
  });

  test('on a standby stands behind a shutdown of the primary in order, until that is started again', async () => {
    await follower.stream.close();
    await source.close();
    const least = watched.find(({ name }) => name === 'standby as reader');
    if (least === undefined) throw new Error('not watched');
    const seen = async (): Promise<PendingLog> => {
      await standby.sql('CHECKPOINT');
      return await least.site.pendingLog(forever());
    };
    // The last record of an online checkpoint is none.
    await primary.sql('CHECKPOINT');
    await waitForReplay(standby);
    expect((await seen()).shutDown).toBeNull();
    const beganMs = Date.now();
    await primary.stop('fast');
    const isShown = async (): Promise<boolean> => (await seen()).shutDown !== null;
    await waitUntil(isShown, 60_000, () => 'the shutdown does not show');
    const { shutDown, applied } = await seen();
    const timeMs = Number((shutDown?.timeUs ?? 0n) / 1000n);
    expect(timeMs).toBeGreaterThan(beganMs - 1000);
    expect(timeMs).toBeLessThanOrEqual(Date.now());
    expect(shutDown?.begin).not.toBe(applied);
    await primary.start();
    await primary.sql('CHECKPOINT');
    await waitUntil(
      async () => !(await isShown()),
      60_000,
      () => 'the shutdown shows though the primary was started again',
    );
  });

  test('has a place after the primary was lost, where the role may see it', async () => {
    await primary.kill();
    await waitUntil(
      async () =>
        (await subscriber.sql('SELECT FROM pg_stat_subscription WHERE pid IS NOT NULL')).length === 0,
      20_000,
      () => 'the apply worker stays',
    );
    const places = new Map<string, boolean | null>();
    for (const one of watched) {
      const { bracket, rows } = await readKeys(one);
      const found = bracket === null ? null : statesIn(bracket).some((state) => equal(state, rows));
      places.set(one.name, found);
    }
    expect(Object.fromEntries(places)).toEqual({
      'standby as postgres': true,
      'standby as reader': true,
      'subscriber as postgres': true,
      'subscriber as reader': null,
    });
  });
});

/** Without the row that only marks the end of the load. */
function withoutEnd(rows: Rows): Rows {
  return new Map([...rows].filter(([id]) => id >= 0));
}

function equal(a: Rows, b: Rows): boolean {
  const left = withoutEnd(a);
  return left.size === b.size && [...left].every(([id, v]) => b.get(id) === v);
}
