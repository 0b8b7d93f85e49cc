import type { FollowedSource, PendingLog } from '../../src/connector/ledger-sites.ts';
import type { BeginEvent } from '../../src/connector/changes.ts';
import type { Position } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';
import { parsePosition, positionOfList, positionOfSet } from './gtid.ts';
import { joinLists, type GtidList } from './gtid-list.ts';
import { historyOf, type PrimaryHistory, placeBehind, sharesState, stemsFrom } from './gtid-history.ts';
import { type MysqlIdentity, readIdentity, readInstance } from './identity.ts';
import { type Lineage, readExecuted, readLag, readList } from './positions.ts';
import { type Channel, nameOfChannel, readChannels } from './relation-channels.ts';
import { ownPastOf, readState } from './relation-mariadb.ts';
import { otherDatabase } from './relation-names.ts';
import { translated, type Translation } from './scattered.ts';
import type { Session } from './session.ts';

/** Whose log a candidate applies, as far as it can be told without asking the primary. */
export interface Followed extends Translation {
  readonly lineage: Lineage;
  /** MariaDB: mysql.gtid_slave_pos says of every snapshot what it has. */
  readonly exact: boolean;
}

/**
 * By what is remembered of the primary. MySQL: a channel names the server_uuid that it reads from. MariaDB: it names a
 * server_id, which another installation can have too, so the candidate's position must have transactions of that log;
 * rows are compared with the ledger's whatever it says. Through a server in between the history alone decides.
 *
 * Throws TP-UNRELATED for a stranger, TP-ROLES for one that no longer replicates from anybody, TP-PERMISSION where the
 * role may not see replication.
 */
export async function readFollowed(
  session: Session,
  source: FollowedSource,
  signal: AbortSignal,
): Promise<Followed> {
  const { label } = session.target;
  if (source.engine !== session.flavor) {
    throw unrelated(`the ledger is of ${source.engine}, which ${label} (${session.flavor}) cannot follow`);
  }
  const identity = await readIdentity(session, signal);
  const history = historyOf(session.flavor, source.details['gtids'] ?? '');
  const channels = await readChannels(session, signal);
  if (channels.length === 0) {
    throw new TwinproofError('TP-ROLES', {
      message: `${label} replicates from nobody: it was promoted, its replication was reset, or it is the primary itself`,
    });
  }
  const mariadb = session.flavor === 'mariadb';
  const found = mariadb
    ? await followedInMariadb(session, source, { channels, history }, signal)
    : await followedByUuid(session, source, { channels, history, identity }, signal);
  if (found.length === 0) throw unrelated(strangerMessage(session, source, channels));
  // The ledger has the primary's names, so a database that a channel renames is not followed either.
  const databases = {
    candidate: identity.database,
    primary: source.details['database'] ?? identity.database,
  };
  const elsewhere = otherDatabase(label, databases, []);
  if (elsewhere !== null) throw new TwinproofError('TP-NAMES', { message: elsewhere });
  const ownPast = mariadb
    ? ownPastOf(await readState(session, signal), history.state, BigInt(identity.serverId))
    : new Map();
  const names = found.map(({ name }) => name);
  return {
    lineage: { primary: source.systemId, channels: names, ownPast, errant: null, purged: null },
    history,
    own: mariadb ? identity.serverId : identity.systemId,
    single: channels.length === 1,
    exact: mariadb && (await hasExactPlace(session, signal)),
  };
}

/** Positions are kept in one table, of InnoDB. Throws TP-PERMISSION for a role that may not read it. */
async function hasExactPlace(session: Session, signal: AbortSignal): Promise<boolean> {
  const [kept] = await session.rows<{ engine: string | null; others: string }>(
    `SELECT (SELECT t.engine FROM information_schema.tables t
       WHERE t.table_schema = 'mysql' AND t.table_name = 'gtid_slave_pos') AS engine,
       @@global.gtid_pos_auto_engines AS others`,
    [],
    signal,
  );
  if (kept?.engine == null) {
    throw new TwinproofError('TP-PERMISSION', {
      message: `what ${session.target.label} has applied cannot be read together with its rows`,
      hint: 'GRANT SELECT ON mysql.gtid_slave_pos to the role on the candidate',
    });
  }
  return kept.engine.toLowerCase() === 'innodb' && kept.others === '';
}

interface Candidate {
  readonly channels: readonly Channel[];
  readonly history: PrimaryHistory;
}

async function followedByUuid(
  session: Session,
  source: FollowedSource,
  { channels, history, identity }: Candidate & { readonly identity: MysqlIdentity },
  signal: AbortSignal,
): Promise<readonly Channel[]> {
  const direct = channels.filter(({ sourceUuid }) => sourceUuid === source.systemId);
  if (direct.length > 0) return direct;
  // Through another server: it has transactions of the primary, and none of servers that the primary never heard of.
  const executed = await readExecuted(session, signal);
  const sources = [...executed.keys()].filter((uuid) => !uuid.startsWith(identity.systemId));
  const connected = channels.some(({ sourceUuid }) => sourceUuid !== null);
  const known = sources.length > 0 && sources.every((uuid) => history.executed.has(uuid));
  return connected && known ? channels : [];
}

