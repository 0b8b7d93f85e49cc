import { TwinproofError } from '../../src/errors.ts';
import { readCommitsPending } from './commits.ts';
import { usesGtids } from './positions-log.ts';
import type { Session } from './session.ts';

/*
 * Which rows were written since a mark these servers do not tell; whether a table was, their log of rows does: every
 * transaction that wrote to it has a Table_map event for it (manual, "SHOW BINLOG EVENTS"; MySQL internals, "Event
 * Meanings"). What cannot be read, or is not understood, counts as a write.
 */

/** No place in the log: everything counts as written since. */
export const NO_MARK = '';

/** Events read for one answer, and at once: on MariaDB nobody commits while the end of the log is read. */
const EVENTS_MAX = 20_000;
const EVENTS_AT_ONCE = 1000;

interface Place {
  readonly file: string;
  readonly offset: bigint;
}

/**
 * A place in the primary's log before which every transaction is visible by now. NO_MARK where there is none, or the
 * log does not hold every write.
 */
export async function readMark(session: Session, signal: AbortSignal): Promise<string> {
  const end = await permitted(readEnd(session, signal));
  // Without GTIDs the moment between a commit's log entry and its visibility cannot be seen.
  if (end === null || !(await usesGtids(session, signal))) return NO_MARK;
  if ((await readCommitsPending(session, signal)) !== 'none') return NO_MARK;
  return `${end.file}:${end.offset}`;
}

/** False: nothing was written to the table since the mark. */
export async function mayBeWritten(
  session: Session,
  mark: string,
  table: { readonly schema: string; readonly table: string },
  signal: AbortSignal,
): Promise<boolean> {
  const from = placeOf(mark);
  if (from === null) return true;
  const answer = await permitted(scan(session, from, table, signal));
  return answer ?? true;
}

async function scan(
  session: Session,
  from: Place,
  table: { readonly schema: string; readonly table: string },
  signal: AbortSignal,
): Promise<boolean> {
  const end = await readEnd(session, signal);
  if (end === null || (await hasCascades(session, table, signal))) return true;
  let at = from;
  for (let read = 0; read < EVENTS_MAX; read += EVENTS_AT_ONCE) {
    if (at.file === end.file && at.offset >= end.offset) return false;
    const events = await session.rows<EventRow>(
      'SHOW BINLOG EVENTS IN ? FROM ? LIMIT ?',
      [at.file, at.offset, BigInt(EVENTS_AT_ONCE)],
      signal,
    );
    if (events.some((event) => isWrite(event, table))) return true;
    const next = after(events, at);
    if (next === null) return true;
    at = next;
  }
  return true;
}

export type EventRow = Readonly<Record<'Log_name' | 'Event_type' | 'End_log_pos' | 'Info', string>>;

/** Events that write no row by themselves. Whatever is not named here is a write. */
const HARMLESS = new Set([
  'Format_desc',
  'Previous_gtids',
  'Gtid',
  'Gtid_list',
  'Gtid_tagged',
  'Anonymous_Gtid',
  'Binlog_checkpoint',
  'Rotate',
  'Xid',
  'XA_prepare',
  'Rows_query',
  'Annotate_rows',
  'Table_map',
]);

/** Events with rows: of the tables whose Table_map came before them. */
const ROWS = /^(?:Write|Update|Delete|Update_partial)_rows(?:_compressed)?(?:_v1)?$/;
/**
 * Statements that write nothing by themselves; any other one is DDL, a statement logged as such, or XA COMMIT, whose rows
 * may stand in the log before the mark.
 */
const BRACKETS = /^(?:BEGIN|COMMIT|ROLLBACK|SAVEPOINT|XA\s+(?:START|BEGIN|END|PREPARE|ROLLBACK))\b/i;

/** Whether an event may stand for a write to the table. Pure. */
export function isWrite(
  { Event_type: type, Info: info }: EventRow,
  { schema, table }: { readonly schema: string; readonly table: string },
): boolean {
  if (type === 'Table_map') return info.toLowerCase().includes(`(${schema}.${table})`.toLowerCase());
  if (type === 'Query') return !BRACKETS.test(info);
  return !HARMLESS.has(type) && !ROWS.test(type);
}

/** Where the next events stand; null: that is not known. */
function after(events: readonly EventRow[], at: Place): Place | null {
  const last = events.at(-1);
  if (last === undefined) return null;
  if (last.Event_type === 'Rotate') {
    const match = /^(.+);pos=(\d+)$/.exec(last.Info);
    return match === null ? null : { file: match[1] ?? '', offset: BigInt(match[2] ?? 0) };
  }
  const offset = BigInt(last.End_log_pos);
  return offset > at.offset ? { file: at.file, offset } : null;
}

/** Child rows that a foreign key changes are written by the storage engine: MySQL before 9.6 and MariaDB log none. */
async function hasCascades(
  session: Session,
  { schema, table }: { readonly schema: string; readonly table: string },
  signal: AbortSignal,
): Promise<boolean> {
  const [found] = await session.rows(
    `select 1 as found from information_schema.referential_constraints
     where constraint_schema = ? and table_name = ?
       and (update_rule not in ('NO ACTION', 'RESTRICT') or delete_rule not in ('NO ACTION', 'RESTRICT')) limit 1`,
    [schema, table],
    signal,
  );
  return found !== undefined;
}

/** The end of the log; null: there is none, or it leaves out databases. */
async function readEnd(session: Session, signal: AbortSignal): Promise<Place | null> {
  const newName = session.flavor === 'mysql' && session.version >= 80_200;
  const [row] = await session.rows<Record<'File' | 'Position' | 'Binlog_Do_DB' | 'Binlog_Ignore_DB', string>>(
    newName ? 'SHOW BINARY LOG STATUS' : 'SHOW MASTER STATUS',
    [],
    signal,
  );
  if (row === undefined || row.Binlog_Do_DB !== '' || row.Binlog_Ignore_DB !== '') return null;
  return { file: row.File, offset: BigInt(row.Position) };
}

function placeOf(mark: string): Place | null {
  const match = /^(.+):(\d+)$/.exec(mark);
  return match === null ? null : { file: match[1] ?? '', offset: BigInt(match[2] ?? 0) };
}

/** Null where the account may not ask, or the log is no longer there. */
async function permitted<T>(reading: Promise<T | null>): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    const known = error instanceof TwinproofError && ['TP-PERMISSION', 'TP-QUERY'].includes(error.code);
    if (!known) throw error;
    return null;
  }
}
