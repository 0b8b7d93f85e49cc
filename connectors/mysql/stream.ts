import type { ChangeEvent, ChangeRequest, ChangeStream } from '../../src/connector/changes.ts';
import { TwinproofError } from '../../src/errors.ts';
import { EventBatch } from '../../src/row/event-batch.ts';
import type { ConnectTarget } from './address.ts';
import { isDenied, LogConnection } from './binlog-connection.ts';
import { dumpCommand, prepareDump } from './binlog-dump.ts';
import type { GroupStart } from './binlog-gtid.ts';
import type { LogMark } from './log-mark.ts';
import { demandSameLog } from './log-same.ts';
import { demandStanding } from './log-stands.ts';
import { roleSql } from './preflight-role.ts';
import { openSession, type Session } from './session.ts';
import { BatchAhead } from './stream-ahead.ts';
import { LogAssembler } from './stream-assembler.ts';
import { StreamCatalog } from './stream-catalog.ts';
import type { LogMemory } from './stream-memory.ts';
import { ListPlace, SetPlace, type StreamPlace } from './stream-position.ts';
import { PreparedTransactions } from './stream-prepared.ts';
import { readStart, type StreamStart } from './stream-start.ts';

/** How changes of a MySQL or MariaDB server are streamed. */
export interface StreamOptions {
  /** Draws DumpOptions.serverId. */
  readonly serverId: () => number;
  readonly heartbeatMs: number;
  /**
   * The log of a replica is read for what it writes itself: what its source redefined, and what foreign keys did there,
   * is known from the source's log.
   */
  readonly own: boolean;
  /** What earlier streams of this log left; `server`: StreamStart.serverName. */
  readonly memory: (server: string) => LogMemory;
}

/** Of look-ups in the catalog. */
const STATEMENT_TIMEOUT_MS = 60_000;

/** Opens a stream of changes. Throws as ChangeSource.streamChanges says. */
export async function openChangeStream(
  target: ConnectTarget,
  options: StreamOptions,
  request: ChangeRequest,
  signal: AbortSignal,
): Promise<ChangeStream> {
  const session = { purpose: 'catalog', statementTimeoutMs: STATEMENT_TIMEOUT_MS } as const;
  const catalog = await openSession(target, signal, session);
  let sender: Session | null = null;
  try {
    const start = await readStart(catalog, request.after, options.own, signal);
    const memory = options.memory(start.serverName);
    const dump = { serverId: options.serverId(), heartbeatMs: options.heartbeatMs };
    if (request.after !== null) {
      await demandSameLog({ target, catalog, dump, after: start.after }, request, signal);
    }
    const tables = new StreamCatalog(catalog, request.pair, signal);
    await tables.load();
    sender = await openSession(target, signal, session);
    await prepareDump(sender, start.after, dump, signal);
    const connection = LogConnection.start(sender, dumpCommand(start.after, dump.serverId), signal);
    // A stream that the server refuses never began.
    await connection.begun();
    return new MysqlChangeStream({ connection, catalog, tables, start, memory, options, request, signal });
  } catch (error) {
    await sender?.close();
    const told = isDenied(error) ? await withGrant(error, catalog, signal) : error;
    await catalog.close();
    throw told;
  }
}

/** What to run, for this very account. */
async function withGrant(error: TwinproofError, catalog: Session, signal: AbortSignal): Promise<unknown> {
  try {
    const sql = await roleSql(catalog, 'REPLICATION SLAVE', signal);
    const hint = `run ${sql} on the primary: accounts come to replicas by replication`;
    return new TwinproofError(error.code, { message: error.message, hint, cause: error.cause });
  } catch {
    return error;
  }
}

interface StreamParts {
  readonly connection: LogConnection;
  readonly catalog: Session;
  readonly tables: StreamCatalog;
  readonly start: StreamStart;
  readonly memory: LogMemory;
  readonly options: StreamOptions;
  readonly request: ChangeRequest;
  readonly signal: AbortSignal;
}

class MysqlChangeStream implements ChangeStream {
  readonly batches: AsyncIterable<readonly ChangeEvent[]>;
  readonly #parts: StreamParts;
  readonly #batch = new EventBatch();
  readonly #place: StreamPlace;
  readonly #assembler: LogAssembler;
  readonly #ahead = new BatchAhead(this.#batch, {
    gather: () => this.#gather(),
    more: () => this.#parts.connection.more(),
  });
  /** Of what was handed out: the assembler is ahead of that. */
  #mark: LogMark | null = null;

  constructor(parts: StreamParts) {
    const { start, tables, memory, options, catalog, signal } = parts;
    this.#parts = parts;
    this.#place =
      start.after.kind === 'set' ? new SetPlace(start.after.set) : new ListPlace(start.after.list);
    this.#assembler = new LogAssembler({
      batch: this.#batch,
      place: this.#place,
      prepared: new PreparedTransactions(),
      originOf: originsAt(start.serverName),
      catalog: tables,
      own: options.own,
      tellsCascades: start.after.kind === 'set',
      memory,
      stands: (read) => demandStanding(catalog, read, signal),
    });
    this.batches = this.#run();
  }

  /** The server keeps its log for as long as its settings say, whoever has read it. */
  acknowledge(): void {
    // Nobody need be told.
  }

  mark(): string | null {
    return this.#mark === null ? null : JSON.stringify(this.#mark);
  }

  stands(signal: AbortSignal): Promise<void> {
    return demandStanding(this.#parts.catalog, this.#assembler.read(), signal);
  }

  async close(): Promise<void> {
    this.#parts.connection.close();
    await this.#parts.catalog.close();
  }

  async *#run(): AsyncGenerator<readonly ChangeEvent[]> {
    try {
      yield* this.#read();
    } finally {
      this.#parts.connection.close();
    }
  }

  async *#read(): AsyncGenerator<readonly ChangeEvent[]> {
    if (this.#parts.request.after === null) {
      this.#batch.push({ type: 'idle', position: this.#place.position });
      yield this.#batch.take();
    }
    void this.#ahead.run();
    for (;;) {
      await this.#ahead.ready();
      this.#mark = this.#assembler.mark();
      yield this.#ahead.take();
    }
  }

  /**
   * Takes what has come, until the batch is full or the promise must be waited for. No generator: those are never
   * compiled.
   */
  #gather(): Promise<void> | null {
    const { connection } = this.#parts;
    while (!this.#batch.full && connection.next()) {
      const waits = this.#assembler.take(connection.bytes, connection.from, connection.to);
      if (waits !== null) return waits;
    }
    return null;
  }
}

/** Who gave a transaction its number, where that was not this server. Mostly one follows another of the same. */
function originsAt(serverName: string): (start: GroupStart) => string | null {
  let last: string | null = null;
  let name: string | null = null;
  return ({ origin, gtid }) => {
    if (origin === last) return name;
    const given = gtid.kind === 'mysql' ? origin : String(gtid.server);
    last = origin;
    name = given === serverName ? null : origin;
    return name;
  };
}
