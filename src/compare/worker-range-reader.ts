import { Worker } from 'node:worker_threads';
import type { Range } from '../connector/contract.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import type { RangeReader, RangeReading } from './range-reader.ts';
import type { FromWorker, ToWorker, WorkerInput } from './range-worker-messages.ts';
import type { ShapePair } from './site-pair.ts';

interface Waiting {
  readonly resolve: (reading: RangeReading) => void;
  readonly reject: (error: unknown) => void;
}

/** One thread, and what it owes. */
interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, Waiting>;
  readonly knows: Set<number>;
  /** A message to a thread that has ended would never be answered. */
  alive: boolean;
  /** Settles when the thread has ended. */
  readonly ended: Promise<void>;
}

const CLOSE_WAIT_MS = 2000;

/** Reads ranges in worker threads, each with connections of its own; the least busy one gets the next range. */
export class WorkerRangeReader implements RangeReader {
  readonly #threads: Thread[];
  readonly #shapeIds = new WeakMap<ShapePair, number>();
  #nextId = 1;

  constructor(threads: number, input: WorkerInput) {
    this.#threads = Array.from({ length: threads }, () => startThread(input));
  }

  read(shapes: ShapePair, range: Range, signal: AbortSignal): Promise<RangeReading> {
    signal.throwIfAborted();
    const thread = this.#leastBusy();
    const shapesId = this.#shapesId(thread, shapes);
    const id = this.#nextId++;
    return new Promise<RangeReading>((resolve, reject) => {
      const onAbort = (): void => settle(() => reject(signal.reason));
      const settle = (how: () => void): void => {
        thread.waiting.delete(id);
        signal.removeEventListener('abort', onAbort);
        how();
      };
      thread.waiting.set(id, {
        resolve: (reading) => settle(() => resolve(reading)),
        reject: (error) => settle(() => reject(error)),
      });
      signal.addEventListener('abort', onAbort, { once: true });
      post(thread, { kind: 'read', id, shapesId, range });
    });
  }

  /** Ends the threads; one that does not end by itself is stopped. */
  async close(): Promise<void> {
    for (const thread of this.#threads) post(thread, { kind: 'close' });
    await Promise.all(
      this.#threads.map(async ({ worker, ended }) => {
        const timer = setTimeout(() => void worker.terminate(), CLOSE_WAIT_MS);
        await ended;
        clearTimeout(timer);
      }),
    );
  }

  #leastBusy(): Thread {
    const thread = this.#threads.reduce<Thread | null>(
      (best, next) => (next.alive && (best === null || next.waiting.size < best.waiting.size) ? next : best),
      null,
    );
    if (thread === null) throw new TwinproofError('TP-BUG', { message: 'no worker thread is left' });
    return thread;
  }

  #shapesId(thread: Thread, shapes: ShapePair): number {
    const id = this.#shapeIds.get(shapes) ?? this.#nextId++;
    this.#shapeIds.set(shapes, id);
    if (!thread.knows.has(id)) {
      thread.knows.add(id);
      post(thread, { kind: 'shapes', id, shapes });
    }
    return id;
  }
}

function post(thread: Thread, message: ToWorker): void {
  thread.worker.postMessage(message);
}

function startThread(input: WorkerInput): Thread {
  const worker = new Worker(new URL('./range-worker.js', import.meta.url), { workerData: input });
  const waiting = new Map<number, Waiting>();
  const failAll = (error: TwinproofError): void => {
    for (const { reject } of waiting.values()) reject(error);
  };
  worker.on('message', (message: FromWorker) => {
    const entry = waiting.get(message.id);
    if (message.kind === 'reading') entry?.resolve(message.reading);
    else entry?.reject(new TwinproofError(message.error.code, message.error));
  });
  worker.on('error', (error) =>
    failAll(new TwinproofError('TP-BUG', { message: messageOf(error), cause: error })),
  );
  const thread: Omit<Thread, 'ended'> = { worker, waiting, knows: new Set(), alive: true };
  const ended = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      thread.alive = false;
      failAll(new TwinproofError('TP-BUG', { message: 'a worker thread ended unexpectedly' }));
      resolve();
    });
  });
  return Object.assign(thread, { ended });
}
