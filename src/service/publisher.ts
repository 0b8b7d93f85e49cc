import type { Timing } from '../compare/timing.ts';
import type { Outlet, OutletMessage } from '../connector/outlet.ts';
import { messageOf, TwinproofError } from '../errors.ts';
import { pauseBefore } from './backoff.ts';

/** What is told of the publishing itself: once when it begins to fail, and once when that is over. */
export type TellPublishing = (state: {
  readonly failing: boolean;
  readonly code: string | null;
  readonly message: string;
  readonly hint: string | null;
}) => void;

export interface PublisherParts {
  /** Opens the way out; called again after an error. */
  readonly open: () => Promise<Outlet>;
  /** Bytes of messages that may wait. */
  readonly bytesMax: number;
  readonly timing: Timing;
  readonly random: () => number;
  readonly tell: TellPublishing;
}

interface Waiting {
  readonly message: OutletMessage;
  readonly bytes: number;
}

/** Of one request to the brokers. */
const BYTES_AT_ONCE = 512 * 1024;
/** What a message costs besides its text. */
const OVERHEAD_BYTES = 128;

/**
 * Sends messages in their order, in the background. Whoever publishes never waits: what does not fit while the brokers
 * are away is dropped, the oldest first, since of a lag the newest sample counts; how many were is said in every later
 * message (`dropped`).
 */
export class Publisher {
  readonly #parts: PublisherParts;
  readonly #waiting: Waiting[] = [];
  #bytes = 0;
  #dropped = 0n;
  #wake: (() => void) | null = null;
  #failing = false;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  /** Messages that were never sent. */
  get dropped(): bigint {
    return this.#dropped;
  }

  get waitingBytes(): number {
    return this.#bytes;
  }

  /** `body` becomes JSON, with the number of messages that were dropped so far. */
  publish(key: string, body: object): void {
    const message = { key, value: JSON.stringify({ ...body, dropped: this.#dropped.toString() }) };
    const bytes = Buffer.byteLength(message.key) + Buffer.byteLength(message.value) + OVERHEAD_BYTES;
    // More than brokers take of one message by default would be refused for ever, and everything behind it wait.
    if (bytes > BYTES_AT_ONCE) {
      this.#dropped += 1n;
      return;
    }
    this.#waiting.push({ message, bytes });
    this.#bytes += bytes;
    // What is on its way stays: it may have arrived already.
    while (this.#bytes > this.#parts.bytesMax && this.#waiting.length > 0) this.#drop();
    this.#wake?.();
  }

  /** Sends what comes until aborted; then one last time what is left. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    let outlet: Outlet | null = null;
    let attempt = 0;
    for (;;) {
      if (this.#waiting.length === 0 && !signal.aborted) await this.#more(signal);
      if (this.#waiting.length === 0) break;
      const batch = this.#batch();
      try {
        outlet ??= await this.#parts.open();
        await outlet.send(batch.map(({ message }) => message));
        attempt = 0;
        this.#recovered();
      } catch (error) {
        this.#failed(error);
        this.#putBack(batch);
        await close(outlet);
        outlet = null;
        if (signal.aborted) break;
        attempt += 1;
        await this.#pause(attempt, signal);
      }
    }
    await close(outlet);
  }

  #batch(): readonly Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const waiting of this.#waiting) {
      if (count > 0 && bytes + waiting.bytes > BYTES_AT_ONCE) break;
      bytes += waiting.bytes;
      count += 1;
    }
    this.#bytes -= bytes;
    return this.#waiting.splice(0, count);
  }

  #putBack(batch: readonly Waiting[]): void {
    this.#waiting.unshift(...batch);
    this.#bytes += batch.reduce((sum, { bytes }) => sum + bytes, 0);
    while (this.#bytes > this.#parts.bytesMax && this.#waiting.length > 0) this.#drop();
  }

  #drop(): void {
    this.#bytes -= this.#waiting.shift()?.bytes ?? 0;
    this.#dropped += 1n;
  }

  #more(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#wake = null;
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#wake = done;
      signal.addEventListener('abort', done, { once: true });
    });
  }

  async #pause(attempt: number, signal: AbortSignal): Promise<void> {
    const { timing, random } = this.#parts;
    await timing.sleep(pauseBefore(attempt, random()), signal).catch(() => undefined);
  }

  #failed(error: unknown): void {
    if (this.#failing) return;
    this.#failing = true;
    const known = error instanceof TwinproofError ? error : null;
    const message = `samples are not published: ${messageOf(error)}`;
    this.#parts.tell({ failing: true, code: known?.code ?? null, message, hint: known?.hint ?? null });
  }

  #recovered(): void {
    if (!this.#failing) return;
    this.#failing = false;
    const lost = this.#dropped === 0n ? '' : `; ${this.#dropped} messages were dropped so far`;
    this.#parts.tell({
      failing: false,
      code: null,
      message: `samples are published again${lost}`,
      hint: null,
    });
  }
}

async function close(outlet: Outlet | null): Promise<void> {
  await outlet?.close().catch(() => undefined);
}
