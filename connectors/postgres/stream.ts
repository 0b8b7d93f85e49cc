import type { ChangeEvent, ChangeRequest, ChangeStream } from '../../src/connector/changes.ts';
import type { Position } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';
import { EventBatch } from '../../src/row/event-batch.ts';
import type { ConnectTarget } from './address.ts';
import { formatLsn, type Lsn, parsePosition, positionOf, positionsIn } from './lsn.ts';
import { ReplicationConnection } from './replication-connection.ts';
import { type Lineage, readLineage, readTimeline } from './replication-lineage.ts';
import { demandDecoding, readStreamFacts, startPoint, type StreamNames } from './replication-slot.ts';
import { parseCopyData } from './replication-wire.ts';
import { openSession, type Session } from './session.ts';
import { type Replay, TransactionAssembler } from './stream-assembler.ts';
import { StreamCatalog } from './stream-catalog.ts';
import { RetoldHistory } from './stream-history.ts';
import { Spool } from './stream-spool.ts';
import { demandSameHistory, placeOf, retoldBefore } from './stream-start.ts';

/** How changes of a PostgreSQL server are streamed. */
export interface StreamOptions extends StreamNames {
  /** Stream although a slot that nobody reads could fill the server's disk (max_slot_wal_keep_size = −1). */
  readonly allowUnboundedWal: boolean;
  /**
   * Let the server send large transactions before they are committed. They are set aside here, so that at the commit
   * nothing is left to send: what a lost primary had committed is known sooner. Otherwise the server sets them aside.
   */
  readonly early: boolean;
  /** Folder for open transactions that were sent early, and the bytes that all of them may take. */
  readonly spoolFolder: string;
  readonly spoolBytesMax: number;
  /** The clock, milliseconds since 1970. */
  readonly now: () => number;
  /** ReplicationTiming.paceMs. */
  readonly paceMs: number;
  /** The history on which the server was when it was looked at as the primary (historyName); null or absent: it was not. */
  readonly history?: string | null;
}

/** Waiting longer for a definition that someone has locked would hold up the stream. */
const LOCK_TIMEOUT_MS = 1_000;
const STATEMENT_TIMEOUT_MS = 60_000;

/** The newest version of the protocol that a server of this version speaks. */
function protocolVersion(versionNumber: number): number {
  if (versionNumber >= 160_000) return 4;
  return versionNumber >= 150_000 ? 3 : 2;
}

/** Opens a stream of changes. Throws as ChangeSource.streamChanges says. */
export async function openChangeStream(
  target: ConnectTarget,
  options: StreamOptions,
  request: ChangeRequest,
  signal: AbortSignal,
): Promise<ChangeStream> {
  const catalog = await openSession(target, signal, {
    purpose: 'watch',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
  });
  let sender: Session | null = null;
  let guide: Session | null = null;
  try {
    const facts = await readStreamFacts(catalog, options, signal);
    demandDecoding(facts, catalog.versionNumber);
    // Without the right to replicate a walsender would refuse the login: say what is missing first.
    if (!facts.mayReplicate) startPoint(facts, options, null, options.allowUnboundedWal);
    sender = await openSession(target, signal, { purpose: 'watch', replication: true });
    // A standby goes over to another timeline, or is promoted, under a stream that goes on.
    if (facts.inRecovery) guide = await openSession(target, signal, { purpose: 'watch', replication: true });
    const lineage = await readLineage(sender, signal);
    demandSameHistory(facts, lineage, options.history ?? null);
    const after = placeOf(lineage, request);
    const start = startPoint(facts, options, after, options.allowUnboundedWal);
    const tables = new StreamCatalog(catalog, options.publication, request.pair, signal);
    await tables.load();
    const retold = after === null ? null : retoldBefore(after, request, facts.slot?.confirmed ?? null);
    const history = after === null || retold === null ? null : new RetoldHistory(retold.held, after);
    const from = retold?.from ?? start;
    const command = startCommand(options, from, catalog.versionNumber);
    const timing = { now: options.now, paceMs: options.paceMs };
    const connection = await ReplicationConnection.start(sender, command, from, timing, signal);
    const sessions = { connection, catalog, guide, history };
    return new PostgresChangeStream({ ...sessions, tables, lineage, options, request, start, signal });
  } catch (error) {
    await sender?.close();
    await guide?.close();
    await catalog.close();
    throw error;
  }
}

/** Manual, "Streaming Replication Protocol", START_REPLICATION … LOGICAL, and "Logical Streaming Replication Parameters". */
export function startCommand(options: StreamOptions, start: Lsn, versionNumber: number): string {
  const parameters = [
    ['proto_version', String(protocolVersion(versionNumber))],
    ['publication_names', quoted(options.publication, '"')],
    ['binary', 'true'],
    ['streaming', options.early ? 'on' : 'off'],
    ['messages', 'true'],
  ].map(([name, value]) => `${name} ${quoted(value ?? '', "'")}`);
  const slot = quoted(options.slot, '"');
  return `START_REPLICATION SLOT ${slot} LOGICAL ${formatLsn(start)} (${parameters.join(', ')})`;
}

