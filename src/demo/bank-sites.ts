import { type PostgresVersion, installedVersions } from './binaries.ts';
import {
  DATABASE,
  FOREIGN_KEYS_SQL,
  LOAD_SQL,
  ROLE,
  ROLE_SQL,
  SCHEMA_SQL,
  SEQUENCES_SQL,
  SUBSCRIBER_ROLE_SQL,
  TABLES,
} from './bank-schema.ts';
import { type Cluster, createCluster } from './cluster.ts';
import { createLogicalPair, type LogicalPair } from './cluster-logical.ts';
import { createStandby } from './cluster-standby.ts';

/** The newest version comes for every platform; the others are there for tests. */
export function demoVersion(): PostgresVersion {
  return installedVersions().at(-1) ?? 18;
}

/** The demo's servers, in the order in which they came. What was started is ended by `end`, whatever happened. */
export class BankSites {
  readonly #signal: AbortSignal;
  readonly #all: Cluster[] = [];

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** A server with the bank's tables, empty. */
  async server(name: string): Promise<Cluster> {
    const cluster = await createCluster({
      version: demoVersion(),
      name,
      signal: this.#signal,
      // Small tables, a short life: vacuum and analyse would only make the times of two runs differ.
      settings: { autovacuum: 'off', max_wal_size: '2GB', max_slot_wal_keep_size: '1GB' },
    });
    await this.#own(cluster);
    await cluster.createDatabase(DATABASE);
    await cluster.query(DATABASE, `${SCHEMA_SQL}\n${ROLE_SQL}`);
    return cluster;
  }

  async load(primary: Cluster): Promise<void> {
    await primary.query(DATABASE, `BEGIN; ${LOAD_SQL} ${SEQUENCES_SQL} ${FOREIGN_KEYS_SQL} COMMIT`);
    // Rows that are frozen are not touched again by whoever reads them first.
    await primary.query(DATABASE, 'VACUUM (FREEZE, ANALYZE)');
  }

  async standby(primary: Cluster, name = 'standby'): Promise<Cluster> {
    const standby = await createStandby(primary, { name, signal: this.#signal });
    await this.#own(standby);
    return standby;
  }

  /** Subscribes `replica` to the tables of `primary`; returns when all are copied and followed. */
  async subscribe(primary: Cluster, replica: Cluster): Promise<LogicalPair> {
    await replica.query(DATABASE, `${FOREIGN_KEYS_SQL} ${SUBSCRIBER_ROLE_SQL}`);
    const pair = await createLogicalPair(primary, replica, {
      database: DATABASE,
      tables: TABLES,
      name: 'bank_replica',
      publicationOptions: 'publish_via_partition_root = true',
    });
    // As a runbook does, which forgets one, as runbooks do: sequences are not replicated with rows.
    await replica.query(DATABASE, `${SEQUENCES_SQL} ANALYZE`);
    return pair;
  }

  /** Ends all servers at once and removes their files. Throws nothing. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#all.splice(0).map((cluster) => cluster.destroy()));
  }

  async #own(cluster: Cluster): Promise<void> {
    this.#all.push(cluster);
    // The end came while it was starting: nobody else will look after it.
    if (!this.#signal.aborted) return;
    await this.end();
    throw this.#signal.reason;
  }
}

/** As typed on a command line: with the role that may only read. */
export function siteUrl(cluster: Cluster): string {
  return cluster.url(DATABASE, ROLE);
}
