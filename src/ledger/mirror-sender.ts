import type { MirrorLog, MirrorMessage } from '../connector/mirror-log.ts';
import { TwinproofError } from '../errors.ts';
import { encodeMirrorRecord, type Mirrored, type MirrorWriter } from './mirror-record.ts';

/** Of one request: brokers count a batch by the bytes of all of its records (message.max.bytes). */
const BATCH_BYTES_MAX = 960 * 1024;

/** Where the records of an epoch end: in the epoch, and in the log. */
export interface MirrorEnd {
  readonly number: number;
  readonly offset: bigint;
}

/**
 * Appends the records of one epoch, in batches. In a log that one alone writes to, offsets follow one another: so that
 * they do after every batch says that nobody else has written.
 */
export class MirrorSender {
  readonly writer: MirrorWriter;
  readonly #log: MirrorLog;
  #end: MirrorEnd;
  #waiting: MirrorMessage[] = [];
  #bytes = 0;
  #sending = false;

  constructor(log: MirrorLog, writer: MirrorWriter, end: MirrorEnd) {
    this.#log = log;
    this.writer = writer;
    this.#end = end;
  }

  /** Behind the last record that is stored. */
  get end(): MirrorEnd {
    return this.#end;
  }

  /**
   * Takes a record; it is stored when `flush` has resolved. Throws as MirrorLog.append, and TP-LEDGER-MIRROR, also while
   * a batch is still on its way: what was given up goes on.
   */
  async add(kind: Mirrored, body: Uint8Array): Promise<void> {
    if (this.#sending) throw new TwinproofError('TP-LEDGER-MIRROR', { message: 'a batch is on its way' });
    const number = this.#end.number + this.#waiting.length;
    const value = encodeMirrorRecord(this.writer, number, kind, body);
    if (this.#bytes + value.length > BATCH_BYTES_MAX) await this.flush();
    this.#waiting.push({ key: `${this.writer.epoch}/${number}`, value });
    this.#bytes += value.length;
  }

  /** After an error nothing is known of what was sent: look at the log, and begin with another sender. */
  async flush(): Promise<void> {
    const messages = this.#waiting;
    if (messages.length === 0) return;
    this.#waiting = [];
    this.#bytes = 0;
    const offset = this.#end.offset + BigInt(messages.length);
    this.#sending = true;
    const reached = await this.#log.append(messages);
    this.#sending = false;
    if (reached !== offset) {
      throw new TwinproofError('TP-LEDGER-MIRROR', {
        message: 'somebody else writes to the topic of the mirror',
        retryable: true,
      });
    }
    this.#end = { number: this.#end.number + messages.length, offset };
  }
}
