import type { Duplex } from 'node:stream';
import type { RowSink } from '../../src/connector/contract.ts';
import { type Conversation, converse, type Send, takeOver } from '../../src/connector/conversation.ts';
import { TwinproofError } from '../../src/errors.ts';
import { readColumn, readColumnCount, readEof, readError, readPrepared } from './answer.ts';
import { ServerError } from './failure.ts';
import type { Session } from './session.ts';
import { closeCommand, type Command, executeCommand, prepareCommand } from './statement.ts';
import type { Transcoder } from './transcoder.ts';
import { transcodePlan, type WireColumn } from './wire-plan.ts';
import type { RawRead } from './wire-row.ts';

type Phase = 'prepare' | 'definitions' | 'result' | 'columns' | 'rows';

/** The statement that a connection holds ready: the ranges of a table are read with one and the same. */
interface Prepared {
  readonly sql: string;
  readonly statement: number;
}

/**
 * Reads rows over a session's connection, in the binary protocol, while the driver has nothing to do there: its own
 * rows are objects. Between reads the connection is the driver's.
 */
export class Wire {
  readonly #stream: Duplex;
  readonly #transcoder: Transcoder;
  #prepared: Prepared | null = null;

  constructor(session: Session, transcoder: Transcoder) {
    this.#stream = session.stream;
    this.#transcoder = transcoder;
  }

