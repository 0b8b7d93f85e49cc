import { int32At } from '../../src/row/stream.ts';
import { TwinproofError } from '../../src/errors.ts';

/** Microseconds from 1970-01-01 to 2000-01-01, where PostgreSQL's timestamps begin. */
const EPOCH_US = 946_684_800_000_000n;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** To read 64 bits at once: put together of halves, one number would take three. */
const wordBytes = new Uint8Array(8);
const word = new DataView(wordBytes.buffer);

/** The stream does not say what the manual says it does. Nothing after it can be trusted. */
export function protocolError(message: string, cause?: unknown): TwinproofError {
  return new TwinproofError('TP-STREAM-PROTOCOL', {
    message: `the change stream makes no sense: ${message}`,
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * Reads one message from its front; integers are big endian. Every read throws TP-STREAM-PROTOCOL where the message
 * ends before it.
 */
export class MessageCursor {
  readonly bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  /** The place of the next `length` bytes, which are passed over. */
  skip(length: number): number {
    const start = this.at;
    if (length < 0 || length > this.bytes.length - start) {
      throw protocolError(
        `a message of ${this.bytes.length} bytes ends ${length} bytes too early at ${start}`,
      );
    }
    this.at = start + length;
    return start;
  }

  uint8(): number {
    return this.bytes[this.skip(1)] ?? 0;
  }

  uint16(): number {
    const at = this.skip(2);
    return ((this.bytes[at] ?? 0) << 8) | (this.bytes[at + 1] ?? 0);
  }

  int32(): number {
    return int32At(this.bytes, this.skip(4));
  }

  uint32(): number {
    return this.int32() >>> 0;
  }

  uint64(): bigint {
    const at = this.skip(8);
    for (let byte = 0; byte < 8; byte += 1) wordBytes[byte] = this.bytes[at + byte] ?? 0;
    return word.getBigUint64(0);
  }

  /** A TimestampTz, as microseconds since 1970. */
  timestamp(): bigint {
    return BigInt.asIntN(64, this.uint64()) + EPOCH_US;
  }

  /** Text up to a zero byte. The connection's encoding is UTF-8 (settings.ts); names in other bytes are an error. */
  text(): string {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0) throw protocolError('a name has no end');
    const start = this.skip(end + 1 - this.at);
    try {
      return UTF8.decode(this.bytes.subarray(start, end));
    } catch (error) {
      throw protocolError('a name is not UTF-8', error);
    }
  }

  /** Throws unless everything was read. */
  end(): void {
    const rest = this.bytes.length - this.at;
    if (rest !== 0) throw protocolError(`${rest} bytes stand behind the end of a message`);
  }
}
