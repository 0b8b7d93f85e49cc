import { TwinproofError } from '../errors.ts';

/** The one connection for looking around (catalog, positions, facts): opened again when it was lost. */
export class ControlSession<Session extends { close(): Promise<void> }> {
  readonly #openSession: (signal: AbortSignal) => Promise<Session>;
  #session: Session | null = null;
  #opening: Promise<Session> | null = null;
  #closed = false;

  constructor(openSession: (signal: AbortSignal) => Promise<Session>) {
    this.#openSession = openSession;
  }

  /** Gives the session to `work`. Throws what `work` throws; a lost connection is replaced at the next call. */
  async use<T>(signal: AbortSignal, work: (session: Session) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (this.#closed) throw closed();
    const session = this.#session ?? (await this.#open(signal));
    try {
      return await work(session);
    } catch (error) {
      if (error instanceof TwinproofError && error.code === 'TP-CONNECTION-LOST') {
        if (this.#session === session) this.#session = null;
        void session.close();
      }
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#session?.close();
    this.#session = null;
  }

  /** Callers that come at once share one opening. */
  async #open(signal: AbortSignal): Promise<Session> {
    this.#opening ??= this.#openSession(signal).finally(() => (this.#opening = null));
    const session = await this.#opening;
    if (this.#closed) {
      await session.close();
      throw closed();
    }
    this.#session = session;
    return session;
  }
}

function closed(): TwinproofError {
  return new TwinproofError('TP-BUG', { message: 'the connector is closed' });
}
