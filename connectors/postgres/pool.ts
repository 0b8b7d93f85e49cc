import type { ConnectTarget } from './address.ts';
import { cancelBackend } from './cancel.ts';
import { failureOf } from './failure.ts';
import { openSession, type Session } from './session.ts';
import { SessionPool } from '../../src/connector/session-pool.ts';
import { TapSocket } from '../../src/connector/tap-socket.ts';
import { type RawRead, readRaw, ServerError } from './wire.ts';
import type { RowSink } from '../../src/connector/contract.ts';

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
}

/** Reading connections of one site (SessionPool), each in the scan mode of its last read. */
export class ReaderPool {
  readonly #pool: SessionPool<Reader>;

  constructor(target: ConnectTarget, size: number, statementTimeoutMs: number) {
    this.#pool = new SessionPool<Reader>(size, {
      open: async (signal) => {
        const socket = (): TapSocket => new TapSocket();
        const session = await openSession(target, signal, { purpose: 'read', statementTimeoutMs, socket });
        return { session, mode: null };
      },
      streamOf: ({ session }) => session.client.connection.stream,
      cancel: ({ session }) => void cancelBackend(target, session.key),
      close: ({ session }) => session.close(),
      // An error of the server leaves the session usable; anything else leaves an answer on its way, or no socket.
      usableAfter: (error) => error instanceof ServerError && !error.code.startsWith('57P'),
      failureOf: (error) => failureOf(error, 'query', target.label),
    });
  }

  /** Reads rows in binary into a sink. Throws TwinproofError, or the signal's reason when aborted. */
  read(mode: ScanMode, read: RawRead, sink: RowSink, signal: AbortSignal): Promise<void> {
    return this.#pool.use(signal, async (reader) => {
      await setMode(reader, mode, signal);
      await readRaw(reader.session.client, read, sink, signal);
    });
  }

  /**
   * Several reads under one snapshot, all rows into one sink. `onSnapshot` is told the snapshot (pg_current_snapshot)
   * once it stands and before any row arrives. Throws as `read`.
   */
  readAtOnce(
    mode: ScanMode,
    reads: readonly RawRead[],
    sink: RowSink,
    onSnapshot: (snapshot: string) => void,
    signal: AbortSignal,
  ): Promise<void> {
    return this.#pool.use(signal, async (reader) => {
      await setMode(reader, mode, signal);
      const { session } = reader;
      await session.rows('begin transaction isolation level repeatable read, read only', [], signal);
      try {
        const [row] = await session.rows<{ snapshot: string }>(SNAPSHOT, [], signal);
        onSnapshot(row?.snapshot ?? '');
        for (const read of reads) await readRaw(session.client, read, sink, signal);
      } catch (error) {
        // After any other error the connection does not go back to the pool.
        if (error instanceof ServerError) await session.rows('rollback', [], signal);
        throw error;
      }
      await session.rows('commit', [], signal);
    });
  }

  /** Reads that go on end with TP-CONNECTION-LOST, on the server too. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  /** Throws TP-BUG after `close`. */
  demandOpen(): void {
    this.#pool.demandOpen();
  }
}

/** The first statement of a transaction: with it the snapshot stands. */
const SNAPSHOT = 'select pg_catalog.pg_current_snapshot()::text as snapshot';

async function setMode(reader: Reader, mode: ScanMode, signal: AbortSignal): Promise<void> {
  if (reader.mode === mode) return;
  const calls = Object.entries(SWITCHES[mode]).map(
    ([name, on]) => `pg_catalog.set_config('${name}', '${on ? 'on' : 'off'}', false)`,
  );
  await reader.session.rows(`select ${calls.join(', ')}`, [], signal);
  reader.mode = mode;
}
