import { crc32 } from 'node:zlib';
import { z } from 'zod';
import type { Position } from '../../src/connector/position.ts';
import { LogCursor } from './binlog-cursor.ts';
import { HEADER_BYTES, type LogEvent } from './binlog-event.ts';
import { isPosition } from './gtid.ts';

/** A transaction of the log, and where it stands there. */
export interface PlacedTransaction {
  readonly file: string;
  /** LogFile.begun. */
  readonly begun: number | null;
  /** Where its first event begins. */
  readonly at: number;
  /** That event, without its checksum: from `from` up to `to` of `sent`. */
  readonly sent: Uint8Array;
  readonly from: number;
  readonly to: number;
}

/** The file of the log that is being read. */
export class LogFile {
  name = '';
  /** The time in its first event, seconds since 1970; null: that has not come yet. */
  begun: number | null = null;
  /** Bytes of it that were there when they were sent. */
  reached = 0;
  /** Where its last transaction begins: places behind 4 GiB begin again at 0. */
  #last = 0;

  /** ROTATE_EVENT: place (8 bytes), name of the next file. A file ends with one, and the sender says so once more. */
  rotate({ bytes }: LogEvent): void {
    const cursor = new LogCursor(bytes, HEADER_BYTES + 8);
    const name = cursor.text(bytes.length - cursor.at);
    if (name === this.name) return;
    this.name = name;
    this.begun = null;
    this.reached = 0;
    this.#last = 0;
  }

  reach({ next }: LogEvent): void {
    if (next > this.reached) this.reached = next;
  }

  /** Of a transaction that begins with this event; null: where that stands is not known. */
  place(event: LogEvent): PlacedTransaction | null {
    const at = event.next - event.length;
    if (at < this.#last) this.#last = Infinity;
    if (at < this.#last) return null;
    this.#last = at;
    const { sent, from, to } = event;
    return { file: this.name, begun: this.begun, at, sent, from, to };
  }
}

const schema = z.object({
  file: z.string(),
  begun: z.int(),
  reached: z.int(),
  /** The last transaction that was handed out, by its first event; null: none was yet, or its place is not known. */
  last: z.object({ at: z.int(), crc: z.int() }).nullable(),
  /** Behind it. */
  position: z.string().refine(isPosition),
});

/**
 * What tells whether a log is still the one that was read, where GTIDs do not: a server that was set back gives numbers
 * a second time. The file is known by when it was begun, the transaction by its place and the checksum of the event
 * that holds its GTID, its time and the place of the next.
 */
export type LogMark = z.infer<typeof schema>;

/** Null: nothing can be said yet. */
export function markOf(file: LogFile, placed: PlacedTransaction | null, position: Position): LogMark | null {
  if (placed !== null) {
    const { file: name, begun, at, sent, from, to } = placed;
    if (begun === null) return null;
    const last = { at, crc: crc32(sent.subarray(from, to)) };
    return { file: name, begun, reached: at + to - from, last, position };
  }
  const { name, begun, reached } = file;
  return begun === null ? null : { file: name, begun, reached, last: null, position };
}

/** Null: nobody here has written it. */
export function parseMark(text: string): LogMark | null {
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}
