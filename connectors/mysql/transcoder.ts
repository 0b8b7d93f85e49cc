import { TwinproofError } from '../../src/errors.ts';
import { MESSAGE_HEADER_BYTES, ROW_PIECE_TAG } from '../../src/row/stream.ts';
import {
  instantiateTranscoder,
  TRANSCODE_BASE_BYTES,
  TRANSCODE_STATUS,
  type TranscodeInstance,
} from './transcode-module.ts';

/** Bytes from the socket in flight; a row longer than this passes through in pieces. */
const INPUT_BYTES = 262_144;
/** The most columns that a table or a result may have (MySQL manual, "Limits on Table Column Count"). */
const COLUMNS_MAX = 4_096;
/** Room for any row of the input area (a column grows by at most 24 bytes). */
const OUTPUT_BYTES = INPUT_BYTES + COLUMNS_MAX * 24 + 65_536;
/** A piece of a long row. */
const PIECE_BYTES = 131_072;
const BITMAP_BYTES = 1_024;
const SLACK_BYTES = 64;

const PACKET_HEADER_BYTES = 4;
/** A payload of this length goes on in the next packet. */
const CONTINUED = 0xff_ff_ff;

/** A row that is longer than the input area, on its way through. */
interface LongRow {
  /** Payload bytes of the packet at hand that are still to come. */
  remaining: number;
  /** The packet at hand is the last one of this row. */
  last: boolean;
  /** How far the input holds payload from which the headers of packets were taken out. */
  clean: number;
}

/** A packet that is not a row. `payload` is valid until the next call. */
export interface Packet {
  readonly payload: Uint8Array;
}

/**
 * Packets of one connection, from the socket into the row stream. Owns WebAssembly memory: one for each connection,
 * kept as long as that is.
 */
export class Transcoder {
  readonly #instance: TranscodeInstance;
  readonly #plan = TRANSCODE_BASE_BYTES;
  readonly #bitmap = this.#plan + COLUMNS_MAX + SLACK_BYTES;
  readonly #input = this.#bitmap + BITMAP_BYTES;
  readonly #output = this.#input + INPUT_BYTES + SLACK_BYTES;
  #columns = 0;
  #start = 0;
  #filled = 0;
  #long: LongRow | null = null;

  constructor() {
    this.#instance = instantiateTranscoder(this.#output + OUTPUT_BYTES + SLACK_BYTES);
  }

  /** For the answer to a command that was sent as `packets` packets. */
  beginAnswer(packets: number): void {
    this.#start = 0;
    this.#filled = 0;
    this.#long = null;
    this.#instance.exports.setSequence(packets);
  }

