import { statfs } from 'node:fs/promises';
import type { ReadinessOptions } from '../../src/connector/facts.ts';
import type { PostgresFacts } from '../../src/connector/facts-postgres.ts';
import { isLocal } from '../../src/connector/endpoint.ts';
import type { Reading } from '../../src/connector/reading.ts';
import { readIndexChecks } from './readiness-deep.ts';
import { reading, withheld } from './readiness-reading.ts';
import {
  readArchiver,
  readConfigErrors,
  readHbaErrors,
  readPendingRestart,
  readPrepared,
  readReceiver,
  readSenders,
  readSettings,
  readSlots,
  readUnreplayed,
  readWriters,
} from './readiness-server.ts';
import {
  readAges,
  readChecksumFailures,
  readCollations,
  readConflicts,
  readExtensions,
  readInvalidIndexes,
  readTablespaces,
  readUnvalidated,
} from './readiness-storage.ts';
import type { Session } from './session.ts';

const STATS = 'pg_read_all_stats';
const RECEIVER = 'the state of the WAL receiver';

/**
 * The facts of PostgreSQL's own rules, one short statement each, without those of logical pairs. Throws only when the
 * site is lost or the run aborted.
 */
export async function readPostgresFacts(
  session: Session,
  options: ReadinessOptions,
  signal: AbortSignal,
): Promise<Omit<PostgresFacts, 'logical'>> {
  const role = await readRole(session, signal);
  const get = <T>(query: (s: Session, a: AbortSignal) => Promise<T>, grant?: string): Promise<Reading<T>> =>
    reading(signal, () => query(session, signal), grant);
  const stats = async <T>(what: string, query: (s: Session, a: AbortSignal) => Promise<T>) =>
    role.stats ? get(query) : withheld(what, STATS, role.quoted);
  const settings = await get(readSettings);
  return {
    versionNumber: session.versionNumber,
    settings,
    configErrors: role.files ? await get(readConfigErrors) : notGranted(FILES, role.quoted),
    pendingRestart: await get(readPendingRestart),
    hbaErrors: role.logins ? await get(readHbaErrors) : notGranted(loginFunctions(session), role.quoted),
    receiver: await stats(RECEIVER, readReceiver),
    unreplayedBytes: await get(readUnreplayed),
    senders: await stats('who receives log', readSenders),
    slots: await get(readSlots),
    prepared: await get(readPrepared),
    collations: await get(readCollations),
    invalidIndexes: await get(readInvalidIndexes),
    unvalidated: await get(readUnvalidated),
    checksumFailures: await get(readChecksumFailures),
    ages: await get(readAges),
    extensions: await get(readExtensions),
    tablespaces: await get(readTablespaces),
    archiver: await get(readArchiver),
    conflicts: await get(readConflicts),
    disk: await readDisk(session, settings),
    writers: await stats('who writes', readWriters),
    ...(options.deep === true ? { indexChecks: await readIndexChecks(session, role.quoted, signal) } : {}),
  };
}

/** Of these facts the one that says what a standby receives. Throws as `readPostgresFacts`. */
export async function readReceiving(
  session: Session,
  signal: AbortSignal,
): Promise<PostgresFacts['receiver']> {
  const { stats, quoted } = await readRole(session, signal);
  return stats ? reading(signal, () => readReceiver(session, signal)) : withheld(RECEIVER, STATS, quoted);
}

interface Role {
  readonly quoted: string;
  readonly stats: boolean;
  /** Whether it may see what the configuration files say. */
  readonly files: boolean;
  readonly logins: boolean;
}

const FILES = ['pg_catalog.pg_show_all_file_settings()'];

function loginFunctions(session: Session): readonly string[] {
  const hba = 'pg_catalog.pg_hba_file_rules()';
  return session.versionNumber >= 150_000 ? [hba, 'pg_catalog.pg_ident_file_mappings()'] : [hba];
}

/** Asked beforehand: a refusal would be an error in the server's log each time. */
async function readRole(session: Session, signal: AbortSignal): Promise<Role> {
  const may = (functions: readonly string[]): string =>
    functions.map((name) => `pg_catalog.has_function_privilege('${name}', 'EXECUTE')`).join(' and ');
  const [row] = await session.rows<Role>(
    `select pg_catalog.quote_ident(current_user) as quoted,
       pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') as stats,
       ${may(FILES)} as files, ${may(loginFunctions(session))} as logins`,
    [],
    signal,
  );
  return row ?? { quoted: 'CURRENT_USER', stats: false, files: false, logins: false };
}

function notGranted(functions: readonly string[], role: string): Reading<never> {
  return {
    known: false,
    reason: 'the role may not see what the files on the server say',
    sql: functions.map((name) => `GRANT EXECUTE ON FUNCTION ${name} TO ${role};`).join(' '),
  };
}

/** The server does not tell how much room it has; only where its data directory can be seen from here it is known. */
async function readDisk(
  session: Session,
  settings: PostgresFacts['settings'],
): Promise<PostgresFacts['disk']> {
  const path = settings.known ? settings.value['data_directory'] : undefined;
  if (!isLocal(session.target.host)) {
    return { known: false, reason: 'the server is on another machine, and does not tell by itself' };
  }
  if (path === undefined) {
    return { known: false, reason: 'data_directory is shown only to members of pg_read_all_settings' };
  }
  try {
    const { bavail, bsize } = await statfs(path, { bigint: true });
    return { known: true, value: { path, freeBytes: (bavail * bsize).toString() } };
  } catch {
    return { known: false, reason: `${path} cannot be looked at from here` };
  }
}
