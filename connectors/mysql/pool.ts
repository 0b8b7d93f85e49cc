import type { RowSink } from '../../src/connector/contract.ts';
import { SessionPool } from '../../src/connector/session-pool.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { ConnectTarget } from './address.ts';
import { killQuery } from './cancel.ts';
import { failureOf, kindOf, ServerError } from './failure.ts';
import { openSession, type Session } from './session.ts';
import { Transcoder } from './transcoder.ts';
import { Wire } from './wire.ts';
import type { RawRead } from './wire-row.ts';

/**
 * Warnings that say nothing of the rows: deprecated syntax (ER_WARN_DEPRECATED_SYNTAX and _NO_REPLACEMENT) and names
 * (ER_DEPRECATED_UTF8_ALIAS, ER_DEPRECATED_NATIONAL, ER_WARN_DEPRECATED_UTF8MB3_COLLATION and _CHARSET).
 */
const HARMLESS_WARNINGS = new Set(['1287', '1681', '3719', '3720', '3778', '3779']);

interface Reader {
  readonly session: Session;
  readonly wire: Wire;
}

/** Reading connections of one site (SessionPool); a read that ends with warnings proves nothing. */
export class ReaderPool {
  readonly #target: ConnectTarget;
  readonly #pool: SessionPool<Reader>;

  constructor(target: ConnectTarget, size: number, statementTimeoutMs: number) {
    this.#target = target;
    this.#pool = new SessionPool<Reader>(size, {
      open: async (signal) => {
        // Before the session: what fails here must not leave one open that nobody would close.
        const transcoder = new Transcoder();
        const session = await openSession(target, signal, { purpose: 'read', statementTimeoutMs });
        return { session, wire: new Wire(session, transcoder) };
      },
      streamOf: ({ session }) => session.stream,
      cancel: ({ session }) => void killQuery(target, session.connectionId),
      close: ({ session }) => session.close(),
      usableAfter: isUsableAfter,
      failureOf: (error) => failureOf(error, 'query', target.label),
    });
  }

  /** Reads rows into a sink. Throws TwinproofError, or the signal's reason when aborted. */
  read(read: RawRead, sink: RowSink, signal: AbortSignal): Promise<void> {
    return this.#pool.use(signal, async ({ session, wire }) => {
      const warnings = await wire.read(read, sink, signal);
      if (warnings > 0) await this.#judgeWarnings(session, signal);
    });
  }

  /**
   * As `read`, several reads under one snapshot, in which `look` is asked something first. Throws what `look` throws,
   * too.
   */
  async readInSnapshot<T>(
    reads: Iterable<RawRead>,
    sink: RowSink,
    look: (session: Session) => Promise<T>,
    signal: AbortSignal,
  ): Promise<T> {
    let seen: { readonly value: T } | null = null;
    await this.#pool.use(signal, async ({ session, wire }) => {
      await session.rows('START TRANSACTION WITH CONSISTENT SNAPSHOT', [], signal);
      try {
        seen = { value: await look(session) };
        for (const read of reads) {
          const warnings = await wire.read(read, sink, signal);
          if (warnings > 0) await this.#judgeWarnings(session, signal);
        }
      } finally {
        // Whoever gets the connection next must not read in this snapshot: where this fails, nobody does.
        if (!session.stream.destroyed) await session.rows('COMMIT', [], new AbortController().signal);
      }
    });
    return valueOf(seen);
  }

  /** Reads that go on end with TP-CONNECTION-LOST, on the server too. */
  close(): Promise<void> {
    return this.#pool.close();
  }

  /** Throws TP-BUG after `close`. */
  demandOpen(): void {
    this.#pool.demandOpen();
  }

  /**
   * Where a function cannot give a value (a text that does not convert, a result above max_allowed_packet) the server
   * gives another one, or NULL, and a warning. Such rows prove nothing. Throws TP-QUERY.
   */
  async #judgeWarnings(session: Session, signal: AbortSignal): Promise<void> {
    const warnings = await session.rows<{ Code: string; Message: string }>('SHOW WARNINGS', [], signal);
    const serious = warnings.find(({ Code }) => !HARMLESS_WARNINGS.has(Code));
    if (serious === undefined && warnings.length > 0) return;
    if (serious === undefined) {
      throw new TwinproofError('TP-QUERY', {
        message: `${this.#target.label} gave warnings and does not show them`,
      });
    }
    const errno = Number(serious.Code);
    throw failureOf(new ServerError(errno, null, serious.Message), 'query', this.#target.label);
  }
}

function valueOf<T>(seen: { readonly value: T } | null): T {
  if (seen === null) throw new TwinproofError('TP-BUG', { message: 'a snapshot was not looked at' });
  return seen.value;
}

/** An error of the server leaves the session usable; anything else leaves an answer on its way, or no socket. */
function isUsableAfter(error: unknown): boolean {
  if (error instanceof ServerError) return kindOf(error, 'query').code !== 'TP-CONNECTION-LOST';
  return false;
}
