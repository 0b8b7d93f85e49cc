import { readFileSync } from 'node:fs';
import type { Client } from 'pg';
import { type Cluster, createCluster } from '../src/demo/cluster.ts';
import type { PostgresVersion } from '../src/demo/binaries.ts';

/** The slot and the publication of the bench. */
export const STREAM_NAME = 'bench';
const VERSION: PostgresVersion = 17;
const TABLE = 'public.orders';
/** Eight columns, about 110 bytes a row. Half of each page is free, so updates stay there: indexes do not grow. */
const CREATE = `create table ${TABLE} (id bigint primary key, customer int, status text, amount bigint, note text,
  paid boolean, created timestamptz, shipped timestamptz) with (fillfactor = 50)`;
const VALUES = `(i * 7919 % 100000)::int, (array['new','paid','shipped','closed'])[1 + i % 4], i,
  case when i % 5 = 0 then null else md5(i::text) end, i % 2 = 0,
  timestamptz '2024-01-01' + i * interval '1 second',
  case when i % 3 = 0 then null else timestamptz '2024-01-02' + i * interval '1 second' end`;
/** Rows that one transaction inserts while the table is filled. */
const ROWS_PER_INSERT = 100_000;
/** Seconds of processor in one tick of /proc (USER_HZ, proc(5)): 100 a second on every Linux. */
const TICK_SECONDS = 0.01;

const SETTINGS = {
  shared_buffers: '1GB',
  max_wal_size: '16GB',
  checkpoint_timeout: '1h',
  autovacuum: 'off',
  // The backlog is made as fast as it can be; a commit need not wait for the disk.
  synchronous_commit: 'off',
};

/** A server with an empty table, whose changes are published and kept by a slot from now on. */
export async function createSource(): Promise<Cluster> {
  const cluster = await createCluster({ version: VERSION, name: 'bench-primary', settings: SETTINGS });
  await cluster.sql(CREATE);
  await cluster.sql(`create publication ${STREAM_NAME} for table ${TABLE}`);
  await cluster.sql(`select pg_create_logical_replication_slot('${STREAM_NAME}', 'pgoutput')`);
  return cluster;
}

/** Adds the rows with keys `from` to `to`, in transactions of a hundred thousand. */
export async function fillTo(cluster: Cluster, from: number, to: number): Promise<void> {
  const client = await cluster.connect();
  for (let first = from; first <= to; first += ROWS_PER_INSERT) {
    const last = Math.min(first + ROWS_PER_INSERT - 1, to);
    await client.query(
      `insert into ${TABLE} select i, ${VALUES} from generate_series(${first}::bigint, ${last}) i`,
    );
  }
  await client.end();
}

/** Updates rows at random, `per` a transaction. */
export async function updateAtRandom(
  cluster: Cluster,
  updates: number,
  per: number,
  rows: number,
): Promise<void> {
  const client = await cluster.connect();
  await client.query(`select setseed(0.${per})`);
  await client.query(`do $$ declare key bigint; begin
    for i in 1..${updates} loop
      key := 1 + floor(random() * ${rows});
      update ${TABLE} set amount = i where id = key;
      if i % ${per} = 0 then commit; end if;
    end loop; end $$`);
  await client.end();
}

/** One transaction that updates the first `rows` rows. */
export async function updateAtOnce(cluster: Cluster, rows: number): Promise<void> {
  await cluster.sql(`update ${TABLE} set amount = amount + 1 where id <= ${rows}`);
}

/** Seconds of processor that the server has spent on sending, in the running stream; 0 when nothing streams. */
export async function senderSeconds(client: Client): Promise<number> {
  const found = await client.query<{ pid: number | null }>(
    `select active_pid as pid from pg_replication_slots where slot_name = $1`,
    [STREAM_NAME],
  );
  const pid = found.rows[0]?.pid ?? null;
  if (pid === null) return 0;
  // proc(5), /proc/pid/stat: fields 14 and 15 are utime and stime; the name in parentheses may hold spaces.
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_SECONDS;
}

/** Memory of this process that no file backs, in MiB (RssAnon, proc(5)); null where /proc is not there. */
export function privateMiB(): number | null {
  try {
    const match = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'));
    return match === null ? null : Number(match[1]) / 1024;
  } catch {
    return null;
  }
}
