import type { Position } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';
import type { LogStart } from './binlog-dump.ts';
import { readOwned } from './commits.ts';
import { parsePosition } from './gtid.ts';
import { formatGtidList, isInState, parseGtids } from './gtid-list.ts';
import { formatGtidSet, type GtidSet, parseGtidSet, subtract, unite } from './gtid-set.ts';
import { waitForCommits } from './ledger-primary.ts';
import { readExecuted, readList } from './positions.ts';
import { streamFindings } from './preflight-log.ts';
import type { Session } from './session.ts';

/** Behind what a stream begins. */
export interface StreamStart {
  readonly after: LogStart;
  /** What the GTIDs of this server's own transactions name: its UUID, or its number. */
  readonly serverName: string;
}

/**
 * Finds out whether the log behind a position is still whole, and of the history that it was taken from; the beginning
 * of a first stream is the end of the log. `own`: readers see all that lies before a first stream. Throws
 * TP-STREAM-SETUP, TP-GAP, and TP-PERMISSION where what is visible cannot be seen.
 */
export async function readStart(
  session: Session,
  after: Position | null,
  own: boolean,
  signal: AbortSignal,
): Promise<StreamStart> {
  await demandSettings(session, signal);
  if (session.flavor === 'mysql') return startInSet(session, after, signal);
  const start = await startInList(session, after, signal);
  // gtid_binlog_pos has a commit before readers do, for long where it waits for a semi-synchronous replica.
  if (own && after === null) await waitForCommits(session, signal);
  return start;
}

async function demandSettings(session: Session, signal: AbortSignal): Promise<void> {
  const [finding] = await streamFindings(session, signal);
  if (finding === undefined) return;
  throw new TwinproofError('TP-STREAM-SETUP', {
    message: `${session.target.label}: ${finding.subject}: ${finding.message}`,
    ...(finding.sql === undefined ? {} : { hint: `${finding.sql} (${finding.hint})` }),
  });
}

async function startInSet(
  session: Session,
  after: Position | null,
  signal: AbortSignal,
): Promise<StreamStart> {
  const [row] = await session.rows<{ uuid: string; purged: string }>(
    'SELECT @@global.server_uuid AS uuid, @@global.gtid_purged AS purged',
    [],
    signal,
  );
  const serverName = row?.uuid.toLowerCase() ?? '';
  if (after === null) {
    return { after: { kind: 'set', set: await readExecuted(session, signal) }, serverName };
  }
  const stored = parsePosition(after);
  if (stored.kind !== 'set') throw otherKind(session);
  const { set } = stored;
  const purged = parseGtidSet(row?.purged ?? '');
  await demandTaken(session, after, signal);
  demandNone(subtract(purged, set), (names) => {
    return `${session.target.label} deleted transactions from its log that were not taken yet (${names})`;
  });
  return { after: { kind: 'set', set }, serverName };
}

function demandNone(set: GtidSet, message: (names: string) => string): void {
  if (set.size > 0) throw gap(message(formatGtidSet(set)));
}

async function startInList(
  session: Session,
  after: Position | null,
  signal: AbortSignal,
): Promise<StreamStart> {
  const [row] = await session.rows<{ id: string }>('SELECT @@global.server_id AS id', [], signal);
  const serverName = row?.id ?? '';
  if (after === null) {
    const list = await readList(session, 'gtid_binlog_pos', signal);
    return { after: { kind: 'list', list }, serverName };
  }
  const stored = parsePosition(after);
  if (stored.kind !== 'list') throw otherKind(session);
  await demandTaken(session, after, signal);
  return { after: { kind: 'list', list: stored.list }, serverName };
}

/** Throws TP-GAP where the server does not have what was taken from its log. */
export async function demandTaken(session: Session, taken: Position, signal: AbortSignal): Promise<void> {
  const names = await missingOf(session, parsePosition(taken), signal);
  if (names === '') return;
  throw gap(
    `${session.target.label} does not have transactions that were taken from its log before (${names}): it has another history`,
  );
}

async function missingOf(
  session: Session,
  taken: ReturnType<typeof parsePosition>,
  signal: AbortSignal,
): Promise<string> {
  if (taken.kind === 'set') {
    // What is owned may be in the log, and with a stream, before it counts as executed.
    const owned = await readOwned(session, signal);
    return formatGtidSet(subtract(taken.set, unite(await readExecuted(session, signal), owned)));
  }
  if (taken.kind !== 'list') return '';
  const [row] = await session.rows<{ state: string }>(
    'SELECT @@global.gtid_binlog_state AS state',
    [],
    signal,
  );
  const state = parseGtids(row?.state ?? '');
  return formatGtidList(
    new Map([...taken.list].filter(([domain, gtid]) => !isInState({ domain, ...gtid }, state))),
  );
}

function otherKind(session: Session): TwinproofError {
  return gap(`the stored position is of another kind than those of ${session.target.label}`);
}

function gap(message: string): TwinproofError {
  return new TwinproofError('TP-GAP', {
    message,
    hint: 'the ledger cannot be carried on over a gap: take a new baseline; keep the log for longer than the ledger may stand still',
  });
}
