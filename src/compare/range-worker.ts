import { parentPort, workerData } from 'node:worker_threads';
import { Secret } from '../config/secret.ts';
import type { SiteAddress } from '../config/url.ts';
import type { Connector } from '../connector/contract.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import { LocalRangeReader } from './range-reader.ts';
import type { FromWorker, SentAddress, SentError, ToWorker, WorkerInput } from './range-worker-messages.ts';
import type { ShapePair } from './site-pair.ts';

/*
 * A worker thread that owns connections to both sites and reads ranges over them: only digests and the identities of
 * rows that differ leave it.
 */

interface Registry {
  connectSite(address: SiteAddress, options: WorkerInput['options'], signal: AbortSignal): Promise<Connector>;
}

const input: WorkerInput = workerData;
const port = parentPort;
if (port === null) throw new Error('this module runs as a worker thread');
const stop = new AbortController();
const shapesById = new Map<number, ShapePair>();
let sites: Promise<LocalRangeReader & { readonly connectors: readonly Connector[] }> | null = null;

port.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'shapes':
      shapesById.set(message.id, message.shapes);
      break;
    case 'read':
      void answer(message);
      break;
    case 'close':
      void close();
      break;
  }
});

async function answer({ id, shapesId, range }: Extract<ToWorker, { kind: 'read' }>): Promise<void> {
  try {
    const shapes = shapesById.get(shapesId);
    if (shapes === undefined)
      throw new TwinproofError('TP-BUG', { message: 'a range came before its shapes' });
    const reader = await openSites();
    send({ kind: 'reading', id, reading: await reader.read(shapes, range, stop.signal) });
  } catch (error) {
    send({ kind: 'error', id, error: sentError(error) });
  }
}

/** Both sites, opened with the first range; a failed opening is tried again with the next. */
function openSites(): NonNullable<typeof sites> {
  sites ??= open().catch((error: unknown) => {
    sites = null;
    throw error;
  });
  return sites;
}

async function open(): Promise<LocalRangeReader & { readonly connectors: readonly Connector[] }> {
  const registry: Registry = await import(input.registry);
  const connect = (address: SentAddress): Promise<Connector> =>
    registry.connectSite(
      { ...address, password: address.password === null ? null : new Secret(address.password) },
      input.options,
      stop.signal,
    );
  const [primary, candidate] = await Promise.allSettled([connect(input.primary), connect(input.candidate)]);
  if (primary.status === 'fulfilled' && candidate.status === 'fulfilled') {
    const connectors = [primary.value, candidate.value] as const;
    return Object.assign(new LocalRangeReader(...connectors), { connectors });
  }
  // One of the two alone is of no use, and this is tried again while the other is away.
  for (const site of [primary, candidate]) if (site.status === 'fulfilled') await site.value.close();
  throw [primary, candidate].find((site) => site.status === 'rejected')?.reason;
}

async function close(): Promise<void> {
  stop.abort(new TwinproofError('TP-INTERRUPTED'));
  const opened = await sites?.catch(() => null);
  await Promise.all((opened?.connectors ?? []).map((connector) => connector.close()));
  port?.close();
}

function send(message: FromWorker): void {
  port?.postMessage(message);
}

function sentError(error: unknown): SentError {
  const known =
    error instanceof TwinproofError
      ? error
      : new TwinproofError('TP-BUG', { message: messageOf(error), cause: error });
  const { code, message, hint, retryable } = known;
  return { code, message, hint, retryable };
}
