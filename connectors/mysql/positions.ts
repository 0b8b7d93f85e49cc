import type { LagFacts } from '../../src/connector/identity.ts';
import type { AppliedReading, HeadReading, Position } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';
import { parseOwned } from './commits.ts';
import { readOpenWriters } from './commits-open.ts';
import { comparePositions, positionOfList, positionOfPlace, positionOfSet } from './gtid.ts';
import { joinLists, parseGtidList, type GtidList } from './gtid-list.ts';
import { parseGtidSet, unite, type GtidSet } from './gtid-set.ts';
import { readLogPlace, usesGtids } from './positions-log.ts';
import { readChannels, type Channel } from './relation-channels.ts';
import type { Session } from './session.ts';

/** Whose transactions a candidate's positions are about, and by which of its channels they come. */
export interface Lineage {
  /** system identifier of the primary */
  readonly primary: string;
  /** Names of the channels; all of them when an intermediate server stands between. */
  readonly channels: readonly string[];
  /** MariaDB: what the candidate wrote itself, when it was the primary, and the primary has too. */
  readonly ownPast: GtidList;
  /** What the candidate has and the primary lacked when they were related, in the server's notation; null: nothing. */
  readonly errant: string | null;
  /** What the candidate lacked then and the primary can no longer send, likewise; null: nothing, or not known. */
  readonly purged: string | null;
}

/** What a connector remembers between two readings of a head. */
export interface HeadMemory {
  quiet: { readonly head: Position; readonly readAtMs: number } | null;
  /** The last answer that was not yes. */
  restless: { readonly quiet: false | null; readonly readAtMs: number } | null;
}

export function newHeadMemory(): HeadMemory {
  return { quiet: null, restless: null };
}

/**
 * For how long "nothing was open" is not asked again while the head stands still. What was in the log then is visible,
 * and nothing was logged since; a transaction that was begun meanwhile is in no log.
 */
const QUIET_FOR_MS = 1000;
/** For how long "no" and "not known" are not asked again: the answer takes 100 ms, and settling needs just the head. */
const RESTLESS_FOR_MS = 300;

/**
 * The primary's head, and whether all before it is visible.
 *
 * MySQL: gtid_executed has a transaction only after it became visible, so alone it may lack one that can be seen. In
 * between its GTID is owned; so what is owned is read first, and added. MariaDB: gtid_binlog_pos has a transaction as
 * soon as it is logged, before it is visible. So both may be ahead of what is visible (a commit that waits for a
 * replica), never behind. Without GTIDs: the end of the log, likewise.
 *
 * Quiet is asked after the head alone. What is in the log at the head is then visible, or its transaction is still open
 * and seen; what is logged later moves the head. (A head that stood still and was quiet is quiet.)
 *
 * Throws TP-POSITION when the server keeps no log, TP-PERMISSION without GTIDs and REPLICATION CLIENT.
 */
export async function readHead(
  session: Session,
  signal: AbortSignal,
  memory: HeadMemory = newHeadMemory(),
  now: () => number = () => performance.now(),
): Promise<HeadReading> {
  const head = await readLogEnd(session, signal);
  const readAtMs = now();
  const known = memory.quiet;
  if (known?.head === head && readAtMs - known.readAtMs < QUIET_FOR_MS) return { head, quiet: true };
  const { restless } = memory;
  if (restless !== null && readAtMs - restless.readAtMs < RESTLESS_FOR_MS)
    return { head, quiet: restless.quiet };
  const writers = await readOpenWriters(session, signal);
  const quiet = writers === null ? null : !writers;
  memory.quiet = quiet === true ? { head, readAtMs } : null;
  memory.restless = quiet === true ? null : { quiet, readAtMs: now() };
  return { head, quiet };
}

/**
 * The head of the server's own log, also of a replica's, without asking whether it is quiet; `returned`: without what
 * is still being committed, where that can be told. Throws as readHead.
 */
export async function readLogEnd(
  session: Session,
  signal: AbortSignal,
  what: 'visible' | 'returned' = 'visible',
): Promise<Position> {
  if (session.flavor === 'mariadb') {
    const [row] = await session.rows<{ log: string; gtids: string }>(
      'SELECT @@global.log_bin AS log, @@global.gtid_binlog_pos AS gtids',
      [],
      signal,
    );
    if (row?.log !== '1') throw withoutLog(session);
    return positionOfList(parseGtidList(row.gtids));
  }
  const [row] = await session.rows<{ log: string; mode: string; uuid: string; owned: string }>(
    `SELECT @@global.log_bin AS log, @@global.gtid_mode AS mode, @@global.server_uuid AS uuid,
       @@global.gtid_owned AS owned`,
    [],
    signal,
  );
  if (row?.log !== '1') throw withoutLog(session);
  if (row.mode === 'ON') {
    const owned = what === 'visible' ? parseOwned(row.owned) : new Map();
    return positionOfSet(unite(owned, await readExecuted(session, signal)));
  }
  const place = await readLogPlace(session, signal);
  if (place === null) throw withoutLog(session);
  return positionOfPlace({ server: row.uuid, ...place });
}

