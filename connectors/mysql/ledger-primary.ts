import { setTimeout as sleep } from 'node:timers/promises';
import type { PlanOptions, Range, RowShape } from '../../src/connector/contract.ts';
import { throwIfInterrupted } from '../../src/connector/interruption.ts';
import type { FollowedSource, SourceTable, WitnessReading } from '../../src/connector/ledger-sites.ts';
import { TwinproofError } from '../../src/errors.ts';
import { type Pending, pendingUpTo, readCommitsPending, readOwned } from './commits.ts';
import { parseGtids } from './gtid-list.ts';
import { formatGtidSet, isSubset, parseGtidSet, subtract, unite } from './gtid-set.ts';
import { readIdentity } from './identity.ts';
import { planRanges } from './plan.ts';
import { readExecuted, readList, readLogEnd } from './positions.ts';
import { readLogPlace, usesGtids } from './positions-log.ts';
import type { ProbeSessions } from './probe.ts';
import type { Session } from './session.ts';
import { readSynchrony } from './synchrony.ts';

/** Between two looks whether commits have become visible. */
const POLL_MS = 20;

/**
 * The clock before the head: what had returned to its client by then is in the log before the head is asked for. What
 * is only owned had not returned; on a replica a worker may own a transaction for as long as it waits for a row, and
 * its log does not bring it until then.
 */
export async function readWitness(session: Session, signal: AbortSignal): Promise<WitnessReading> {
  // NOW() is the moment at which the statement began; the session's time zone is UTC.
  const [clock] = await session.rows<{ us: string }>(
    'SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED) AS us',
    [],
    signal,
  );
  return { position: await readLogEnd(session, signal, 'returned'), timeUs: BigInt(clock?.us ?? 0) };
}

/** Whether a transaction (BeginEvent.id) is certainly visible to every read that begins from now on. */
export type VisibleNow = (transaction: string) => boolean;

/**
 * What every read from now on sees. What it does not name may be in such a read as well: the ledger then lets the log's
 * change win, which says the same or, if the row was changed once more, is followed by that change, since all that was
 * visible lies before the head that is read after the read began (DESIGN.md section 7).
 *
 * MySQL: gtid_executed has a transaction only when it is visible. MariaDB: gtid_binlog_pos has it as soon as it is
 * logged; so the end of the log is read behind it, and the answer waits until a snapshot reaches that end. (The
 * position of a snapshot in GTIDs would tell as much at once, but BINLOG_GTID_POS reads the log file from its
 * beginning.)
 */
export async function readVisibleNow(session: Session, signal: AbortSignal): Promise<VisibleNow> {
  if (session.flavor === 'mysql') {
    const executed = await readExecuted(session, signal);
    return (transaction) => isSubset(parseGtidSet(transaction), executed);
  }
  const list = await readList(session, 'gtid_binlog_pos', signal);
  const end = await readLogPlace(session, signal);
  if (end !== null) await untilNone(() => pendingUpTo(session, end, signal), signal);
  return (transaction) =>
    parseGtids(transaction).every(({ domain, sequence }) => {
      const last = list.get(domain);
      return last !== undefined && last.sequence >= sequence;
    });
}

/**
 * Ends when every transaction whose commit the log held at the call is visible: a commit may wait for a
 * semi-synchronous replica for long. Throws TP-PERMISSION where that cannot be seen.
 *
 * `only`, on MySQL with GTIDs: until these are visible. A replica's worker owns its GTID from the beginning of the
 * transaction, not from its commit, and may wait for a lock meanwhile: those are not waited for.
 */
export async function waitForCommits(
  session: Session,
  signal: AbortSignal,
  only: ReadonlySet<string> | null = null,
): Promise<void> {
  if (only === null || session.flavor === 'mariadb' || !(await usesGtids(session, signal)))
    return untilNone(() => readCommitsPending(session, signal), signal);
  let left = parseGtidSet([...only].join(','));
  for (;;) {
    // What the log has is owned until it is executed; neither, in this order: the server was reset, and forgot it.
    const owned = await readOwned(session, signal);
    left = subtract(left, subtract(left, owned));
    left = subtract(left, await readExecuted(session, signal));
    if (left.size === 0) return;
    await sleep(POLL_MS);
    throwIfInterrupted(signal);
  }
}

async function untilNone(ask: () => Promise<Pending>, signal: AbortSignal): Promise<void> {
  for (;;) {
    const pending = await ask();
    if (pending === 'none') return;
    if (pending === 'unknown') {
      throw new TwinproofError('TP-PERMISSION', {
        message: 'which commits are visible cannot be seen',
        hint: 'GRANT BINLOG MONITOR (MariaDB) or REPLICATION CLIENT (MySQL) to the role on the primary',
      });
    }
    throwIfInterrupted(signal);
  }
}

/** Parts of the table along its key; the first and the last are open, so rows that come at either end are in them. */
export async function planLeaf(
  table: SourceTable,
  shape: RowShape,
  options: PlanOptions,
  sessions: ProbeSessions,
): Promise<readonly Range[]> {
  if (shape.table.name !== table.root) {
    throw new TwinproofError('TP-DEFINITION-CHANGED', {
      message: `${table.leaf} is not ${shape.table.name}`,
      retryable: true,
    });
  }
  return planRanges(shape, { ...options, kind: 'slice' }, sessions);
}

/**
 * What tells a replica of this server from another's, and the transactions of this server from a replica's own, when
 * the server is gone. The log is sent to everyone who asks, before any semi-synchronous replica has it: nobody holds it
 * back.
 */
export async function readFollowedSource(session: Session, signal: AbortSignal): Promise<FollowedSource> {
  const { engine, systemId, serverId, database, address } = await readIdentity(session, signal);
  const gtids = await readHistory(session, signal);
  const synchrony = await readSynchrony(session, signal);
  return {
    engine,
    systemId,
    timeline: null,
    details: { database, serverId, address: address ?? '', gtids, heldBackBy: '' },
    synchrony,
  };
}

/** For historyOf. On MySQL with what is being committed, so that no number looks as if nobody would ever have it. */
async function readHistory(session: Session, signal: AbortSignal): Promise<string> {
  if (session.flavor === 'mysql') {
    const owned = await readOwned(session, signal);
    return formatGtidSet(unite(owned, await readExecuted(session, signal)));
  }
  const [row] = await session.rows<{ gtids: string }>(
    'SELECT @@global.gtid_binlog_state AS gtids',
    [],
    signal,
  );
  return (row?.gtids ?? '').replace(/\s+/g, '');
}
