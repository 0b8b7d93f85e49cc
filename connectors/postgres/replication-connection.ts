import type { Duplex } from 'node:stream';
import { messageOf, TwinproofError } from '../../src/errors.ts';
import type { Lsn } from './lsn.ts';
import { errorFields } from './messages.ts';
import { protocolError } from './pgoutput-cursor.ts';
import { streamFailure } from './replication-failure.ts';
import {
  commandMessage,
  MessageSplitter,
  REPLICATION_TAG as TAG,
  statusUpdate,
  terminateMessage,
} from './replication-wire.ts';
import { interruption } from '../../src/connector/interruption.ts';
import type { Session } from './session.ts';
import { takeOver } from '../../src/connector/conversation.ts';
import { ServerError } from './wire.ts';

/** Time is injected; `now` is milliseconds since 1970. */
export interface ReplicationTiming {
  readonly now: () => number;
  /**
   * After a burst of reads the socket rests this long, and the operating system gathers what comes: the server sends
   * each message by itself, and waking a sleeping reader for each costs it more than the message (measured). 0: never.
   */
  readonly paceMs: number;
}

/** Bytes that may wait to be asked for; then the socket is read no more and the server waits. */
const QUEUE_BYTES_MAX = 4 * 1024 * 1024;
/** The server drops a client that it has not heard from for wal_sender_timeout, 60 s by default. */
const STATUS_INTERVAL_MS = 10_000;
/**
 * A server that shuts down waits until every stream has confirmed everything. If nobody has asked for changes for this
 * long, the status is kept back: the server then drops this client instead of waiting for ever.
 */
const STALLED_MS = 60_000;
/** Acknowledgements that come faster are sent together. */
const STATUS_GATHER_MS = 50;
const CLOSE_GRACE_MS = 3_000;

/** A connection in CopyBoth mode: messages of the server in, positions that are durable here out. */
export class ReplicationConnection {
  readonly #session: Session;
  readonly #stream: Duplex;
  readonly #timing: ReplicationTiming;
  readonly #signal: AbortSignal;
  readonly #splitter = new MessageSplitter();
  readonly #restore: () => void;
  #durable: Lsn;
  #started = false;
  #messages: Uint8Array[] = [];
  #queuedBytes = 0;
  #over: { readonly error: Error } | null = null;
  #closing = false;
  #wake: (() => void) | null = null;
  #resting = false;
  #rest: NodeJS.Timeout | undefined;
  #statusSoon: NodeJS.Timeout | undefined;
  #statusTimer: NodeJS.Timeout | undefined;
  #askedAtMs: number;

