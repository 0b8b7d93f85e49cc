import type { Client } from 'pg';
import type { RowSink } from '../../src/connector/contract.ts';
import { BACKEND, binaryQuery, type BinaryParameter, errorFields } from './messages.ts';
import { type Conversation, converse, type Send, takeOver } from '../../src/connector/conversation.ts';

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
    await converse(stream, new Query(read, sink), signal);
  } catch (error) {
    if (!(error instanceof ServerError)) stream.destroy();
    throw error;
  } finally {
    restore();
  }
}

/** A query in the extended protocol; rows go to the sink. */
class Query implements Conversation {
  readonly #read: RawRead;
  readonly #sink: RowSink;
  #failure: ServerError | null = null;

  constructor(read: RawRead, sink: RowSink) {
    this.#read = read;
    this.#sink = sink;
  }

  begin(send: Send): void {
    send(binaryQuery(this.#read.sql, this.#read.parameters));
  }

  space(): Uint8Array {
    return this.#sink.space();
  }

  received(length: number): boolean {
    for (let message = this.#sink.take(length); message !== null; message = this.#sink.take(0)) {
      if (this.#onMessage(message)) return true;
    }
    return false;
  }

  /** One message that is not a row. True at the end; throws the failure that came before it. */
  #onMessage(message: Uint8Array): boolean {
    switch (message[0]) {
      case BACKEND.bindComplete:
        this.#read.onSnapshot?.();
        return false;
      case BACKEND.errorResponse: {
        const { C: code = 'XX000', M: text = 'the server reported an error' } = errorFields(message);
        this.#failure ??= new ServerError(code, text);
        return false;
      }
      case BACKEND.readyForQuery:
        if (this.#failure !== null) throw this.#failure;
        return true;
      default:
        return false;
    }
  }
}
