import { randomBytes } from 'node:crypto';
import { chown, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { messageOf, TwinproofError } from '../errors.ts';
import { DATABASE, ROLE } from './bank-schema.ts';
import { MARIADB_LOAD_SQL, mariadbRoleSql, MARIADB_SCHEMA_SQL } from './mariadb-bank.ts';
import { initialiseMariadb, MARIADB_FIRST } from './mysql-bootstrap.ts';
import type { MysqlInstallation } from './mysql-installation.ts';
import { Replication } from './mysql-replication.ts';
import { createMysqlHome, MysqlServer } from './mysql-server.ts';

/** Of single transactions of many thousands of rows, on a machine that does much else. */
const APPLY_LIMIT_MS = 900_000;
const REPLICATOR = { user: 'replicator', password: 'replicator' };
/** Every column by its name, as a ledger needs it; workers that apply side by side. */
const SETTINGS = {
  binlog_row_metadata: 'FULL',
  slave_parallel_threads: '2',
  slave_parallel_mode: 'optimistic',
  innodb_buffer_pool_size: '128M',
  innodb_log_file_size: '64M',
} as const;

/** The demo's servers of MariaDB. What was started is ended by `end`, whatever happened. */
export class MariadbSites {
  /** Of the role that may only read; nobody else's is used, whatever the environment and option files say. */
  readonly password = randomBytes(9).toString('base64url');
  readonly installation: MysqlInstallation;
  readonly #signal: AbortSignal;
  readonly #all: MysqlServer[] = [];

  constructor(installation: MysqlInstallation, signal: AbortSignal) {
    this.installation = installation;
    this.#signal = signal;
  }

  /** @throws TwinproofError TP-DEMO with what the server said. */
  async server(name: string): Promise<MysqlServer> {
    const paths = await createMysqlHome(this.installation);
    const server = new MysqlServer(this.installation, paths, name, SETTINGS);
    this.#all.push(server);
    try {
      const { user } = this.installation;
      await mkdir(paths.data, { mode: 0o700 });
      if (user !== null) await chown(paths.data, user.uid, user.gid);
      const first = join(paths.home, 'first.sql');
      await writeFile(first, MARIADB_FIRST, { mode: 0o644 });
      await initialiseMariadb(this.installation, paths.data, first);
      await server.start();
    } catch (error) {
      throw new TwinproofError('TP-DEMO', {
        message: `MariaDB ${this.installation.version} does not run here: ${messageOf(error)}`,
        cause: error,
      });
    }
    await this.#checkpoint();
    return server;
  }

  /** The bank's tables with their rows, and the role. */
  async load(primary: MysqlServer): Promise<void> {
    const { user, password } = REPLICATOR;
    await primary.sql(`CREATE DATABASE ${DATABASE}; ${mariadbRoleSql(this.password)}
      CREATE USER ${user}@'%' IDENTIFIED BY '${password}'; GRANT REPLICATION SLAVE ON *.* TO ${user}@'%'`);
    await primary.sql(`${MARIADB_SCHEMA_SQL} ${MARIADB_LOAD_SQL}`, [], DATABASE);
    await this.#checkpoint();
  }

  /** Makes an empty server the replica of another; returns when it has everything. */
  async replicate(primary: MysqlServer, replica: MysqlServer): Promise<Replication> {
    const replication = new Replication(primary, replica);
    await replication.follow(REPLICATOR);
    await replica.set({ read_only: 'ON' });
    await replication.caughtUp(APPLY_LIMIT_MS);
    await this.#checkpoint();
    return replication;
  }

  /** As a configuration has it: with the role that may only read. */
  url(server: MysqlServer): string {
    return server.url(ROLE, DATABASE, this.password);
  }

  /** Ends all servers at once and removes their files. Throws nothing. */
  async end(): Promise<void> {
    await Promise.allSettled(this.#all.splice(0).map((server) => server.destroy()));
  }

  /** The end came meanwhile: nobody else will look after what was started. */
  async #checkpoint(): Promise<void> {
    if (!this.#signal.aborted) return;
    await this.end();
    throw this.#signal.reason;
  }
}
