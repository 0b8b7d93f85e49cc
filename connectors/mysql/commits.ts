import { setTimeout as sleep } from 'node:timers/promises';
import { TwinproofError } from '../../src/errors.ts';
import { inSnapshot } from './commits-open.ts';
import { comparePositions, positionOfPlace } from './gtid.ts';
import { parseGtidSet, subtract, type GtidSet } from './gtid-set.ts';
import { readStatus } from './identity-variables.ts';
import { readLogPlace, usesGtids } from './positions-log.ts';
import type { LogPlace } from './relation-channels.ts';
import type { Session } from './session.ts';

/** How often, and how many milliseconds apart, to look whether commits that were under way have become visible. */
const POLLS = 10;
const POLL_MS = 20;

export type Pending = 'none' | 'pending' | 'unknown';

/**
 * On the primary: does a commit that is in the log, and so may be on the candidate, stay invisible? That is so while it
 * waits for a semi-synchronous replica (AFTER_SYNC), and for a moment in every commit. Waits that moment, so `none`
 * says: what was in the log when the question came is visible by the answer.
 *
 * Rows have no versions here, so nobody can ask for certain writers, and need not. Say the primary showed v at t0, t1
 * and t2 (a round's last read is the next one's first), the candidate another row between t0 and t1, and again between
 * t1 and t2, and the answer after t1 was `none`: two strikes. Say further that the candidate is faithful. It had
 * applied the head of t0 and more, so what it showed first was written by a transaction that was logged by then; so
 * that was visible by the answer, and yet the primary showed v at t2. Hence the row was changed, and changed back to v,
 * between two reads of the primary. A prepared XA transaction does not matter: its rows are invisible on both sites,
 * and its commit is a transaction of its own in the log.
 *
 * What is left is a row that goes back and forth between two values faster than a round. No question about commits
 * tells that; only more strikes make it unlikely, by about four for each (see STRIKES_NEEDED).
 */
export async function readCommitsPending(session: Session, signal: AbortSignal): Promise<Pending> {
  try {
    if (session.flavor === 'mariadb') return await pendingInMariadb(session, signal);
    return (await usesGtids(session, signal))
      ? await pendingGtids(session, signal)
      : await waitingForReplica(session, signal);
  } catch (error) {
    if (error instanceof TwinproofError && error.code === 'TP-PERMISSION') return 'unknown';
    throw error;
  }
}

/**
 * MySQL: a commit owns its GTID from before its first byte is in the log until it is visible, and any role may see
 * which are owned (manual, "gtid_owned"; sql/rpl_gtid_state.cc, update_gtids_impl).
 */
async function pendingGtids(session: Session, signal: AbortSignal): Promise<Pending> {
  let left = await readOwned(session, signal);
  for (let poll = 0; left.size > 0; poll++) {
    if (poll === POLLS) return 'pending';
    await sleep(POLL_MS);
    const now = await readOwned(session, signal);
    left = subtract(left, subtract(left, now));
  }
  return 'none';
}

/** The global variable, not the session's own of that name. */
export async function readOwned(session: Session, signal: AbortSignal): Promise<GtidSet> {
  const [row] = await session.rows<{ owned: string }>('SELECT @@global.gtid_owned AS owned', [], signal);
  return parseOwned(row?.owned ?? '');
}

/** `uuid:11#25:12#31`: behind each number its thread. */
export function parseOwned(text: string): GtidSet {
  return parseGtidSet(text.replace(/#\d+/g, ''));
}

/**
 * MariaDB: inside START TRANSACTION WITH CONSISTENT SNAPSHOT two status variables tell the end of the log as of this
 * snapshot, that is, of what is visible (knowledge base, "Enhancements for START TRANSACTION WITH CONSISTENT
 * SNAPSHOT").
 */
async function pendingInMariadb(session: Session, signal: AbortSignal): Promise<Pending> {
  const end = await readLogPlace(session, signal);
  return end === null ? 'unknown' : pendingUpTo(session, end, signal);
}

/** MariaDB: whether what its log holds up to a place stays invisible; waits the moment that a commit takes. */
export async function pendingUpTo(session: Session, end: LogPlace, signal: AbortSignal): Promise<Pending> {
  for (let poll = 0; ; poll++) {
    const visible = await readVisible(session, signal);
    if (visible === null) return 'unknown';
    const order = comparePositions(placed(visible), placed(end));
    if (order === 'incomparable') return 'unknown';
    if (order !== 'before') return 'none';
    if (poll === POLLS) return 'pending';
    await sleep(POLL_MS);
  }
}

async function readVisible(session: Session, signal: AbortSignal): Promise<LogPlace | null> {
  const rows = await inSnapshot(session, `SHOW STATUS LIKE 'binlog\\_snapshot\\_%'`, signal);
  const found = new Map(rows.map((row) => [row['Variable_name']?.toLowerCase(), row['Value'] ?? '']));
  const [file, offset] = [found.get('binlog_snapshot_file'), found.get('binlog_snapshot_position')];
  if (file === undefined || file === '' || offset === undefined) return null;
  return { file, offset: BigInt(offset) };
}

const placed = ({ file, offset }: LogPlace) =>
  positionOfPlace({ server: '00000000-0000-0000-0000-000000000000', file, offset });

/** Without GTIDs only those can be seen that wait for a replica; the moment in every other commit is not waited for. */
async function waitingForReplica(session: Session, signal: AbortSignal): Promise<Pending> {
  const names = ['Rpl_semi_sync_source_wait_sessions', 'Rpl_semi_sync_master_wait_sessions'];
  const waiting = await readStatus(session, names, signal);
  return [...waiting.values()].some((count) => count !== '0') ? 'pending' : 'none';
}