function quoted(text: string, quote: string): string {
  return `${quote}${text.replaceAll(quote, quote + quote)}${quote}`;
}

interface StreamParts {
  readonly connection: ReplicationConnection;
  readonly catalog: Session;
  /** Another walsender of a standby, to be asked for its timeline; null: the server is no standby. */
  readonly guide: Session | null;
  /** Null: nothing is told once more. */
  readonly history: RetoldHistory | null;
  readonly tables: StreamCatalog;
  readonly lineage: Lineage;
  readonly options: StreamOptions;
  readonly request: ChangeRequest;
  readonly start: Lsn;
  readonly signal: AbortSignal;
}

class PostgresChangeStream implements ChangeStream {
  readonly batches: AsyncIterable<readonly ChangeEvent[]>;
  readonly #parts: StreamParts;
  readonly #batch = new EventBatch();
  readonly #spool: Spool;
  readonly #assembler: TransactionAssembler;
  /** The last position that was handed out, and the last that was read from the server. */
  #handedOut: Lsn;
  #gathered: Lsn;

  constructor(parts: StreamParts) {
    const { options, lineage, tables, start, history } = parts;
    this.#parts = parts;
    this.#handedOut = start;
    this.#gathered = start;
    this.#spool = new Spool(options.spoolFolder, options.spoolBytesMax);
    this.#assembler = new TransactionAssembler({
      batch: this.#batch,
      spool: this.#spool,
      resolve: (relation) => tables.resolve(relation),
      positionOf: positionsIn(lineage.systemId, lineage.timeline),
      history,
    });
    this.batches = this.#run();
  }

  acknowledge(position: Position): void {
    const { systemId, timeline, lsn } = parsePosition(position);
    const { lineage, connection } = this.#parts;
    const ours = systemId === lineage.systemId && timeline === lineage.timeline;
    if (!ours || lsn > this.#handedOut) {
      throw new TwinproofError('TP-BUG', {
        message: 'a position was acknowledged that was never handed out',
      });
    }
    connection.acknowledge(lsn);
  }

  async close(): Promise<void> {
    await this.#parts.connection.close();
    await this.#assembler.close();
    await this.#spool.close();
    await this.#parts.guide?.close();
    await this.#parts.catalog.close();
  }

  async *#run(): AsyncGenerator<readonly ChangeEvent[]> {
    try {
      yield* this.#read();
    } catch (error) {
      this.#parts.connection.abandon(error);
      throw error;
    }
  }

  async *#read(): AsyncGenerator<readonly ChangeEvent[]> {
    if (this.#parts.request.after === null) {
      this.#idle(this.#parts.start);
      yield this.#take();
    }
    for (;;) {
      const received = await this.#parts.connection.read();
      await this.#demandTimeline();
      for (const copyData of received) {
        const message = parseCopyData(copyData);
        if (message.kind === 'keepalive') {
          this.#keepalive(message.end, message.replyWanted);
        } else {
          const more = this.#assembler.take(copyData, message.payloadAt);
          if (more !== null && 'pieces' in more) yield* this.#replay(more);
          else if (more !== null) await more;
        }
        if (this.#batch.full) yield this.#take();
      }
      if (!this.#batch.empty) yield this.#take();
    }
  }

  /**
   * Whatever was received before is of the timeline that the standby is on now, or of an earlier one (manual, "Streaming
   * Replication Protocol", IDENTIFY_SYSTEM). Throws when that is not the one that positions are given on.
   */
  async #demandTimeline(): Promise<void> {
    const { guide, lineage, signal } = this.#parts;
    if (guide === null) return;
    const { timeline } = await readTimeline(guide, signal);
    if (timeline === lineage.timeline) return;
    throw new TwinproofError('TP-CONNECTION-LOST', {
      message: `the standby went over from timeline ${lineage.timeline} to ${timeline}: its log is followed anew from there`,
    });
  }

  async *#replay(replay: Replay): AsyncGenerator<readonly ChangeEvent[]> {
    for await (const piece of replay.pieces) {
      for (const payload of piece) {
        const more = replay.take(payload);
        if (more !== null) await more;
        if (this.#batch.full) yield this.#take();
      }
    }
    await replay.end();
  }

  /**
   * All commits before a keep-alive's position have been sent. Within a transaction, whose commit the server may count
   * as sent already, it says nothing.
   */
  #keepalive(end: Lsn, replyWanted: boolean): void {
    if (this.#assembler.idle && end > this.#gathered) {
      this.#assembler.passed(end);
      this.#idle(end);
    }
    if (replyWanted) this.#parts.connection.sendStatus();
  }

  #idle(lsn: Lsn): void {
    const { systemId, timeline } = this.#parts.lineage;
    this.#batch.push({ type: 'idle', position: positionOf(systemId, timeline, lsn) });
    this.#gathered = lsn;
  }

  #take(): readonly ChangeEvent[] {
    const events = this.#batch.take();
    const last = events.findLast((event) => event.type === 'commit' || event.type === 'idle');
    if (last !== undefined) {
      const { lsn } = parsePosition(last.position);
      if (lsn > this.#handedOut) this.#handedOut = lsn;
      if (lsn > this.#gathered) this.#gathered = lsn;
    }
    return events;
  }
}
