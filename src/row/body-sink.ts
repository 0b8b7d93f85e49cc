import { TwinproofError } from '../errors.ts';
import { WholeRowSink } from './row-sink.ts';

const FIRST_BYTES = 65_536;

/**
 * Collects row bodies whole, up to a limit: for point reads and plans, whose answers are small by design. `take` throws
 * TP-RANGE-TOO-LARGE beyond the limit.
 */
export class BodySink extends WholeRowSink {
  readonly bodies: Uint8Array[] = [];
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    super(FIRST_BYTES);
    this.#bytesMax = bytesMax;
  }

  protected override row(body: Uint8Array, shared: boolean): void {
    this.bodies.push(shared ? Uint8Array.prototype.slice.call(body) : body);
  }

  protected override arriving(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > this.#bytesMax) throw new TwinproofError('TP-RANGE-TOO-LARGE');
  }
}
