import type {
  FeedFacts,
  ReadinessFacts,
  ReadinessOptions,
  SubscriptionFact,
} from '../../src/connector/facts.ts';
import type { ChannelFact } from '../../src/connector/facts-mysql.ts';
import { ended, SessionShare } from '../../src/connector/session-share.ts';
import { TwinproofError } from '../../src/errors.ts';
import { mysqlFacts, readKeys, readServerFacts } from './facts-mysql.ts';
import type { Unread } from './facts-parts.ts';
import { isFatal, readingOf } from './facts-reading.ts';
import { type CounterColumn, readCounterColumns, readSequences, type Sequences } from './facts-sequences.ts';
import { channelFacts } from './facts-server.ts';
import { readTableList, unkeptOf } from './facts-tables.ts';
import { readIdentity } from './identity.ts';
import { nameOfChannel, readChannels, type Channel } from './relation-channels.ts';
import type { Session } from './session.ts';

/**
 * The readiness facts of one site, of the sessions' database where they belong to one. Each is read by itself: what
 * the role may not see is null and listed, the others stand. Throws only when the site is lost or the run aborted.
 * `sessions` are connections to one server, among which the work is shared out; one will do.
 *
 * `inRecovery` is false on every server of this engine, as on a PostgreSQL subscriber: a replica is an ordinary server
 * into which changes are applied, and it needs no promotion to take writes.
 */
export async function readFacts(
  sessions: readonly [Session, ...Session[]],
  signal: AbortSignal,
  options: ReadinessOptions = {},
): Promise<ReadinessFacts> {
  const unread: Unread[] = [];
  const read = async <Fact>(names: readonly string[], query: () => Promise<Fact>): Promise<Fact | null> => {
    try {
      return await query();
    } catch (error) {
      if (signal.aborted || !(error instanceof TwinproofError) || isFatal(error)) throw error;
      for (const fact of names) unread.push({ fact, reason: error.message });
      return null;
    }
  };
  const share = new SessionShare(sessions);
  const run = <Fact>(query: (session: Session, stop: AbortSignal) => Promise<Fact>): Promise<Fact> =>
    share.run((session) => query(session, signal));
  const identity = await read(['inRecovery', 'writable', 'systemId', 'timeline'], () => run(readIdentity));
  const channels = await read(['replayPaused', 'subscriptions'], () => run(readChannels));
  const counting = hasCounters(options, channels);
  const listing = read(['unloggedTables'], () => run(readTableList));
  const columns = read(['sequences'], () =>
    counting ? run(readCounterColumns) : Promise.resolve(NO_COLUMNS),
  );
  const [tables, , keys, sequences, own] = await ended([
    listing,
    columns,
    listing.then((found) => share.run((session) => readKeys(session, found, signal))),
    Promise.all([listing, columns]).then(([found, counted]) =>
      counted === null
        ? null
        : read<Sequences>(['sequences'], () =>
            readSequences(share, sessions[0].flavor, found ?? [], counting ? counted : null, signal),
          ),
    ),
    run((session) => readServerFacts(session, channels, signal)),
  ]);
  unread.push(...(sequences?.unread ?? []));
  return {
    inRecovery: identity === null ? null : false,
    writable: identity?.writable ?? null,
    replayPaused: channels === null ? null : channels.some(isPaused),
    systemId: identity?.systemId ?? null,
    timeline: null,
    unloggedTables: tables === null ? null : unkeptOf(tables),
    sequences: sequences?.sequences ?? null,
    subscriptions: channels === null ? null : channels.map(subscriptionOf),
    unread,
    mysql: mysqlFacts(own, tables, keys, counting ? (sequences?.counters ?? null) : null),
  };
}

/**
 * What brings the site the primary's changes, and nothing else. Throws only when the site is lost or the run aborted.
 */
export async function readFeed(session: Session, signal: AbortSignal): Promise<FeedFacts> {
  const query = async (): Promise<readonly ChannelFact[]> =>
    channelFacts(session, await readChannels(session, signal), signal);
  return { subscriptions: null, mysql: { channels: await readingOf(session, null, query, signal) } };
}

const NO_COLUMNS: readonly CounterColumn[] = [];

/** What feeds a candidate of another engine is no channel of its own. */
function hasCounters({ as, pair }: ReadinessOptions, channels: readonly Channel[] | null): boolean {
  return as === undefined
    ? channels === null || channels.length > 0 || pair === 'cross-engine'
    : as === 'candidate';
}

/** Stopped by hand or by an error, or told to be late. */
function isPaused(channel: Channel): boolean {
  return !channel.applying || channel.delaySeconds > 0;
}

/**
 * Pure. A channel that looks for its source is at work: after the loss of the primary nothing else is to be expected.
 * The server counts no errors, but names the last one for as long as it stands in the way.
 */
function subscriptionOf(channel: Channel): SubscriptionFact {
  const { receiving, applying, skipCounter } = channel;
  return {
    name: `channel ${nameOfChannel(channel)}`,
    enabled: receiving !== 'no' || applying || channel.applyErrno !== 0,
    workerRunning: receiving !== 'no' && applying,
    applyErrors: channel.applyErrno === 0 ? 0n : 1n,
    skip: skipCounter === '' || skipCounter === '0' ? '' : `the next ${skipCounter} events`,
    tablesNotReady: [],
  };
}
