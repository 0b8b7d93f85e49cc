import { setTimeout as sleep } from 'node:timers/promises';
import type { Core } from '../../../src/ledger/core.ts';
import { Known } from '../../../src/ledger/known.ts';
import { Witness } from '../../../src/ledger/witness.ts';
import { until } from './cli.ts';
import { VERIFIER } from './mysql-accounts.ts';
import { createMysqlPair, type MysqlPair, type MysqlPairOptions } from './mysql-pair.ts';
import type { MysqlServer } from './mysql-server.ts';
import { provenOf, RunningWatch, WatchFolder, type WatchedSite, type WatchedSites } from './watch.ts';

/** What the log needs to be followed. */
const SETTINGS = { binlog_row_metadata: 'FULL' };
/** Beyond what `verify` needs. */
const GRANT = `GRANT REPLICATION SLAVE ON *.* TO '${VERIFIER.user}'@'%'`;

const LIMIT_MS = 60_000;
/** Reading a ledger is work, in the process in which the watch runs too. */
const POLL_MS = 200;

/** A pair whose logs can be followed. */
export async function createWatchedPair(options: MysqlPairOptions): Promise<MysqlPair> {
  const pair = await createMysqlPair({ ...options, settings: { ...SETTINGS, ...options.settings } });
  try {
    await pair.write(GRANT);
    return pair;
  } catch (error) {
    await pair.destroy();
    throw error;
  }
}

function watched(server: MysqlServer): WatchedSite {
  return { url: (database) => server.url(VERIFIER.user, database, VERIFIER.password) };
}

export function mysqlWatchFolder(
  { source, replica, database }: MysqlPair,
  options: Pick<WatchedSites, 'policy' | 'scrub' | 'retention' | 'mirror' | 'facts' | 'more'> = {},
): WatchFolder {
  return new WatchFolder({
    primary: watched(source),
    candidates: { gasan: watched(replica) },
    database,
    ...options,
  });
}

/** Every row of as many tables as there are is known and proven, and no key is dirty. */
export async function isProven(folder: WatchFolder, tables: number): Promise<boolean> {
  try {
    const { unproven, dirty } = await provenOf(folder, 'gasan');
    const complete = await folder.reading(({ core }) =>
      new Known(core.store)
        .definitions()
        ?.tables.filter(({ id }) => typeof core.catalog.ofTable(id)?.completeFrom === 'number'),
    );
    return complete?.length === tables && unproven.length === 0 && dirty === 0;
  } catch {
    // There is no ledger yet.
    return false;
  }
}

/** Waits until it is so; fails at once when the watch has ended. */
export async function untilProven(watch: RunningWatch, folder: WatchFolder, tables: number): Promise<void> {
  await slowly(watch, () => isProven(folder, tables), 'the replica is proven');
}

async function slowly(
  { ended }: { readonly ended: Promise<unknown> },
  check: () => Promise<boolean>,
  what: string,
): Promise<void> {
  const over = ended.then(
    (result: unknown) => {
      throw new Error(`the watch has ended before: ${what}: ${JSON.stringify(result)}`);
    },
    (error: unknown) => {
      throw new Error(`the watch has failed before: ${what}`, { cause: error });
    },
  );
  const patient = async (): Promise<boolean> => {
    await sleep(POLL_MS);
    return check();
  };
  await Promise.race([until(patient, what, LIMIT_MS), over]);
}

/** A watch that has proven the replica whole, `tables` being all that there are. It goes on. */
export async function provenWatch(folder: WatchFolder, tables: number): Promise<RunningWatch> {
  const watch = new RunningWatch(folder);
  try {
    await untilProven(watch, folder, tables);
    return watch;
  } catch (error) {
    await watch.stop().catch(() => undefined);
    throw error;
  }
}

/** Waits until the ledger has seen everything that the primary has committed by now; `ended`: of the watch. */
export async function ledgerCaughtUp(
  folder: WatchFolder,
  pair: MysqlPair,
  watch: { readonly ended: Promise<unknown> },
): Promise<void> {
  const us = await nowUs(pair);
  const witnessed = (): Promise<boolean> => folder.reading(({ core }) => isWitnessed(core, us));
  await slowly(watch, witnessed, 'the ledger has caught up');
}

/** The primary's clock, microseconds. */
async function nowUs({ source }: MysqlPair): Promise<bigint> {
  const [row] = await source.sql('SELECT CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS UNSIGNED) AS us');
  return BigInt(String(row?.['us']));
}

/**
 * Waits until the ledger holds all that the primary is now: every commit, every definition, every row of each table that
 * it follows. Nobody writes meanwhile.
 */
export async function ledgerSettled(
  folder: WatchFolder,
  watch: RunningWatch,
  pair: MysqlPair,
): Promise<void> {
  const us = await nowUs(pair);
  const settled = (): Promise<boolean> =>
    folder.reading(({ core }) => isWitnessed(core, us) && knowsAllSince(core, us));
  await slowly(watch, settled, 'the ledger has everything');
}

function isWitnessed(core: Core, us: bigint): boolean {
  return (new Witness(core).read()?.timeUs ?? 0n) > us;
}

function knowsAllSince(core: Core, us: bigint): boolean {
  const definitions = new Known(core.store).definitions();
  if (definitions === null || definitions.knownUntilUs <= us) return false;
  if (core.store.unread.getKeysCount({ limit: 1 }) > 0) return false;
  return definitions.tables.every(
    ({ id, unfollowed }) => unfollowed !== null || typeof core.catalog.ofTable(id)?.completeFrom === 'number',
  );
}
