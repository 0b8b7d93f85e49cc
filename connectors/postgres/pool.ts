import pLimit from 'p-limit';
import type { ConnectTarget } from './address.ts';
import { cancelBackend } from './cancel.ts';
import { failureOf } from './failure.ts';
import { openSession, type Session } from './session.ts';
import { TapSocket } from '../../src/connector/tap-socket.ts';
import { type RawRead, readRaw, ServerError } from './wire.ts';
import type { RowSink } from '../../src/connector/contract.ts';
import { TwinproofError } from '../../src/errors.ts';

/**
 * How a session leaves the planner no choice where a choice would cost order or speed. `scan`: the table's own order,
 * by tuple id; `key`: the key's index; `points`: the key's index, a few rows; `heap`: no index at all.
 */
export type ScanMode = 'scan' | 'key' | 'points' | 'heap';

type Switch =
  | 'enable_seqscan'
  | 'enable_indexscan'
  | 'enable_indexonlyscan'
  | 'enable_bitmapscan'
  | 'enable_hashjoin'
  | 'enable_mergejoin';

const SWITCHES: Readonly<Record<ScanMode, Readonly<Record<Switch, boolean>>>> = {
  scan: switches({ enable_hashjoin: true, enable_mergejoin: true }),
  key: switches({ enable_indexscan: true, enable_indexonlyscan: true }),
  points: switches({ enable_indexscan: true, enable_indexonlyscan: true }),
  heap: switches({ enable_seqscan: true, enable_hashjoin: true }),
};

function switches(on: Partial<Record<Switch, true>>): Record<Switch, boolean> {
  return {
    enable_seqscan: on.enable_seqscan ?? false,
    enable_indexscan: on.enable_indexscan ?? false,
    enable_indexonlyscan: on.enable_indexonlyscan ?? false,
    enable_bitmapscan: on.enable_bitmapscan ?? false,
    enable_hashjoin: on.enable_hashjoin ?? false,
    enable_mergejoin: on.enable_mergejoin ?? false,
  };
}

interface Reader {
  readonly session: Session;
  mode: ScanMode | null;
  broken: boolean;
}

/** Reading connections of one site: at most `size` of them, opened when first needed, replaced when they break. */
export class ReaderPool {
  readonly #target: ConnectTarget;
  readonly #limit: ReturnType<typeof pLimit>;
  readonly #statementTimeoutMs: number;
  readonly #idle: Reader[] = [];
  readonly #open = new Set<Reader>();
  #closed = false;

  constructor(target: ConnectTarget, size: number, statementTimeoutMs: number) {
    this.#target = target;
    this.#limit = pLimit(size);
    this.#statementTimeoutMs = statementTimeoutMs;
  }

  /** Reads rows in binary into a sink. Throws TwinproofError, or the signal's reason when aborted. */
  read(mode: ScanMode, read: RawRead, sink: RowSink, signal: AbortSignal): Promise<void> {
    return this.#with(mode, signal, async ({ session }) => {
      try {
        await readRaw(session.client, read, sink, signal);
      } catch (error) {
        if (signal.aborted) void cancelBackend(this.#target, session.key);
        throw error;
      }
    });
  }

  /** Reads that go on end with TP-CONNECTION-LOST, on the server too. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const { session } of this.#open) {
      if (this.#idle.some((reader) => reader.session === session)) continue;
      void cancelBackend(this.#target, session.key);
      session.client.connection.stream.destroy(
        new TwinproofError('TP-CONNECTION-LOST', { message: 'the connector was closed' }),
      );
    }
    await Promise.all([...this.#open].map(({ session }) => session.close()));
    this.#open.clear();
  }

  /** Throws TP-BUG after `close`. */
  demandOpen(): void {
    if (this.#closed) throw new TwinproofError('TP-BUG', { message: 'the connector is closed' });
  }

  #with(mode: ScanMode, signal: AbortSignal, work: (reader: Reader) => Promise<void>): Promise<void> {
    return this.#limit(async () => {
      signal.throwIfAborted();
      this.demandOpen();
      const reader = this.#idle.pop() ?? (await this.#connect(signal));
      try {
        await this.#setMode(reader, mode, signal);
        await work(reader);
      } catch (error) {
        // An error of the server leaves the session usable; anything else leaves an answer on its way, or no socket.
        reader.broken = !(error instanceof ServerError) || error.code.startsWith('57P');
        if (signal.aborted) throw error;
        throw failureOf(error, 'query', this.#target.label);
      } finally {
        if (reader.broken || this.#closed) await this.#drop(reader);
        else this.#idle.push(reader);
      }
    });
  }

  async #connect(signal: AbortSignal): Promise<Reader> {
    const session = await openSession(this.#target, signal, {
      purpose: 'read',
      statementTimeoutMs: this.#statementTimeoutMs,
      socket: () => new TapSocket(),
    });
    const reader: Reader = { session, mode: null, broken: false };
    this.#open.add(reader);
    return reader;
  }

  async #setMode(reader: Reader, mode: ScanMode, signal: AbortSignal): Promise<void> {
    if (reader.mode === mode) return;
    const calls = Object.entries(SWITCHES[mode]).map(
      ([name, on]) => `pg_catalog.set_config('${name}', '${on ? 'on' : 'off'}', false)`,
    );
    await reader.session.rows(`select ${calls.join(', ')}`, [], signal);
    reader.mode = mode;
  }

  async #drop(reader: Reader): Promise<void> {
    this.#open.delete(reader);
    await reader.session.close();
  }
}
