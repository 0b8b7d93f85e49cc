import { TwinproofError } from '../../src/errors.ts';
import type { GroupStart } from './binlog-gtid.ts';
import type { LogStart } from './binlog-dump.ts';
import { isSubset } from './gtid-set.ts';
import type { Session } from './session.ts';

/** A transaction of the log, and where it stands there. */
export interface PlacedTransaction {
  readonly file: string;
  readonly at: number;
  /** GroupStart.id. */
  readonly id: string;
  readonly gtid: GroupStart['gtid'];
}

/** What the streams of one log remember for those that come after them. */
export class LogMemory {
  /** Places of transactions that a crash cut off: their rows never were committed. */
  readonly torn = new Set<string>();
  /** The last one that was handed out; null: none was yet, or its place is not known. */
  last: PlacedTransaction | null = null;
}

const memories = new Map<string, LogMemory>();

/** Of the log that goes by this name; the same for as long as this process lives, over every connection. */
export function memoryOf(log: string): LogMemory {
  const known = memories.get(log) ?? new LogMemory();
  memories.set(log, known);
  return known;
}

/**
 * A server that was set back (a crash that took the unsynced end of its log, a log that was reset) gives numbers a second
 * time. Once it has given as many as before, they tell nothing; but the last transaction that was taken no longer stands
 * where it stood. Throws TP-GAP.
 */
export async function demandSameLog(
  session: Session,
  memory: LogMemory,
  after: LogStart,
  signal: AbortSignal,
): Promise<void> {
  const { last } = memory;
  if (last === null || !isTaken(last.gtid, after)) return;
  if ((await stands(session, last, signal)) !== false) return;
  throw new TwinproofError('TP-GAP', {
    message: `${session.target.label} no longer has ${last.id} in its log where it was taken from: it was set back, and has another history`,
    hint: 'the ledger cannot be carried on over a gap: a new baseline is taken; with sync_binlog=1 a crash takes nothing back',
  });
}

/** Whether the stored position has it. What was handed out and is not stored will come again, as it is now. */
function isTaken(gtid: PlacedTransaction['gtid'], after: LogStart): boolean {
  if (gtid.kind === 'mysql') {
    const one = new Map([[gtid.source, [[gtid.number, gtid.number]] as const]]);
    return after.kind === 'set' && isSubset(one, after.set);
  }
  const stored = after.kind === 'list' ? after.list.get(gtid.domain) : undefined;
  return stored !== undefined && stored.sequence >= gtid.sequence;
}

type LogRow = Readonly<Record<'Log_name' | 'File_size', string>>;

/** Null: that cannot be seen, as when its file was deleted by now. */
async function stands(
  session: Session,
  { file, at, id }: PlacedTransaction,
  signal: AbortSignal,
): Promise<boolean | null> {
  try {
    const files = await session.rows<LogRow>('SHOW BINARY LOGS', [], signal);
    const found = files.find(({ Log_name: name }) => name === file);
    if (found === undefined) return files.every(({ Log_name: name }) => isLater(name, file)) ? null : false;
    if (BigInt(found.File_size) <= BigInt(at)) return false;
    const sql = `SHOW BINLOG EVENTS IN ? FROM ${at} LIMIT 1`;
    const [event] = await session.rows<{ Info: string | null }>(sql, [file], signal);
    return new RegExp(`(?:^|[^\\w-])${id}(?!\\w)`, 'i').test(event?.Info ?? '');
  } catch (error) {
    if (!(error instanceof TwinproofError) || error.retryable) throw error;
    if (error.code === 'TP-PERMISSION') return null;
    // ER_ERROR_WHEN_EXECUTING_COMMAND: no event begins there.
    if (error.code === 'TP-QUERY') return false;
    throw error;
  }
}

/** Files are numbered: `binlog.000007`. */
function isLater(name: string, than: string): boolean {
  const number = (text: string): number => Number(/\d+$/.exec(text)?.[0] ?? Number.NaN);
  return number(name) > number(than);
}
