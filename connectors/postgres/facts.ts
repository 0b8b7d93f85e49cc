import type {
  FeedFacts,
  ReadinessFacts,
  ReadinessOptions,
  SubscriptionFact,
} from '../../src/connector/facts.ts';
import type { PostgresFacts } from '../../src/connector/facts-postgres.ts';
import { ended, SessionShare } from '../../src/connector/session-share.ts';
import { TwinproofError } from '../../src/errors.ts';
import { readIdentity } from './identity.ts';
import { readPostgresFacts, readReceiving } from './readiness-facts.ts';
import { readLogicalFacts } from './readiness-logical.ts';
import { isFatal, reading } from './readiness-reading.ts';
import type { Unread } from './sequence-columns.ts';
import { readSequences } from './sequences.ts';
import type { Session } from './session.ts';

type Read = <Fact>(names: readonly string[], query: () => Promise<Fact>) => Promise<Fact | null>;

type OtherFacts = Omit<ReadinessFacts, 'sequences' | 'unread' | 'postgres'> & {
  readonly own: Omit<PostgresFacts, 'logical'>;
};

/**
 * The readiness facts of one site, of the sessions' database where they belong to one. Each is read by itself: what
 * the role may not see is null and listed, the others stand. Throws only when the site is lost or the run aborted.
 * `sessions` are connections to one server, among which the work is shared out; one will do. Where the log is replayed
 * the catalog and sequences come with it: no rule asks for them, and reading them takes its time.
 */
export async function readFacts(
  sessions: readonly Session[],
  signal: AbortSignal,
  options: ReadinessOptions = {},
): Promise<ReadinessFacts> {
  const unread: Unread[] = [];
  const read: Read = async (names, query) => {
    try {
      return await query();
    } catch (error) {
      if (signal.aborted || !(error instanceof TwinproofError) || isFatal(error)) throw error;
      for (const fact of names) unread.push({ fact, reason: error.message });
      return null;
    }
  };
  const { pair } = options;
  const share = new SessionShare(sessions);
  const [{ own, ...others }, logical, sequences] = await ended([
    share.run((session) => readOthers(session, options, read, signal)),
    pair === undefined || pair === 'logical'
      ? readLogicalFacts(share, options.as !== 'candidate', signal)
      : null,
    pair === 'physical'
      ? null
      : read(['sequences'], async () => {
          const found = await readSequences(share, options.as !== 'primary', signal);
          unread.push(...found.unread);
          return found.sequences;
        }),
  ]);
  return { ...others, sequences, unread, postgres: { ...own, ...(logical === null ? {} : { logical }) } };
}

/** What brings the site the primary's changes, and nothing else. Throws only when the site is lost or the run aborted. */
export async function readFeed(session: Session, signal: AbortSignal): Promise<FeedFacts> {
  const receiver = await readReceiving(session, signal);
  const subscriptions = await reading(signal, () => readSubscriptions(session, signal));
  return { subscriptions: subscriptions.known ? subscriptions.value : null, postgres: { receiver } };
}

async function readOthers(
  session: Session,
  options: ReadinessOptions,
  read: Read,
  signal: AbortSignal,
): Promise<OtherFacts> {
  const identity = await read(['inRecovery', 'writable', 'systemId', 'timeline'], () =>
    readIdentity(session, signal),
  );
  const replayPaused = await read(['replayPaused'], () => readReplayPaused(session, signal));
  const unloggedTables = await read(['unloggedTables'], () => readUnlogged(session, signal));
  const subscriptions = await read(['subscriptions'], () => readSubscriptions(session, signal));
  return {
    inRecovery: identity?.inRecovery ?? null,
    writable: identity?.writable ?? null,
    replayPaused,
    systemId: identity?.systemId ?? null,
    timeline: identity?.timeline ?? null,
    unloggedTables,
    subscriptions,
    own: await readPostgresFacts(session, options, signal),
  };
}

/** A pause that was requested and not reached counts: replay will stop. */
async function readReplayPaused(session: Session, signal: AbortSignal): Promise<boolean> {
  const [row] = await session.rows<{ paused: boolean }>(
    `select case when pg_catalog.pg_is_in_recovery()
       then pg_catalog.pg_get_wal_replay_pause_state() <> 'not paused' else false end as paused`,
    [],
    signal,
  );
  return row?.paused === true;
}

async function readUnlogged(session: Session, signal: AbortSignal): Promise<string[]> {
  const rows = await session.rows<{ name: string }>(
    `select n.nspname || '.' || c.relname as name
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relpersistence = 'u' and c.relkind in ('r', 'm') and n.nspname !~ '^pg_' order by 1`,
    [],
    signal,
  );
  return rows.map(({ name }) => name);
}

interface SubscriptionRow {
  readonly name: string;
  readonly enabled: boolean;
  readonly running: boolean;
  readonly errors: string | null;
  readonly skip: string | null;
  readonly notReady: readonly string[];
}

/** 0/0 stands for no position. */
const SKIP = `case s.subskiplsn when '0/0' then '' else 'the transaction at ' || s.subskiplsn::text end`;

/** Version 14 neither counts errors nor can skip a transaction by its LSN. */
async function readSubscriptions(session: Session, signal: AbortSignal): Promise<SubscriptionFact[]> {
  const counts = session.versionNumber >= 150_000;
  const errors = counts
    ? '(select e.apply_error_count from pg_stat_subscription_stats e where e.subid = s.oid)::text'
    : 'null';
  const rows = await session.rows<SubscriptionRow>(
    `select s.subname as name, s.subenabled as enabled, ${errors} as errors,
       ${counts ? SKIP : `''`} as skip,
       exists (select from pg_stat_subscription w where w.subid = s.oid and w.relid is null and w.pid is not null)
         as running,
       array(select n.nspname || '.' || c.relname from pg_subscription_rel r
         join pg_class c on c.oid = r.srrelid join pg_namespace n on n.oid = c.relnamespace
         where r.srsubid = s.oid and r.srsubstate <> 'r' order by 1) as "notReady"
     from pg_subscription s join pg_database d on d.oid = s.subdbid
     where d.datname = pg_catalog.current_database() order by 1`,
    [],
    signal,
  );
  return rows.map((row) => ({
    name: row.name,
    enabled: row.enabled,
    workerRunning: row.running,
    applyErrors: row.errors === null ? null : BigInt(row.errors),
    skip: row.skip,
    tablesNotReady: row.notReady,
  }));
}