  private constructor(session: Session, durable: Lsn, timing: ReplicationTiming, signal: AbortSignal) {
    this.#session = session;
    this.#stream = session.client.connection.stream;
    this.#durable = durable;
    this.#timing = timing;
    this.#signal = signal;
    this.#askedAtMs = timing.now();
    this.#restore = takeOver(this.#stream);
    this.#stream.on('data', this.#onData);
    this.#stream.on('error', this.#onError);
    this.#stream.on('close', this.#onClose);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  /**
   * Sends START_REPLICATION and waits until the server streams. `durable`: where the caller's store stands. The session
   * belongs to this connection from now on. Throws as streamFailure maps what the server says.
   */
  static async start(
    session: Session,
    command: string,
    durable: Lsn,
    timing: ReplicationTiming,
    signal: AbortSignal,
  ): Promise<ReplicationConnection> {
    if (signal.aborted) throw interruption(signal);
    const connection = new ReplicationConnection(session, durable, timing, signal);
    // One that has gone before anybody listened never says so.
    if (connection.#stream.destroyed) connection.#onClose();
    else connection.#stream.write(commandMessage(command));
    try {
      while (!connection.#started) {
        if (connection.#over !== null) throw connection.#over.error;
        await connection.#news();
      }
    } catch (error) {
      await connection.close();
      throw error;
    }
    connection.#statusTimer = setInterval(connection.#regularStatus, STATUS_INTERVAL_MS).unref();
    return connection;
  }

  /** All CopyData messages (tag, length, body) that are there, at least one. Throws when the stream has ended, however it did. */
  async read(): Promise<readonly Uint8Array[]> {
    this.#askedAtMs = this.#timing.now();
    while (this.#messages.length === 0) {
      if (this.#over !== null) throw this.#over.error;
      await this.#news();
    }
    const messages = this.#messages;
    this.#messages = [];
    this.#queuedBytes = 0;
    this.#resume();
    return messages;
  }

  /** What was acknowledged last. */
  get durable(): Lsn {
    return this.#durable;
  }

  /** Everything up to here is durable: told to the server soon. Positions before an earlier one are ignored. */
  acknowledge(durable: Lsn): void {
    if (durable <= this.#durable) return;
    this.#durable = durable;
    this.#statusSoon ??= setTimeout(this.sendStatus, STATUS_GATHER_MS);
  }

  readonly sendStatus = (): void => {
    clearTimeout(this.#statusSoon);
    this.#statusSoon = undefined;
    if (this.#over === null && this.#started) {
      this.#stream.write(statusUpdate(this.#durable, this.#timing.now()));
    }
  };

  /** Ends the connection at once: a server that shuts down must not wait for a stream that nobody reads any more. */
  abandon(error: unknown): void {
    this.#fail(error);
  }

  /** Sends the last position and ends the connection, whatever is still on its way. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.sendStatus();
    this.#closing = true;
    this.#release();
    this.#messages = [];
    if (!this.#stream.destroyed && this.#over === null) await this.#farewell();
    this.#finish(new TwinproofError('TP-CONNECTION-LOST', { message: 'the stream was closed' }));
    this.#stream.destroy();
    this.#restore();
    await this.#session.close();
  }

  /**
   * What the server still sends is read and dropped: a socket that is closed with unread data resets the connection,
   * and the server might lose the last position.
   */
  #farewell(): Promise<void> {
    return new Promise((resolve) => {
      const grace = setTimeout(resolve, CLOSE_GRACE_MS);
      this.#stream.once('close', () => {
        clearTimeout(grace);
        resolve();
      });
      this.#stream.write(terminateMessage());
      this.#stream.end();
      this.#stream.resume();
    });
  }

  #release(): void {
    clearTimeout(this.#rest);
    clearTimeout(this.#statusSoon);
    clearInterval(this.#statusTimer);
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  readonly #regularStatus = (): void => {
    if (this.#timing.now() - this.#askedAtMs < STALLED_MS) this.sendStatus();
  };

  readonly #onData = (chunk: Uint8Array): void => {
    if (this.#closing || this.#over !== null) return;
    const arrived: Uint8Array[] = [];
    try {
      this.#splitter.push(chunk, arrived);
      for (const message of arrived) this.#take(message);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#queuedBytes >= QUEUE_BYTES_MAX) this.#stream.pause();
    else this.#pace();
    if (arrived.length > 0) this.#wakeUp();
  };

  #take(message: Uint8Array): void {
    switch (message[0]) {
      case TAG.copyData:
        this.#messages.push(message);
        this.#queuedBytes += message.length;
        break;
      case TAG.copyBothResponse:
        this.#started = true;
        break;
      case TAG.errorResponse: {
        const fields = errorFields(message);
        throw new ServerError(fields['C'] ?? 'XX000', fields['M'] ?? 'the server reported an error');
      }
      case TAG.copyDone:
      case TAG.commandComplete:
        throw new TwinproofError('TP-CONNECTION-LOST', {
          message: `${this.#session.target.label} ended the stream`,
          retryable: true,
        });
      case TAG.noticeResponse:
      case TAG.notification:
      case TAG.parameterStatus:
      case TAG.readyForQuery:
        break;
      default:
        throw protocolError(`message ${message[0]} does not belong here`);
    }
  }

  /** Lets the burst of reads go on that the operating system has ready, then rests. */
  #pace(): void {
    if (this.#resting || this.#timing.paceMs === 0) return;
    this.#resting = true;
    setImmediate(() => {
      if (this.#over !== null || this.#closing) return;
      this.#stream.pause();
      this.#rest = setTimeout(() => {
        this.#resting = false;
        this.#resume();
      }, this.#timing.paceMs);
    });
  }

  #resume(): void {
    if (!this.#resting && this.#queuedBytes < QUEUE_BYTES_MAX && this.#over === null) this.#stream.resume();
  }

  #news(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = null;
  }

  readonly #onAbort = (): void => this.#fail(interruption(this.#signal));
  readonly #onError = (error: unknown): void => this.#fail(error);
  readonly #onClose = (): void => this.#fail(new Error('the server closed it'));

  #fail(error: unknown): void {
    this.#finish(streamFailure(error, this.#session.target.label));
    this.#stream.destroy();
  }

  /** The first reason counts. What arrived before it is still handed out. */
  #finish(error: Error): void {
    this.#over ??= { error: error instanceof Error ? error : new Error(messageOf(error)) };
    this.#release();
    this.#wakeUp();
  }
}
