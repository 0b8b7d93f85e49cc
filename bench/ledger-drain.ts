import { setTimeout as sleep } from 'node:timers/promises';
import type { ChangeEvent, ChangeStream, StreamedTable } from '../src/connector/changes.ts';
import type { Ledger } from '../src/ledger/ledger.ts';
import type { IntakeSource } from './intake-source.ts';
import { privateMiB } from './measure.ts';

const SAMPLE_MS = 50;

export interface Drained {
  readonly changes: number;
  /** Without the time in which nobody asked. */
  readonly seconds: number;
  /** Processor time of this process and of the server's sending process or thread. */
  readonly ownSeconds: number;
  readonly senderSeconds: number;
  /** The most private memory after a batch, and while nobody asked for the next one. */
  readonly peakMiB: number;
  /** As the stream described it last; null: it did not. */
  readonly table: StreamedTable | null;
}

interface Taken {
  changes: number;
  peakMiB: number;
  table: StreamedTable | null;
  stalledMs: number;
}

/**
 * Takes `changes` row changes into the ledger, durably, and brings the index up to them. With `stallMs` it does not ask
 * for the second batch for so long, as if the disk stood still.
 */
export async function drain(
  source: Pick<IntakeSource, 'stream' | 'senderSeconds' | 'streamEnded'>,
  ledger: Ledger,
  changes: number,
  stallMs = 0,
): Promise<Drained> {
  const own = process.cpuUsage();
  const started = performance.now();
  const stream = await source.stream(ledger.position);
  const taken: Taken = { changes: 0, peakMiB: 0, table: null, stalledMs: 0 };
  try {
    await take(stream, ledger, changes, taken, stallMs);
    await ledger.settle();
    const seconds = (performance.now() - started - taken.stalledMs) / 1000;
    const { user, system } = process.cpuUsage(own);
    const senderSeconds = await source.senderSeconds();
    return { ...taken, seconds, ownSeconds: (user + system) / 1e6, senderSeconds };
  } finally {
    await stream.close();
    await source.streamEnded();
  }
}

/** Until all have come and their transaction has ended. */
async function take(
  stream: ChangeStream,
  ledger: Ledger,
  changes: number,
  taken: Taken,
  stallMs: number,
): Promise<void> {
  let open = false;
  for await (const batch of stream.batches) {
    ledger.take(batch);
    const durable = await ledger.flush();
    if (durable !== null) stream.acknowledge(durable);
    look(taken);
    for (const event of batch) {
      if (isRow(event)) taken.changes += 1;
      else if (event.type === 'definition') taken.table = event.table;
      else if (event.type === 'begin') open = true;
      else if (event.type === 'commit') open = false;
    }
    if (taken.changes >= changes && !open) return;
    if (taken.changes > 0) while (taken.stalledMs < stallMs) await stall(taken);
  }
}

async function stall(taken: Taken): Promise<void> {
  const started = performance.now();
  await sleep(SAMPLE_MS);
  taken.stalledMs += performance.now() - started;
  look(taken);
}

function look(taken: Taken): void {
  taken.peakMiB = Math.max(taken.peakMiB, privateMiB() ?? 0);
}

function isRow({ type }: ChangeEvent): boolean {
  return type === 'insert' || type === 'update' || type === 'delete';
}
