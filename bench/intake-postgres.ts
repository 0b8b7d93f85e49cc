import { tmpdir } from 'node:os';
import type { Client } from 'pg';
import { connectTarget } from '../connectors/postgres/address.ts';
import { comparePositions } from '../connectors/postgres/lsn.ts';
import { openChangeStream } from '../connectors/postgres/stream.ts';
import { parseUrl } from '../src/config/url.ts';
import type { ChangeStream } from '../src/connector/changes.ts';
import type { Position } from '../src/connector/position.ts';
import type { PostgresVersion } from '../src/demo/binaries.ts';
import { type Cluster, createCluster } from '../src/demo/cluster.ts';
import { waitUntil } from '../src/demo/cluster-wait.ts';
import { type IntakeSource, ROWS_PER_INSERT } from './intake-source.ts';
import { cpuOf } from './measure.ts';

/** The slot and the publication of the bench. */
const STREAM_NAME = 'bench';
const VERSION: PostgresVersion = 17;
const TABLE = 'public.orders';
/** Half of each page is free, so updates stay there: indexes do not grow. */
const CREATE = `create table ${TABLE} (id bigint primary key, customer int, status text, amount bigint, note text,
  paid boolean, created timestamptz, shipped timestamptz) with (fillfactor = 50)`;
const VALUES = `(i * 7919 % 100000)::int, (array['new','paid','shipped','closed'])[1 + i % 4], i,
  case when i % 5 = 0 then null else md5(i::text) end, i % 2 = 0,
  timestamptz '2024-01-01' + i * interval '1 second',
  case when i % 3 = 0 then null else timestamptz '2024-01-02' + i * interval '1 second' end`;
/** Between two bursts of reads (ReplicationTiming.paceMs). */
const PACE_MS = 4;
const SPOOL_BYTES_MAX = 4 * 2 ** 30;

const SETTINGS = {
  shared_buffers: '1GB',
  max_wal_size: '16GB',
  checkpoint_timeout: '1h',
  autovacuum: 'off',
  // The backlog is made as fast as it can be; a commit need not wait for the disk.
  synchronous_commit: 'off',
};

/** A server with an empty table, whose changes are published and kept by a slot from now on. */
export async function postgresSource(): Promise<IntakeSource> {
  const cluster = await createCluster({ version: VERSION, name: 'bench-primary', settings: SETTINGS });
  try {
    await cluster.sql(CREATE);
    await cluster.sql(`create publication ${STREAM_NAME} for table ${TABLE}`);
    await cluster.sql(`select pg_create_logical_replication_slot('${STREAM_NAME}', 'pgoutput')`);
    return new PostgresSource(cluster);
  } catch (error) {
    await cluster.destroy();
    throw error;
  }
}

class PostgresSource implements IntakeSource {
  readonly comparePositions = comparePositions;
  readonly #cluster: Cluster;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  readonly fill = (from: number, to: number): Promise<void> =>
    this.#within(async (client) => {
      for (let first = from; first <= to; first += ROWS_PER_INSERT) {
        const last = Math.min(first + ROWS_PER_INSERT - 1, to);
        await client.query(
          `insert into ${TABLE} select i, ${VALUES} from generate_series(${first}::bigint, ${last}) i`,
        );
      }
    });

  readonly updateAtRandom = (updates: number, per: number, rows: number): Promise<void> =>
    this.#within(async (client) => {
      await client.query(`select setseed(0.${per})`);
      await client.query(`do $$ declare key bigint; begin
        for i in 1..${updates} loop
          key := 1 + floor(random() * ${rows});
          update ${TABLE} set amount = i where id = key;
          if i % ${per} = 0 then commit; end if;
        end loop; end $$`);
    });

  readonly updateAtOnce = async (rows: number): Promise<void> => {
    await this.#cluster.sql(`update ${TABLE} set amount = amount + 1 where id <= ${rows}`);
  };

  readonly stream = (after: Position | null): Promise<ChangeStream> =>
    openChangeStream(
      connectTarget(parseUrl(this.#cluster.url(), 'argument').address, {}),
      {
        slot: STREAM_NAME,
        publication: STREAM_NAME,
        allowUnboundedWal: true,
        early: true,
        spoolFolder: tmpdir(),
        spoolBytesMax: SPOOL_BYTES_MAX,
        now: Date.now,
        paceMs: PACE_MS,
      },
      { after, pair: 'physical' },
      new AbortController().signal,
    );

  readonly senderSeconds = async (): Promise<number> => {
    const [row] = await this.#cluster.sql(
      `select active_pid::text as pid from pg_replication_slots where slot_name = $1 and active_pid is not null`,
      [STREAM_NAME],
    );
    return row === undefined ? 0 : (cpuOf(String(row['pid'])) ?? 0);
  };

  /** The next stream needs the slot, which the server frees a moment later. */
  readonly streamEnded = (): Promise<void> =>
    waitUntil(
      async () => (await this.#cluster.sql('select 1 from pg_replication_slots where active')).length === 0,
      10_000,
      () => 'the slot stays in use',
    );

  readonly destroy = (): Promise<void> => this.#cluster.destroy();

  async #within(action: (client: Client) => Promise<void>): Promise<void> {
    const client = await this.#cluster.connect();
    try {
      await action(client);
    } finally {
      await client.end();
    }
  }
}