function withoutLog({ target }: Session): TwinproofError {
  return new TwinproofError('TP-POSITION', { message: `${target.label} keeps no binary log` });
}

/** The transactions that a server has committed, its own and replicated ones. */
export async function readExecuted(session: Session, signal: AbortSignal): Promise<GtidSet> {
  const [row] = await session.rows<{ gtids: string }>('SELECT @@global.gtid_executed AS gtids', [], signal);
  return parseGtidSet(row?.gtids ?? '');
}

export async function readList(
  session: Session,
  name: 'gtid_binlog_pos' | 'gtid_slave_pos',
  signal: AbortSignal,
): Promise<GtidList> {
  const [row] = await session.rows<{ gtids: string }>(`SELECT @@global.${name} AS gtids`, [], signal);
  return parseGtidList(row?.gtids ?? '');
}

/**
 * What the candidate has applied.
 *
 * MySQL: gtid_executed, a set; parallel workers that commit out of order leave holes in it, and transactions of its own
 * (errant ones) are in it too, so while it is behind it may be incomparable with the head, and that is only to be
 * waited for. MariaDB: gtid_slave_pos, which has replicated transactions only and is raised at their commit, in order;
 * not gtid_current_pos, which takes a local write for a replicated one of the same domain. Without GTIDs: the place in
 * the source's log up to which everything is executed; then the source must be the primary itself.
 */
export async function readApplied(
  session: Session,
  lineage: Lineage | null,
  signal: AbortSignal,
): Promise<AppliedReading> {
  if (session.flavor === 'mariadb') {
    const replicated = await readList(session, 'gtid_slave_pos', signal);
    return { applied: positionOfList(joinLists(replicated, lineage?.ownPast ?? new Map())) };
  }
  if (await usesGtids(session, signal)) {
    return { applied: positionOfSet(await readExecuted(session, signal)) };
  }
  const [channel] = await channelsOf(session, lineage, signal);
  return { applied: channel === undefined ? null : placeOf(channel, 'executed') };
}

/** Throws what the server says, but for a role that may not see replication: then what is received is unknown. */
export async function readLag(
  session: Session,
  lineage: Lineage | null,
  signal: AbortSignal,
): Promise<LagFacts> {
  const channels = await permitted(channelsOf(session, lineage, signal));
  const { applied } = (await permitted(readApplied(session, lineage, signal))) ?? { applied: null };
  if (channels === null || channels.length === 0) {
    return { received: null, applied, receivedNotAppliedBytes: null };
  }
  const received = await readReceived(session, lineage, channels, signal);
  return { received, applied, receivedNotAppliedBytes: bytesWaiting(channels, received, applied) };
}

async function readReceived(
  session: Session,
  lineage: Lineage | null,
  channels: readonly Channel[],
  signal: AbortSignal,
): Promise<Position | null> {
  if (session.flavor === 'mariadb') {
    // Where nothing is asked for by GTID, the connection does not say what it got.
    if (channels.some(({ byGtid }) => !byGtid)) return null;
    let received = joinLists(
      await readList(session, 'gtid_slave_pos', signal),
      lineage?.ownPast ?? new Map(),
    );
    for (const { receivedGtids } of channels) received = joinLists(received, parseGtidList(receivedGtids));
    return positionOfList(received);
  }
  if (await usesGtids(session, signal)) {
    let received = await readExecuted(session, signal);
    for (const { receivedGtids } of channels) received = unite(received, parseGtidSet(receivedGtids));
    return positionOfSet(received);
  }
  const [channel] = channels;
  return channel === undefined ? null : placeOf(channel, 'read');
}

/**
 * Bytes of the source's log that were read and not executed, at most: parallel workers move the executed place only now
 * and then, so where the positions say that nothing waits, nothing does. Null when the two places are not in one file.
 */
function bytesWaiting(
  channels: readonly Channel[],
  received: Position | null,
  applied: Position | null,
): bigint | null {
  const order = received === null || applied === null ? null : comparePositions(received, applied);
  if (order === 'equal' || order === 'before') return 0n;
  let sum = 0n;
  for (const { read, executed } of channels) {
    if (read === null || executed === null || read.file !== executed.file) return null;
    if (read.offset < executed.offset) return null;
    sum += read.offset - executed.offset;
  }
  // The places were read before the positions, and say nothing of what came in between.
  return order !== null && sum === 0n ? null : sum;
}

/** The channels that lead to the primary; without a lineage all. */
async function channelsOf(
  session: Session,
  lineage: Lineage | null,
  signal: AbortSignal,
): Promise<Channel[]> {
  const channels = await readChannels(session, signal);
  return lineage === null ? channels : channels.filter(({ name }) => lineage.channels.includes(name));
}

function placeOf(channel: Channel, which: 'read' | 'executed'): Position | null {
  const { sourceUuid, [which]: place } = channel;
  return sourceUuid === null || place === null ? null : positionOfPlace({ server: sourceUuid, ...place });
}

async function permitted<T>(reading: Promise<T>): Promise<T | null> {
  try {
    return await reading;
  } catch (error) {
    if (error instanceof TwinproofError && error.code === 'TP-PERMISSION') return null;
    throw error;
  }
}
