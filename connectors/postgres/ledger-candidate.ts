import type { FollowedSource, PendingLog } from '../../src/connector/ledger-sites.ts';
import type { BeginEvent } from '../../src/connector/changes.ts';
import type { Position } from '../../src/connector/position.ts';
import { TwinproofError } from '../../src/errors.ts';
import { readIdentity } from './identity.ts';
import { parseLsn } from './lsn.ts';
import { type Lineage, place, readLag } from './positions.ts';
import type { LogHistory } from './log-history.ts';
import { type Lineage as LogLineage, namesake } from './replication-lineage.ts';
import { otherDatabase } from './relation.ts';
import type { Session } from './session.ts';
import { readShutDown } from './shutdown-record.ts';
import { learnTimeline } from './standby-timeline.ts';

interface SubscriptionRow {
  readonly oid: number;
  readonly slot: string | null;
  readonly publications: readonly string[];
}

/**
 * Whose log the candidate applies, by what is remembered of the primary: null for a standby, whose log is the primary's.
 * Throws TP-UNRELATED for a stranger, and for a standby on a timeline that only has its number in common with one of the
 * primary’s; TP-ROLES for a standby that was promoted; what `history` throws.
 */
export async function readFollowed(
  session: Session,
  source: FollowedSource,
  history: Pick<LogHistory, 'ancestorsOf'>,
  signal: AbortSignal,
): Promise<Lineage | null> {
  if (source.engine !== 'postgres' || source.timeline === null) {
    throw unrelated(`the ledger is of ${source.engine}, which ${session.target.label} cannot follow`);
  }
  await learnTimeline(session, signal);
  const identity = await readIdentity(session, signal);
  if (identity.inRecovery) {
    if (identity.systemId === source.systemId) {
      const why = namesake(source, identity.timeline, await history.ancestorsOf(identity, signal));
      if (why !== null) throw unrelated(`${session.target.label} is a standby of another history: ${why}`);
      const { label } = session.target;
      const { database = identity.database } = source.details;
      const elsewhere = otherDatabase(label, identity.database, database);
      if (elsewhere !== null) throw unrelated(elsewhere);
      return null;
    }
    throw unrelated(
      `${session.target.label} is a standby of another server (system ${identity.systemId}, the primary is ${source.systemId})`,
    );
  }
  const subscriptions = await subscriptionsTo(session, source, signal);
  if (subscriptions.length === 0) {
    throw identity.systemId === source.systemId ? promoted(session, identity.timeline) : stranger(session);
  }
  const { details, systemId, timeline } = source;
  const wal = {
    segmentBytes: BigInt(details['segmentBytes'] ?? 0),
    pageBytes: BigInt(details['pageBytes'] ?? 0),
  };
  return { primary: { systemId, timeline, wal }, history: details['ancestors'] ?? '', subscriptions };
}

/** As relateSites finds them while the primary is there: by slot and publications. */
async function subscriptionsTo(
  session: Session,
  { details }: FollowedSource,
  signal: AbortSignal,
): Promise<readonly number[]> {
  const slots = namesIn(details['slots']);
  const publications = namesIn(details['publications']);
  const rows = await session.rows<SubscriptionRow>(
    `select s.oid::int8::float8 as oid, s.subslotname as slot, s.subpublications as publications
     from pg_subscription s join pg_database d on d.oid = s.subdbid
     where d.datname = pg_catalog.current_database()`,
    [],
    signal,
  );
  return rows
    .filter(
      ({ slot, publications: wanted }) =>
        slot !== null && slots.has(slot) && wanted.every((name) => publications.has(name)),
    )
    .map(({ oid }) => oid);
}

function namesIn(text: string | undefined): ReadonlySet<string> {
  const names: unknown = JSON.parse(text ?? '[]');
  return new Set(Array.isArray(names) ? names.filter((name) => typeof name === 'string') : []);
}