  /**
   * Gives the rows of one statement to a sink. Answers with the number of warnings.
   *
   * Throws ServerError for an ERR packet (the connection stays usable), TP-DEFINITION-CHANGED when the columns are not
   * those that the read expects, the socket's error or TP-CONNECTION-LOST when the connection ends, the signal's reason
   * when aborted: the connection is then destroyed, since the rest of the answer is still on its way.
   */
  async read(read: RawRead, sink: RowSink, signal: AbortSignal): Promise<number> {
    signal.throwIfAborted();
    const restore = takeOver(this.#stream);
    const reading = new Reading(this.#transcoder, read, sink, this.#prepared);
    try {
      await converse(this.#stream, reading, signal);
      this.#prepared = reading.prepared;
      return reading.warnings;
    } catch (error) {
      // A statement that failed is prepared anew: the server may have thrown it away.
      this.#prepared = null;
      if (!(error instanceof ServerError)) this.#stream.destroy();
      else if (reading.prepared !== null) {
        this.#stream.write(closeCommand(reading.prepared.statement).bytes);
      }
      throw error;
    } finally {
      restore();
    }
  }
}

/** What is said and answered in one read. */
class Reading implements Conversation {
  readonly #transcoder: Transcoder;
  readonly #read: RawRead;
  readonly #sink: RowSink;
  readonly #give = (bytes: Uint8Array): void => this.#giveRows(bytes);
  readonly #columns: WireColumn[] = [];
  #phase: Phase = 'prepare';
  /** Packets of the present phase that are still to come. */
  #expected = 0;
  #snapshotTold = false;
  prepared: Prepared | null;
  warnings = 0;

  constructor(transcoder: Transcoder, read: RawRead, sink: RowSink, prepared: Prepared | null) {
    this.#transcoder = transcoder;
    this.#read = read;
    this.#sink = sink;
    this.prepared = prepared;
  }

  begin(send: Send): void {
    if (this.prepared?.sql === this.#read.sql) {
      this.#execute(this.prepared.statement, send);
      return;
    }
    const close = this.prepared === null ? [] : [closeCommand(this.prepared.statement).bytes];
    this.prepared = null;
    const prepare = prepareCommand(this.#read.sql);
    this.#expect('prepare', prepare);
    send(Buffer.concat([...close, prepare.bytes]));
  }

  space(): Uint8Array {
    return this.#transcoder.space();
  }

  /** True when the answer has come to its end. */
  received(length: number, send: Send): boolean {
    this.#transcoder.received(length);
    for (;;) {
      if (this.#phase === 'rows' && !this.#transcoder.transcode(this.#give)) return false;
      const packet = this.#transcoder.nextPacket();
      if (packet === null) return false;
      if (this.#onPacket(packet.payload, send)) {
        if (this.#transcoder.hasRest) throw unexpected();
        return true;
      }
    }
  }

  #expect(phase: Phase, command: Command): void {
    this.#phase = phase;
    this.#transcoder.beginAnswer(command.packets);
  }

  #execute(statement: number, send: Send): void {
    const command = executeCommand(statement, this.#read.parameters);
    this.#expect('result', command);
    send(command.bytes);
  }

  #onPacket(payload: Uint8Array, send: Send): boolean {
    if (this.#phase === 'rows') {
      this.#onEnd(payload);
      return true;
    }
    if (this.#phase === 'prepare') this.#onPrepared(payload, send);
    else if (this.#phase === 'definitions') this.#onDefinition(send);
    else if (this.#phase === 'result') this.#onResult(payload);
    else this.#onColumn(payload);
    return false;
  }

  #onPrepared(payload: Uint8Array, send: Send): void {
    const answer = readPrepared(payload);
    if (answer === null) throw readError(payload) ?? unexpected();
    const { statement, columns, parameters } = answer;
    this.prepared = { sql: this.#read.sql, statement };
    if (parameters !== this.#read.parameters.length) {
      throw new TwinproofError('TP-BUG', { message: `a statement takes ${parameters} parameters` });
    }
    // Definitions of parameters and of columns, each list with an EOF behind it; an empty one is not sent.
    this.#expected = (parameters === 0 ? 0 : parameters + 1) + (columns === 0 ? 0 : columns + 1);
    this.#phase = 'definitions';
    if (this.#expected === 0) this.#execute(statement, send);
  }

  /** Those that come with the result count; these are of the time when the statement was prepared. */
  #onDefinition(send: Send): void {
    this.#expected--;
    if (this.#expected === 0 && this.prepared !== null) this.#execute(this.prepared.statement, send);
  }

  #onResult(payload: Uint8Array): void {
    const columns = readColumnCount(payload);
    if (columns === null) throw readError(payload) ?? unexpected();
    this.#expected = columns;
    this.#phase = 'columns';
  }

  #onColumn(payload: Uint8Array): void {
    if (this.#expected > 0) {
      const column = readColumn(payload);
      if (column === null) throw readError(payload) ?? unexpected();
      this.#columns.push(column);
      this.#expected--;
      return;
    }
    if (readEof(payload) === null) throw readError(payload) ?? unexpected();
    this.#transcoder.beginRows(transcodePlan(this.#columns, this.#read.operations));
    this.#phase = 'rows';
  }

  #onEnd(payload: Uint8Array): void {
    const end = readEof(payload);
    if (end === null || end.moreResults) throw readError(payload) ?? unexpected();
    this.warnings = end.warnings;
    this.#tellSnapshot();
  }

  #giveRows(bytes: Uint8Array): void {
    this.#tellSnapshot();
    let at = 0;
    while (at < bytes.length) {
      const space = this.#sink.space();
      const size = Math.min(space.length, bytes.length - at);
      space.set(size === bytes.length ? bytes : bytes.subarray(at, at + size));
      if (this.#sink.take(size) !== null) throw unexpected();
      at += size;
    }
  }

  /**
   * The server sends the definitions of the columns before InnoDB makes the read view of the statement. It has one for
   * certain when a row has been read under it, or the end of the result is there.
   */
  #tellSnapshot(): void {
    if (this.#snapshotTold) return;
    this.#snapshotTold = true;
    this.#read.onSnapshot?.();
  }
}

function unexpected(): TwinproofError {
  return new TwinproofError('TP-CONNECTION-LOST', {
    message: 'protocol: a packet that was not expected',
    retryable: true,
  });
}
