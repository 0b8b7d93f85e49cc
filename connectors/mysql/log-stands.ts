import type { Position } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';
import { isLater, readStanding, setBack } from './log-same.ts';
import { readLogPlace } from './positions-log.ts';
import type { LogPlace } from './relation-channels.ts';
import type { Session } from './session.ts';
import { demandTaken } from './stream-start.ts';

/** What a stream has read of a log. */
export interface ReadLog {
  /** The file, and bytes of it that were there when they were sent. */
  readonly file: string;
  readonly reached: number;
  readonly position: Position;
}

/**
 * Throws TP-GAP where a log that is being read was begun anew under its reader (RESET BINARY LOGS AND GTIDS, RESET
 * MASTER). In the first file, which goes by the name of the one that took its place, the server says nothing of it, and
 * that there is nothing new until the new one is longer than what was read of the old (measured, both servers). Without
 * the right to see the log only its GTIDs tell.
 */
export async function demandStanding(session: Session, read: ReadLog, signal: AbortSignal): Promise<void> {
  const standing = await standingOf(session, read, signal);
  if (standing === 'gone') {
    throw setBack(session, `its log was begun anew while it was read: ${read.file} ended at ${read.reached}`);
  }
  await demandTaken(session, read.position, signal);
}

async function standingOf(
  session: Session,
  read: ReadLog,
  signal: AbortSignal,
): Promise<'there' | 'deleted' | 'gone'> {
  try {
    const end = await readLogPlace(session, signal);
    if (end !== null && end.file === read.file) return isBefore(end, read) ? 'gone' : 'there';
    if (end === null || isLater(read.file, end.file)) return 'gone';
    return await readStanding(session, read, signal);
  } catch (error) {
    if (error instanceof TwinproofError && error.code === 'TP-PERMISSION') return 'there';
    throw error;
  }
}

function isBefore({ offset }: LogPlace, { reached }: ReadLog): boolean {
  return offset < BigInt(reached);
}
