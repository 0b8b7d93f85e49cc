import { z } from 'zod';
import type { Position, PositionOrder } from '../connector/position.ts';
import type { Core } from './core.ts';
import { positionSchema } from './stored.ts';

/** Samples that wait for the stream; more are thinned out, so a stream that stands still costs no memory. */
const WAITING_MAX = 64;
const NAME = 'witness';

/** What a side query on the primary answered: the log's head, then the server's time, in microseconds. */
export interface WitnessSample {
  readonly position: Position;
  readonly timeUs: bigint;
  /** WitnessReading.transactions. */
  readonly transactions?: string | undefined;
  /** WitnessReading.deliveryMs. */
  readonly deliveryMs?: number | undefined;
}

/**
 * Takes a sample in. The oldest ones are kept, for the stream passes them first; of a full list every second one goes.
 */
export function offerSample(waiting: readonly WitnessSample[], sample: WitnessSample): WitnessSample[] {
  const kept = waiting.length < WAITING_MAX ? [...waiting] : waiting.filter((_, index) => index % 2 === 0);
  kept.push(sample);
  return kept;
}

/**
 * Up to when the primary is witnessed: the newest time of which everything logged before it is stored. Keep-alive times
 * say nothing of the kind: they are of now, while decoding may be far behind (measured).
 */
export function passSamples(
  waiting: readonly WitnessSample[],
  position: Position,
  compare: (a: Position, b: Position) => PositionOrder,
): { readonly passed: WitnessSample | null; readonly waiting: WitnessSample[] } {
  let passed: WitnessSample | null = null;
  const left: WitnessSample[] = [];
  for (const sample of waiting) {
    const order = compare(position, sample.position);
    if (order === 'before') left.push(sample);
    // One of another history can never be passed: it is dropped.
    if (order !== 'equal' && order !== 'after') continue;
    if (passed === null || sample.timeUs > passed.timeUs) passed = sample;
  }
  return { passed, waiting: left };
}

const witnessSchema = z.object({
  position: positionSchema,
  timeUs: z.string().transform((text) => BigInt(text)),
  transactions: z.string().optional(),
  deliveryMs: z.number().optional(),
});

/** The witness of a ledger, on disk. */
export class Witness {
  readonly #core: Core;
  #waiting: WitnessSample[] = [];

  constructor(core: Core) {
    this.#core = core;
  }

  offer(sample: WitnessSample): void {
    this.#waiting = offerSample(this.#waiting, sample);
  }

  /** To be called with what Ledger.flush returned. A witness never goes back in time. */
  advance(durable: Position, compare: (a: Position, b: Position) => PositionOrder): void {
    const { passed, waiting } = passSamples(this.#waiting, durable, compare);
    this.#waiting = waiting;
    const known = this.read();
    if (passed === null || (known !== null && known.timeUs >= passed.timeUs)) return;
    const { store } = this.#core;
    const { position, timeUs, transactions, deliveryMs } = passed;
    const value = { position, timeUs: timeUs.toString(), transactions, deliveryMs };
    this.#core.guard(() => store.transaction(() => store.write(NAME, value)));
  }

  /** What another server's clock said, and what it had seen, says nothing of its successor. */
  forget(): void {
    this.#waiting = [];
    const { store } = this.#core;
    this.#core.guard(() => store.transaction(() => store.erase(NAME)));
  }

  read(): WitnessSample | null {
    return this.#core.store.read(NAME, witnessSchema);
  }
}