async function followedInMariadb(
  session: Session,
  source: FollowedSource,
  { channels, history }: Candidate,
  signal: AbortSignal,
): Promise<readonly Channel[]> {
  const list = await readList(session, 'gtid_slave_pos', signal);
  if (!sharesState(list, history)) return [];
  const direct = channels.filter(({ sourceServerId }) => sourceServerId === source.details['serverId']);
  if (direct.length > 0) return direct;
  // Whoever was started when its source was gone does not know that server's number: then its position tells.
  const unconnected = channels.filter(({ sourceServerId }) => sourceServerId === null);
  if (unconnected.length > 0 && stemsFrom(list, history, channels.length === 1)) return unconnected;
  return list.size > 0 ? channels.filter(({ sourceServerId }) => sourceServerId !== null) : [];
}

function strangerMessage(session: Session, source: FollowedSource, channels: readonly Channel[]): string {
  const listed = channels.map((channel) => {
    const server = channel.sourceUuid ?? `server_id ${channel.sourceServerId ?? '(never connected)'}`;
    return `${nameOfChannel(channel)} reads from ${server} at ${channel.sourceHost}:${channel.sourcePort}`;
  });
  return `no channel of ${session.target.label} brings the log of the ledger’s primary (${source.systemId}): ${listed.join('; ')}`;
}

/**
 * What tells this candidate from any other that could stand in its place: who it is, and when it was started. A copy of
 * it starts at another moment, and so does itself after a restart, which voids proofs: nothing that a server says of
 * itself tells a restart from the start of a copy of its folder. What is written to it while it runs, and a dump that
 * is loaded into it, is in its own log, or that log has a gap (ownChanges).
 */
export function readIncarnation(session: Session, signal: AbortSignal): Promise<string> {
  return readInstance(session, signal);
}

/**
 * What was received and not applied is in the relay log: recoverable. On MySQL `applied` ends at the first hole; what
 * was applied behind it is in `scattered`.
 */
export async function readPendingLog(
  session: Session,
  followed: Followed | null,
  signal: AbortSignal,
): Promise<PendingLog> {
  const { received, applied, receivedNotAppliedBytes } = await readLag(
    session,
    followed?.lineage ?? null,
    signal,
  );
  const place = applied === null ? null : translated(applied, followed);
  return {
    received: received === null ? null : translated(received, followed).atMost,
    applied: place?.atLeast ?? null,
    scattered: place?.scattered ?? null,
    bytes: receivedNotAppliedBytes,
    appliedCommitUs: await readAppliedCommit(session, followed, signal),
  };
}

/**
 * MySQL: each worker says when its last transaction was committed on the server that it came from, which is the
 * primary's own clock where it is read from directly (manual, "The replication_applier_status_by_worker Table").
 * MariaDB does not say.
 */
async function readAppliedCommit(
  session: Session,
  followed: Followed | null,
  signal: AbortSignal,
): Promise<bigint | null> {
  if (session.flavor === 'mariadb' || followed === null) return null;
  const channels = (await readChannels(session, signal)).filter(
    ({ name, sourceUuid }) =>
      followed.lineage.channels.includes(name) && sourceUuid === followed.lineage.primary,
  );
  if (channels.length === 0) return null;
  try {
    const [row] = await session.rows<{ us: string | null }>(
      `SELECT CAST(MAX(UNIX_TIMESTAMP(w.last_applied_transaction_immediate_commit_timestamp)) * 1000000 AS UNSIGNED) AS us
       FROM performance_schema.replication_applier_status_by_worker w
       WHERE w.channel_name IN (${channels.map(() => '?').join(', ')})`,
      channels.map(({ name }) => name),
      signal,
    );
    // A worker that has applied nothing since it started says 0.
    return row === undefined || row.us === null || row.us === '0' ? null : BigInt(row.us);
  } catch (error) {
    if (error instanceof TwinproofError && error.code === 'TP-PERMISSION') return null;
    throw error;
  }
}

/**
 * The primary's place behind a transaction of the candidate's own log. Null: the candidate wrote it, or somebody of
 * whom the primary has nothing. Pure.
 */
export function originPosition(followed: Followed | null, origin: BeginEvent['origin']): Position | null {
  if (followed === null || origin === null) return null;
  const { history } = followed;
  const parsed = parsePosition(origin.position);
  if (parsed.kind === 'set') {
    const [[source, intervals] = ['', []]] = [...parsed.set];
    const number = intervals[0]?.[0];
    if (number === undefined || !isPrimarys(source, followed)) return null;
    return positionOfSet(placeBehind(history.executed, source, number));
  }
  if (parsed.kind !== 'list') return null;
  const place = new Map([...latestOf(history), ...parsed.list]);
  // Two sources may write in one domain: whoever wrote it decides.
  const known = [...parsed.list].every(([domain, { server }]) =>
    history.state.some((one) => one.domain === domain && one.server === server),
  );
  return known || followed.single ? positionOfList(place) : null;
}

function isPrimarys(source: string, { history, lineage, single, own }: Followed): boolean {
  if (source.startsWith(own)) return false;
  return single || source.startsWith(lineage.primary) || history.executed.has(source);
}

function latestOf({ state }: PrimaryHistory): GtidList {
  let list: GtidList = new Map();
  for (const { domain, server, sequence } of state) {
    list = joinLists(list, new Map([[domain, { server, sequence }]]));
  }
  return list;
}

function unrelated(message: string): TwinproofError {
  return new TwinproofError('TP-UNRELATED', { message });
}
