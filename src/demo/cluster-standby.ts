import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Cluster } from './cluster.ts';
import { baseBackup } from './cluster-backup.ts';
import { createHome, writeOwned } from './cluster-files.ts';
import { type Settings, connectionString } from './cluster-settings.ts';
import { waitUntil } from './cluster-wait.ts';
import { TwinproofError } from '../errors.ts';

export interface StandbyOptions {
  /** Also its application_name at the primary; letters, digits and `_`. Default `standby`. */
  readonly name?: string;
  /** Added to the defaults. Of the primary's settings those are taken over that a hot standby may not undercut. */
  readonly settings?: Settings;
  readonly hotStandbyFeedback?: boolean;
  /** Delay of replay with its unit, such as `5s`. */
  readonly recoveryMinApplyDelay?: string;
  /** Physical slot on the primary; made when it does not exist. Default none: the primary's wal_keep_size serves. */
  readonly slot?: string;
  /** Folder in which the server's folder is made; default the system's temporary directory. */
  readonly parent?: string;
  readonly signal?: AbortSignal;
}

/**
 * Copies a running primary and starts the copy as its hot standby; returns when it streams, about half a second for a
 * small primary.
 * @throws TwinproofError TP-DEMO when it does not start, TP-INTERRUPTED. Nothing is left behind.
 */
export async function createStandby(primary: Cluster, options: StandbyOptions = {}): Promise<Cluster> {
  const name = options.name ?? 'standby';
  if (options.slot !== undefined) await ensureSlot(primary, options.slot);
  if (options.signal?.aborted === true) throw new TwinproofError('TP-INTERRUPTED');
  const sizes = await sizesOf(primary);
  const paths = await createHome(primary.binaries.user, options.parent);
  const standby = new Cluster({
    name,
    binaries: primary.binaries,
    paths,
    settings: {
      ...sizes,
      ...replicationSettings(primary, name, options),
      ...options.settings,
    },
    password: primary.password,
    upstream: primary,
  });
  try {
    await baseBackup(primary, paths);
    // The primary's ALTER SYSTEM settings would be stronger than ours.
    await rm(join(paths.data, 'postgresql.auto.conf'), { force: true });
    await writeOwned(join(paths.data, 'standby.signal'), '', primary.binaries.user);
    await standby.start(options.signal);
    // Who gives another upstream may want it unreachable.
    if (options.settings?.['primary_conninfo'] === undefined) await waitForStreaming(standby);
    return standby;
  } catch (error) {
    await standby.destroy();
    throw error;
  }
}

/** Settings in which a hot standby must equal or exceed its primary, or it stops replaying. */
async function sizesOf(primary: Cluster): Promise<Settings> {
  const rows = await primary.sql(
    `SELECT name, setting FROM pg_settings WHERE name IN ('max_connections', 'max_worker_processes',
       'max_wal_senders', 'max_prepared_transactions', 'max_locks_per_transaction')`,
  );
  return Object.fromEntries(rows.map((row) => [String(row['name']), String(row['setting'])]));
}

function replicationSettings(primary: Cluster, name: string, options: StandbyOptions): Settings {
  const fields = { host: '127.0.0.1', port: String(primary.port), user: 'postgres', application_name: name };
  const password = primary.password === null ? {} : { password: primary.password };
  return {
    primary_conninfo: connectionString({ ...fields, ...password }),
    ...(options.slot === undefined ? {} : { primary_slot_name: options.slot }),
    ...(options.hotStandbyFeedback === undefined
      ? {}
      : { hot_standby_feedback: options.hotStandbyFeedback ? 'on' : 'off' }),
    ...(options.recoveryMinApplyDelay === undefined
      ? {}
      : { recovery_min_apply_delay: options.recoveryMinApplyDelay }),
  };
}

async function ensureSlot(primary: Cluster, slot: string): Promise<void> {
  await primary.sql(
    `SELECT pg_create_physical_replication_slot($1, true)
      WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)`,
    [slot],
  );
}

/** Waits until the standby receives its primary's WAL as it is written. @throws TwinproofError TP-DEMO */
export async function waitForStreaming(standby: Cluster, timeoutMs = 30_000): Promise<void> {
  const primary = standby.upstream;
  if (primary === null) throw new TwinproofError('TP-DEMO', { message: `"${standby.name}" has no primary` });
  const session = await primary.connect();
  try {
    const done = async (): Promise<boolean> => {
      const text = `SELECT FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming'`;
      return ((await session.query(text, [standby.name])).rowCount ?? 0) > 0;
    };
    await waitUntil(
      done,
      timeoutMs,
      async () => `"${standby.name}" does not stream: ${await standby.log(5)}`,
    );
  } finally {
    await session.end();
  }
}

/** The end of what the primary has written to its WAL, as text; every commit that returned lies before it. */
export async function writtenLsn(primary: Cluster): Promise<string> {
  const rows = await primary.sql('SELECT pg_current_wal_lsn()::text AS lsn');
  return String(rows[0]?.['lsn']);
}

/**
 * Waits until a standby has replayed `lsn`, by default all that its primary has written by now; returns the LSN waited
 * for. @throws TwinproofError TP-DEMO with the end of the standby's log after `timeoutMs`.
 */
export async function waitForReplay(standby: Cluster, lsn?: string, timeoutMs = 30_000): Promise<string> {
  if (lsn === undefined && standby.upstream === null) {
    throw new TwinproofError('TP-DEMO', { message: `"${standby.name}" has no primary: name the LSN` });
  }
  const goal = lsn ?? (await writtenLsn(standby.upstream ?? standby));
  const session = await standby.connect();
  try {
    const done = async (): Promise<boolean> => {
      const text = 'SELECT coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn, false) AS done';
      return (await session.query<{ done: boolean }>(text, [goal])).rows[0]?.done === true;
    };
    await waitUntil(
      done,
      timeoutMs,
      async () => `"${standby.name}" did not replay ${goal} in time: ${await standby.log(5)}`,
    );
  } finally {
    await session.end();
  }
  return goal;
}
