import { accountsSql, REPLICATOR, replicatorSql } from './mysql-accounts.ts';
import type { MysqlFlavor, MysqlRelease } from './mysql-installation.ts';
import { createMysqlServer, type MysqlServer } from './mysql-server.ts';
import { type ReplicationThread, Replication } from '../../../src/demo/mysql-replication.ts';
import type { MysqlEndpoint } from '../../../src/demo/mysql-endpoint.ts';
import type { MysqlSettings } from '../../../src/demo/mysql-settings.ts';

export interface MysqlPairOptions {
  readonly flavor: MysqlFlavor;
  /** Default `lts`: MySQL 9.7, MariaDB 10.11; `next`: MariaDB 11.8. */
  readonly release?: MysqlRelease;
  /** Made on the source; default `bank`. */
  readonly database?: string;
  /** Statements run on the source in that database; the replica has them when the pair is returned. */
  readonly schema?: string;
  /** Threads that apply on the replica; default 4. */
  readonly workers?: number;
  /** Of both servers. */
  readonly settings?: MysqlSettings;
  readonly sourceSettings?: MysqlSettings;
  readonly replicaSettings?: MysqlSettings;
}

/** A source and its replica, which follows by GTIDs and refuses writes. */
export class MysqlPair<Server extends MysqlEndpoint = MysqlServer> {
  readonly source: Server;
  readonly replica: Server;
  readonly database: string;
  private readonly replication: Replication;

  constructor(source: Server, replica: Server, database: string) {
    this.source = source;
    this.replica = replica;
    this.database = database;
    this.replication = new Replication(source, replica);
  }

  /** Waits until the replica has applied what the source has committed. @throws Error when it fails, or after 2 min. */
  caughtUp(timeoutMs = 120_000): Promise<void> {
    return this.replication.caughtUp(timeoutMs);
  }

  /** Runs SQL on the source and waits until the replica has it. */
  async write(sql: string): Promise<void> {
    await this.source.sql(sql, [], this.database);
    await this.caughtUp();
  }

  /**
   * Runs SQL on the replica alone. Unlogged (the default) it leaves no trace in any binary log; logged it is an errant
   * transaction on MySQL and a local one on MariaDB. The replica takes writes meanwhile.
   */
  async tamper(sql: string, logged = false): Promise<void> {
    await this.setReadOnly(false);
    try {
      await this.replica.sql(`SET SESSION sql_log_bin = ${logged ? 1 : 0}; ${sql}`, [], this.database);
    } finally {
      await this.setReadOnly(true);
    }
  }

  /** Whether the replica refuses writes of ordinary users, and on MySQL of administrators too; outlives a restart. */
  async setReadOnly(on: boolean): Promise<void> {
    const value = on ? 'ON' : 'OFF';
    // On MySQL each follows the other in one direction only.
    const both = { super_read_only: value, read_only: value };
    await this.replica.set(this.replica.flavor === 'mysql' ? both : { read_only: value });
  }

  /** Stops receiving (`io`), applying (`sql`) or both; returns when it stands. */
  stopReplica(thread: ReplicationThread = 'both'): Promise<void> {
    return this.replication.stop(thread);
  }

  startReplica(thread: ReplicationThread = 'both'): Promise<void> {
    return this.replication.start(thread);
  }

  async destroy(): Promise<void> {
    await Promise.all([this.replica.destroy(), this.source.destroy()]);
  }
}

/** Two servers of our own, replicating; about two seconds. @throws Error. Nothing is left behind. */
export async function createMysqlPair(options: MysqlPairOptions): Promise<MysqlPair> {
  const { flavor, release = 'lts', database = 'bank', workers = 4 } = options;
  const parallel: MysqlSettings =
    flavor === 'mysql'
      ? { replica_parallel_workers: String(workers), replica_preserve_commit_order: 'ON' }
      : { slave_parallel_threads: String(workers), slave_parallel_mode: 'optimistic' };
  const made = await Promise.allSettled([
    createMysqlServer({
      flavor,
      release,
      name: 'source',
      settings: { ...options.settings, ...options.sourceSettings },
    }),
    createMysqlServer({
      flavor,
      release,
      name: 'replica',
      settings: { ...parallel, ...options.settings, ...options.replicaSettings },
    }),
  ]);
  const [source, replica] = made.map((result) => (result.status === 'fulfilled' ? result.value : null));
  try {
    for (const result of made) if (result.status === 'rejected') throw result.reason;
    if (!source || !replica) throw new Error('a server is missing');
    const pair = new MysqlPair(source, replica, database);
    await source.sql(`CREATE DATABASE \`${database}\`; ${replicatorSql()} ${accountsSql(flavor, database)}`);
    await new Replication(source, replica).follow(REPLICATOR);
    if (options.schema !== undefined) await source.sql(options.schema, [], database);
    await pair.setReadOnly(true);
    await pair.caughtUp();
    return pair;
  } catch (error) {
    await Promise.all([replica?.destroy(), source?.destroy()]);
    throw error;
  }
}
