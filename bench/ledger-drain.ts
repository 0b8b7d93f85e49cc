import { tmpdir } from 'node:os';
import type { Client } from 'pg';
import { connectTarget } from '../connectors/postgres/address.ts';
import { openChangeStream } from '../connectors/postgres/stream.ts';
import { parseUrl } from '../src/config/url.ts';
import type { ChangeEvent, ChangeStream, StreamedTable } from '../src/connector/changes.ts';
import type { Cluster } from '../src/demo/cluster.ts';
import { waitUntil } from '../src/demo/cluster-wait.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import { privateMiB, senderSeconds, STREAM_NAME } from './ledger-backlog.ts';

/** Between two bursts of reads (ReplicationTiming.paceMs). */
const PACE_MS = 4;
const SPOOL_BYTES_MAX = 4 * 2 ** 30;

export interface Drained {
  readonly changes: number;
  readonly seconds: number;
  /** Processor time of this process and of the server's sending process. */
  readonly ownSeconds: number;
  readonly senderSeconds: number;
  /** The most private memory after a batch. */
  readonly peakMiB: number;
  /** As the stream described it last; null: it did not. */
  readonly table: StreamedTable | null;
}

interface Taken {
  changes: number;
  peakMiB: number;
  table: StreamedTable | null;
}

/** Takes `changes` row changes into the ledger, durably, and brings the index up to them. */
export async function drain(cluster: Cluster, ledger: Ledger, changes: number): Promise<Drained> {
  const client = await cluster.connect();
  const own = process.cpuUsage();
  const started = performance.now();
  const stream = await openStream(cluster, ledger);
  const taken: Taken = { changes: 0, peakMiB: 0, table: null };
  try {
    await take(stream, ledger, changes, taken);
    await ledger.settle();
    const seconds = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(own);
    return {
      ...taken,
      seconds,
      ownSeconds: (user + system) / 1e6,
      senderSeconds: await senderSeconds(client),
    };
  } finally {
    await stream.close();
    await ended(client);
    await client.end();
  }
}

function openStream(cluster: Cluster, ledger: Ledger): Promise<ChangeStream> {
  return openChangeStream(
    connectTarget(parseUrl(cluster.url(), 'argument').address, {}),
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
    { after: ledger.position, pair: 'physical' },
    new AbortController().signal,
  );
}

/** Until all have come and their transaction has ended. */
async function take(stream: ChangeStream, ledger: Ledger, changes: number, taken: Taken): Promise<void> {
  let open = false;
  for await (const batch of stream.batches) {
    ledger.take(batch);
    const durable = await ledger.flush();
    if (durable !== null) stream.acknowledge(durable);
    taken.peakMiB = Math.max(taken.peakMiB, privateMiB() ?? 0);
    for (const event of batch) {
      if (isRow(event)) taken.changes += 1;
      else if (event.type === 'definition') taken.table = event.table;
      else if (event.type === 'begin') open = true;
      else if (event.type === 'commit') open = false;
    }
    if (taken.changes >= changes && !open) return;
  }
}

function isRow({ type }: ChangeEvent): boolean {
  return type === 'insert' || type === 'update' || type === 'delete';
}

/** The server notices the end of a stream a moment later; the next one needs the slot. */
async function ended(client: Client): Promise<void> {
  await waitUntil(
    async () => (await client.query(`select 1 from pg_replication_slots where active`)).rows.length === 0,
    10_000,
    () => 'the slot stays in use',
  );
}
