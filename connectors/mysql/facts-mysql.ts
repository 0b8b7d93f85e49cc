import type { CounterFact, MysqlFacts } from '../../src/connector/facts-mysql.ts';
import type { Reading } from '../../src/connector/reading.ts';
import {
  ACCOUNTS_NEED,
  definersNeed,
  GRANTS_NEED,
  readAccounts,
  readDefiners,
  readEvents,
  readGrants,
  readTriggers,
} from './facts-accounts.ts';
import { type Need, PREPARED_NEED, readingOf } from './facts-reading.ts';
import {
  channelFacts,
  readLogFilters,
  readNamedZones,
  readPlugins,
  readServerStatus,
  readServerVariables,
  readTransactions,
  readUnapplied,
} from './facts-server.ts';
import { readPrepared, readTableFacts, type TableFacts } from './facts-tables.ts';
import type { Channel } from './relation-channels.ts';
import type { Session } from './session.ts';

/**
 * What the rules of this engine look at. Each fact is read by itself; `channels` and `counters` were read before, null
 * where they could not be, or need not be. Throws only when the site is lost or the run aborted.
 */
export async function readMysqlFacts(
  session: Session,
  channels: readonly Channel[] | null,
  counters: readonly CounterFact[] | null,
  signal: AbortSignal,
): Promise<MysqlFacts> {
  const read = <T>(need: Need | null, query: () => Promise<T>): Promise<Reading<T>> =>
    readingOf(session, need, query, signal);
  const ofChannels = <T>(query: (known: readonly Channel[]) => Promise<T>): Promise<Reading<T>> =>
    channels === null ? Promise.resolve(NO_CHANNELS) : read(null, () => query(channels));
  const database = `${quoted(session.target.database)}.*`;
  const tables = await read(null, () => readTableFacts(session, signal));
  const part = <T>(pick: (known: TableFacts) => T): Reading<T> =>
    tables.known ? { known: true, value: pick(tables.value) } : tables;
  return {
    variables: await read(null, () => readServerVariables(session, signal)),
    status: await read(null, () => readServerStatus(session, signal)),
    channels: await ofChannels((known) => channelFacts(session, known, signal)),
    transactions: await read(null, () => readTransactions(session, signal)),
    unapplied: await ofChannels((known) => readUnapplied(session, known, signal)),
    logFilters: await read(logNeed(session), () => readLogFilters(session, signal)),
    plugins: await read(null, () => readPlugins(session, signal)),
    namedZones: await read(null, () => readNamedZones(session, signal)),
    events: await read({ privileges: 'EVENT', on: database }, () => readEvents(session, signal)),
    accounts: await read(ACCOUNTS_NEED, () => readAccounts(session, signal)),
    grants: await read(GRANTS_NEED, () => readGrants(session, signal)),
    definers: await read(definersNeed(session), () => readDefiners(session, signal)),
    triggers: await read({ privileges: 'TRIGGER', on: database }, () => readTriggers(session, signal)),
    otherEngines: part(({ otherEngines }) => otherEngines),
    keyless: part(({ keyless }) => keyless),
    keys: part(({ keys }) => keys),
    counters: counters === null ? NO_COUNTERS : { known: true, value: counters },
    prepared: await read(PREPARED_NEED, () => readPrepared(session, signal)),
  };
}

const NO_CHANNELS = {
  known: false,
  reason: 'this account may not see whether the server replicates',
} as const;

const NO_COUNTERS = { known: false, reason: 'counters are read on a candidate only' } as const;

function logNeed({ flavor }: Session): Need {
  return { privileges: flavor === 'mysql' ? 'REPLICATION CLIENT' : 'BINLOG MONITOR', on: '*.*' };
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
