import pLimit from 'p-limit';
import type { RowSink } from '../../src/connector/contract.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { ConnectTarget } from './address.ts';
import { killQuery } from './cancel.ts';
import { failureOf, kindOf, ServerError } from './failure.ts';
import { openSession, type Session } from './session.ts';
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

  /** Reads rows into a sink. Throws TwinproofError, or the signal's reason when aborted. */
  read(read: RawRead, sink: RowSink, signal: AbortSignal): Promise<void> {
    return this.#limit(async () => {
      signal.throwIfAborted();
      this.demandOpen();
      const reader = this.#idle.pop() ?? (await this.#connect(signal));
      try {
        const warnings = await reader.wire.read(read, sink, signal);
        if (warnings > 0) await this.#judgeWarnings(reader.session, signal);
      } catch (error) {
        reader.broken = !isUsableAfter(error);
        if (signal.aborted) {
          void killQuery(this.#target, reader.session.connectionId);
          throw error;
        }
        throw failureOf(error, 'query', this.#target.label);
      } finally {
        if (reader.broken || this.#closed) await this.#drop(reader);
        else this.#idle.push(reader);
      }
    });
  }

  /** Reads that go on end with TP-CONNECTION-LOST, on the server too. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const reader of this.#open) {
      if (this.#idle.includes(reader)) continue;
      void killQuery(this.#target, reader.session.connectionId);
      reader.session.stream.destroy(
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

  async #connect(signal: AbortSignal): Promise<Reader> {
    const session = await openSession(this.#target, signal, {
      purpose: 'read',
      statementTimeoutMs: this.#statementTimeoutMs,
    });
    const reader: Reader = { session, wire: new Wire(session), broken: false };
    this.#open.add(reader);
    return reader;
  }

  async #drop(reader: Reader): Promise<void> {
    this.#open.delete(reader);
    await reader.session.close();
  }
}

/** An error of the server leaves the session usable; anything else leaves an answer on its way, or no socket. */
function isUsableAfter(error: unknown): boolean {
  if (error instanceof ServerError) return kindOf(error, 'query').code !== 'TP-CONNECTION-LOST';
  return false;
}
