import type { RowSink } from '../../src/connector/contract.ts';
import { TwinproofError } from '../../src/errors.ts';
import { frameMessage } from '../../src/row/stream.ts';
import type { Random } from './random.ts';

/** Tags of messages that stand between rows: description, notice, parameter, completion. */
const FOREIGN_TAGS = [0x54, 0x4e, 0x53, 0x43] as const;
const FOREIGN_BYTES_MAX = 40;
const CHUNK_BYTES_MAX = 65_536;

/**
 * Gives rows to a sink as a socket would: the stream is cut anywhere, and messages of the connector's own stand between
 * the rows. The sink has to hand those back whole and in order; anything else is a fault of the sink and throws TP-BUG.
 */
export class Delivery {
  readonly #sink: RowSink;
  readonly #random: Random;
  readonly #expected: Uint8Array[] = [];

  constructor(sink: RowSink, random: Random) {
    this.#sink = sink;
    this.#random = random;
  }

  /** Delivers rows with foreign messages among them. */
  rows(bodies: readonly Uint8Array[]): void {
    this.#push(this.#encode(bodies));
  }

  /** Delivers a part of the rows' bytes, as when the connection breaks on the way. */
  cutRows(bodies: readonly Uint8Array[]): void {
    const bytes = this.#encode(bodies);
    this.#push(bytes.subarray(0, this.#random.below(bytes.length)));
  }

  /** Delivers a last message; checks that the sink has handed back every message that was not a row. */
  end(): void {
    this.#push(this.#foreign());
    if (this.#expected.length > 0) throw sinkFault('kept a message that is not a row');
  }

  #encode(bodies: readonly Uint8Array[]): Uint8Array {
    const messages: Uint8Array[] = [];
    for (const body of bodies) {
      while (this.#random.chance(0.1)) messages.push(this.#foreign());
      messages.push(frameMessage(body));
    }
    return Buffer.concat(messages);
  }

  #foreign(): Uint8Array {
    const body = Uint8Array.from({ length: this.#random.below(FOREIGN_BYTES_MAX) }, () =>
      this.#random.below(256),
    );
    const message = frameMessage(body);
    message[0] = FOREIGN_TAGS[this.#random.below(FOREIGN_TAGS.length)] ?? FOREIGN_TAGS[0];
    this.#expected.push(message);
    return message;
  }

  #push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const space = this.#sink.space();
      if (space.length === 0) throw sinkFault('gave no space');
      const chunk = bytes.subarray(at, at + Math.min(space.length, this.#chunkBytes()));
      space.set(chunk);
      at += chunk.length;
      let message = this.#sink.take(chunk.length);
      while (message !== null) {
        const expected = this.#expected.shift();
        if (expected === undefined || Buffer.compare(expected, message) !== 0) {
          throw sinkFault('handed back something else than the message that is not a row');
        }
        message = this.#sink.take(0);
      }
    }
  }

  #chunkBytes(): number {
    if (this.#random.chance(0.6)) return CHUNK_BYTES_MAX;
    return 1 + this.#random.below(this.#random.chance(0.5) ? 9 : 400);
  }
}

function sinkFault(what: string): TwinproofError {
  return new TwinproofError('TP-BUG', { message: `the row sink ${what}` });
}
