import { int32At } from '../../src/row/stream.ts';
import type { Lsn } from './lsn.ts';
import { MessageCursor, protocolError } from './pgoutput-cursor.ts';

/**
 * Bytes of the streaming replication protocol. Layouts: PostgreSQL manual, "Streaming Replication Protocol"
 * (XLogData, Primary keepalive message, Standby status update) and "Message Formats" (Query, CopyData, Terminate).
 */

/** Tags of backend messages that occur before and within CopyBoth mode. */
export const REPLICATION_TAG = {
  copyBothResponse: 0x57,
  copyData: 0x64,
  copyDone: 0x63,
  commandComplete: 0x43,
  errorResponse: 0x45,
  noticeResponse: 0x4e,
  notification: 0x41,
  parameterStatus: 0x53,
  readyForQuery: 0x5a,
} as const;

/** Microseconds from 1970-01-01 to 2000-01-01. */
const EPOCH_US = 946_684_800_000_000n;
const TERMINATE = Uint8Array.of(0x58, 0, 0, 0, 4);
/** MaxAllocSize: no message of a server is longer. */
const MESSAGE_BYTES_MAX = 0x3fff_ffff;
const HEADER_BYTES = 5;

export type ReplicationMessage =
  /** A message of pgoutput, from `payloadAt` on. */
  | { readonly kind: 'data'; readonly payloadAt: number }
  | {
      readonly kind: 'keepalive';
      /** How far the server has sent. */
      readonly end: Lsn;
      readonly replyWanted: boolean;
    };

/** Tag, start and end of the WAL data, and the server's clock: the message of pgoutput itself says what it needs. */
const XLOG_HEADER_BYTES = 1 + 8 + 8 + 8;
const DATA: ReplicationMessage = { kind: 'data', payloadAt: HEADER_BYTES + XLOG_HEADER_BYTES };

/** What one CopyData message (tag, length, body) carries. Throws TP-STREAM-PROTOCOL. */
export function parseCopyData(copyData: Uint8Array): ReplicationMessage {
  const cursor = new MessageCursor(copyData, HEADER_BYTES);
  const tag = cursor.uint8();
  if (tag === 0x77) {
    cursor.skip(XLOG_HEADER_BYTES - 1);
    return DATA;
  }
  if (tag !== 0x6b) throw protocolError(`no replication message starts with byte ${tag}`);
  const end = cursor.uint64();
  cursor.skip(8);
  const reply = cursor.uint8();
  cursor.end();
  return { kind: 'keepalive', end, replyWanted: reply === 1 };
}

/**
 * A standby status update. The same place is given as written, flushed and applied: the server must not believe that
 * anything is safe here before it is. `nowMs`: this client's clock, milliseconds since 1970.
 */
export function statusUpdate(durable: Lsn, nowMs: number): Uint8Array {
  const message = Buffer.alloc(39);
  message[0] = REPLICATION_TAG.copyData;
  message.writeInt32BE(38, 1);
  message[5] = 0x72;
  for (const offset of [6, 14, 22]) message.writeBigUInt64BE(durable, offset);
  message.writeBigInt64BE(BigInt(Math.trunc(nowMs)) * 1000n - EPOCH_US, 30);
  return message;
}

/** A command as a Query message. */
export function commandMessage(command: string): Uint8Array {
  const text = Buffer.from(command, 'utf8');
  if (text.includes(0)) throw new RangeError('a command cannot contain a zero byte');
  const message = Buffer.alloc(HEADER_BYTES + text.length + 1);
  message[0] = 0x51;
  message.writeInt32BE(4 + text.length + 1, 1);
  text.copy(message, HEADER_BYTES);
  return message;
}

export function terminateMessage(): Uint8Array {
  return TERMINATE;
}

/** Cuts what arrives into messages. Whole ones within a chunk are views of it; one that spans chunks is put together. */
export class MessageSplitter {
  /** The beginning of a message whose length is not known yet. */
  #head: Uint8Array = new Uint8Array(0);
  /** A message that is being put together, and how much of it is there. */
  #partial: Uint8Array | null = null;
  #filled = 0;

  /** Messages (tag, length, body) that are complete with this chunk. Throws TP-STREAM-PROTOCOL for an absurd length. */
  push(arrived: Uint8Array, messages: Uint8Array[]): void {
    let chunk = arrived;
    if (this.#head.length > 0) {
      chunk = Buffer.concat([this.#head, arrived]);
      this.#head = new Uint8Array(0);
    }
    let at = this.#complete(chunk, messages);
    while (chunk.length - at >= HEADER_BYTES) {
      const size = 1 + lengthAt(chunk, at + 1);
      if (chunk.length - at < size) {
        this.#partial = new Uint8Array(size);
        this.#partial.set(chunk.subarray(at));
        this.#filled = chunk.length - at;
        return;
      }
      // A plain view: those of a Buffer take twice as long to make.
      messages.push(new Uint8Array(chunk.buffer, chunk.byteOffset + at, size));
      at += size;
    }
    this.#head = new Uint8Array(chunk.subarray(at));
  }

  /** Goes on with a message begun earlier; the answer is where the next one starts. */
  #complete(chunk: Uint8Array, messages: Uint8Array[]): number {
    if (this.#partial === null) return 0;
    const taken = Math.min(this.#partial.length - this.#filled, chunk.length);
    this.#partial.set(chunk.subarray(0, taken), this.#filled);
    this.#filled += taken;
    if (this.#filled === this.#partial.length) {
      messages.push(this.#partial);
      this.#partial = null;
    }
    return taken;
  }
}

function lengthAt(chunk: Uint8Array, at: number): number {
  const length = int32At(chunk, at);
  if (length < 4 || length > MESSAGE_BYTES_MAX) throw protocolError(`a message of ${length} bytes`);
  return length;
}
