import { setTimeout as sleep } from 'node:timers/promises';
import { connectTarget } from '../../../connectors/postgres/address.ts';
import { openSession, type Session } from '../../../connectors/postgres/session.ts';
import type { SessionOptions } from '../../../connectors/postgres/settings.ts';
import { describeTables } from '../../../connectors/postgres/tables.ts';
import { parseUrl } from '../../../src/config/url.ts';
import type { TableDescription } from '../../../src/connector/table.ts';
import { installedVersions, type PostgresVersion } from '../../../src/demo/binaries.ts';
import { type Cluster, createCluster } from './cluster.ts';
import { createWatcher } from './watcher.ts';

/** An idle publisher tells its subscriber where it stands after half of wal_sender_timeout, that is after 30 seconds. */
const EVENTUALLY_MS = 45_000;

/** Servers and sessions of one test file, ended together. */
export class ServerSet {
  private readonly clusters: Cluster[] = [];
  private readonly sessions: Session[] = [];

  /** With the role of watcher.ts. */
  async cluster(version: PostgresVersion = installedVersions().at(-1) ?? 18): Promise<Cluster> {
    const cluster = this.add(await createCluster({ version }));
    await createWatcher(cluster);
    return cluster;
  }

  add(cluster: Cluster): Cluster {
    this.clusters.push(cluster);
    return cluster;
  }

  async open(
    cluster: Cluster,
    user = 'postgres',
    database = 'postgres',
    options: Partial<SessionOptions> = {},
  ): Promise<Session> {
    const target = connectTarget(parseUrl(cluster.url(database, user), 'secret').address, {});
    const session = await openSession(target, forever(), { purpose: 'catalog', ...options });
    this.sessions.push(session);
    return session;
  }

  async end(): Promise<void> {
    await Promise.all(this.sessions.map((session) => session.close()));
    await Promise.all(this.clusters.map((cluster) => cluster.destroy()));
  }
}

export function forever(): AbortSignal {
  return new AbortController().signal;
}

export async function describeAll(session: Session): Promise<Map<string, TableDescription>> {
  const tables = await describeTables(session, () => true, forever());
  return new Map(tables.map((table) => [table.name, table]));
}

/** Looks until it is so, within bounds. */
export async function eventually(check: () => Promise<boolean>, what: string): Promise<void> {
  for (const end = performance.now() + EVENTUALLY_MS; performance.now() < end; await sleep(50)) {
    if (await check()) return;
  }
  throw new Error(`never: ${what}`);
}