  /** Rows follow, of which each column becomes what its byte of `plan` says (wire-plan.ts). */
  beginRows(plan: Uint8Array): void {
    if (plan.length > COLUMNS_MAX) {
      throw new TwinproofError('TP-QUERY', { message: `a result of ${plan.length} columns` });
    }
    const { exports, memory } = this.#instance;
    memory.set(plan, this.#plan);
    this.#columns = plan.length;
    exports.configure(this.#plan, plan.length, INPUT_BYTES, this.#output, this.#output + OUTPUT_BYTES);
  }

  /** Where the next bytes from the socket go; never empty. */
  space(): Uint8Array {
    return this.#instance.memory.subarray(this.#input + this.#filled, this.#input + INPUT_BYTES);
  }

  received(length: number): void {
    this.#filled += length;
  }

  /** True when bytes are left that nothing has asked for. */
  get hasRest(): boolean {
    return this.#filled > this.#start;
  }

  /** The next packet, when it is there whole. Throws TP-CONNECTION-LOST when packets are out of order. */
  nextPacket(): Packet | null {
    const header = this.#headerAt(this.#start);
    if (header === null) return null;
    const { exports, memory } = this.#instance;
    if (header.sequence !== exports.getSequence()) throw broken('packets are out of order');
    const end = this.#start + PACKET_HEADER_BYTES + header.length;
    if (header.length + PACKET_HEADER_BYTES > INPUT_BYTES) throw broken('a packet is longer than allowed');
    if (end > this.#filled) {
      this.#moveTail();
      return null;
    }
    exports.setSequence(header.sequence + 1);
    const payload = memory.subarray(this.#input + this.#start + PACKET_HEADER_BYTES, this.#input + end);
    this.#start = end;
    return { payload };
  }

  /**
   * Gives all rows that are there to `give`, as bytes of the row stream that are valid during the call. True when a
   * packet that is not a row comes next; false when more bytes are needed.
   */
  transcode(give: (bytes: Uint8Array) => void): boolean {
    const { exports } = this.#instance;
    for (;;) {
      if (this.#long !== null && !this.#continueLong(this.#long, give)) return false;
      this.#start = exports.transcode(this.#input + this.#start, this.#input + this.#filled) - this.#input;
      this.#flush(give);
      switch (exports.getStatus()) {
        case TRANSCODE_STATUS.outputFull:
          break;
        case TRANSCODE_STATUS.otherPacket:
          return true;
        case TRANSCODE_STATUS.longRow:
          if (!this.#beginLong()) return false;
          break;
        case TRANSCODE_STATUS.needMore:
          this.#moveTail();
          return false;
        default:
          throw broken('a row does not have the layout that its columns say');
      }
    }
  }

  #flush(give: (bytes: Uint8Array) => void): void {
    const { exports, memory } = this.#instance;
    const length = exports.getOutput();
    if (length === 0) return;
    give(memory.subarray(this.#output, this.#output + length));
    exports.clearOutput();
  }

  #headerAt(at: number): { readonly length: number; readonly sequence: number } | null {
    if (this.#filled - at < PACKET_HEADER_BYTES) {
      this.#moveTail();
      return null;
    }
    const { memory } = this.#instance;
    const head = new DataView(memory.buffer, this.#input + at).getUint32(0, true);
    return { length: head & CONTINUED, sequence: head >>> 24 };
  }

  #moveTail(): void {
    if (this.#start === 0) return;
    const { memory } = this.#instance;
    memory.copyWithin(this.#input, this.#input + this.#start, this.#input + this.#filled);
    this.#filled -= this.#start;
    this.#start = 0;
  }

  /** Takes the first packet's header, the row's marker and its NULL bitmap. False: they are not there yet. */
  #beginLong(): boolean {
    this.#moveTail();
    const bitmapBytes = (this.#columns + 9) >> 3;
    const lead = PACKET_HEADER_BYTES + 1 + bitmapBytes;
    const header = this.#headerAt(0);
    if (header === null || this.#filled < lead) return false;
    const { exports, memory } = this.#instance;
    memory.copyWithin(this.#bitmap, this.#input + PACKET_HEADER_BYTES + 1, this.#input + lead);
    // The row's pieces are smaller than the area, which is longer than the kernel's.
    exports.configure(
      this.#plan,
      this.#columns,
      INPUT_BYTES,
      this.#output + MESSAGE_HEADER_BYTES,
      this.#output + MESSAGE_HEADER_BYTES + PIECE_BYTES,
    );
    exports.setSequence(header.sequence + 1);
    exports.beginLong(this.#bitmap);
    this.#start = lead;
    this.#long = {
      remaining: header.length - 1 - bitmapBytes,
      last: header.length < CONTINUED,
      clean: lead,
    };
    return true;
  }

  /** True when the row is complete and the rest of the input can be walked. */
  #continueLong(long: LongRow, give: (bytes: Uint8Array) => void): boolean {
    const { exports } = this.#instance;
    for (;;) {
      this.#clean(long);
      this.#start = exports.continueLong(this.#input + this.#start, this.#input + long.clean) - this.#input;
      const status = exports.getStatus();
      const isWhole = long.last && long.remaining === 0;
      if (status === TRANSCODE_STATUS.malformed)
        throw broken('a row does not have the layout of its columns');
      if (status === TRANSCODE_STATUS.outputFull) {
        this.#piece(give);
        continue;
      }
      if (isWhole) {
        if (status !== TRANSCODE_STATUS.rowEnd || this.#start !== long.clean) {
          throw broken('a row does not have the layout of its columns');
        }
        this.#endLong(give);
        return true;
      }
      if (status === TRANSCODE_STATUS.rowEnd && (this.#start !== long.clean || long.remaining > 0)) {
        throw broken('a row does not have the layout of its columns');
      }
      const moved = this.#start;
      this.#moveTail();
      long.clean -= moved;
      return false;
    }
  }

  /** Takes the headers of packets out of the payload that has arrived. */
  #clean(long: LongRow): void {
    const { exports, memory } = this.#instance;
    while (long.clean < this.#filled) {
      if (long.remaining > 0) {
        const size = Math.min(long.remaining, this.#filled - long.clean);
        long.clean += size;
        long.remaining -= size;
        continue;
      }
      if (long.last || this.#filled - long.clean < PACKET_HEADER_BYTES) return;
      const at = this.#input + long.clean;
      const head = new DataView(memory.buffer, at).getUint32(0, true);
      if (head >>> 24 !== exports.getSequence()) throw broken('packets are out of order');
      exports.setSequence((head >>> 24) + 1);
      long.remaining = head & CONTINUED;
      long.last = long.remaining < CONTINUED;
      memory.copyWithin(at, at + PACKET_HEADER_BYTES, this.#input + this.#filled);
      this.#filled -= PACKET_HEADER_BYTES;
    }
  }

  #endLong(give: (bytes: Uint8Array) => void): void {
    if (this.#instance.exports.getOutput() > 0) this.#piece(give);
    this.#piece(give);
    this.#long = null;
    this.#instance.exports.configure(
      this.#plan,
      this.#columns,
      INPUT_BYTES,
      this.#output,
      this.#output + OUTPUT_BYTES,
    );
  }

  /** The output as a message; an empty one ends the row. */
  #piece(give: (bytes: Uint8Array) => void): void {
    const { exports, memory } = this.#instance;
    const length = exports.getOutput();
    memory[this.#output] = ROW_PIECE_TAG;
    new DataView(memory.buffer, this.#output).setUint32(1, 4 + length);
    give(memory.subarray(this.#output, this.#output + MESSAGE_HEADER_BYTES + length));
    exports.clearOutput();
  }
}

function broken(message: string): TwinproofError {
  return new TwinproofError('TP-CONNECTION-LOST', { message: `protocol: ${message}`, retryable: true });
}
