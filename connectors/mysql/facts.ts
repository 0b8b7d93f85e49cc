import type { ReadinessFacts, ReadinessOptions, SubscriptionFact } from '../../src/connector/facts.ts';
import { TwinproofError } from '../../src/errors.ts';
import { readMysqlFacts } from './facts-mysql.ts';
import { isFatal } from './facts-reading.ts';
import { readSequences, type Sequences, type Unread } from './facts-sequences.ts';
import { readTableList, unkeptOf } from './facts-tables.ts';
import { readIdentity } from './identity.ts';
import { nameOfChannel, readChannels, type Channel } from './relation-channels.ts';
import type { Session } from './session.ts';

/**
 * The readiness facts of one site, of the session's database where they belong to one. Each is read by itself: what
 * the role may not see is null and listed, the others stand. Throws only when the site is lost or the run aborted.
 *
 * `inRecovery` is false on every server of this engine, as on a PostgreSQL subscriber: a replica is an ordinary server
 * into which changes are applied, and it needs no promotion to take writes.
 */
export async function readFacts(
  session: Session,
  signal: AbortSignal,
  { pair }: ReadinessOptions = {},
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
  const identity = await read(['inRecovery', 'writable', 'systemId', 'timeline'], () =>
    readIdentity(session, signal),
  );
  const channels = await read(['replayPaused', 'subscriptions'], () => readChannels(session, signal));
  const tables = await read(['unloggedTables'], () => readTableList(session, signal));
  // What feeds a candidate of another engine is no channel of its own.
  const isCandidate = channels === null || channels.length > 0 || pair === 'cross-engine';
  const sequences = await read<Sequences>(['sequences'], () =>
    readSequences(session, tables ?? [], isCandidate, signal),
  );
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
    mysql: await readMysqlFacts(
      session,
      { channels, tables, counters: isCandidate ? (sequences?.counters ?? null) : null },
      signal,
    ),
  };
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
