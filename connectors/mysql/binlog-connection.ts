import type { Duplex } from 'node:stream';
import { takeOver } from '../../src/connector/conversation.ts';
import { interruption } from '../../src/connector/interruption.ts';
import { messageOf, TwinproofError } from '../../src/errors.ts';
import { readEof, readError } from './answer.ts';
import { logError } from './binlog-event.ts';
import { PacketCutter } from './binlog-packets.ts';
import { failureOf, ServerError } from './failure.ts';
import type { Session } from './session.ts';

/** Bytes that may wait to be asked for; then the socket is read no more and the server waits. */
const QUEUE_BYTES_MAX = 4 * 1024 * 1024;
/** A server that has nothing to say sends a heartbeat every second or so; silent for so many looks, it is gone. */
const LOOK_MS = 5_000;
const SILENT_LOOKS_MAX = 12;

/**
 * Numbers with which a server ends a stream (MySQL manual, "Server Error Message Reference"; MariaDB knowledge base,
 * "MariaDB Error Codes"): ER_MASTER_FATAL_ERROR_READING_BINLOG (what was asked for was purged, or the log is damaged, or
 * of another history), ER_MASTER_HAS_PURGED_REQUIRED_GTIDS, ER_GTID_POSITION_NOT_FOUND_IN_BINLOG (twice),
 * ER_CANNOT_LOAD_SLAVE_GTID_STATE is another thing.
 */
const GAPS: ReadonlySet<number> = new Set([1236, 1789, 1945, 1955]);
/** ER_SPECIFIC_ACCESS_DENIED_ERROR and ER_ACCESS_DENIED_ERROR: REPLICATION SLAVE is missing. */
const DENIED: ReadonlySet<number> = new Set([1227, 1045]);

/** One event as it was sent: the bytes from `from` up to `to`, in memory that is never written again. */
export interface SentEvent {
  readonly bytes: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** A connection over which the server sends its log, event by event. */
export class LogConnection {
  readonly #session: Session;
  readonly #stream: Duplex;
  readonly #signal: AbortSignal;
  readonly #cutter = new PacketCutter((bytes, from, to) => this.#take(bytes, from, to));
  readonly #restore: () => void;
  #events: SentEvent[] = [];
  #queuedBytes = 0;
  #over: { readonly error: Error } | null = null;
  #wake: (() => void) | null = null;
  #silentLooks = 0;
  readonly #watchdog: NodeJS.Timeout;

  private constructor(session: Session, signal: AbortSignal) {
    this.#session = session;
    this.#stream = session.stream;
    this.#signal = signal;
    this.#restore = takeOver(this.#stream);
    this.#stream.on('data', this.#onData);
    this.#stream.on('error', this.#onError);
    this.#stream.on('close', this.#onClose);
    signal.addEventListener('abort', this.#onAbort, { once: true });
    this.#watchdog = setInterval(this.#look, LOOK_MS).unref();
  }

  /**
   * Asks for the log. The session belongs to this connection from now on. What is wrong with the request the server says
   * in place of the first event.
   */
  static start(session: Session, command: Uint8Array, signal: AbortSignal): LogConnection {
    if (signal.aborted) throw interruption(signal);
    const connection = new LogConnection(session, signal);
    connection.#stream.write(command);
    return connection;
  }

  /** All events that are there, at least one. Throws when the stream has ended, however it did. */
  async read(): Promise<readonly SentEvent[]> {
    while (this.#events.length === 0) {
      if (this.#over !== null) throw this.#over.error;
      await this.#news();
    }
    const events = this.#events;
    this.#events = [];
    this.#queuedBytes = 0;
    if (this.#over === null) this.#stream.resume();
    return events;
  }

  /** Ends the connection at once: the server finds out with the next event or heartbeat. */
  close(): void {
    this.#events = [];
    this.#finish(new TwinproofError('TP-CONNECTION-LOST', { message: 'the stream was closed' }));
  }

  readonly #onData = (chunk: Uint8Array): void => {
    if (this.#over !== null) return;
    this.#silentLooks = 0;
    try {
      // Views of a Buffer take several times as long to make.
      this.#cutter.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    } catch (error) {
      this.#fail(error);
    }
    if (this.#queuedBytes >= QUEUE_BYTES_MAX) this.#stream.pause();
    if (this.#events.length > 0) this.#wakeUp();
  };

  /** "COM_BINLOG_DUMP", response: a byte 0 and an event, or ERR, or EOF. */
  #take(bytes: Uint8Array, from: number, to: number): void {
    if (bytes[from] === 0 && to > from) {
      this.#events.push({ bytes, from: from + 1, to });
      this.#queuedBytes += to - from;
      return;
    }
    const payload = bytes.subarray(from, to);
    const error = readError(payload);
    if (error !== null) throw error;
    if (readEof(payload) === null) throw logError(`an answer that begins with ${payload[0]}`);
    throw new TwinproofError('TP-CONNECTION-LOST', {
      message: `${this.#session.target.label} ended the stream`,
      retryable: true,
    });
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

  /** Counted and not timed: a process that stood still must not take its own silence for the server's. */
  readonly #look = (): void => {
    if (this.#stream.isPaused()) return;
    this.#silentLooks += 1;
    if (this.#silentLooks <= SILENT_LOOKS_MAX) return;
    this.#fail(
      new TwinproofError('TP-CONNECTION-LOST', {
        message: `${this.#session.target.label} sends neither events nor heartbeats`,
        retryable: true,
      }),
    );
  };

  readonly #onAbort = (): void => this.#finish(interruption(this.#signal));
  readonly #onError = (error: unknown): void => this.#fail(error);
  readonly #onClose = (): void => this.#fail(new Error('the server closed it'));

  #fail(error: unknown): void {
    this.#finish(logFailure(error, this.#session.target.label));
  }

  /** The first reason counts. What arrived before it is still handed out. */
  #finish(error: Error): void {
    if (this.#over !== null) return;
    this.#over = { error: error instanceof Error ? error : new Error(messageOf(error)) };
    clearInterval(this.#watchdog);
    this.#signal.removeEventListener('abort', this.#onAbort);
    this.#stream.removeListener('data', this.#onData);
    this.#stream.removeListener('close', this.#onClose);
    this.#stream.destroy();
    this.#restore();
    // Nothing can be said over a stream that is destroyed: it is for the driver to know that it is over.
    void this.#session.close().catch(() => undefined);
    this.#wakeUp();
  }
}

/** What a stream of the log failed by. */
function logFailure(error: unknown, where: string): TwinproofError {
  if (error instanceof ServerError && GAPS.has(error.errno)) {
    return new TwinproofError('TP-GAP', {
      message: `${where} no longer has the log behind the stored position, or has another one: ${messageOf(error)} (error ${error.errno})`,
      hint: 'the ledger cannot be carried on over a gap: take a new baseline; keep the log for longer (binlog_expire_logs_seconds) than the ledger may stand still',
      cause: error,
    });
  }
  if (error instanceof ServerError && DENIED.has(error.errno)) {
    return new TwinproofError('TP-STREAM-SETUP', {
      message: `${where} does not let this account read its log (error ${error.errno})`,
      hint: 'GRANT REPLICATION SLAVE ON *.* to the account of Twinproof',
      cause: error,
    });
  }
  return failureOf(error, 'query', where);
}
