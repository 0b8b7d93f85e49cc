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
import {
  otherEnginesOf,
  readPrepared,
  readTableKeys,
  type TableEntry,
  type TableKeys,
} from './facts-tables.ts';
import type { Channel } from './relation-channels.ts';
import type { Session } from './session.ts';

/** All but what is read from the tables. */
export type ServerFacts = Omit<MysqlFacts, 'otherEngines' | 'keyless' | 'keys' | 'counters'>;

/**
 * What the rules of this engine look at, each fact by itself, of a server with these channels (null: they could not be
 * read). Throws only when the site is lost or the run aborted.
 */
export async function readServerFacts(
  session: Session,
  channels: readonly Channel[] | null,
  signal: AbortSignal,
): Promise<ServerFacts> {
  const read = <T>(need: Need | null, query: () => Promise<T>): Promise<Reading<T>> =>
    readingOf(session, need, query, signal);
  const ofChannels = <T>(query: (known: readonly Channel[]) => Promise<T>): Promise<Reading<T>> =>
    channels === null ? Promise.resolve(NO_CHANNELS) : read(null, () => query(channels));
  const database = `${quoted(session.target.database)}.*`;
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
    prepared: await read(PREPARED_NEED, () => readPrepared(session, signal)),
  };
}

/** Keys of these tables (null: the list could not be read). Throws as `readServerFacts`. */
export async function readKeys(
  session: Session,
  tables: readonly TableEntry[] | null,
  signal: AbortSignal,
): Promise<Reading<TableKeys>> {
  if (tables === null) return NO_TABLES;
  const need = { privileges: 'PROCESS', on: '*.*' };
  return readingOf(session, need, () => readTableKeys(session, tables, signal), signal);
}

/** Pure. Null: it could not be read, or need not be. */
export function mysqlFacts(
  own: ServerFacts,
  tables: readonly TableEntry[] | null,
  keys: Reading<TableKeys>,
  counters: readonly CounterFact[] | null,
): MysqlFacts {
  const part = <T>(pick: (known: TableKeys) => T): Reading<T> =>
    keys.known ? { known: true, value: pick(keys.value) } : keys;
  return {
    ...own,
    otherEngines: tables === null ? NO_TABLES : { known: true, value: otherEnginesOf(tables) },
    keyless: part(({ keyless }) => keyless),
    keys: part((known) => known.keys),
    counters: counters === null ? NO_COUNTERS : { known: true, value: counters },
  };
}

const NO_CHANNELS = {
  known: false,
  reason: 'this account may not see whether the server replicates',
} as const;

const NO_TABLES = { known: false, reason: 'the list of tables could not be read' } as const;

const NO_COUNTERS = { known: false, reason: 'counters are read on a candidate only' } as const;

function logNeed({ flavor }: Session): Need {
  return { privileges: flavor === 'mysql' ? 'REPLICATION CLIENT' : 'BINLOG MONITOR', on: '*.*' };
}

function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