/** A subscriber keeps nothing that it has received and not applied: what it lacks comes from the primary or not at all. */
export async function readPendingLog(
  session: Session,
  lineage: Lineage | null,
  signal: AbortSignal,
): Promise<PendingLog> {
  const { received, applied, receivedNotAppliedBytes } = await readLag(session, lineage, signal);
  if (lineage !== null) {
    return { received: applied, applied, bytes: applied === null ? null : 0n, appliedCommitUs: null };
  }
  const [row] = await session.rows<{ us: string | null }>(
    `select case when pg_catalog.pg_is_in_recovery()
       then (extract(epoch from pg_catalog.pg_last_xact_replay_timestamp()) * 1000000)::int8 end::text as us`,
    [],
    signal,
  );
  const appliedCommitUs = row === undefined || row.us === null ? null : BigInt(row.us);
  const shutDown = await readShutDown(session, applied, signal);
  return { received, applied, bytes: receivedNotAppliedBytes, appliedCommitUs, shutDown };
}

/** The ends of the timelines that a server's own descends from. */
export async function readForks(
  session: Session,
  { ancestors, systemId }: LogLineage,
  signal: AbortSignal,
): Promise<readonly Position[]> {
  const { wal } = await readIdentity(session, signal);
  return ancestors.map(({ timeline, end }) => place({ systemId, timeline, wal }, end));
}

const XID_BITS = 32;
/** Below it are the ids of rows that are older than anything (transam.h: BootstrapTransactionId, FrozenTransactionId). */
const FIRST_NORMAL_XID = 3n;

/**
 * `transactions` is `xmin:xmax` of a snapshot of the primary: every transaction below xmin had ended, and none from xmax
 * on, subtransactions too (manual, "Transaction ID and Snapshot Information Functions"). `writer` has 32 bits: of all ids
 * that end in these the one nearest to the snapshot is meant. A row that was frozen shows its writer all the same.
 */
export function writtenWhen(writer: string, transactions: string): 'before' | 'since' | null {
  const ended = endedIn(transactions);
  if (ended === null || !/^\d+$/.test(writer)) return null;
  const { lowest, next } = ended;
  if (BigInt(writer) < FIRST_NORMAL_XID) return 'before';
  const id = next + BigInt.asIntN(XID_BITS, BigInt(writer) - next);
  if (id >= next) return 'since';
  return id < lowest ? 'before' : null;
}

interface Ended {
  readonly transactions: string;
  readonly lowest: bigint;
  readonly next: bigint;
}

/** Asked for row after row of one witness. */
let lastEnded: Ended | null = null;

function endedIn(transactions: string): Ended | null {
  if (lastEnded?.transactions === transactions) return lastEnded;
  const match = /^(\d+):(\d+)$/.exec(transactions);
  if (match === null) return null;
  lastEnded = { transactions, lowest: BigInt(match[1] ?? 0), next: BigInt(match[2] ?? 0) };
  return lastEnded;
}

/**
 * The apply worker of a subscription writes as origin `pg_` and its oid, and notes the end of the primary's commit
 * (manual, "Replication Progress Tracking").
 */
export function originPosition(lineage: Lineage | null, origin: BeginEvent['origin']): Position | null {
  if (lineage === null || origin === null) return null;
  const oid = Number(/^pg_(\d+)$/.exec(origin.name)?.[1] ?? 0);
  return lineage.subscriptions.includes(oid) ? place(lineage.primary, parseLsn(origin.position)) : null;
}

function unrelated(message: string): TwinproofError {
  return new TwinproofError('TP-UNRELATED', { message });
}

function stranger(session: Session): TwinproofError {
  return unrelated(
    `${session.target.label} is no standby, and no subscription in this database has a slot and publications of the primary`,
  );
}

function promoted(session: Session, timeline: string): TwinproofError {
  return new TwinproofError('TP-ROLES', {
    message: `${session.target.label} is a primary by itself (timeline ${timeline}): a standby that was promoted, or a clone`,
  });
}
