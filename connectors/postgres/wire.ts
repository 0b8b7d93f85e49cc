import type { Client } from 'pg';
import type { Duplex } from 'node:stream';
import type { RowSink } from '../../src/connector/contract.ts';
import { messageOf, TwinproofError } from '../../src/errors.ts';
import { BACKEND, binaryQuery, type BinaryParameter, errorFields } from './messages.ts';
import { type ByteTaker, feed, TapSocket } from '../../src/connector/tap-socket.ts';

/** What a raw read tells its caller. */
export interface RawRead {
  readonly sql: string;
  readonly parameters: readonly BinaryParameter[];
  /** Called once when the server has fixed the query's snapshot. */
  readonly onSnapshot?: (() => void) | undefined;
}

/** An ErrorResponse met while reading: `pg`'s own errors have the same two fields, so one mapping serves both. */
export class ServerError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'ServerError';
    this.code = code;
  }
}

type DataListener = (chunk: Buffer) => void;

function isListener(listener: unknown): listener is DataListener {
  return typeof listener === 'function';
}

/**
 * Runs one query over a connection of `pg` and gives its rows, in binary, to a sink, without `pg` parsing them: its
 * result rows pass through UTF-8 decoding, which corrupts binary values. Between queries the connection is `pg`'s.
 *
 * Throws ServerError for an ErrorResponse (the connection stays usable), the socket's error or TP-CONNECTION-LOST
 * when the connection ends, the signal's reason when aborted: the connection is then destroyed, since the rest of the
 * answer is still on its way.
 */
export async function readRaw(
  client: Client,
  read: RawRead,
  sink: RowSink,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const { stream } = client.connection;
  const restore = takeOver(stream);
  try {
    await converse(stream, read, sink, signal);
  } catch (error) {
    if (!(error instanceof ServerError)) stream.destroy();
    throw error;
  } finally {
    restore();
  }
}

/** Silences `pg`'s parser, as pg-copy-streams does; the answer gives the stream back. */
export function takeOver(stream: Duplex): () => void {
  const listeners = stream.listeners('data').filter(isListener);
  for (const listener of listeners) stream.removeListener('data', listener);
  return () => {
    if (stream instanceof TapSocket) stream.taker = null;
    for (const listener of listeners) stream.on('data', listener);
  };
}

function converse(stream: Duplex, read: RawRead, sink: RowSink, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: ServerError | null = null;
    let over = false;
    const finish = (error: unknown): void => {
      if (over) return;
      over = true;
      if (stream instanceof TapSocket) stream.taker = null;
      stream.removeListener('data', onData);
      stream.removeListener('error', finish);
      stream.removeListener('close', onClose);
      signal.removeEventListener('abort', onAbort);
      if (error === null) resolve();
      else reject(error instanceof Error ? error : new Error(messageOf(error)));
    };
    const onClose = (): void => finish(new TwinproofError('TP-CONNECTION-LOST', { retryable: true }));
    const onAbort = (): void => finish(signal.reason);
    const taker: ByteTaker = {
      space: () => sink.space(),
      taken: (length) => {
        if (over) return;
        try {
          for (let message = sink.take(length); message !== null; message = sink.take(0)) {
            failure = onMessage(message, read, failure, finish);
            if (message[0] === BACKEND.readyForQuery) break;
          }
        } catch (error) {
          finish(error);
        }
      },
    };
    const onData = (chunk: Buffer): void => feed(taker, chunk);
    stream.on('error', finish);
    stream.on('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    if (stream instanceof TapSocket) stream.taker = taker;
    else stream.on('data', onData);
    // A connection that died while it was idle has no event left to tell so: only the write does.
    stream.write(binaryQuery(read.sql, read.parameters), (error) => {
      if (error !== null && error !== undefined) finish(error);
    });
  });
}

/** One message that is not a row; the answer is the failure known so far. */
function onMessage(
  message: Uint8Array,
  read: RawRead,
  failure: ServerError | null,
  finish: (error: unknown) => void,
): ServerError | null {
  switch (message[0]) {
    case BACKEND.bindComplete:
      read.onSnapshot?.();
      return failure;
    case BACKEND.errorResponse: {
      const fields = errorFields(message);
      return (
        failure ?? new ServerError(fields['C'] ?? 'XX000', fields['M'] ?? 'the server reported an error')
      );
    }
    case BACKEND.readyForQuery:
      finish(failure);
      return failure;
    default:
      return failure;
  }
}
