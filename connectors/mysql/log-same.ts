import { crc32 } from 'node:zlib';
import type { ChangeRequest, HeldTransaction } from '../../src/connector/changes.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { ConnectTarget } from './address.ts';
import { LogConnection } from './binlog-connection.ts';
import { dumpFrom, type DumpOptions, type LogStart, prepareDump } from './binlog-dump.ts';
import { EVENT, EventReader } from './binlog-event.ts';
import { GtidReader, type GroupStart } from './binlog-gtid.ts';
import { isSubset } from './gtid-set.ts';
import { type LogMark, parseMark } from './log-mark.ts';
import { openSession, type Session } from './session.ts';

/** Every file begins with four bytes that tell what it is. */
const FIRST_EVENT_AT = 4;
const STATEMENT_TIMEOUT_MS = 60_000;

export interface SameLogParts {
  readonly target: ConnectTarget;
  readonly catalog: Session;
  readonly dump: DumpOptions;
  /** What is stored of the log. */
  readonly after: LogStart;
}

/**
 * A server that was set back (a crash that took the unsynced end of its log, a log that was reset, an older copy) gives
 * numbers a second time. Once it has given as many as before, they tell nothing; but then the last transaction that was
 * taken no longer stands where it stood, or was committed at another time. Throws TP-GAP. Nothing is said where the
 * server has deleted that part of its log in the usual way.
 */
export async function demandSameLog(
  parts: SameLogParts,
  { mark: text, held }: Pick<ChangeRequest, 'mark' | 'held'>,
  signal: AbortSignal,
): Promise<void> {
  if (text == null) return;
  const mark = parseMark(text);
  if (mark === null) throw setBack(parts.catalog, 'what was remembered of its log cannot be read');
  const standing = await readStanding(parts.catalog, mark, signal);
  if (standing === 'deleted') return;
  if (standing === 'gone' || !(await readsTheSame(parts, mark, lastOf(held?.(mark.position)), signal))) {
    throw setBack(parts.catalog, `its log is not the one that was read up to ${mark.position}`);
  }
}

export function setBack({ target }: Session, why: string): TwinproofError {
  return new TwinproofError('TP-GAP', {
    message: `${target.label} was set back, and has another history: ${why}`,
    hint: 'the ledger cannot be carried on over a gap: a new baseline is taken; with sync_binlog=1 a crash takes nothing back',
  });
}

function lastOf(held: Iterable<HeldTransaction> | null | undefined): HeldTransaction | null {
  let last: HeldTransaction | null = null;
  for (const one of held ?? []) last = one;
  return last;
}

type FileRow = Readonly<Record<'Log_name' | 'File_size', string>>;

/** By the list of files alone; `deleted`: with all that came before what is left. */
export async function readStanding(
  session: Session,
  mark: Pick<LogMark, 'file' | 'reached'>,
  signal: AbortSignal,
): Promise<'there' | 'deleted' | 'gone'> {
  const files = await session.rows<FileRow>('SHOW BINARY LOGS', [], signal);
  const found = files.find(({ Log_name: name }) => name === mark.file);
  if (found !== undefined) return BigInt(found.File_size) < BigInt(mark.reached) ? 'gone' : 'there';
  return files.every(({ Log_name: name }) => isLater(name, mark.file)) ? 'deleted' : 'gone';
}

/** Files are numbered: `binlog.000007`. */
export function isLater(name: string, than: string): boolean {
  const number = (text: string): number => Number(/\d+$/.exec(text)?.[0] ?? Number.NaN);
  return number(name) > number(than);
}

async function readsTheSame(
  { target, dump, after }: SameLogParts,
  mark: LogMark,
  last: HeldTransaction | null,
  signal: AbortSignal,
): Promise<boolean> {
  const session = { purpose: 'catalog', statementTimeoutMs: STATEMENT_TIMEOUT_MS } as const;
  const sender = await openSession(target, signal, session);
  let connection: LogConnection | null = null;
  try {
    await prepareDump(sender, null, dump, signal);
    const place = { file: mark.file, at: mark.last?.at ?? FIRST_EVENT_AT };
    connection = LogConnection.start(sender, dumpFrom(dump.serverId, place), signal);
    return await answerOf(connection, new MarkCheck(mark, last, after));
  } catch (error) {
    // Where no event begins the server sends an error, or what makes no sense.
    if (error instanceof TwinproofError && NO_EVENT.has(error.code)) return false;
    throw error;
  } finally {
    connection?.close();
    await sender.close();
  }
}

const NO_EVENT: ReadonlySet<string> = new Set(['TP-GAP', 'TP-STREAM-PROTOCOL']);

async function answerOf(connection: LogConnection, check: MarkCheck): Promise<boolean> {
  for (;;) {
    while (connection.next()) {
      const answer = check.take(connection.bytes, connection.from, connection.to);
      if (answer !== null) return answer;
    }
    await connection.more();
  }
}

/**
 * Holds a log, sent from the place of the mark on, against the mark, and against the last transaction that was stored
 * behind it (null: none was). Pure.
 */
export class MarkCheck {
  readonly #mark: LogMark;
  readonly #last: HeldTransaction | null;
  readonly #after: LogStart;
  readonly #events = new EventReader();
  readonly #gtids = new GtidReader();
  #seen: 'nothing' | 'file' | 'transaction' = 'nothing';

  constructor(mark: LogMark, last: HeldTransaction | null, after: LogStart) {
    this.#mark = mark;
    this.#last = last;
    this.#after = after;
  }

  /** One event, as LogAssembler.take gets it. Null: more is needed to say. Throws TP-STREAM-PROTOCOL. */
  take(bytes: Uint8Array, from = 0, to = bytes.length): boolean | null {
    const event = this.#events.read(bytes, from, to);
    switch (event.type) {
      case EVENT.formatDescription:
        return this.#seen === 'nothing' ? this.#file(event.timestamp) : null;
      case EVENT.heartbeat:
      case EVENT.heartbeatV2:
        // The end of the log.
        return false;
      case EVENT.gtid:
      case EVENT.gtidTagged:
      case EVENT.mariadbGtid:
        return this.#seen === 'transaction'
          ? this.#later(this.#gtids.read(event))
          : this.#first(event.bytes, this.#gtids.read(event));
      default:
        return null;
    }
  }

  #file(begun: number): boolean | null {
    this.#seen = 'file';
    if (begun !== this.#mark.begun) return false;
    return this.#mark.last === null && this.#last === null ? true : null;
  }

  #first(event: Uint8Array, start: GroupStart): boolean | null {
    this.#seen = 'transaction';
    const { last } = this.#mark;
    if (last !== null) return crc32(event) === last.crc ? (this.#last === null ? true : null) : false;
    return this.#later(start);
  }

  #later({ id, committedAtUs, gtid }: GroupStart): boolean | null {
    if (id === this.#last?.id) return committedAtUs === this.#last.committedAtUs;
    return isTaken(gtid, this.#after) ? null : false;
  }
}

/** Whether the stored position has it. */
function isTaken(gtid: GroupStart['gtid'], after: LogStart): boolean {
  if (gtid.kind === 'mysql') {
    const one = new Map([[gtid.source, [[gtid.number, gtid.number]] as const]]);
    return after.kind === 'set' && isSubset(one, after.set);
  }
  const stored = after.kind === 'list' ? after.list.get(gtid.domain) : undefined;
  return stored !== undefined && stored.sequence >= gtid.sequence;
}
