import type { Duplex } from 'node:stream';
import { takeOver } from '../../src/connector/conversation.ts';
import { interruption } from '../../src/connector/interruption.ts';
import { messageOf, TwinproofError } from '../../src/errors.ts';
import { readEof, readError } from './answer.ts';
import { logError } from './binlog-event.ts';
import { PacketCutter } from './binlog-packets.ts';
import { failureOf, serverErrno, ServerError } from './failure.ts';
import type { Session } from './session.ts';

/** Bytes that may wait to be asked for; then the socket is read no more and the server waits. */
const QUEUE_BYTES_MAX = 4 * 1024 * 1024;
/** A server that has nothing to say sends a heartbeat every second or so; silent for so many looks, it is gone. */
const LOOK_MS = 5_000;
const SILENT_LOOKS_MAX = 12;

/**
 * Numbers with which a server ends a stream (MySQL manual, "Server Error Message Reference"; MariaDB knowledge base,
 * "MariaDB Error Codes"): ER_MASTER_FATAL_ERROR_READING_BINLOG (what was asked for was purged, or the log is damaged,
 * or of another history), ER_MASTER_HAS_PURGED_REQUIRED_GTIDS, ER_GTID_POSITION_NOT_FOUND_IN_BINLOG (twice),
 * ER_CANNOT_LOAD_SLAVE_GTID_STATE is another thing.
 */
const GAPS: ReadonlySet<number> = new Set([1236, 1789, 1945, 1955]);
/** ER_SPECIFIC_ACCESS_DENIED_ERROR and ER_ACCESS_DENIED_ERROR: REPLICATION SLAVE is missing. */
const DENIED: ReadonlySet<number> = new Set([1227, 1045]);

/** Whether a stream of the log ended because its account has no right to it. */
export function isDenied(error: unknown): error is TwinproofError {
  const errno = error instanceof TwinproofError ? serverErrno(error) : null;
  return errno !== null && DENIED.has(errno);
}

/** A connection over which the server sends its log, event by event. */
export class LogConnection {
  readonly #session: Session;
  readonly #stream: Duplex;
  readonly #signal: AbortSignal;
  readonly #cutter = new PacketCutter();
  readonly #restore: () => void;
  /** What came and is not cut yet. */
  #chunks: Uint8Array[] = [];
  #queuedBytes = 0;
  #over: { readonly error: Error } | null = null;
  #wake: (() => void) | null = null;
  #silentLooks = 0;
  /** The event that stands in `bytes` is still to be taken. */
  #isPeeked = false;
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
   * Asks for the log. The session belongs to this connection from now on. What is wrong with the request the server
   * says in place of the first event: see `begun`.
   */
  static start(session: Session, command: Uint8Array, signal: AbortSignal): LogConnection {
    if (signal.aborted) throw interruption(signal);
    const connection = new LogConnection(session, signal);
    connection.#stream.write(command);
    return connection;
  }

  /** Waits for the first event, which `next` then gives. Throws what the server says in its place. */
  async begun(): Promise<void> {
    while (!this.next()) await this.more();
    this.#isPeeked = true;
  }

  /**
   * Goes on to the next event, which then stands in `bytes` from `from` up to `to`, in memory that is never written
   * again. False: it has not come yet. Throws what the server ends the stream with.
   */
  next(): boolean {
    if (this.#isPeeked) {
      this.#isPeeked = false;
      return true;
    }
    try {
      while (!this.#cutter.next()) if (!this.#feed()) return false;
      return this.#isEvent();
    } catch (error) {
      const failure = logFailure(error, this.#session.target.label);
      this.#finish(failure);
      throw failure;
    }
  }

  get bytes(): Uint8Array {
    return this.#cutter.bytes;
  }

  /** Behind the byte 0 that stands in front of every event. */
  get from(): number {
    return this.#cutter.from + 1;
  }

  get to(): number {
    return this.#cutter.to;
  }

  /**
   * Waits until more has come. To be called when `next` has said no. Throws when the stream has ended, however it did.
   */
  async more(): Promise<void> {
    while (this.#chunks.length === 0) {
      if (this.#over !== null) throw this.#over.error;
      await this.#news();
    }
  }

  #feed(): boolean {
    const chunk = this.#chunks.shift();
    if (chunk === undefined) return false;
    this.#cutter.feed(chunk);
    this.#queuedBytes -= chunk.length;
    if (this.#chunks.length === 0 && this.#over === null && this.#stream.isPaused()) this.#stream.resume();
    return true;
  }

  /** Ends the connection at once: the server finds out with the next event or heartbeat. */
  close(): void {
    this.#chunks = [];
    this.#finish(new TwinproofError('TP-CONNECTION-LOST', { message: 'the stream was closed' }));
  }

  readonly #onData = (chunk: Uint8Array): void => {
    if (this.#over !== null) return;
    this.#silentLooks = 0;
    // Views of a Buffer take several times as long to make.
    this.#chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    this.#queuedBytes += chunk.byteLength;
    if (this.#queuedBytes >= QUEUE_BYTES_MAX) this.#stream.pause();
    this.#wakeUp();
  };

  /** "COM_BINLOG_DUMP", response: a byte 0 and an event, or ERR, or EOF. */
  #isEvent(): true {
    const { bytes, from, to } = this.#cutter;
    if (bytes[from] === 0 && to > from) return true;
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
